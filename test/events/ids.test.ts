import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { isUuid, newEventId, uuidBytes, uuidOfBytes, uuidV7 } from "../../src/events/ids.ts";

describe("an event id", () => {
  it("is a UUIDv7 of now, and later ones sort behind, also while the clock stands still or goes back", () => {
    const before = Date.now();
    const ids = Array.from({ length: 1000 }, newEventId);
    vi.useFakeTimers({ now: before - 60_000, toFake: ["Date"] });
    ids.push(...Array.from({ length: 1000 }, newEventId));
    vi.useRealTimers();
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt((ids[0] as string).replaceAll("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    // 48 bits of each are random, however the bytes they come from are pooled.
    expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(ids.length);
  });

  it("is laid out as the example in RFC 9562, A.6: time, version, count, variant, random", () => {
    const random = Buffer.from("ffffffffffffffffffff000c0c07398f", "hex");
    const seq = ((0xcc3 << 20) | (0x18c4 << 6) | 0x37) >>> 0;
    expect(uuidV7(random, 0x017f_22e2_79b0, seq)).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    expect(random.toString("hex", 0, 2)).toBe("ffff");
  });

  it("goes into 16 bytes and back", () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(uuidOfBytes(uuidBytes(id) as Buffer)).toBe(id);
      }),
    );
  });

  it.each([
    "",
    "0190a4de-7b1f-7000-8000-00000000000",
    "0190A4DE-7B1F-7000-8000-000000000000",
    "0190a4de07b1f-7000-8000-000000000000",
    "0190a4de-7b1f-7000-8000-0000000000-0",
    "0190a4de-7b1f-7000-8000-00000000000g",
    "0190a4de-7b1f-7000-8000-00000000000é",
    "0190a4de-7b1f-7000-8000-00000000000\ud83d",
  ])("has no bytes where it is no UUID in lower case: %j", (text) => {
    expect(isUuid(text)).toBe(false);
    expect(uuidBytes(text)).toBeNull();
  });
});
