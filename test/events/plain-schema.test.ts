import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { isPlain } from "../../src/events/plain-schema.ts";
import { schemaFault } from "../../src/ledger/args-schema.ts";

const metaSchemas = [new Ajv2020({ strict: false }), new Ajv({ strict: false })];
for (const ajv of metaSchemas) formats.default(ajv);

const TYPES = ["string", "number", "integer", "boolean", "object", "array", "null"];
/** A value that a keyword may have, or one that it may not. */
const VALUES: Readonly<Record<string, readonly Json[]>> = {
  type: [...TYPES, ["string", "null"], [], ["string", "string"], "text", 1],
  properties: [{}, { a: true }, { a: 1 }, { a: "string" }, []],
  required: [[], ["a", "b"], ["a", "a"], [1], "a", true],
  additionalProperties: [true, false, {}, "no"],
  items: [true, {}, [], [{}], "x"],
  enum: [[1, "a", null], [], [1, 1], [{}, {}], ["a", "a"], "a"],
  const: [null, 1, {}],
  default: [1],
  examples: [[1], "a"],
  title: ["a", 1],
  description: ["a", null],
  format: ["date", "no such format", 1],
  minimum: [0, -1.5, "0"],
  exclusiveMaximum: [3, true],
  minLength: [0, 2, -1, 1.5, "1"],
  maxItems: [1, -1],
  uniqueItems: [true, 1],
  readOnly: [true, "yes"],
  pattern: ["^a", "("],
  $ref: ["#"],
  $id: ["x"],
  not: [{}, 1],
  "x-else": [1],
};

const leaf = fc.dictionary(fc.constantFrom(...Object.keys(VALUES)), fc.nat(20), { maxKeys: 4 }).map((picked) => {
  const schema: { [key: string]: Json } = {};
  for (const [key, n] of Object.entries(picked)) {
    const of = VALUES[key] as readonly Json[];
    schema[key] = structuredClone(of[n % of.length] as Json);
  }
  return schema as Json;
});
const schema = fc.oneof(
  leaf,
  fc.record({
    type: fc.constant<Json>("object"),
    properties: fc.dictionary(fc.constantFrom("a", "b", "constructor", "type"), leaf, { maxKeys: 3 }),
  }) as fc.Arbitrary<Json>,
  fc.record({ items: leaf, additionalProperties: leaf }) as fc.Arbitrary<Json>,
);

describe("a plain schema", () => {
  it("is valid by the meta-schema of either dialect, whatever its keywords and values", () => {
    let plain = 0;
    fc.assert(
      fc.property(schema, (of) => {
        if (!isPlain(of)) return;
        plain++;
        for (const ajv of metaSchemas) expect(ajv.validateSchema(of as object), JSON.stringify(of)).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(plain).toBeGreaterThan(500);
  });

  it("is what tools have: names, types, limits and lists; no references, compositions or patterns", () => {
    const args = {
      type: "object",
      properties: { amount: { type: "number", minimum: 0 }, to: { type: ["string", "null"], format: "email" } },
      required: ["amount"],
    };
    expect(isPlain({ ...args, additionalProperties: false })).toBe(true);
    for (const more of [{ $ref: "#" }, { allOf: [] }, { patternProperties: {} }, { properties: { a: { pattern: "^a" } } }, { constructor: 1 }])
      expect([more, isPlain({ ...args, ...more } as unknown as Json)]).toEqual([more, false]);
  });

  it("that nothing is wrong with is not held against the meta-schema, and one that is wrong still is", () => {
    expect(schemaFault(`{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}`)).toBeNull();
    expect(schemaFault(`{"type":"object","required":["a","a"]}`)).toContain("unusable");
    expect(schemaFault(`{"properties":{"a":{"minLength":-1}}}`)).toContain("unusable");
    // The one before was not let off, and neither is the next.
    expect(schemaFault(`{"type":"text"}`)).toContain("unusable");
  });
});
