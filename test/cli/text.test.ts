import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonLine } from "../../src/cli/io.ts";
import { setAt } from "../../src/cli/pointer.ts";
import { breakExact, cut, moment, oneLine, span, timeLeft, timeOfDay, widthOf, wrap } from "../../src/cli/text.ts";

describe("text for a terminal", () => {
  it("shows a moment that no calendar has as it is, instead of failing", () => {
    expect(moment(8.64e15 + 1)).toBe("8640000000000001 ms");
    expect([timeOfDay(8.64e15 + 1), timeOfDay(0)]).toEqual(["--:--:--", "00:00:00"]);
  });

  it("is never wider than it may be, and exact breaking loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 4, max: 40 }), (text, columns) => {
        const safe = oneLine(text);
        for (const line of [...wrap(safe, columns), ...breakExact(safe, columns, columns), cut(safe, columns)])
          expect(widthOf(line)).toBeLessThanOrEqual(columns);
        expect(breakExact(safe, columns, columns).join("")).toBe(safe);
        expect(safe).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  it("says durations in at most two units", () => {
    expect([0, 59_999, 60_000, 3_600_000, 3_660_000, 86_400_000, 90_000_000].map(span)).toEqual(["0 s", "59 s", "1 min", "1 h", "1 h 1 min", "1 d", "1 d 1 h"]);
    expect([timeLeft(null, 0), timeLeft(5000, 0), timeLeft(0, 5000)]).toEqual(["no deadline", "5 s left", "overdue by 5 s"]);
  });

  it("prints JSON that a terminal cannot be steered with, and that reads back as it was", () => {
    fc.assert(
      fc.property(fc.json(), fc.string({ unit: "binary" }), (json, text) => {
        const value = { json: JSON.parse(json) as unknown, text: `${text}\u001b[2J\u202e\u009b` };
        const line = jsonLine(value);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
        expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
      }),
    );
  });
});

describe("editing by path", () => {
  it("sets what is there, adds to objects and lists, and refuses what lies under nothing", () => {
    const document = () => ({ a: { b: [1, 2] }, "x/y": 1 });
    expect(setAt(document(), "/a/b/1", 3)).toEqual({ a: { b: [1, 3] }, "x/y": 1 });
    expect(setAt(document(), "/a/b/-", 3)).toEqual({ a: { b: [1, 2, 3] }, "x/y": 1 });
    expect(setAt(document(), "/a/c", null)).toEqual({ a: { b: [1, 2], c: null }, "x/y": 1 });
    expect(setAt(document(), "/x~1y", 2)).toMatchObject({ "x/y": 2 });
    expect(setAt(document(), "", [1])).toEqual([1]);
    for (const path of ["a", "/c/d", "/a/b/9", "/a/b/x", "/x~1y/z", "/__proto__/y"]) expect(() => setAt(document(), path, 1)).toThrow(JSON.stringify(path));
  });

  it("writes a key named __proto__ as a key", () => {
    const changed = setAt({}, "/__proto__", { polluted: true });
    expect(Object.keys(changed as object)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
