import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { argsError, argsFault, schemaFault } from "../../src/ledger/args-schema.ts";
import { args, edit, logs, proposal, verdict } from "./build.ts";
import { ITEM } from "./generator.ts";
import { entriesOf, foldDelivery } from "./harness.ts";

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

  it("that are beyond every limit make an edit illegal, with the reason, and hold up nothing", () => {
    const step = (i: number) => ({ allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] });
    const $defs = Object.fromEntries(Array.from({ length: 46 }, (_, i) => [`d${i}`, i === 45 ? {} : step(i)]));
    const argsSchema = schema({ $defs, properties: { v: { $ref: "#/$defs/d0" } } });
    const action = { actionId: "s1", tool: "t", args: args("a1"), argsSha256: sha256(args("a1")), argsSchema };
    const history = logs({
      proposals: [proposal("p", { actions: [action] })],
      verdicts: [verdict("v", "proposals/p")],
      decisions: [edit("e", "verdicts/v", "dee", "a2")],
    });
    const before = process.cpuUsage();
    const state = foldDelivery(ITEM, entriesOf(history), [
      ["proposals", 0],
      ["verdicts", 0],
      ["decisions", 0],
    ]);
    expect(state.events["decisions/e"]).toBe("illegal");
    expect(state.kept()).toContain("more than 500 schemas to one value");
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
  });

  it("are told when they do not compile", () => {
    expect(schemaFault(schema({ type: "no such type" }))).toContain("unusable");
    expect(schemaFault("{")).toContain("unusable");
    expect(schemaFault(schema({ $ref: "https://example.com/other.json" }))).toContain("unusable");
    expect(schemaFault(schema({ type: "object" }))).toBeNull();
  });
});
