import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { argsFault, schemaFault } from "../../src/ledger/args-schema.ts";
import { compileSchema } from "../../src/policy/document/json-schema.ts";

/** Two references to the same next step at each of `steps` steps: 2 to the power of `steps` checks of one value. */
function doubling(steps: number): { [key: string]: Json } {
  const $defs: { [name: string]: Json } = { [`d${steps}`]: { type: "number" } };
  for (let i = 0; i < steps; i++) $defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] };
  return { $defs, properties: { amount: { $ref: "#/$defs/d0" } } };
}

const many = (count: number, one: (i: number) => Json): Json[] => Array.from({ length: count }, (_, i) => one(i));
const named = (count: number, one: (i: number) => Json) => Object.fromEntries(many(count, one).map((value, i) => [`n${i}`, value]));
const nested = (levels: number, inner: string): Json => JSON.parse(`${'{"a":'.repeat(levels)}${inner}${"}".repeat(levels)}`);

const TOO_MUCH: readonly (readonly [what: string, schema: { [key: string]: Json }, says: string])[] = [
  ["references that double at every step", doubling(45), "more than 500 schemas to one value"],
  ["a reference to itself on the same value", { $ref: "#" }, "never ends"],
  ["a reference to itself through allOf", { $defs: { a: { allOf: [{ $ref: "#/$defs/a" }] } }, $ref: "#/$defs/a" }, "never ends"],
  ["more schemas than tools need", { properties: named(600, () => ({ type: "string" })) }, "more than 500 schemas"],
  [
    "large parts that are referred to from many places",
    {
      $defs: { x: nestedSchema(12, { anyOf: many(200, () => ({ type: "string" })) }) },
      allOf: many(12, (i) => ({ $ref: `#/$defs/x${"/properties/a".repeat(i)}` })),
    },
    "more than 1000 schemas of it",
  ],
  ["a large schema that refers to itself", { properties: { ...named(200, () => ({ type: "string" })), a: { $ref: "#" } } }, "more than 150"],
  [
    "a long chain of references",
    { $defs: named(150, (i) => ({ properties: { a: { $ref: `#/$defs/n${Math.min(i + 1, 149)}` } } })), $ref: "#/$defs/n0" },
    "100 different places",
  ],
  ["a reference out of the document", { $ref: "https://example.com/other.json" }, "not inside it"],
  ["a reference into a constant", { enum: [{ type: "string" }], $ref: "#/enum/0" }, "a constant"],
  ["another document inside", { $defs: { a: { $id: "https://example.com/a", type: "string" } }, $ref: "#/$defs/a" }, "$id below the top"],
  ["a reference of another draft", { $recursiveAnchor: true, properties: { a: { $recursiveRef: "#" } } }, "$recursiveRef"],
  ["a reference that is no text", { properties: { a: { $dynamicRef: 3 } } }, "$dynamicRef must be a text"],
  ["one place with two names", { $defs: { a: { $anchor: "a", $dynamicAnchor: "b" } }, $ref: "#a" }, "keep one of them"],
  ["a keyword of 2020-12 that is wrong, where only draft-07 would pass over it", { prefixItems: 3 }, "prefixItems must be array"],
  ["an answer by promise", { $async: true, required: ["a"] }, "$async"],
  ["patterns whose programs are huge", { allOf: many(400, (i) => ({ pattern: `(a{1,300}){1,3}c${i}` })) }, "steps"],
];

function nestedSchema(levels: number, inner: Json): Json {
  let schema = inner;
  for (let i = 0; i < levels; i++) schema = { properties: { a: schema } };
  return schema;
}

const DEAR: readonly (readonly [what: string, schema: { [key: string]: Json }, value: Json])[] = [
  ["recursion that doubles at every level", { properties: { a: { allOf: [{ $ref: "#" }, { $ref: "#" }] } } }, nested(60, "1")],
  ["a long list of allowed values for each of many items", { items: { enum: many(11_000, (i) => i) } }, many(100_000, () => 5)],
  [
    "many patterns over many long texts",
    { items: { allOf: many(60, (i) => ({ not: { pattern: `(a{1,90}b?){1,9}c${i}` } })) } },
    many(20, () => "a".repeat(10_000)),
  ],
  ["many names for each of many items", { items: { not: { required: many(8000, (i) => `k${i}`) } } }, many(2000, () => ({}))],
];

describe("a JSON Schema", () => {
  it.each(TOO_MUCH)("is refused by name, by agent and by policy alike, for %s", (_, schema, says) => {
    const before = process.cpuUsage();
    expect(schemaFault(JSON.stringify(schema))).toContain(says);
    expect(argsFault(JSON.stringify(schema), {})?.rule).toBe("schema");
    expect(() => compileSchema(schema)).toThrow(says);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
  });

  it.each(DEAR)("never takes longer than its budget of steps: %s", (_, schema, value) => {
    expect(schemaFault(JSON.stringify(schema))).toBeNull();
    const before = process.cpuUsage();
    expect(argsFault(JSON.stringify(schema), value)).toMatchObject({ rule: "schema", message: expect.stringContaining("more than 4000000 steps") });
    expect(compileSchema(schema)(value)).toMatchObject([{ rule: "schema", message: expect.stringContaining("more than 4000000 steps") }]);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000);
  });

  it("compares tens of thousands of items in linear time", () => {
    const before = process.cpuUsage();
    const value = { x: many(30_000, (i) => [i]) };
    expect(argsFault('{"properties":{"x":{"uniqueItems":true}}}', value)).toBeNull();
    expect(argsFault('{"properties":{"x":{"uniqueItems":true}}}', { x: [...value.x, [7]] })).toMatchObject({ path: "/x", rule: "uniqueItems" });
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000);
  });

  it("is understood as before where it is of ordinary size: recursion over parts, anchors, its own name, either dialect", () => {
    const tree = { type: "object", properties: { name: { type: "string" }, children: { items: { $ref: "#" } } }, required: ["name"] };
    expect(argsFault(JSON.stringify(tree), { name: "a", children: [{ name: "b" }, { children: [] }] })).toMatchObject({
      path: "/children/1",
      rule: "required",
    });
    const anchored = { $defs: { a: { $anchor: "money", type: "number" } }, properties: { x: { $ref: "#money" } } };
    expect(argsFault(JSON.stringify(anchored), { x: "1" })?.path).toBe("/x");
    const self = { $id: "https://example.com/t", $defs: { a: { type: "number" } }, properties: { x: { $ref: "https://example.com/t#/$defs/a" } } };
    expect(argsFault(JSON.stringify(self), { x: "1" })?.path).toBe("/x");
    expect(argsFault('{"items":[{"type":"string"}]}', [1])?.path).toBe("/0");
    expect(argsFault('{"prefixItems":[{"type":"string"}]}', [1])?.path).toBe("/0");
  });

  it.each([
    ["an anchor below the top", { $defs: { s: { $dynamicAnchor: "s", type: "string" } }, properties: { a: { $dynamicRef: "#s" } } }],
    [
      "an anchor that was come past",
      {
        $defs: { s: { $dynamicAnchor: "s", type: "string" } },
        allOf: [{ properties: { a: { $ref: "#/$defs/s" } } }],
        properties: { a: { $dynamicRef: "#s" } },
      },
    ],
    ["a plain anchor", { $defs: { s: { $anchor: "s", type: "string" } }, properties: { a: { $dynamicRef: "#s" } } }],
    ["a pointer", { $defs: { s: { type: "string" } }, properties: { a: { $dynamicRef: "#/$defs/s" } } }],
    [
      "an anchor behind the schema's own name",
      { $id: "https://example.com/t", $defs: { s: { $dynamicAnchor: "s", type: "string" } }, properties: { a: { $dynamicRef: "https://example.com/t#s" } } },
    ],
    [
      "an anchor beside a plain reference",
      { $defs: { s: { $dynamicAnchor: "s", type: "string" }, m: { maxLength: 3 } }, properties: { a: { $ref: "#/$defs/m", $dynamicRef: "#s" } } },
    ],
    [
      "a schema that says it is of draft-07",
      {
        $schema: "http://json-schema.org/draft-07/schema#",
        definitions: { s: { $dynamicAnchor: "s", type: "string" } },
        properties: { a: { $dynamicRef: "#s" } },
      },
    ],
  ])("follows a dynamic reference to %s", (_, schema) => {
    expect(argsFault(JSON.stringify(schema), { a: "x" })).toBeNull();
    expect(argsFault(JSON.stringify(schema), { a: 1 })).toMatchObject({ path: "/a", rule: "type" });
    expect(compileSchema(schema as { [key: string]: Json })({ a: "x" })).toBeUndefined();
    expect(compileSchema(schema as { [key: string]: Json })({ a: 1 })).toMatchObject([{ path: "/a", rule: "type" }]);
  });

  it("follows a dynamic reference to the top, with a name and without one", () => {
    const tree = { $dynamicAnchor: "node", type: "object", properties: { n: { type: "number" }, child: { $dynamicRef: "#node" } } };
    for (const schema of [tree, { $id: "https://example.com/tree", ...tree }]) {
      expect(argsFault(JSON.stringify(schema), { child: { child: { n: 1 } } })).toBeNull();
      expect(argsFault(JSON.stringify(schema), { child: { child: { n: "1" } } })).toMatchObject({ path: "/child/child/n", rule: "type" });
    }
  });

  it("is compiled in bounded time, however deep its dynamic anchors lie in each other", () => {
    let schema: Json = { type: "string" };
    for (let i = 0; i < 30; i++) schema = { $dynamicAnchor: `a${i}`, properties: { a: schema } };
    const before = process.cpuUsage();
    expect(schemaFault(JSON.stringify(schema))).toBeNull();
    expect(argsFault(JSON.stringify(schema), nested(30, "1"))?.rule).toBe("type");
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
  });

  it("asks for names that were sent, not for those that every object inherits", () => {
    expect(argsFault('{"required":["constructor","__proto__"]}', {})).toMatchObject({ rule: "required" });
    expect(argsFault('{"required":["constructor","__proto__"]}', JSON.parse('{"constructor":1,"__proto__":2}'))).toBeNull();
  });

  it("means the same for one check after another: no check uses up the budget of the next", () => {
    const schema = JSON.stringify({ items: { type: "number" } });
    const value = many(90_000, (i) => i);
    for (let i = 0; i < 40; i++) expect(argsFault(schema, value)).toBeNull();
  });
});
