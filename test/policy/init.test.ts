import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../src/policy/compile.ts";
import { isGlob } from "../../src/policy/conditions/regex.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { type OfferedTool, startingPolicy } from "../../src/policy/init.ts";
import { lintPolicy } from "../../src/policy/lint/lint.ts";
import { isReserved } from "../../src/policy/publish-tool.ts";
import { proposal, verdict } from "./helpers.ts";

const HEAD = { policy: "starting", workspace: "w", owner: "role:boss" };
const SCHEMA = {
  type: "object",
  properties: { note: { type: "string" }, amount: { type: "number" }, "odd key": {}, to: { type: "string" } },
  required: ["amount"],
};
const REFUND: OfferedTool = { name: "issue_refund", description: "Pays money back.\nAt once.", schema: SCHEMA };

describe("a starting policy", () => {
  it("reads like one that a person wrote, with what the server says of each tool", () => {
    expect(startingPolicy([{ ...REFUND, annotations: { readOnlyHint: true } }, { name: "ping" }], HEAD).replace(/^#.*\n/gm, "")).toBe(`
policy: starting
workspace: w
owner: role:boss
mode: enforce
actions:
  # Pays money back. At once.
  issue_refund:
    arguments:
      type: object
      properties:
        note:
          type: string
        amount:
          type: number
        odd key: {}
        to:
          type: string
      required:
        - amount
    reversibility: irreversible
    execution: blind
    annotations: { readOnlyHint: true }
    risk: high
    gate: { kind: hard }
    card: { headline: "issue_refund: amount {/amount}, note {/note}, to {/to}" }
    decisions: [ approve, edit, reject ]
    timeout: PT30M

  # It was offered without a schema: nothing of its arguments is checked.
  ping:
    reversibility: irreversible
    execution: blind
    risk: high
    gate: { kind: hard }
    card: { headline: ping }
    decisions: [ approve, edit, reject ]
    timeout: PT30M
`);
  });

  it("has no errors and no warnings where schemas are known", () => {
    const { findings } = lintPolicy(startingPolicy([REFUND], HEAD), "p.yaml", () => "");
    expect(findings.filter(({ severity }) => severity !== "note")).toEqual([]);
  });

  it("leaves out a schema that cannot be used, and says so", () => {
    const text = startingPolicy([{ name: "odd", schema: { type: "strin" } }], HEAD);
    expect(text).toMatch(/# Its schema is left out, because it cannot be used: schema is invalid: data\/type must be/);
    expect(text).not.toContain("arguments:");
    expect(() => parsePolicy(text)).not.toThrow();
  });

  it("refuses a tool whose name would mean something else in a catalogue", () => {
    expect(() => startingPolicy([{ name: "db.*" }], HEAD)).toThrow("would be read as a glob");
    expect(() => startingPolicy([{ name: "countersign.policy.publish" }], HEAD)).toThrow("is one of Countersign itself");
    expect(() => startingPolicy([{ name: "__proto__" }], HEAD)).toThrow("has a name that no catalogue can hold");
  });

  it("gates every tool, whatever its name, its description and its annotations say", () => {
    const hint = fc.option(fc.boolean(), { nil: undefined });
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    const tool = fc.record({
      name: fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !isGlob(name) && !isReserved(name) && name.trim() !== "" && name !== "__proto__"),
      description: fc.option(fc.oneof(text, fc.constantFrom("# x\nactions: {}", "a\n  b: { risk: low }", "\u2028risk: low", "'\"{}[]&*!|>%@`")), {
        nil: undefined,
      }),
      schema: fc.constantFrom(undefined, SCHEMA, true, {}),
      annotations: fc.option(fc.record({ readOnlyHint: hint, destructiveHint: hint, idempotentHint: hint, openWorldHint: hint }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(tool, { minLength: 1, maxLength: 4, selector: ({ name }) => name }), (tools) => {
        const policy = compilePolicy(parsePolicy(startingPolicy(tools, HEAD)));
        for (const { name } of tools) {
          const v = verdict([policy], proposal({ tool: name, args: { amount: 1 }, confidence: 1 }));
          expect([v.route, v.gate, v.policy?.id]).toEqual(["interrupt", "hard", "starting"]);
        }
      }),
      { numRuns: 60 },
    );
  });
});
