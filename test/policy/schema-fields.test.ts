import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { declares, fieldsOf, fieldTypes, requiredNames } from "../../src/policy/document/schema-fields.ts";
import { judgeCall } from "./helpers.ts";

const keysOf = (path: string) => path.split("/").slice(1);

/** Ways to declare the number /amount, or the number /order/amount. */
const FLAT: readonly [string, Json][] = [
  ["properties", { properties: { amount: { type: "number" } } }],
  ["patternProperties", { patternProperties: { "^am.*t$": { type: "number" } } }],
  ["a pattern beside properties", { properties: { to: {} }, patternProperties: { "^amount$": { type: "number" } }, additionalProperties: false }],
  ["allOf", { properties: { to: {} }, allOf: [{ properties: { amount: { type: "number" } } }] }],
  ["an anchor", { $ref: "#pay", $defs: { p: { $anchor: "pay", properties: { amount: { type: "number" } } } } }],
  ["its own $id", { $id: "https://x.test/pay", $ref: "https://x.test/pay#/$defs/p", $defs: { p: { properties: { amount: { type: "number" } } } } }],
  ["dependentSchemas", { properties: { how: {} }, dependentSchemas: { how: { properties: { amount: { type: "number" } } } } }],
  ["dependencies", { $schema: "http://json-schema.org/draft-07/schema#", dependencies: { how: { properties: { amount: { type: "number" } } } } }],
  ["else", { if: { required: ["how"] }, else: { properties: { amount: { type: "number" } } } }],
  ["additionalProperties", { additionalProperties: { type: "number" } }],
  ["unevaluatedProperties", { unevaluatedProperties: { type: "number" } }],
  ["required", { type: "object", required: ["amount"] }],
  ["names that are allowed", { propertyNames: { enum: ["amount", "to"] } }],
];

const NESTED: readonly [string, Json][] = [
  [
    "properties and allOf",
    { properties: { order: { properties: { id: { type: "string" } } } }, allOf: [{ properties: { order: { properties: { amount: { type: "number" } } } } }] },
  ],
  [
    "properties and a reference beside them",
    {
      properties: { order: { properties: { id: { type: "string" } } } },
      $ref: "#/$defs/more",
      $defs: { more: { properties: { order: { properties: { amount: { type: "number" } } } } } },
    },
  ],
  [
    "properties and a pattern",
    { properties: { order: { properties: { id: {} } } }, patternProperties: { "^ord": { properties: { amount: { type: "number" } } } } },
  ],
];

describe("a field of a JSON Schema", () => {
  it("is declared where a part names it, through references and branches, and not where it is only tolerated", () => {
    const schema: Json = {
      properties: { a: { $ref: "#/$defs/q" }, free: true },
      $defs: { q: { properties: { b: { type: "array", items: { type: "string" } } } } },
      anyOf: [{ properties: { c: {} } }],
    };
    const answers = (path: string) => declares(schema, keysOf(path));
    expect(["/a", "/a/b", "/a/b/0", "/c", "/free", "/x", "/a/x", "/constructor"].map(answers)).toEqual(["yes", "yes", "yes", "yes", "yes", "no", "no", "no"]);
    expect(declares({ properties: { a: {} }, additionalProperties: true }, ["b"])).toBe("no");
    expect(declares({ patternProperties: { "^x-": {} }, additionalProperties: false }, ["amount"])).toBe("no");
    expect(declares({ $dynamicRef: "#p", $defs: { p: { $dynamicAnchor: "p", properties: { a: {} } } } }, ["a"])).toBe("yes");
    expect(declares(undefined, ["a"])).toBe("open");
  });

  it("is followed through a schema that refers to itself, however deep", () => {
    const schema: Json = { properties: { a: { $ref: "#" }, b: {} }, allOf: [{ $ref: "#/$defs/none" }], $defs: { none: {} } };
    expect(declares(schema, Array(100).fill("a"))).toBe("yes");
    expect(declares(schema, [...Array(100).fill("a"), "x"])).toBe("no");
  });

  it.each(FLAT)("is declared by %s", (_, schema) => {
    expect(declares(schema, ["amount"])).toBe("yes");
    expect(declares(schema, ["order", "total"])).toBe("no");
  });

  it("of a list is declared by its place, by what holds for all members and by what the list must contain", () => {
    const lines: Json = { prefixItems: [{ properties: { first: {} } }], items: { properties: { id: {} } }, contains: { properties: { total: {} } } };
    const answers = ["/0/first", "/1/first", "/1/id", "/0/id", "/7/total"].map((path) => declares(lines, keysOf(path)));
    expect(answers).toEqual(["yes", "no", "yes", "no", "yes"]);
    const draft7: Json = { items: [{ properties: { first: {} } }], additionalItems: { properties: { id: {} } } };
    expect(["/0/first", "/1/id", "/0/id"].map((path) => declares(draft7, keysOf(path)))).toEqual(["yes", "yes", "no"]);
  });

  it("has the types and names that every such part gives it", () => {
    for (const [name, schema] of FLAT.slice(0, 11)) expect([name, fieldTypes(schema, ["amount"])]).toEqual([name, ["number"]]);
    for (const [name, schema] of NESTED) expect([name, fieldTypes(schema, ["order", "amount"])]).toEqual([name, ["number"]]);
    expect(fieldTypes({ not: { properties: { amount: { type: "string" } } } }, ["amount"])).toEqual([]);
    expect(requiredNames({ $ref: "#in", $defs: { a: { $anchor: "in", required: ["amount"] } } })).toEqual(["amount"]);
    expect(fieldsOf({ properties: { a: {} }, allOf: [{ properties: { "b/c": {} } }] })).toEqual(["/a", "/b~1c"]);
  });
});

describe("a floor", () => {
  const document = (schema: Json, pointer: string) => `
actions:
  pay: { arguments: ${JSON.stringify(schema)}, reversibility: reversible, risk: low }
floors: [{ id: f, when: { args: { ${pointer}: { above: 10 } } }, forbid: true, because: x }]`;

  it.each([...FLAT.map((row) => [...row, "/amount"] as const), ...NESTED.map((row) => [...row, "/order/amount"] as const)])(
    "binds an argument that is declared by %s",
    (_, schema, pointer) => {
      const text = document(schema, pointer);
      const args = (amount: number) => (pointer === "/amount" ? { amount } : { order: { id: "1", amount } });
      expect(judgeCall(text, { tool: "pay", args: args(5000) }).route).toBe("forbid");
      expect(judgeCall(text, { tool: "pay", args: args(5) }).route).not.toBe("forbid");
    },
  );
});
