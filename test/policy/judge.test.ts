import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { judgeCall, NOW, policy, proposal, verdict } from "./helpers.ts";

const schema = "arguments: { type: object, properties: { amount: { type: number, maximum: 100 }, note: { type: string }, to: { type: string } } }";
const act = (more: string, rest = "") => `actions:\n  act: { ${schema}, ${more} }\n${rest}`;
const rule = (when: string, effect: string, layer = "rules") => `${layer}: [{ id: r, when: { ${when} }, ${effect}, because: "the rule says so" }]\n`;
const MINUTE = 60_000;

describe("routes", () => {
  it.each([
    ["low", "reversible", "allow", "none"],
    ["medium", "reversible", "batch", "soft"],
    ["medium", "partially", "batch", "soft"],
    ["medium", "irreversible", "interrupt", "hard"],
    ["low", "irreversible", "interrupt", "hard"],
    ["high", "reversible", "interrupt", "soft"],
    ["critical", "partially", "interrupt", "soft"],
  ])("%s and %s means %s with gate %s", (risk, reversibility, route, gate) => {
    const v = judgeCall(act(`reversibility: ${reversibility}, risk: ${risk}`), {});
    expect(v).toMatchObject({ route, gate, risk, reversibility });
    expect(v.approvals).toBe(route === "allow" ? 0 : 1);
    expect(v.batchKey).toBe(route === "batch" ? "w:p:act:role:boss" : null);
  });

  it("a hard gate is a person of its own, whatever the risk", () => {
    expect(judgeCall(act("reversibility: reversible, risk: low, gate: { kind: hard }"), {})).toMatchObject({
      route: "interrupt",
      gate: "hard",
      because: ["act always waits for a person"],
    });
  });

  it("a soft gate lets through below its risk and above its confidence, and never high risk by accident", () => {
    const soft = (gate: string, risk: string, confidence?: number) =>
      judgeCall(act(`reversibility: reversible, risk: ${risk}, gate: { kind: soft, ${gate} }`, "confidence: []\n"), { confidence }).route;
    expect(soft("from_risk: high", "medium")).toBe("allow");
    expect(soft("from_risk: high", "high")).toBe("interrupt");
    expect(soft("from_risk: critical", "high")).toBe("allow");
    expect(soft("below_confidence: 0.6", "medium", 0.7)).toBe("allow");
    expect(soft("below_confidence: 0.6", "medium", 0.5)).toBe("batch");
    expect(soft("below_confidence: 0.6", "low", 0.5)).toBe("batch");
    expect(soft("below_confidence: 0.6", "medium")).toBe("batch");
    expect(soft("below_confidence: 0.6", "high", 0.9)).toBe("interrupt");
  });

  it("missing evidence interrupts and is named; evidence without content is missing", () => {
    const text = act("reversibility: reversible, risk: low", "require: { evidence: [order, photo] }\n");
    expect(judgeCall(text, { evidence: ["order"] })).toMatchObject({ route: "interrupt", gate: "hard", because: ["Evidence is missing: photo"] });
    expect(judgeCall(text, { evidence: ["order", "photo"] }).route).toBe("allow");
    const UNSEEN = [..."\u3164\u2800\u115f\u1160\uffa0"].map((value) => ({ value, url: `${value} ${value}` }));
    for (const nothing of [{}, { value: "" }, { value: " \n\t\u00a0\u200b\ufeff" }, { url: "" }, { value: " ", url: " " }, ...UNSEEN])
      expect(judgeCall(text, { more: { evidence: [{ label: "order", ...nothing }, { label: "photo" }] } })).toMatchObject({
        route: "interrupt",
        because: ["Evidence is missing: order, photo"],
      });
    const one = [
      { label: "order", value: "0" },
      { label: "photo", value: "", url: "https://photos.example.com/1" },
    ];
    expect(judgeCall(text, { more: { evidence: one } }).route).toBe("allow");
    for (const value of ["\u3164\uac00", "\u2801", "\ud83d\udc4d\ufe0f"])
      expect(
        judgeCall(text, {
          more: {
            evidence: [
              { label: "order", value },
              { label: "photo", value },
            ],
          },
        }).route,
      ).toBe("allow");
  });
});

describe("risk", () => {
  it("adds points to the base and counts a tier set outright as its threshold; the higher wins", () => {
    const points = act("reversibility: reversible, points: 25", rule("args: { /amount: { above: 1 } }", "raise: { points: 10 }"));
    expect(judgeCall(points, { args: { amount: 1 } })).toMatchObject({ risk: "low", score: 25 });
    expect(judgeCall(points, { args: { amount: 2 } })).toMatchObject({
      risk: "medium",
      score: 35,
      contributions: [
        { rule: "base", points: 25, tier: null },
        { rule: "r", points: 10, tier: null },
      ],
    });
    const tier = act("reversibility: reversible, points: 70", rule("args: { /amount: { above: 1 } }", "raise: { risk: medium }"));
    expect(judgeCall(tier, { args: { amount: 2 } })).toMatchObject({ risk: "high", score: 70 });
  });

  it.each([
    ["low", 0.84, "medium"],
    ["low", 0.85, "low"],
    ["low", 0.1, "medium"],
    ["medium", 0.69, "high"],
    ["medium", 0.7, "medium"],
    ["high", 0.1, "high"],
    ["low", undefined, "low"],
  ])("base %s at confidence %s is %s: one step, once", (risk, confidence, result) => {
    expect(judgeCall(act(`reversibility: reversible, risk: ${risk}`), { confidence }).risk).toBe(result);
  });

  it("a missing confidence raises where the policy says so", () => {
    const text = act("reversibility: reversible, risk: low", "confidence: [{ below: 0.9, from: low, to: high, or_missing: true }]\n");
    expect(judgeCall(text, {})).toMatchObject({ risk: "high", because: ["A missing confidence raises the risk from low to high"] });
    const byRule = act("reversibility: reversible, risk: low", rule("confidence: { below: 0.5 }", "raise: { risk: high }"));
    expect(judgeCall(byRule, {}).risk).toBe("high");
    expect(judgeCall(byRule, { confidence: 0.95 }).risk).toBe("low");
  });

  it("confidence counts once: rules read the base risk, not what confidence made of it", () => {
    const text = act("reversibility: reversible, risk: low", rule("base_risk: { at_least: medium }", "raise: { risk: critical }"));
    expect(judgeCall(text, { confidence: 0.2 }).risk).toBe("medium");
  });
});

describe("rules", () => {
  const low = (when: string, effect = "raise: { risk: high }", layer?: string) => act("reversibility: reversible, risk: low", rule(when, effect, layer));

  it("say what they matched on, against what, and why, and what would have passed", () => {
    const v = judgeCall(low("args: { /amount: { above: 10 } }"), { args: { amount: 11 } });
    expect(v.matched).toEqual([{ rule: "r", actionId: "a1", path: "/amount", operator: "above", threshold: "10", operand: "11", effect: "risk: high" }]);
    expect(v.because).toEqual(["the rule says so"]);
    expect(v.wouldPass).toEqual([{ actionId: "a1", path: "/amount", operator: "at_most", value: "10" }]);
    expect(judgeCall(low("not: { args: { /to: { domain_in: [a.com] } } }"), { args: { to: "x@b.com" } })).toMatchObject({
      matched: [{ path: "/to", operator: "not domain_in", threshold: '["a.com"]', operand: '"x@b.com"' }],
      wouldPass: [{ path: "/to", operator: "domain_in", value: '["a.com"]' }],
    });
  });

  it("that name a declared argument which is missing match, turned round or not", () => {
    for (const when of ["args: { /amount: { above: 10 } }", "not: { args: { /amount: { above: 10 } } }", "args: { /amount: { is: 3 } }"]) {
      const v = judgeCall(low(when), { args: {} });
      expect(v).toMatchObject({ risk: "high", because: ["the rule says so (could not be checked: /amount is missing)"], wouldPass: [] });
    }
  });

  it("can ask first whether an argument is there", () => {
    expect(judgeCall(low("all: [{ args: { /amount: { exists: true } } }, { args: { /amount: { above: 10 } } }]"), { args: {} }).risk).toBe("low");
    expect(judgeCall(low("args: { /amount: { exists: false } }"), { args: {} }).risk).toBe("high");
  });

  it("do not apply to an action that does not declare the argument, turned round or not", () => {
    const two = `actions:\n  act: { ${schema}, reversibility: reversible, risk: low }\n  other: { arguments: { type: object }, reversibility: reversible, risk: low }\n`;
    for (const when of ["args: { /amount: { above: 10 } }", "not: { args: { /amount: { above: 10 } } }"])
      expect(judgeCall(two + rule(when, "raise: { risk: high }"), { tool: "other", args: { amount: 99 } }).risk).toBe("low");
  });

  it("read agent, origin, target and confidence, and match where the proposal does not bring them", () => {
    const cases: [string, string, string][] = [
      ["agent: { id: { is: bot } }", "agent: { id: { is: other } }", ""],
      ["agent: { version: { prefix: '3' } }", "agent: { version: { is: '4' } }", "agent: { owner: { is: ann } }"],
      ["target: { /state: { is: open } }", "target: { /state: { is: shut } }", "target: { /size: { above: 3 } }"],
      ["confidence: { at_least: 0.9 }", "confidence: { below: 0.9 }", ""],
      ["not: { agent: { model: { is: x } } }", "not: { agent: { model: { is: m } } }", "origin: { system: { is: crm } }"],
    ];
    for (const [yes, no, absent] of cases) {
      const risk = (when: string) => judgeCall(low(when), { target: { state: "open" }, confidence: 0.95 }).risk;
      expect([yes, risk(yes)]).toEqual([yes, "high"]);
      expect([no, risk(no)]).toEqual([no, "low"]);
      if (absent !== "") expect([absent, risk(absent)]).toEqual([absent, "high"]);
    }
  });

  it("need all siblings and all of `all`, one of `any`, and none of `not`", () => {
    const args = { amount: 5, note: "x" };
    const risk = (when: string) => judgeCall(low(when), { args }).risk;
    expect(risk("args: { /amount: { is: 5 }, /note: { is: y } }")).toBe("low");
    expect(risk("args: { /amount: { is: 5 } }, agent: { id: { is: bot } }")).toBe("high");
    expect(risk("any: [{ args: { /amount: { is: 6 } } }, { args: { /note: { is: x } } }]")).toBe("high");
    expect(risk("not: { any: [{ args: { /amount: { is: 6 } } }, { args: { /note: { is: x } } }] }")).toBe("low");
    expect(risk("action: 'ac*', all: [{ not: { args: { /amount: { is: 6 } } } }]")).toBe("high");
    expect(risk("action: [act]")).toBe("high");
  });

  it("that ask for more approvals bring a person with them", () => {
    expect(judgeCall(low("args: { /amount: { above: 1 } }", "raise: { approvals: 2 }"), { args: { amount: 2 } })).toMatchObject({
      route: "interrupt",
      approvals: 2,
      gate: "hard",
    });
  });

  it("that forbid are never shown to a person: no decision, no time, no grant", () => {
    expect(judgeCall(low("args: { /note: { contains: bad } }", "forbid: true", "floors"), { args: { note: "so bad" } })).toMatchObject({
      route: "forbid",
      allowedDecisions: [],
      ladder: [],
      expiresAt: null,
      grantTtlMs: null,
      because: ["the rule says so"],
      wouldPass: [],
    });
  });

  it("that forbid by the state of a target which nobody knows leave it to a person", () => {
    const text = low("target: { /state: { is: charged_back } }", "forbid: true", "floors");
    expect(judgeCall(text, { target: { state: "charged_back" } }).route).toBe("forbid");
    expect(judgeCall(text, { target: { state: "open" } }).route).toBe("allow");
    expect(judgeCall(text, {})).toMatchObject({ route: "interrupt", gate: "hard", risk: "high", matched: [{ effect: "interrupt (could not be checked)" }] });
    const forged = proposal({ target: { state: "open" } });
    if (forged.actions[0]?.targetState) forged.actions[0].targetState.sha256 = sha256("another");
    expect(verdict([policy(text)], forged).route).toBe("interrupt");
  });
});

describe("who decides", () => {
  it("is the first route that matches the final risk, then the action's owner, then the document's", () => {
    const routes =
      "routes:\n  - { when: { risk: { is: critical } }, owner: role:a, separation: [proposer], approvals: 2 }\n  - { when: { risk: { at_least: high } }, owner: role:b }\n  - { when: { risk: { at_least: high } }, owner: role:c }\n";
    const owner = (risk: string, own = "") => judgeCall(act(`reversibility: partially, risk: ${risk}${own}`, routes), {}).owner;
    expect([owner("critical"), owner("high"), owner("medium"), owner("medium", ", owner: ann")]).toEqual(["role:a", "role:b", "role:boss", "ann"]);
    expect(judgeCall(act("reversibility: partially, risk: critical", routes), {})).toMatchObject({ separation: ["proposer"], approvals: 2 });
  });

  it("has five minutes unless the policy says otherwise, and the agent may only shorten that", () => {
    const expires = (more: string, requestedTimeoutMs?: number) =>
      judgeCall(act(`reversibility: partially, risk: high${more}`), { more: { requestedTimeoutMs } }).expiresAt;
    expect(expires("")).toBe(NOW + 5 * MINUTE);
    expect(expires(", timeout: PT4H")).toBe(NOW + 240 * MINUTE);
    expect(expires(", timeout: PT4H", 1000)).toBe(NOW + 1000);
    expect(expires(", timeout: PT4H", 1e12)).toBe(NOW + 240 * MINUTE);
    expect(expires("", -5)).toBe(NOW);
  });

  it("escalates step by step, each due when the time before it is over, and expires after the last", () => {
    const ladder = ", timeout: PT10M, ladder: [{ to: role:x, timeout: PT5M, page: true }, { to: ann, timeout: PT1M }], on_expiry: hold";
    const v = judgeCall(act(`reversibility: partially, risk: high${ladder}`), {});
    expect(v.ladder).toEqual([
      { step: 1, at: NOW + 10 * MINUTE, to: "role:x", page: true },
      { step: 2, at: NOW + 15 * MINUTE, to: "ann", page: false },
    ]);
    expect(v).toMatchObject({ expiresAt: NOW + 16 * MINUTE, onExpiry: "hold" });
  });

  it("lets the agent end an item sooner, but neither choose who decides nor page anybody: no step of the ladder comes earlier", () => {
    const ladder = ", timeout: PT10M, ladder: [{ to: role:x, timeout: PT5M, page: true }, { to: ann, timeout: PT1M }]";
    const wished = (requestedTimeoutMs: number, more = "") => {
      const v = judgeCall(act(`reversibility: partially, risk: high${ladder}${more}`), { more: { requestedTimeoutMs } });
      return [v.ladder.map((s) => s.at - NOW), (v.expiresAt ?? 0) - NOW];
    };
    const own = [[10 * MINUTE, 15 * MINUTE], 16 * MINUTE];
    expect(wished(1)).toEqual([[], 1]);
    expect(wished(10 * MINUTE)).toEqual([[], 10 * MINUTE]);
    expect(wished(12 * MINUTE)).toEqual([[10 * MINUTE], 12 * MINUTE]);
    expect(wished(16 * MINUTE)).toEqual(own);
    expect(wished(1, ", on_expiry: hold")).toEqual(own);
    expect(judgeCall(act("reversibility: partially, risk: high, timeout: PT10M, on_expiry: hold"), { more: { requestedTimeoutMs: 9 } }).expiresAt).toBe(
      NOW + 9,
    );
  });

  it("may do what the action allows, on the paths that it opens", () => {
    const text = act(
      "reversibility: partially, risk: high, decisions: [approve, edit, respond], editable: [/note], lease: PT1M, grant_ttl: PT2M, execution: idempotent",
    );
    expect(judgeCall(text, {})).toMatchObject({
      allowedDecisions: ["approve", "edit", "respond"],
      editablePaths: [{ actionId: "a1", path: "/note" }],
      steps: [{ actionId: "a1", execution: "idempotent", leaseMs: MINUTE }],
      grantTtlMs: 2 * MINUTE,
    });
    expect(judgeCall(act("reversibility: partially, risk: high, decisions: [approve, reject]"), {}).editablePaths).toEqual([]);
  });
});

describe("questions and notices", () => {
  const text = `${act("reversibility: reversible, risk: low")}questions: { owner: role:desk, timeout: PT1H }\n`;
  const ask = (kind: "question" | "notify") => verdict([policy(text)], { ...proposal(), ask: kind, question: "May I\u202e?" });

  it("a question can only be answered, a notice only be acknowledged, and neither runs anything", () => {
    expect(ask("question")).toMatchObject({
      route: "interrupt",
      allowedDecisions: ["respond"],
      owner: "role:desk",
      expiresAt: NOW + 60 * MINUTE,
      steps: [],
      card: { headline: "bot asks: May I⟨U+202E⟩?" },
    });
    expect(ask("notify")).toMatchObject({ route: "interrupt", allowedDecisions: ["acknowledge"], owner: "role:boss", steps: [] });
    expect(verdict([], { ...proposal(), ask: "question" }).owner).toBe("role:owner");
  });

  it("go by the policy called default, where there is one", () => {
    const other = policy(`policy: default\n${act("reversibility: reversible, risk: low")}notices: { owner: role:hall }\n`);
    for (const policies of [
      [policy(text), other],
      [other, policy(text)],
    ])
      expect(verdict(policies, { ...proposal(), ask: "notify" })).toMatchObject({ owner: "role:hall", policy: { id: "default" } });
  });
});

describe("several opinions", () => {
  it("an exact name beats globs, and several globs join to the most severe", () => {
    const text =
      "actions:\n  'get_*': { reversibility: reversible, risk: low, timeout: PT1M }\n  '*_all': { reversibility: partially, risk: high, decisions: [approve, reject] }\n  get_one_all: { reversibility: reversible, risk: low }\n";
    expect(judgeCall(text, { tool: "get_x" }).route).toBe("allow");
    expect(judgeCall(text, { tool: "get_all" })).toMatchObject({
      route: "interrupt",
      risk: "high",
      reversibility: "partially",
      allowedDecisions: ["approve", "reject"],
      expiresAt: NOW + MINUTE,
    });
    expect(judgeCall(text, { tool: "get_one_all" }).route).toBe("allow");
  });

  it("two policies on one tool join: most severe, shortest time, fewest decisions, narrowest edit, in whatever order they come", () => {
    const a = policy("policy: a\nactions: { act: { reversibility: partially, risk: medium, timeout: PT1M, editable: [/x, /y/z] } }\n");
    const b = policy("policy: b\nactions: { act: { reversibility: reversible, risk: high, decisions: [approve, edit], editable: [/y], approvals: 2 } }\n");
    const v = verdict([a, b], proposal({}));
    expect(v).toMatchObject({
      policy: { id: "b" },
      route: "interrupt",
      risk: "high",
      reversibility: "partially",
      approvals: 2,
      expiresAt: NOW + MINUTE,
      allowedDecisions: ["approve", "edit"],
      editablePaths: [{ path: "/y/z" }],
    });
    expect(verdict([b, a], proposal({}))).toEqual(v);
  });

  it("policies that leave no common decision are an error of theirs, and rejecting stays possible", () => {
    const a = policy("policy: a\nactions: { act: { reversibility: reversible, risk: high, decisions: [approve] } }\n");
    const b = policy("policy: b\nactions: { act: { reversibility: reversible, risk: high, decisions: [reject] } }\n");
    expect(verdict([a, b], proposal({}))).toMatchObject({ route: "interrupt", gate: "hard", error: { code: "policy_error" }, allowedDecisions: ["reject"] });
  });

  it("a plan is as severe as its most severe step, and says of each step why", () => {
    const text =
      "actions:\n  get: { reversibility: reversible, risk: low, execution: idempotent }\n  pay: { reversibility: irreversible, risk: high, execution: queryable }\n";
    const v = verdict([policy(text)], proposal({ tool: "get" }, { tool: "pay", args: { x: 1 } }, { tool: "nuke" }));
    expect(v).toMatchObject({ route: "interrupt", risk: "high", reversibility: "irreversible", allowedDecisions: ["approve", "reject"] });
    expect(v.steps.map(({ actionId, execution, because }) => [actionId, execution, because])).toEqual([
      ["a1", "idempotent", ["The risk of get is low"]],
      ["a2", "queryable", ["pay cannot be undone, so a person decides"]],
      ["a3", "blind", ["No policy describes nuke"]],
    ]);
    expect(v.card?.headline).toBe("3 steps: 1. Run get without arguments · 2. Run pay with x 1 · 3. Run nuke without arguments");
  });

  it("a plan says whom it does not ask, though they would decide on one of its steps alone", () => {
    const text = `actions:
  wipe: { reversibility: irreversible, risk: high, owner: role:dba }
  pay: { reversibility: irreversible, risk: critical, owner: role:finance }
  get: { reversibility: reversible, risk: low, owner: role:reader }\n`;
    const v = verdict([policy(text)], proposal({ tool: "wipe" }, { tool: "pay" }, { tool: "get" }));
    expect(v).toMatchObject({ owner: "role:finance", route: "interrupt" });
    expect(v.because).toContain("role:finance decides on the whole plan; role:dba, who would decide on wipe alone, is not asked");
    expect(v.because.filter((text) => text.includes("not asked"))).toHaveLength(1);
    expect(verdict([policy(text)], proposal({ tool: "wipe" })).because).toEqual(["wipe cannot be undone, so a person decides"]);
  });

  it("a plan with one forbidden step is forbidden", () => {
    const text = act("reversibility: reversible, risk: low", rule("args: { /note: { is: x } }", "forbid: true", "floors"));
    expect(verdict([policy(text)], proposal({ args: { note: "y" } }, { args: { note: "x" } })).route).toBe("forbid");
  });
});
