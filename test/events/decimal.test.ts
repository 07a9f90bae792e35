import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { add, compare, decimalOf, decimalText, subtract } from "../../src/events/decimal.ts";

const read = (value: unknown) => {
  const decimal = decimalOf(value);
  return decimal === undefined ? undefined : decimalText(decimal);
};

describe("a decimal", () => {
  test("0.1 added ten times is exactly 1", () => {
    const tenth = decimalOf(0.1)!;
    expect(decimalText(Array.from({ length: 10 }, () => tenth).reduce(add))).toBe("1");
  });

  test.each([
    [0, "0"],
    [-0, "0"],
    [1250.5, "1250.5"],
    ["1250.50", "1250.5"],
    ["-0.05", "-0.05"],
    [1e21, "1000000000000000000000"],
    [5e-7, "0.0000005"],
    ["007", "7"],
  ])("%j is read as %s", (value, text) => {
    expect(read(value)).toBe(text);
  });

  test.each([["1,250"], [" 5"], ["5 "], [""], ["1.2.3"], ["0x10"], [Number.NaN], [Number.POSITIVE_INFINITY], [true], [null], [{}], [[5]], ["9".repeat(41)]])(
    "%j is none",
    (value) => {
      expect(decimalOf(value)).toBe(undefined);
    },
  );

  test("sums and comparisons are those of whole numbers of the smallest unit", () => {
    const cents = fc.integer({ min: -1e9, max: 1e9 });
    const of = (n: number) => decimalOf(`${n < 0 ? "-" : ""}${Math.floor(Math.abs(n) / 100)}.${String(Math.abs(n) % 100).padStart(2, "0")}`)!;
    fc.assert(
      fc.property(cents, cents, (a, b) => {
        expect(compare(add(of(a), of(b)), of(a + b))).toBe(0);
        expect(compare(subtract(of(a), of(b)), of(a - b))).toBe(0);
        expect(Math.sign(compare(of(a), of(b)))).toBe(Math.sign(a - b));
      }),
    );
  });
});
