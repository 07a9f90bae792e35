import reference from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, canonicalText, isCanonical, parseStrict } from "../../src/events/canonical.ts";

describe("canonical JSON", () => {
  it("is told from other texts of the same value, before and after the value was seen", () => {
    const text = '{"b":1,"a":[1.50,"x"]}';
    for (let time = 0; time < 2; time++) {
      expect(isCanonical(text)).toBe(false);
      expect(isCanonical('{"a":[1.5,"x"],"b":1}')).toBe(true);
    }
    expect(canonicalText(text)).toBe('{"a":[1.5,"x"],"b":1}');
  });

  it("is written as the reference writes it, whatever the keys and however deep", () => {
    const key = fc.oneof(
      fc.constantFrom("1", "01", "10", "9a", "-1", "__proto__", "toJSON", "constructor", "", "\u20ac", "\ud83d\ude00", "\ufb33"),
      fc.string(),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, -0, 1e21, 1e-7, 5e-324),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: "binary" }),
        fc.array(tie("value")),
        fc.dictionary(key, tie("value")),
      ),
    }));
    fc.assert(
      fc.property(value, (json) => {
        expect(canonicalize(json)).toBe(reference(json));
      }),
    );
    let deep: unknown = "x";
    for (let i = 0; i < 300; i++) deep = [{ b: 1, a: deep }];
    expect(canonicalize(deep)).toBe(reference(deep));
  });

  it("is still measured when it was seen before", () => {
    const text = `{"a":"${"x".repeat(50)}"}`;
    expect(isCanonical(text)).toBe(true);
    expect(() => isCanonical(text, { maxBytes: 40 })).toThrow(expect.objectContaining({ code: "json_too_large" }));
  });

  it("is refused where JSON.parse would let it pass, also after it was refused once", () => {
    for (let time = 0; time < 2; time++) expect(() => isCanonical('{"a":1,"a":1}')).toThrow(expect.objectContaining({ code: "json_duplicate_key" }));
  });

  it.each(["0", "-1", "120.5", "1e21", "9007199254740991", "1.0", "1E2", "-0.0", "1e-7", "0.10"])("takes %s, which a double holds", (number) => {
    expect(parseStrict(number)).toBe(Number(number));
  });

  it.each(["9007199254740993", "0.1000000000000000055", "1e999", "-1e400"])("refuses %s, which no double holds as written", (number) => {
    expect(() => parseStrict(number)).toThrow(expect.objectContaining({ code: "json_number_lossy" }));
  });

  it("names the place of a fault as a JSON Pointer", () => {
    expect(() => parseStrict('{"a/b":{"c~d":[1,1e999]}}')).toThrow(expect.objectContaining({ field: "/a~1b/c~0d/1" }));
  });
});

describe("a text that is written as it is read", () => {
  it("is taken without a scan only where the scan would take it: what the scan refuses stays refused", () => {
    // Half of a surrogate pair as an escape is written as the same escape; the others are written otherwise.
    for (const text of ['"\\ud800"', '{"a":"\\udc00"}', '{"\\ud800":1}'])
      expect(() => parseStrict(text)).toThrow(expect.objectContaining({ code: "json_lone_surrogate" }));
    for (const text of ['{"a":1,"a":1}', '{"a":{"b":[],"b":[]}}'])
      expect(() => parseStrict(text)).toThrow(expect.objectContaining({ code: "json_duplicate_key" }));
    for (const text of ["1.00000000000000000001", "9007199254740993", "[1e400]", "1e-400"])
      expect(() => parseStrict(text)).toThrow(expect.objectContaining({ code: "json_number_lossy" }));
  });

  it("and one that is not mean the same value: white space and other spellings change nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parseStrict(text)).toEqual(JSON.parse(text));
        expect(parseStrict(JSON.stringify(value, null, 1))).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe("the canonical form of a value whose keys stand in order", () => {
  it("is that of the same value in disorder, and neither is changed", () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, part]) => [key, reversed(part)]),
            )
          : value;
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const [before, disorder] = [JSON.stringify(value), reversed(value)];
        const text = canonicalize(value);
        expect(canonicalize(disorder)).toBe(text);
        expect(canonicalize(JSON.parse(text))).toBe(text);
        expect(JSON.stringify(value)).toBe(before);
      }),
      { numRuns: 300 },
    );
  });
});
