import { describe, expect, it } from "vitest";
import { judge } from "../../src/policy/judgement/judge.ts";
import { policy, proposal, verdict } from "./helpers.ts";

const low = policy("actions:\n  act: { reversibility: reversible, risk: low }\n");
const shadow = (risk: string, rest = "") => policy(`policy: next\nmode: shadow\nactions:\n  act: { reversibility: reversible, risk: ${risk} }\n${rest}`);

describe("a policy in shadow mode", () => {
  it("is judged beside the one in force and told in the verdict, and changes nothing else of it", () => {
    const alone = verdict([low], proposal({}));
    const watched = verdict([low, shadow("critical", "floors: [{ id: f, forbid: true, because: never }]\n")], proposal({}));
    expect(watched.shadow).toEqual([{ policy: "next", route: "forbid", risk: "critical" }]);
    expect({ ...watched, shadow: [] }).toEqual(alone);
  });

  it("alone acts as none, which interrupts", () => {
    expect(verdict([shadow("low")], proposal({}))).toMatchObject({
      route: "interrupt",
      risk: "high",
      gate: "hard",
      policy: null,
      owner: "role:owner",
      because: ["No policy of this workspace describes act"],
      shadow: [{ policy: "next", route: "allow", risk: "low" }],
    });
  });

  it("says nothing of a tool that it does not describe, and most severe of a plan", () => {
    expect(verdict([low, shadow("low")], proposal({ tool: "other" })).shadow).toEqual([]);
    const two = policy(
      "policy: next\nmode: shadow\nactions:\n  act: { reversibility: reversible, risk: low }\n  big: { reversibility: irreversible, risk: high }\n",
    );
    expect(verdict([low, two], proposal({}, { tool: "big" })).shadow).toEqual([{ policy: "next", route: "interrupt", risk: "high" }]);
  });

  it("that breaks does not break the verdict", () => {
    const broken = {
      ...shadow("low"),
      find: () => {
        throw new Error("boom");
      },
    };
    expect(verdict([low, broken], proposal({}))).toMatchObject({ route: "allow", error: null, shadow: [{ policy: "next", route: "interrupt" }] });
  });

  it("counts what it would have counted, and records it, so that its opinion can be told again", () => {
    const counting = shadow(
      "low",
      "budgets: [{ id: b, action: act, measure: { count: true }, per: agent, window: P1D, limits: [{ above: 5, forbid: true }] }]\n",
    );
    const proposed = proposal({});
    const v = judge([low, counting], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: 1, usage: () => ({ count: 5, sum: "0" }) });
    expect(v).toMatchObject({ route: "allow", shadow: [{ policy: "next", route: "forbid" }], budgets: [{ name: "next/b", used: "5" }] });
  });
});
