import { describe, expect, it } from "vitest";
import type { UsageReader } from "../../src/policy/budgets/usage.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { type Call, NOW, policy, problems, proposal } from "./helpers.ts";

const head = "policy: p\nworkspace: w\nowner: role:boss\n";
const schema = "arguments: { type: object, properties: { amount: { type: number }, to: { type: string } } }, amount: { path: /amount, unit: EUR }";
const document = ({
  grant = "",
  action = "reversibility: partially, risk: medium",
  rest = "",
  lower = "{ risk: low }",
  cap = "{ max: 50, amount: 1000, per: agent, window: P1D }",
} = {}) =>
  `actions:\n  act: { ${schema}, ${action} }\n${rest}grants:\n  - id: trusted
    when: { action: act, args: { /amount: { at_most: 100 } } }
    lower: ${lower}
    cap: ${cap}
    expires: 2026-01-01
    evidence: "backtest of 2025-05: 412 of 412 approved as they were"
    because: "Small ones have always been approved"
    ${grant}\n`;

const used =
  (count: number, sum = "0"): UsageReader =>
  () => ({ count, sum });
const judged = (text: string, call: Call = {}, usage: UsageReader = used(0), now = NOW) => {
  const proposed = proposal({ args: { amount: 40 }, ...call });
  return judge([policy(text)], { proposal: proposed, actions: proposed.actions, answers: "proposal", now, usage });
};

describe("a grant", () => {
  it("lowers what it is for, says so with its reason and how much of it is used, and records that", () => {
    expect(judged(document(), {}, used(3, "120"))).toMatchObject({
      route: "allow",
      gate: "none",
      risk: "low",
      score: 30,
      matched: [{ rule: "trusted", actionId: "a1", effect: "lowers risk to low" }],
      because: [expect.stringMatching(/^Small ones have always been approved \(grant trusted: 3 of 50 used in 1 day for agent bot, 120 of 1000 used/)],
      contributions: [
        { rule: "base", points: 30 },
        { rule: "trusted", tier: "low" },
      ],
      budgets: [
        { name: "p/trusted", key: "agent=bot", used: "3", limit: "50", windowMs: 86_400_000 },
        { name: "p/trusted.amount", key: "agent=bot", used: "120", limit: "1000", windowMs: 86_400_000 },
      ],
    });
  });

  it("takes back nothing of what a budget or a repetition raises", () => {
    const limits = [
      "budgets: [{ id: b, action: act, measure: { sum: /amount }, per: agent, window: P1D, limits: [{ above: 5, raise: { risk: medium } }] }]\n",
      "duplicates: [{ id: d, action: act, window: P1D, raise: { risk: medium } }]\n",
    ];
    expect(judged(document()).route).toBe("allow");
    for (const limit of limits) expect(judged(document() + limit, {}, used(1, "1"))).toMatchObject({ route: "batch", gate: "soft" });
  });

  it("ends at its cap, of number and of amount alike, and says that it does", () => {
    expect(judged(document(), {}, used(49, "960")).route).toBe("allow");
    for (const usage of [used(50, "0"), used(0, "960.01")]) {
      const v = judged(document(), {}, usage);
      expect(v).toMatchObject({ route: "batch", risk: "medium", matched: [] });
      expect(v.because?.join()).toContain("Grant trusted does not reach this far");
      expect(v.budgets).toHaveLength(2);
    }
  });

  it("counts the steps of a plan together", () => {
    const plan = proposal({ args: { amount: 40 } }, { args: { amount: 40 } });
    const route = (count: number) =>
      judge([policy(document())], { proposal: plan, actions: plan.actions, answers: "proposal", now: NOW, usage: used(count) }).route;
    expect([route(48), route(49)]).toEqual(["allow", "batch"]);
  });

  it("is over when it expires", () => {
    const at = (iso: string) => judged(document(), {}, used(0), Date.parse(iso)).route;
    expect([at("2025-12-31T23:59:59.999Z"), at("2026-01-01T00:00:00Z")]).toEqual(["allow", "batch"]);
  });

  it("holds only for what certainly meets it: a missing or mistyped argument is no reason to loosen", () => {
    for (const args of [{}, { to: "x" }]) expect(judged(document(), { args }).route).toBe("batch");
    const turned = document().replace("args: { /amount: { at_most: 100 } }", "not: { args: { /amount: { above: 100 } } }");
    expect([judged(turned, { args: {} }).route, judged(turned).route]).toEqual(["batch", "allow"]);
    expect(judged(document().replace("args: { /amount: { at_most: 100 } }", "confidence: { at_least: 0.9 }")).route).toBe("batch");
  });

  it("cannot be told where its key or amount is unknown, and then loosens nothing", () => {
    expect(judged(document({ cap: "{ max: 5, per: run }" })).because?.join()).toContain("it cannot be told what it comes to");
    expect(judged(document({ cap: "{ max: 5, per: run }" })).route).toBe("batch");
  });

  it.each([
    ["a critical risk", { rest: "rules: [{ id: r, raise: { risk: critical }, because: b }]\n" }, "interrupt"],
    ["a floor that holds", { rest: "floors: [{ id: f, raise: { points: 1 }, because: b }]\n" }, "batch"],
    ["a floor that cannot be checked", { rest: "floors: [{ id: f, when: { target: { /x: { is: 1 } } }, raise: { points: 1 }, because: b }]\n" }, "batch"],
    ["what is forbidden", { rest: "rules: [{ id: r, forbid: true, because: b }]\n" }, "forbid"],
    ["missing evidence", { rest: "require: { evidence: [x] }\n" }, "interrupt"],
    [
      "a rule that wants a person",
      { rest: "rules: [{ id: r, raise: { gate: hard }, because: b }]\n", lower: "{ risk: low, gate: { kind: none } }" },
      "interrupt",
    ],
    ["two approvals", { rest: "rules: [{ id: r, raise: { approvals: 2 }, because: b }]\n" }, "interrupt"],
    ["a hard gate, by risk alone", { action: "reversibility: partially, risk: medium, gate: { kind: hard }" }, "interrupt"],
  ])("never lowers %s", (_, parts, route) => {
    expect(judged(document(parts)).route).toBe(route);
  });

  it("may lower what a rule or the confidence raised, and the gate of the action itself", () => {
    expect(judged(document({ rest: "rules: [{ id: r, raise: { risk: high }, because: b }]\n" })).route).toBe("allow");
    expect(judged(document(), { confidence: 0.1 }).route).toBe("allow");
    const hard = "reversibility: partially, risk: low, gate: { kind: hard }";
    expect(judged(document({ action: hard, lower: "{ gate: { kind: none } }" }))).toMatchObject({
      route: "allow",
      matched: [{ effect: "lowers gate to none" }],
    });
    expect(judged(document({ action: hard, lower: "{ gate: { kind: audit, window: PT4H } }" }))).toMatchObject({
      route: "allow",
      gate: "audit",
      ladder: [{ at: NOW + 4 * 3_600_000 }],
    });
  });

  it("of one policy lowers nothing that another one says", () => {
    const other = policy(`policy: q\nactions:\n  act: { ${schema}, reversibility: partially, risk: medium }\n`);
    const proposed = proposal({ args: { amount: 40 } });
    expect(judge([policy(document()), other], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW }).route).toBe("batch");
  });

  it.each([
    ["without an action", document().replace("action: act, ", ""), "must name the action: a grant is scoped"],
    ["without an end", document().replace("expires: 2026-01-01", ""), "grants[0].expires: is missing"],
    ["without evidence", document().replace(/evidence: .*/, ""), "grants[0].evidence: is missing"],
    ["without a cap", document().replace(/cap: .*/, ""), "grants[0].cap: is missing"],
    ["without effect", document({ lower: "{}" }), "has no effect; give it risk, gate or both"],
    ["that lowers to what is high", document({ lower: "{ risk: high }" }), 'must be one of low, medium, not "high"'],
    ["for what cannot be undone", document({ action: "reversibility: irreversible, risk: high" }), '"act" is irreversible, and no grant ever loosens that'],
    ["that reads the final risk", document().replace("args: { /amount: { at_most: 100 } }", "risk: { is: low }"), "grants read base_risk"],
    [
      "whose amount would be counted under the name of a budget",
      document({
        rest: "budgets: [{ id: trusted.amount, action: act, measure: { sum: /amount }, window: P1D, limits: [{ above: 100, forbid: true }] }]\n",
      }),
      'grants[0].id: "trusted" counts its amount as "trusted.amount", and that is the id of something else; rename one of them',
    ],
    ["with an id that is taken", document({ rest: "rules: [{ id: trusted, raise: { points: 1 }, because: b }]\n" }), '"trusted" is taken'],
    ["with an amount of actions that name none", document().replace(", amount: { path: /amount, unit: EUR }", ""), "give their amount at the same path"],
    ["until a day that does not exist", document().replace("2026-01-01", "2026-02-30"), "must be a date, or a time with its offset"],
  ])("is refused %s", (_, text, message) => {
    expect(problems(head + text).join("\n")).toContain(message);
  });
});
