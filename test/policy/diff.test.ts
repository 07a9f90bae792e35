import { describe, expect, it } from "vitest";
import { diffPolicies } from "../../src/policy/diff.ts";
import { regexSamples } from "../../src/policy/regex-samples.ts";
import { inputOf } from "../../src/policy/testing/input.ts";
import { judgeFully } from "../../src/policy/testing/run.ts";
import { loaded, PAY } from "./testing/helpers.ts";

const pay = loaded(PAY);
const changed = (from: string, to: string) => {
  expect(PAY).toContain(from);
  return diffPolicies(pay, loaded(PAY.replace(from, to)));
};

describe("the difference of two policies", () => {
  it("is nothing where only words differ", () => {
    expect(changed('"More than 100"', '"Above 100"')).toEqual([]);
  });

  it.each([
    ["a threshold moved up", "above: 100", "above: 150", "looser"],
    ["a threshold moved by a cent", "above: 100", "above: 100.01", "looser"],
    ["a threshold moved down", "above: 100", "above: 50", "stricter"],
    ["an operator that takes one value more", "above: 100", "at_least: 100", "stricter"],
    ["a tier lowered", "risk: medium", "risk: low", "looser"],
    ["a floor that only raises", "forbid: true", "raise: { risk: critical }", "looser"],
    ["fewer approvals", "approvals: 2", "approvals: 1", "looser"],
    ["more that may be edited", "editable: [/amount]", 'editable: [""]', "looser"],
    ["a separation dropped", "separation: [proposer, agent_owner]", "separation: [proposer]", "looser"],
    ["a decision taken away", "decisions: [approve, edit, reject]", "decisions: [approve, edit]", "stricter"],
    ["other owners", "owner: role:cfo", "owner: role:intern", "other"],
    ["a longer timeout", "timeout: PT10M", "timeout: PT20M", "other"],
  ])("finds %s", (_, from, to, direction) => {
    const regions = changed(from, to);
    expect(regions.length).toBeGreaterThan(0);
    // A floor that only raises is also stricter where nobody knows whether it holds.
    expect(new Set(regions.map((region) => region.direction).filter((d) => d === direction || to !== "raise: { risk: critical }"))).toEqual(
      new Set([direction]),
    );
  });

  it("holds questions and notices side by side as well", () => {
    const asks = (who: string) => loaded(`${PAY}questions: { owner: role:desk, separation: [${who}] }\nnotices: { owner: role:${who.replace("_", "-")} }\n`);
    const found = diffPolicies(asks("agent_owner"), asks("proposer")).map(({ action, direction }) => [action, direction]);
    expect(found).toEqual([
      ["(a question)", "looser"],
      ["(a notice)", "other"],
    ]);
  });

  it("names the rule and the verdicts, and its witness really differs", () => {
    const after = loaded(PAY.replace("above: 100", "above: 150"));
    const [region] = diffPolicies(pay, after);
    expect(region).toMatchObject({ action: "pay", direction: "looser", lost: ["large"], gained: [] });
    expect(region?.aspects).toContainEqual({ name: "risk", before: "high", after: "medium", direction: "looser" });
    const verdicts = [pay, after].map((policy) => judgeFully([policy.compiled], inputOf(region!.witness, "w")));
    expect(verdicts.map(({ risk }) => risk)).toEqual(["high", "medium"]);
  });

  it("finds a tool that is no longer described, and says that it became stricter", () => {
    const after = loaded(PAY.replace(/ {2}read: .*\n/, ""));
    expect(diffPolicies(pay, after).map(({ action, direction }) => [action, direction])).toContainEqual(["read", "stricter"]);
    expect(diffPolicies(after, pay).map(({ action, direction }) => [action, direction])).toContainEqual(["read", "looser"]);
  });
});

describe("texts that a pattern finds", () => {
  it.each([
    ["(?i)lawyer|lawsuit", ["lawyer", "lawsuit"]],
    [String.raw`(?i)\bdrop\s+(table|column)\b`, ["drop table", "drop column"]],
    ["^[a-z][a-z0-9-]{1,62}$", ["aa"]],
    [String.raw`^v?[0-9]+\.[0-9]+$`, ["0.0", "v0.0"]],
    ["a(b|c(d|e))?", ["a", "ab", "acd", "ace"]],
    ["[^a]x", ["1x"]],
    ["(", []],
  ])("%s: one for each alternative, each tried", (pattern, texts) => {
    expect(regexSamples(pattern)).toEqual(texts);
  });
});
