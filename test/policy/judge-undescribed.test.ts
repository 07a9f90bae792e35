import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { judgeCall, NOW, policy, proposal, verdict } from "./helpers.ts";

const schema = "arguments: { type: object, properties: { amount: { type: number, maximum: 100 }, note: { type: string }, to: { type: string } } }";
const act = (more: string, rest = "") => `actions:\n  act: { ${schema}, ${more} }\n${rest}`;
const rule = (when: string, effect: string, layer = "rules") => `${layer}: [{ id: r, when: { ${when} }, ${effect}, because: "the rule says so" }]\n`;
const MINUTE = 60_000;

describe("what no policy covers", () => {
  it.each([
    ["a tool that the catalogue lacks", [policy(act("reversibility: reversible, risk: low"))], "role:boss", "No policy describes nuke"],
    ["a workspace without policies", [], "role:owner", "No policy of this workspace describes nuke"],
    [
      "a policy of another workspace",
      [policy(act("reversibility: reversible, risk: low").replace("actions", "version: 1\nactions"))].map((p) => ({ ...p, workspace: "x" })),
      "role:owner",
      "No policy of this workspace",
    ],
  ])("interrupts, high and hard, to be approved or rejected: %s", (_, policies, owner, because) => {
    const v = verdict(policies, proposal({ tool: "nuke", args: { city: "x" } }));
    expect(v).toMatchObject({
      route: "interrupt",
      risk: "high",
      gate: "hard",
      reversibility: "irreversible",
      owner,
      allowedDecisions: ["approve", "reject"],
      editablePaths: [],
      steps: [{ execution: "blind" }],
    });
    expect(v.because.join()).toContain(because);
    expect(v.card?.headline).toBe("Run nuke with city x");
  });

  it("a policy that is off never means open", () => {
    const v = judgeCall(`mode: off\n${act("reversibility: reversible, risk: low")}`, {});
    expect(v).toMatchObject({
      ...{ route: "interrupt", gate: "hard", risk: "low", reversibility: "reversible" },
      because: ["Policy p is off: everything waits for a person"],
    });
    for (const gate of ["{ kind: audit, window: PT1H }", "{ kind: soft, from_risk: critical }", "{ kind: none }"])
      for (const risk of ["low", "medium"])
        expect(judgeCall(`mode: off\n${act(`reversibility: partially, risk: ${risk}, gate: ${gate}`)}`, { confidence: 1 })).toMatchObject({
          ...{ route: "interrupt", gate: "hard", risk, batchKey: null, approvals: 1 },
        });
  });

  it("a policy that is off takes nothing away from what it says in force: risk, approvals, separation, owner, ladder, edits", () => {
    const text = act(
      "reversibility: irreversible, risk: critical, owner: role:lead, approvals: 2, separation: [agent_owner], timeout: PT1H, ladder: [{ to: role:top, timeout: PT30M }], editable: [/amount], on_expiry: hold",
    );
    const { because: _b, policy: _p, ...inForce } = judgeCall(text, { args: { amount: 5 } });
    const { because, policy: _off, ...off } = judgeCall(`mode: off\n${text}`, { args: { amount: 5 } });
    expect({ ...off, card: null, cardSha256: null, steps: [] }).toEqual({ ...inForce, card: null, cardSha256: null, steps: [] });
    expect(off).toMatchObject({ risk: "critical", approvals: 2, separation: ["agent_owner"], owner: "role:lead" });
    expect(because).toContain("Policy p is off: everything waits for a person");
  });

  it("what is forbidden stays forbidden under a policy that is off: by a floor, a rule, or its schema", () => {
    const low = "reversibility: reversible, risk: low";
    for (const layer of ["floors", "rules"] as const) {
      const v = judgeCall(`mode: off\n${act(low, rule("args: { /amount: { above: 50 } }", "forbid: true", layer))}`, { args: { amount: 60 } });
      expect(v.route).toBe("forbid");
      expect(v.because.join()).not.toContain("is off");
    }
    expect(judgeCall(`mode: off\n${act(low)}`, { args: { amount: "five" } })).toMatchObject({ route: "forbid", error: { code: "schema_invalid" } });
  });

  it("the grants of a policy that is off lower nothing", () => {
    const granting = `grants: [{ id: g, when: { action: act }, lower: { gate: { kind: none }, risk: low }, cap: { max: 9 }, expires: 2099-01-01, evidence: e, because: trusted }]\n`;
    const text = `${act("reversibility: partially, risk: high")}${granting}`;
    expect(judgeCall(text, { confidence: 1 })).toMatchObject({ route: "allow" });
    expect(judgeCall(`mode: off\n${text}`, { confidence: 1 })).toMatchObject({ route: "interrupt", risk: "high", gate: "hard", matched: [], budgets: [] });
  });

  it("rules and floors that name no action reach the undescribed too", () => {
    const text = act("reversibility: reversible, risk: low", rule("agent: { id: { is: bot } }", "forbid: true", "floors"));
    expect(judgeCall(text, { tool: "nuke" })).toMatchObject({ route: "forbid", policy: { id: "p" } });
  });

  it("what no policy describes is judged by none: one lends its owner, and that is said", () => {
    expect(judgeCall(act("reversibility: reversible, risk: low"), { tool: "nuke" })).toMatchObject({
      policy: null,
      route: "interrupt",
      owner: "role:boss",
      because: ["No policy describes nuke", "role:boss decides, as the owner of policy p"],
    });
  });

  it("what no policy describes is bound by what every document says without an action: a further document never loosens", () => {
    const zoo = policy(
      `policy: zoo\nactions: { y: { reversibility: reversible, risk: low } }
floors: [{ id: huge, when: { args: { /amount: { above: 100000 } } }, forbid: true, because: "Too much" }, { id: two, raise: { approvals: 2 }, because: "Two people" }]
routes: [{ when: { agent: { id: { is: bot } } }, separation: [agent_owner], timeout: PT1M }]\n`,
    );
    const others = ["another", "default", "zzz"].map((id) => policy(`policy: ${id}\nactions: { x: { reversibility: reversible, risk: low } }\n`));
    for (const further of [[], ...others.map((one) => [one]), others])
      for (const policies of [
        [zoo, ...further],
        [...further, zoo],
      ]) {
        expect(verdict(policies, proposal({ tool: "wire", args: { amount: 200_000 } }))).toMatchObject({ route: "forbid", policy: { id: "zoo" } });
        const small = verdict(policies, proposal({ tool: "wire", args: { amount: 1 } }));
        expect(small).toMatchObject({ route: "interrupt", risk: "high", gate: "hard", approvals: 2, separation: ["agent_owner"], expiresAt: NOW + MINUTE });
      }
  });

  it("of the documents that say nothing of a tool the one called default lends its owner, else the first by name", () => {
    const of = (id: string) =>
      policy(`policy: ${id}\nactions: { x: { reversibility: reversible, risk: low, owner: "role:${id}" } }\n`.replace("\n", `\nmode: enforce\n`));
    const because = (...ids: string[]) => verdict(ids.map(of), proposal({ tool: "wire" })).because;
    expect(because("zoo", "another")).toEqual(["No policy describes wire", "role:boss decides, as the owner of policy another"]);
    expect(because("zoo", "another", "default")).toContain("role:boss decides, as the owner of policy default");
  });

  it("a target that is a list has nothing that lists inherit", () => {
    for (const key of ["values", "length", "at", "constructor"]) {
      const text = act("reversibility: reversible, risk: low", rule(`target: { /${key}: { exists: true } }`, "forbid: true"));
      expect([key, judgeCall(text, { target: [] }).route]).toEqual([key, "allow"]);
    }
  });

  it("a tool called like something that every object inherits is unknown", () => {
    for (const tool of ["constructor", "toString", "__proto__", "hasOwnProperty"])
      expect(judgeCall(act("reversibility: reversible, risk: low"), { tool }).route).toBe("interrupt");
  });
});

describe("arguments that cannot be judged", () => {
  const text = act("reversibility: reversible, risk: low");

  it.each([
    ["break the schema", { args: '{"amount":101}' }, "schema_invalid", "/amount must be <= 100 (maximum), not 101"],
    ["are not canonical", { args: '{"b":1, "a":2}' }, "args_not_canonical", "a1"],
    ["hold a key twice", { args: '{"amount":1,"amount":2}' }, "json_duplicate_key", '"amount" twice'],
    ["hold a number that does not survive", { args: '{"amount":0.1000000000000000055}' }, "json_number_lossy", "survive"],
    ["are no JSON", { args: "{" }, "json_syntax", "not valid JSON"],
    ["have another hash", { args: '{"amount":1}', argsSha256: sha256("x") }, "args_hash_mismatch", "a1"],
  ])("are forbidden when they %s, in a proposal and in an edit alike", (_, change, code, message) => {
    const proposed = proposal({ args: { amount: 1 } });
    const actions = [{ actionId: "a1", tool: "act", argsSha256: sha256(change.args), ...change }];
    for (const answers of ["proposal", "edit"] as const) {
      const v = judge([policy(text)], { proposal: proposed, actions, answers, now: NOW });
      expect(v).toMatchObject({ route: "forbid", error: { code }, allowedDecisions: [], grantTtlMs: null });
      expect(v.error?.message).toContain(message);
    }
    expect(verdict([policy(text)], proposed, actions).route).toBe("forbid");
  });

  it("are judged as edited, not as proposed", () => {
    const limited = act("reversibility: reversible, risk: low", rule("args: { /amount: { above: 10 } }", "raise: { risk: high }"));
    const args = '{"amount":11}';
    expect(verdict([policy(limited)], proposal({ args: { amount: 1 } }), [{ actionId: "a1", tool: "act", args, argsSha256: sha256(args) }]).risk).toBe("high");
  });

  it("a review without actions, a double id and an action from elsewhere are forbidden", () => {
    expect(verdict([policy(text)], proposal())).toMatchObject({ route: "forbid", error: { code: "event_invalid" } });
    const double = proposal({}, {});
    if (double.actions[1]) double.actions[1].actionId = "a1";
    expect(verdict([policy(text)], double).error?.code).toBe("event_invalid");
    expect(verdict([policy(text)], proposal({}), [{ actionId: "z", tool: "act", args: "{}", argsSha256: sha256("{}") }]).error?.code).toBe("event_invalid");
  });

  it("a breach in a secret field does not tell the secret", () => {
    const secret =
      "actions:\n  act:\n    arguments: { type: object, properties: { key: { type: string, maxLength: 3 } } }\n    reversibility: reversible\n    risk: low\n    fields: { /key: { class: secret } }\n";
    expect(JSON.stringify(judgeCall(secret, { args: { key: "hunter2" } }))).not.toContain("hunter2");
  });
});

describe("an exception inside the engine", () => {
  it("interrupts with policy_error and never allows", () => {
    const sound = policy(act("reversibility: reversible, risk: low"));
    const bad = {
      ...sound,
      find: (tool: string) =>
        sound.find(tool).map((action) => ({
          ...action,
          check: () => {
            throw new Error("boom");
          },
        })),
    };
    expect(verdict([bad], proposal({}))).toMatchObject({
      route: "interrupt",
      gate: "hard",
      error: { code: "policy_error", message: "boom" },
      allowedDecisions: ["approve", "reject"],
    });
    const worse = {
      ...sound,
      find: () => {
        throw new Error("bang");
      },
    };
    expect(verdict([worse], proposal({}))).toMatchObject({ route: "interrupt", gate: "hard", error: { code: "policy_error", message: "bang" } });
    expect(verdict([sound, bad], proposal({})).route).toBe("interrupt");
  });
});
