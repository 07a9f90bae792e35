import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { compileSchema } from "../../src/policy/document/json-schema.ts";

function timed<T>(work: () => T): { result: T; ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

describe("a JSON Schema of arguments", () => {
  it("names path, rule and value of what breaks it", () => {
    const check = compileSchema({ type: "object", properties: { amount: { type: "number", maximum: 10 } }, required: ["amount"], additionalProperties: false });
    expect(check({ amount: 3 })).toBeUndefined();
    expect(check({ amount: 30 })).toEqual([{ path: "/amount", rule: "maximum", message: "/amount must be <= 10 (maximum)", value: "30" }]);
    expect(check({})?.[0].message).toBe('the arguments must have "amount" (required)');
    expect(check({ amount: 1, x: 1 })?.[0].message).toBe('the arguments must not have "x" (additionalProperties)');
  });

  it("names every breach once, the first ten of them, and of a choice only that it is none", () => {
    const check = compileSchema({
      type: "object",
      properties: { amount: { type: "number", maximum: 10 }, to: { type: "string", minLength: 3 }, how: { anyOf: [{ const: "card" }, { const: "cash" }] } },
      required: ["amount", "order"],
      additionalProperties: false,
    });
    const told = check({ amount: "30", to: "x", extra: 1 })?.map(({ message }) => message);
    expect(told?.toSorted()).toEqual([
      "/amount must be number (type)",
      "/to must NOT have fewer than 3 characters (minLength)",
      'the arguments must have "order" (required)',
      'the arguments must not have "extra" (additionalProperties)',
    ]);
    expect(check({ amount: 1, order: 1, how: "gold" })?.length).toBeGreaterThan(0);
    const many = compileSchema({ type: "array", items: { type: "string" } });
    expect(many(Array(100).fill(1))?.map(({ path }) => path)).toEqual(Array.from({ length: 10 }, (_, i) => `/${i}`));
    expect(many(Array(40_000).fill(1))).toHaveLength(1);
  });

  it("keeps every pattern its own, also across schemas", () => {
    const check = compileSchema({ properties: { a: { type: "string", pattern: "^x$" }, b: { type: "string", pattern: "^y$" } } });
    expect(check({ a: "x", b: "y" })).toBeUndefined();
    expect(check({ a: "x", b: "x" })?.[0].path).toBe("/b");
    expect(compileSchema({ type: "string", pattern: "^z$" })("x")?.[0].rule).toBe("pattern");
  });

  it("is not fooled by names that every object inherits", () => {
    const check = compileSchema({ type: "object", required: ["constructor", "toString"] });
    expect(check({})?.[0].rule).toBe("required");
    expect(check(JSON.parse('{"constructor":1,"toString":2,"__proto__":3}'))).toBeUndefined();
  });

  it("answers in bounded time whatever the value: patterns, formats and uniqueItems", () => {
    const evil = `${"a".repeat(60_000)}!`;
    for (const schema of [
      { type: "string", pattern: "^(a+)+$" },
      { type: "string", pattern: "(x+x+)+y|(a|aa)+$" },
      { type: "string", format: "email" },
      { type: "string", format: "uri" },
      { type: "string", format: "url" },
    ] as Json[]) {
      const check = compileSchema(schema);
      const { result, ms } = timed(() => check(evil));
      expect(result).toBeDefined();
      expect(ms).toBeLessThan(500);
    }
    const unique = compileSchema({ type: "array", uniqueItems: true });
    const { result, ms } = timed(() => unique(Array.from({ length: 40_000 }, (_, i) => ({ i }))));
    expect(result).toBeUndefined();
    expect(ms).toBeLessThan(2_000);
    expect(
      unique([
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ])?.[0].rule,
    ).toBe("uniqueItems");
  });

  it("compares multiples as decimals: every amount of whole cents is a multiple of 0.01, and no other is", () => {
    const cents = compileSchema({ type: "number", multipleOf: 0.01 });
    for (let n = -10_000; n <= 10_000; n++) expect(cents(n / 100)).toBeUndefined();
    expect(cents(19.991)).toMatchObject([{ rule: "multipleOf", message: expect.stringContaining("must be multiple of 0.01") }]);
    expect(compileSchema({ multipleOf: 5 })(1e21)).toBeUndefined();
    expect(compileSchema({ multipleOf: 7 })(-20)).toBeDefined();
    expect(() => compileSchema({ multipleOf: 0 })).toThrow("multipleOf");
  });

  it("never takes a text that is too long for a pattern for one without it", () => {
    const check = compileSchema({ type: "string", not: { pattern: "(x{1,90}y?){1,9}z" } });
    expect(check("a")).toBeUndefined();
    expect(check(`${"x".repeat(5000)}z`)?.[0]).toMatchObject({ rule: "schema", message: expect.stringContaining("cannot be checked") });
  });

  it("is read as 2020-12, as draft-07 where it says so, and may carry annotations of other tools", () => {
    expect(compileSchema({ prefixItems: [{ type: "string" }] })([1])).toBeDefined();
    expect(compileSchema({ $schema: "http://json-schema.org/draft-07/schema#", items: [{ type: "string" }] })([1])).toBeDefined();
    expect(compileSchema({ type: "string", "x-order": 1, example: "a" })("b")).toBeUndefined();
    expect(() => compileSchema({ $schema: "https://example.com/mine", type: "string" })).toThrow("2020-12 or draft-07");
  });

  it("may have the same $id in two documents", () => {
    compileSchema({ $id: "https://example.com/a", type: "string" });
    expect(compileSchema({ $id: "https://example.com/a", type: "number" })("x")).toBeDefined();
  });
});
