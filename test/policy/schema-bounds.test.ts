import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { compileSchema } from "../../src/policy/document/json-schema.ts";
import { boundsOf } from "../../src/policy/document/schema-bounds.ts";

const SAYS: readonly { [key: string]: Json }[] = [
  { type: "number", minimum: 2 },
  { type: "integer", exclusiveMaximum: 7 },
  { enum: [1, "x", 5] },
  { const: 3 },
  { type: "string", minLength: 1, maxLength: 2 },
  { type: ["string", "array"], maxItems: 1 },
  { maximum: 4 },
];
const field = (says: Json): Json => ({ properties: { f: says } });
const PAIRS = SAYS.flatMap((a) => SAYS.map((b) => [a, b] as const));
const SCHEMAS: readonly Json[] = PAIRS.flatMap(([a, b]): Json[] => [
  { type: "object", allOf: [field(a), { ...(field(b) as object), required: ["f"] }] },
  { type: "object", oneOf: [{ ...(field(a) as object), required: ["f"] }, field(b)] },
  { type: "object", properties: { f: { anyOf: [a, b] } }, required: ["f"] },
  { type: "object", properties: { f: { $ref: "#/$defs/one" } }, $defs: { one: { ...a, anyOf: [b, {}] } } },
  { type: "object", if: field(a), else: { ...(field(b) as object), required: ["f"] } },
]);
const VALUES: readonly (Json | undefined)[] = [undefined, null, true, 0, 1, 2, 3, 4, 5, 6.5, 7, 100, "", "x", "xy", "xyz", [], ["a"], ["a", "b"], {}];

describe("what a schema guarantees of a field", () => {
  it("holds for every value that the schema lets through", () => {
    let passed = 0;
    for (const schema of SCHEMAS) {
      const [check, bounds] = [compileSchema(schema), boundsOf(schema, ["f"])];
      for (const value of VALUES) {
        if (check(value === undefined ? {} : { f: value }, { left: 1_000_000 }) !== undefined) continue;
        passed++;
        const { value: range, length, items } = bounds;
        const seen = JSON.stringify([schema, value, bounds]);
        if (value === undefined) expect([seen, bounds.required]).toEqual([seen, false]);
        else if (bounds.allowed !== undefined) expect([seen, bounds.allowed.includes(value)]).toEqual([seen, true]);
        if (typeof value === "number") expect([seen, range.low <= value && value <= range.high]).toEqual([seen, true]);
        if (typeof value === "string") expect([seen, length.low <= value.length && value.length <= length.high]).toEqual([seen, true]);
        if (Array.isArray(value)) expect([seen, items.low <= value.length && value.length <= items.high]).toEqual([seen, true]);
      }
    }
    expect(passed).toBeGreaterThan(500);
  });

  it("is not empty: what all parts say is known, and nothing that one of two alternatives says alone", () => {
    const both = boundsOf({ allOf: [field({ type: "number", minimum: 2 }), field({ maximum: 4 })], required: ["f"] }, ["f"]);
    expect(both).toMatchObject({ required: true, types: ["number"], value: { low: 2, high: 4 } });
    const either = boundsOf({ oneOf: [field({ enum: [1, 2] }), field({ enum: [2, 3] })] }, ["f"]);
    expect(either).toMatchObject({ required: false, allowed: [1, 2, 3] });
    expect(boundsOf({ anyOf: [field({ enum: [1, 2] }), {}] }, ["f"]).allowed).toBeUndefined();
  });
});
