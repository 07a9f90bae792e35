import { describe, expect, test } from "vitest";
import { canonicalize, sha256 } from "../../src/events/canonical.ts";
import type { BudgetSubject } from "../../src/policy/budgets/budget.ts";
import type { Usage, UsageQuestion } from "../../src/policy/budgets/usage.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { countablesOf } from "../../src/policy/judgement/subjects.ts";
import type { VerdictBody } from "../../src/policy/judgement/verdict.ts";
import { publicationArgs } from "../../src/policy/publication.ts";
import { PUBLISH_TOOL } from "../../src/policy/publish-tool.ts";
import { type Call, NOW, policy, problems, proposal, verdict, verdictOn } from "./helpers.ts";

const ACTIONS = `
actions:
  act:
    arguments: { type: object, properties: { amount: { type: number }, to: {}, who: { type: string }, pin: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
    fields: { /pin: { class: secret } }
    amount: { path: /amount, unit: USD }
  other:
    arguments: { type: object, properties: { amount: { type: number } } }
    reversibility: reversible
    risk: low
`;

const SUM = `${ACTIONS}
budgets:
  - id: day
    action: act
    measure: { sum: /amount }
    per: agent
    window: P1D
    limits: [{ above: 5000, raise: { risk: critical } }, { above: 20000, forbid: true, because: "Enough for a day" }]
`;

/** Judges with what others have used, and tells what was asked. */
function judged(text: string, used: number | string, ...calls: Call[]) {
  const asked: UsageQuestion[] = [];
  const usage = (question: UsageQuestion): Usage => {
    asked.push(question);
    return { count: Number(used), sum: String(used) };
  };
  const proposed = proposal(...calls);
  const body = judge([policy(text)], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW, usage });
  return { ...(body as VerdictBody), asked };
}

describe("a budget", () => {
  test("that is not exceeded changes nothing and is recorded with what was used", () => {
    const body = judged(SUM, "4000.10", { args: { amount: 999.9 }, confidence: 1 });
    expect(body.route).toBe("allow");
    expect(body.budgets).toEqual([{ name: "p/day", key: "agent=bot", used: "4000.1", limit: "5000", windowMs: 86_400_000 }]);
    expect(body.asked).toEqual([{ id: "p/day", key: "agent=bot", windowMs: 86_400_000, asOf: NOW, without: [] }]);
    expect(body.matched).toEqual([]);
  });

  test("that is exceeded by one cent raises as its limit says, names itself, and says how much would have passed", () => {
    const body = judged(SUM, "4000.10", { args: { amount: 999.91 }, confidence: 1 });
    expect(body).toMatchObject({ route: "interrupt", risk: "critical" });
    expect(body.because[0]).toBe("Budget day: USD 5,000.01 in 1 day for agent bot is above USD 5,000.00 (USD 4,000.10 used before it, USD 999.91 more)");
    expect(body.matched).toEqual([
      { rule: "day", actionId: "a1", path: "/amount", operator: "above", threshold: "999.9", operand: "999.91", effect: "risk: critical" },
    ]);
    expect(body.wouldPass).toEqual([{ actionId: "a1", path: "/amount", operator: "at_most", value: "999.9" }]);
    expect(body.contributions).toContainEqual({ rule: "day", points: 0, tier: "critical" });
  });

  test("forbids above its highest limit, and records that limit", () => {
    const body = judged(SUM, "19999", { args: { amount: 2 } });
    expect(body).toMatchObject({ route: "forbid", risk: "critical", budgets: [{ used: "19999", limit: "20000" }] });
    expect(body.because[0]).toBe(
      "Enough for a day: Budget day: USD 20,001.00 in 1 day for agent bot is above USD 20,000.00 (USD 19,999.00 used before it, USD 2.00 more)",
    );
  });

  test("exactly at a limit is not above it", () => {
    expect(judged(SUM, "4999.9", { args: { amount: 0.1 }, confidence: 1 }).route).toBe("allow");
  });

  test("counts the steps of a plan together: ten small ones are one large one", () => {
    const steps = Array.from({ length: 10 }, () => ({ args: { amount: 600 }, confidence: 1 }));
    const body = judged(SUM, 0, ...steps);
    expect(body).toMatchObject({ route: "interrupt", risk: "critical" });
    expect(body.budgets).toHaveLength(1);
    expect(body.matched.map((match) => match.actionId)).toEqual(steps.map((_, i) => `a${i + 1}`));
    expect(judged(SUM, 0, ...steps.slice(0, 8)).route).toBe("allow");
  });

  test.each([
    ["missing", {}, null],
    ["null", { amount: null }, "null"],
    ["negative", { amount: -5000 }, "-5000"],
    ["no amount", { amount: "much" }, '"much"'],
  ])("whose amount is %s cannot be counted: a person looks, and is told why", (why, args, operand) => {
    const text = SUM.replace("amount: { type: number }, to", "amount: {}, to");
    const body = judged(text, 0, { args, confidence: 1 });
    expect(body).toMatchObject({ route: "interrupt", gate: "hard", risk: "critical" });
    expect(body.because[0]).toContain(`Budget day cannot be counted (could not be checked: /amount is ${why})`);
    expect(body.matched).toMatchObject([{ rule: "day", path: "/amount", operator: "above", threshold: '"5000"', operand }]);
  });

  test.each([
    ["per: /who", { amount: 1 }, "/who is missing"],
    ["per: [agent, /who]", { amount: 1, who: null }, "/who is null"],
    ["per: run", { amount: 1 }, "run is missing"],
  ])("%s that cannot be told whom it counts for names what is missing, not the amount", (per, args, why) => {
    const body = judged(SUM.replace("per: agent", per).replace("who: { type: string }", "who: {}"), 0, { args, confidence: 1 });
    expect(body).toMatchObject({
      route: "interrupt",
      gate: "hard",
      matched: [{ rule: "day", path: why.split(" ")[0], operator: "exists", threshold: "true" }],
    });
    expect(body.because[0]).toContain(`Budget day cannot be counted (could not be checked: ${why})`);
  });

  test("that counts different values adds only those that nobody has used, and asks for those without its own", () => {
    const text = `${ACTIONS}
budgets: [{ id: recipients, action: act, measure: { distinct: /to }, window: PT1H, limits: [{ above: 3, forbid: true }] }]`;
    const body = judged(text, 2, { args: { to: ["a@x", "b@x", "a@x"] }, confidence: 1 });
    expect(body).toMatchObject({ route: "forbid", budgets: [{ used: "2", limit: "3", key: "tenant=w" }] });
    expect(body.asked[0]?.without).toEqual(['"a@x"', '"b@x"']);
    expect(body.because[0]).toContain("4 different values in 1 hour");
    expect(judged(text, 1, { args: { to: ["a@x", "b@x", "a@x"] }, confidence: 1 }).route).toBe("allow");
  });

  test("that counts different values counts those of lists in lists, however they are wrapped", () => {
    const text = `${ACTIONS}
budgets: [{ id: recipients, action: act, measure: { distinct: /to }, window: PT1H, limits: [{ above: 2, forbid: true }] }]`;
    const asked = (to: unknown) => judged(text, 0, { args: { to }, confidence: 1 });
    for (const to of [[["a@x", "b@x", "c@x"]], [["a@x"], [["b@x"], "c@x"]]]) {
      expect(asked(to).route).toBe("forbid");
      expect(asked(to).asked[0]?.without).toEqual(['"a@x"', '"b@x"', '"c@x"']);
    }
    expect(asked([["a@x"], "a@x", []]).route).toBe("allow");
  });

  test.each([
    ["agent", "agent=bot"],
    ["tenant", "tenant=w"],
    ["action", "action=act"],
    ["on_behalf_of", "on_behalf_of=ann"],
    ["run", "run=t1"],
    ["/who", '/who="x"'],
    ["[agent, /who]", 'agent=bot /who="x"'],
  ])("per %s counts for %s", (per, key) => {
    const text = `${ACTIONS}\nbudgets: [{ id: n, action: act, measure: { count: true }, per: ${per}, window: PT1H, limits: [{ above: 3, forbid: true }] }]`;
    const more = {
      onBehalfOf: { id: "ann", scopes: [] },
      run: { framework: "f", threadId: "t1", ended: false },
    } as NonNullable<Call["more"]>;
    expect(judged(text, 0, { args: { who: "x" }, confidence: 1, more }).budgets).toMatchObject([{ key }]);
  });

  test("per a secret shows only what tells it apart", () => {
    const text = `${ACTIONS}\nbudgets: [{ id: n, action: act, measure: { count: true }, per: /pin, window: PT1H, limits: [{ above: 3, forbid: true }] }]`;
    const [use] = judged(text, 0, { args: { pin: "1234" }, confidence: 1 }).budgets;
    expect(use?.key).toMatch(/^\/pin=[0-9a-f]{16}$/);
  });

  test("that cannot read its usage interrupts with policy_error: an outage never lets anything through", () => {
    const proposed = proposal({ args: { amount: 1 }, confidence: 1 });
    const usage = () => {
      throw new Error("the views are away");
    };
    const body = judge([policy(SUM)], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW, usage });
    expect(body).toMatchObject({ route: "interrupt", gate: "hard", error: { code: "policy_error", message: "the views are away" } });
  });

  test("of a policy that is off still counts, and forbids what it forbids", () => {
    expect(judged(`mode: off\n${SUM}`, 0, { args: { amount: 1 } })).toMatchObject({ route: "interrupt", budgets: [{ name: "p/day", used: "0" }] });
    expect(judged(`mode: off\n${SUM}`, 19_999, { args: { amount: 2 } })).toMatchObject({ route: "forbid" });
  });

  test("that an action does not come under is not recorded", () => {
    expect(judged(SUM, 0, { tool: "other", args: { amount: 1 }, confidence: 1 }).budgets).toEqual([]);
  });
});

describe("a rule on repetition", () => {
  const TWICE = `${ACTIONS}
duplicates: [{ id: twice, action: act, window: P1D, forbid: true, because: "Sent already" }]`;

  test("lets the first pass and forbids the second, saying so", () => {
    expect(judged(TWICE, 0, { args: { who: "x" }, confidence: 1 })).toMatchObject({ route: "allow", budgets: [{ name: "p/twice", used: "0", limit: "1" }] });
    const body = judged(TWICE, 1, { args: { who: "x" }, confidence: 1 });
    expect(body.route).toBe("forbid");
    expect(body.because[0]).toBe("Sent already: twice: the same again within 1 day: 1 before it count (tenant w)");
  });

  test("finds the same twice inside one plan", () => {
    expect(judged(TWICE, 0, { args: { who: "x" }, confidence: 1 }, { args: { who: "x" }, confidence: 1 }).route).toBe("forbid");
    expect(judged(TWICE, 0, { args: { who: "x" }, confidence: 1 }, { args: { who: "y" }, confidence: 1 }).route).toBe("allow");
  });

  test("by some arguments counts what has the same of these, whatever the others are", () => {
    const text = `${ACTIONS}\nduplicates: [{ id: twice, action: act, by: [/who], per: agent, window: P1D, raise: { risk: high } }]`;
    const key = (args: object) => judged(text, 0, { args, confidence: 1 }).budgets[0]?.key;
    expect(key({ who: "x", amount: 1 })).toBe(key({ who: "x", amount: 2 }));
    expect(key({ who: "x" })).not.toBe(key({ who: "y" }));
    expect(judged(text, 0, { args: { amount: 1 }, confidence: 1 })).toMatchObject({ route: "interrupt", gate: "hard" });
  });
});

describe("a document with budgets", () => {
  const HEAD = "policy: p\nworkspace: w\nowner: role:boss\n";
  const line = (text: string) => problems(`${HEAD}${ACTIONS}\n${text}`).join("\n");

  test.each([
    [
      "budgets: [{ id: b, action: atc, measure: { count: true }, window: P1D, limits: [{ above: 1, forbid: true }] }]",
      'no action is called "atc"; did you mean "act"?',
    ],
    [
      "budgets: [{ id: b, action: act, measure: { sum: /amuont }, window: P1D, limits: [{ above: 1, forbid: true }] }]",
      '"act" does not declare "/amuont"; did you mean "/amount"?',
    ],
    [
      "budgets: [{ id: b, action: act, measure: { sum: /amount, count: true }, window: P1D, limits: [{ above: 1, forbid: true }] }]",
      "takes one measure, not 2",
    ],
    ["budgets: [{ id: b, action: act, measure: { total: /amount }, window: P1D, limits: [{ above: 1, forbid: true }] }]", 'unknown measure "total"'],
    ["budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [] }]", "must not be empty"],
    ["budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [{ above: 1 }] }]", "has no effect"],
    ["budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [{ above: -1, forbid: true }] }]", "must be a number, 0 or more"],
    [
      "budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [{ above: 1, forbid: true }, { above: 1.0, raise: { risk: high } }] }]",
      "is 1, as limit 1; say both effects in one limit",
    ],
    ["budgets: [{ id: b, action: act, measure: { count: true }, per: agnet, window: P1D, limits: [{ above: 1, forbid: true }] }]", 'did you mean "agent"?'],
    [
      "budgets: [{ id: b, action: act, measure: { count: true }, per: /whom, window: P1D, limits: [{ above: 1, forbid: true }] }]",
      '"act" does not declare "/whom"; did you mean "/who"?',
    ],
    ["budgets: [{ id: b, action: act, measure: { count: true }, window: yesterday, limits: [{ above: 1, forbid: true }] }]", "must be an ISO 8601 duration"],
    ["duplicates: [{ id: d, action: act, window: P1D }]", "has no effect"],
    ["duplicates: [{ id: d, action: act, by: [/nope], window: P1D, forbid: true }]", 'does not declare "/nope"'],
    ["duplicates: [{ id: d, action: act, window: P1D, forbid: true }, { id: d, action: act, window: P2D, forbid: true }]", '"d" is taken'],
    ["rules: [{ id: d, raise: { points: 1 }, because: x }]\nduplicates: [{ id: d, action: act, window: P1D, forbid: true }]", '"d" is taken'],
  ])("is refused, with the place and the way out: %s", (text, message) => {
    expect(line(text)).toContain(message);
    expect(line(text)).toMatch(/^p\.yaml:\d+:\d+ /);
  });

  test("that adds up amounts of different units is refused", () => {
    const text = ACTIONS.replace(
      "properties: { amount: { type: number } } }\n    reversibility: reversible",
      "properties: { amount: { type: number } } }\n    amount: { path: /amount, unit: CHF }\n    reversibility: reversible",
    );
    expect(
      problems(
        `${HEAD}${text}\nbudgets: [{ id: b, action: [act, other], measure: { sum: /amount }, window: P1D, limits: [{ above: 1, forbid: true }] }]`,
      ).join(),
    ).toContain("adds up amounts of different units (USD, CHF)");
  });

  test("on every action binds no publication: what agents do cannot keep a document from being changed", () => {
    const one = policy(`publish: { approval: { owner: role:po } }
actions: { "*": { reversibility: reversible, risk: low } }
budgets: [{ id: b, action: "*", measure: { count: true }, window: P1D, limits: [{ above: 3, forbid: true }] }]
duplicates: [{ id: d, action: "*", window: P1D, forbid: true }]
grants: [{ id: g, when: { action: "*" }, lower: { risk: low }, cap: { max: 1 }, expires: 2099-01-01, evidence: e, because: x }]`);
    const document = canonicalize({ ...(one.written as object), version: "2" });
    const args = publicationArgs(one, { policyId: "p", version: "2", document, sha256: sha256(document) });
    const proposed = proposal({ tool: PUBLISH_TOOL, args, more: { agent: { id: "bot", owner: "ann" } } });
    const used = { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW, usage: () => ({ count: 9, sum: "9" }) } as const;
    expect(verdictOn([one], used)).toMatchObject({ route: "interrupt", owner: "role:po", matched: [], budgets: [] });
    const [spent] = countablesOf(proposed, proposed.actions, { flowed: true });
    for (const meter of one.meters) expect([meter.id, meter.read(spent as BudgetSubject)]).toEqual([meter.id, undefined]);
    const call = proposal({ tool: "anything", args });
    expect(verdictOn([one], { ...used, proposal: call, actions: call.actions })).toMatchObject({ route: "forbid" });
  });

  test("gives verdicts that can be written to the log", () => {
    expect(verdict([policy(SUM)], proposal({ args: { amount: 6000 } })).budgets).toHaveLength(1);
  });
});
