import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, type Json } from "../../src/events/canonical.ts";
import type { ActionProposed } from "../../src/events/types.generated.ts";
import { changedArguments, severity } from "../../src/policy/judgement/milder.ts";
import { policy, proposal, verdict } from "./helpers.ts";

const document = (id: string, rules: string, amount = "type: number") => `policy: ${id}
actions:
  act:
    arguments: { type: object, properties: { amount: { ${amount} }, to: { type: string }, kind: { enum: [a, b, c] }, list: { type: array } } }
    reversibility: reversible
    risk: low
confidence: []
rules:
${rules}`;
const rule = (id: string, when: string, raise = "risk: critical") => `  - { id: ${id}, when: ${when}, raise: { ${raise} }, because: b }\n`;
const above = (id: string, bound: number, raise?: string) => rule(id, `{ args: { /amount: { above: ${bound} } } }`, raise);
const judged = (texts: readonly string[], args: Json) =>
  verdict(
    texts.map((text) => policy(text)),
    proposal({ args, confidence: 1 }),
  );
const changes = (texts: readonly string[], args: Json) => judged(texts, args).wouldPass.map(({ path, operator, value }) => `${path} ${operator} ${value}`);

describe("what would be milder", () => {
  it("is judged by every document, so a change after which another is as severe is not named", () => {
    const texts = [document("p", above("a", 1000)), document("q", above("b", 500))];
    expect(changes(texts, { amount: 1500 })).toEqual(["/amount at_most 500"]);
    expect(changes([...texts].reverse(), { amount: 1500 })).toEqual(["/amount at_most 500"]);
    expect(changes([document("p", above("a", 1000)), document("q", rule("b", "{ args: { /to: { exists: true } } }"))], { amount: 1500, to: "x" })).toEqual([]);
  });

  it("is judged with the changed value, so a rule that takes over there is seen", () => {
    const over = rule("c", "{ args: { /amount: { at_most: 1000 } }, not: { args: { /to: { prefix: ok } } } }");
    expect(changes([document("p", above("a", 1000) + over)], { amount: 5000, to: "x" })).toEqual([]);
    expect(changes([document("p", above("a", 1000) + over)], { amount: 5000, to: "ok" })).toEqual(["/amount at_most 1000"]);
  });

  it("names each change that is enough by itself, and none of which others are needed as well", () => {
    const two = above("a", 1000) + rule("b", "{ args: { /kind: { in: [a, b] } } }");
    expect(changes([document("p", two)], { amount: 1500, kind: "a" })).toEqual([]);
    const points = above("a", 1000, "points: 50") + rule("b", "{ args: { /list: { length_above: 1 } } }", "points: 50");
    expect(changes([document("p", points)], { amount: 1500, list: [1, 2] })).toEqual(["/amount at_most 1000", "/list length_at_most 1"]);
    expect(changes([document("p", above("a", 1000, "points: 50") + above("b", 500, "points: 10"))], { amount: 1500 })).toEqual([
      "/amount at_most 1000",
      "/amount at_most 500",
    ]);
  });

  it("offers no value that the schema does not let through", () => {
    expect(changes([document("p", above("a", 0), "type: number, minimum: 1")], { amount: 5 })).toEqual([]);
    expect(changes([document("p", rule("a", "{ args: { /amount: { at_least: 1 } } }"), "type: integer, minimum: 1")], { amount: 5 })).toEqual([]);
    expect(changes([document("p", rule("a", "{ args: { /amount: { at_least: 1 } } }"), "type: integer, minimum: 0")], { amount: 5 })).toEqual([
      "/amount below 1",
    ]);
  });

  it("is told of a change without one value only where no other document is as severe", () => {
    const domain = rule("a", "{ not: { args: { /to: { domain_in: [a.com] } } } }");
    expect(changes([document("p", domain)], { to: "x@b.com" })).toEqual(['/to domain_in ["a.com"]']);
    expect(changes([document("p", domain), document("q", domain)], { to: "x@b.com" })).toEqual([]);
    expect(changes([document("p", domain), document("q", above("b", 1))], { to: "x@b.com", amount: 1 })).toEqual(['/to domain_in ["a.com"]']);
  });

  it("is the whole plan: where another step is as severe, no change of one of them is named", () => {
    const text = document("p", above("a", 1000));
    const plan = (...amounts: number[]) => {
      const proposed = amounts.map((amount) => proposal({ args: { amount }, confidence: 1 }));
      const actions = proposed.flatMap(({ actions: [action] }, i) => (action === undefined ? [] : [{ ...action, actionId: `a${i + 1}` }]));
      return verdict([policy(text)], { ...(proposed[0] as ActionProposed), actions }, actions).wouldPass;
    };
    expect(plan(1500, 1500)).toEqual([]);
    expect(plan(1, 1500, 2)).toEqual([{ actionId: "a2", path: "/amount", operator: "at_most", value: "1000" }]);
  });

  it("tries a bounded number of values, whatever the rules: what is left out is not named", () => {
    const many = Array.from({ length: 70 }, (_, i) => above(`r${i}`, 1000 - i, "points: 1")).join("");
    const named = changes([document("p", many + above("top", 5000, "risk: critical"))], { amount: 9000 });
    expect(named.length).toBeGreaterThan(0);
    expect(named.length).toBeLessThanOrEqual(64);
  });

  it("is milder whenever it names a value, whatever the rules", () => {
    const when = fc.tuple(fc.constantFrom("above", "at_least", "below", "at_most"), fc.integer({ min: 0, max: 20 }));
    const one = fc.tuple(when, fc.constantFrom("risk: high", "risk: critical", "points: 30", "approvals: 2"));
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), fc.array(one, { maxLength: 3 }), fc.integer({ min: 1, max: 20 }), (first, second, amount) => {
        const texts = [first, second].map((rules, i) =>
          document(
            `p${i}`,
            rules.map(([[operator, bound], raise], k) => rule(`r${k}`, `{ args: { /amount: { ${operator}: ${bound} } } }`, raise)).join("") || "  []\n",
            "type: number, minimum: 1",
          ),
        );
        const before = judged(texts, { amount });
        for (const change of before.wouldPass)
          for (const args of changedArguments({ amount }, change) ?? []) {
            const after = judged(texts, JSON.parse(canonicalize(args)) as Json);
            expect(severity(after as never)).toBeLessThan(severity(before as never));
          }
      }),
      { numRuns: 150 },
    );
  });
});
