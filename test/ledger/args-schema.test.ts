import { describe, expect, it } from "vitest";
import { argsError, argsFault, schemaFault } from "../../src/ledger/args-schema.ts";

const schema = (value: object) => JSON.stringify(value);

describe("schemas that agents write", () => {
  it("name the place, the rule and what is wrong", () => {
    const amount = schema({ properties: { "a/b": { properties: { amount: { type: "number" } } } } });
    expect(argsFault(amount, { "a/b": { amount: "x" } })).toEqual({ path: "/a~1b/amount", rule: "type", message: "must be number" });
    expect(argsFault(schema({ properties: {}, additionalProperties: false }), { "x/y": 1 })).toMatchObject({ path: "/x~1y", rule: "additionalProperties" });
    expect(argsFault(schema({ required: ["amount"] }), {})).toMatchObject({ path: "", rule: "required" });
    expect(argsFault(amount, {})).toBeNull();
    expect(argsError(schema({ required: ["amount"] }), {})).toBe("the arguments must have required property 'amount'");
  });

  it("do not pass by answering with a promise", () => {
    const promise = schema({ $async: true, required: ["amount"] });
    expect(schemaFault(promise)).toContain("$async");
    expect(argsError(promise, {})).toContain("unusable");
  });

  it("do not stop the fold by referring to themselves without end", () => {
    expect(argsError(schema({ $ref: "#" }), {})).toContain("unusable");
  });

  it("cannot hang the fold with a pattern", () => {
    const before = performance.now();
    expect(argsError(schema({ properties: { a: { pattern: "^(a+)+$" } } }), { a: `${"a".repeat(40)}!` })).not.toBeNull();
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it("are told when they do not compile", () => {
    expect(schemaFault(schema({ type: "no such type" }))).toContain("unusable");
    expect(schemaFault("{")).toContain("unusable");
    expect(schemaFault(schema({ $ref: "https://example.com/other.json" }))).toContain("unusable");
    expect(schemaFault(schema({ type: "object" }))).toBeNull();
  });
});
