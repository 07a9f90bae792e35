import { describe, expect, it } from "vitest";
import { type Around, explain } from "../../src/policy/explain.ts";
import { judgeCall, NOW, policy, proposal, verdict } from "./helpers.ts";

const POLICY = `
actions:
  act:
    arguments: { type: object, properties: { n: { type: number }, s: {}, key: { type: string } } }
    reversibility: partially
    risk: low
    fields: { /key: { class: secret } }
    editable: [/n, /s]
    timeout: PT10M
    on_expiry: hold
    ladder: [{ to: role:second, timeout: PT5M, page: true }]
  look: { reversibility: partially, risk: low, gate: { kind: audit, window: PT24H }, ladder: [{ to: role:second, timeout: PT5H }] }
rules:
  - { id: large, when: { action: act, args: { /n: { above: 10 } } }, raise: { risk: critical, approval_order: [role:a, role:b], separation: [proposer, agent_owner] }, because: "It is large" }
  - { id: odd, when: { action: act, args: { /s: { matches: "^odd" } } }, raise: { points: 35 }, because: "It is odd" }
  - { id: keyed, when: { action: act, args: { /key: { contains: k } } }, raise: { risk: high }, because: "It has a key" }
floors:
  - { id: never, when: { action: act, args: { /n: { is: 99 } } }, forbid: true, because: "Never 99" }
`;
const CALM = { n: 1, s: "x", key: "" };

/** The lines of the layers, by name. */
function layersOf(call: Parameters<typeof judgeCall>[1], around: Omit<Around, "now"> = {}, text = POLICY): Record<string, readonly string[]> {
  return Object.fromEntries(explain(judgeCall(text, call), { now: NOW, ...around }).map(({ name, lines }) => [name, lines]));
}

describe("an explanation", () => {
  it("of what flows says that nobody is asked, and leaves out layers with nothing to say", () => {
    const layers = layersOf({ args: CALM });
    expect(layers).toMatchObject({
      Verdict: ["allow: risk low (0 points), gate none, partially"],
      Base: ["0 points"],
      Rules: ["none matched"],
      People: ["nobody: it runs without being asked"],
    });
    expect(Object.keys(layers)).not.toEqual(expect.arrayContaining(["Budgets"]));
    expect(layers).not.toHaveProperty("Milder if");
    expect(layers).not.toHaveProperty("Shadow");
  });

  it("names the order of approvals, who may not decide, when it goes where, and that it is held at the end", () => {
    expect(layersOf({ args: { ...CALM, n: 11 } })).toMatchObject({
      Rules: ["large: risk: critical, approvals: 2, approval order: role:a, role:b, gate: hard, separation: proposer, agent_owner", "  /n above 10: it is 11"],
      People: ["role:boss decides; 2 approvals, in this order: role:a, role:b", "may approve, edit, reject; may edit /n, /s", "not: proposer, agent owner"],
      Times: ["after 10 minutes to role:second, paged", "after 15 minutes held for manual work; never approved", "a grant may be started for 1 hour"],
      "Milder if": ["/n at_most 10"],
    });
  });

  it("of a forbidden action says that no person is asked, and why", () => {
    expect(layersOf({ args: { ...CALM, n: 99 } })).toMatchObject({
      Verdict: [expect.stringMatching(/^forbid: /)],
      People: ["nobody: it is forbidden, and no person is asked"],
      Because: expect.arrayContaining(["Never 99"]),
    });
  });

  it("of an audit says that it runs, who looks afterwards and who is called", () => {
    const layers = layersOf({ tool: "look", args: {} });
    expect(layers.Verdict).toEqual(["allow: risk low (0 points), gate audit, partially"]);
    expect(layers.People).toEqual(["it runs at once, and role:boss reviews it afterwards; 1 approval", "may approve, reject"]);
    expect(layers.Times?.[0]).toBe("after 1 day to role:second");
  });

  it("says what confidence did, and that there was none", () => {
    const said = (confidence: number | null) => layersOf({ args: CALM, ...(confidence !== null && { confidence }) }, { confidence }).Confidence;
    expect(said(0.8)).toEqual(["0.8; raises the base risk to medium"]);
    expect(said(0.9)).toEqual(["0.9; does not raise the base risk"]);
    expect(said(null)).toEqual(["none was given; does not raise the base risk"]);
    expect(layersOf({ args: CALM }).Confidence).toEqual(["does not raise the base risk"]);
  });

  it("says in which batch it waits", () => {
    expect(layersOf({ args: { ...CALM, s: "odd" } })).toMatchObject({
      Rules: ["odd: points: +35", '  /s matches "^odd": it is "odd"'],
      People: expect.arrayContaining(["in batches of at most 20, within 30 minutes"]),
    });
  });

  it("says that a value was missing, cuts a long one and never shows a secret", () => {
    expect(layersOf({ args: { n: 1, key: "" } }).Rules).toContain('  /s matches "^odd": it is missing');
    const long = layersOf({ args: { ...CALM, s: `odd${"x".repeat(500)}` } }).Rules?.join("\n") ?? "";
    expect(long).toMatch(/it is "oddx+… \(505 characters\)$/m);
    const secret = layersOf({ args: { ...CALM, key: "k-123" } });
    expect(JSON.stringify(secret)).not.toContain("k-123");
    expect(secret.Rules).toEqual(["keyed: risk: high", expect.stringContaining("/key contains")]);
  });

  it("names rules that did not match where it knows them, and none where rules were not asked", () => {
    const rules = ["large", "odd", "keyed", "never"];
    expect(layersOf({ args: { ...CALM, n: 11 } }, { rules }).Rules?.at(-1)).toBe("did not match: odd, keyed, never");
    expect(layersOf({ args: { n: "x" } }, { rules }).Rules).toEqual(["not asked"]);
  });

  it("claims of the schema only what was checked", () => {
    const said = (call: Parameters<typeof judgeCall>[1], schema?: boolean) => layersOf(call, schema === undefined ? {} : { schema }).Schema;
    expect(said({ args: CALM }, true)).toEqual(["the arguments conform"]);
    expect(said({ args: CALM })).toEqual(["not broken"]);
    expect(said({ tool: "look", args: {} }, false)).toEqual(["none: the document does not declare the arguments"]);
    expect(said({ tool: "unheard-of", args: {} }, false)).toEqual(["none: no document describes the action"]);
    expect(said({ args: { n: "x" } }, true)).toEqual(['/n must be number (type), not "x"']);
    expect(said({ more: { ask: "question", actions: [], question: "Which one?" } })).toEqual(["there are no arguments"]);
  });

  it("tells what policies that only watch would have said, and what was used of budgets", () => {
    const budget = "budgets: [{ id: few, action: act, measure: { count: true }, window: PT1H, limits: [{ above: 5, forbid: true }] }]\n";
    const watching = policy(`policy: other\nmode: shadow\nactions: { act: { reversibility: partially, risk: critical } }\n`);
    const layers = explain(verdict([policy(POLICY + budget), watching], proposal({ args: CALM })), { now: NOW });
    expect(layers).toContainEqual({ name: "Shadow", lines: ["other: interrupt, critical"] });
    expect(layers).toContainEqual({ name: "Budgets", lines: ["p/few for tenant=w: 0 used before this, limit 5 in 1 hour"] });
  });
});
