import { describe, expect, it } from "vitest";
import { regexSamples } from "../../src/policy/conditions/regex-samples.ts";
import { diffPolicies } from "../../src/policy/diff/diff.ts";
import { nameOfBoth } from "../../src/policy/diff/tools.ts";
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

  it("takes the same people in another order for a change of hands, and one more of them for stricter", () => {
    const ordered = (roles: string) =>
      loaded(PAY.replace("raise: { risk: high, approvals: 2 }", `raise: { risk: high, approvals: 3, approval_order: [${roles}] }`));
    const found = (before: string, after: string) => [
      ...new Set(
        diffPolicies(ordered(before), ordered(after))
          .flatMap(({ aspects }) => aspects)
          .filter(({ name }) => name === "approval order")
          .map(({ direction }) => direction),
      ),
    ];
    expect(found("role:a, role:b", "role:b, role:a")).toEqual(["other"]);
    expect(found("role:a, role:b", "role:a, role:b, role:c")).toEqual(["stricter"]);
    expect(found("role:a, role:b, role:c", "role:a, role:b, role:d")).toEqual(["looser"]);
    expect(found("role:a, role:a", "role:a")).toEqual(["looser"]);
  });

  it.each([
    ["approval of the next publication dropped", "publish: { approval: { approvals: 2 } }\n", "", "approvals", "2 → 0", "looser"],
    ["approval of the next publication asked for", "", "publish: { approval: {} }\n", "approvals", "0 → 1", "stricter"],
    ["fewer approvals of it", "publish: { approval: { approvals: 2 } }\n", "publish: { approval: { approvals: 1 } }\n", "approvals", "2 → 1", "looser"],
    ["another owner of it", "publish: { approval: { owner: role:a } }\n", "publish: { approval: { owner: role:b } }\n", "owner", "role:a → role:b", "other"],
  ])("reads from the documents: %s", (_, before, after, name, change, direction) => {
    const found = diffPolicies(loaded(PAY + before), loaded(PAY + after));
    expect(found).toMatchObject([{ action: "(the publication of this document)", direction, witness: null }]);
    expect(found[0]?.aspects.filter((aspect) => aspect.name === name).map((aspect) => `${aspect.before} → ${aspect.after}`)).toEqual([change]);
  });

  it.each([
    ["retries by the clock", "retries: 2", "retries: 10", "2 → 10"],
    ["class of /to", "fields: { /to: { class: secret } }", "fields: { /to: { class: personal } }", "secret → personal"],
    ["class of /to", "fields: { /to: { class: personal } }", "claim: PT10M", "personal → open"],
    ["export of /to", "fields: { /to: { class: secret, export: drop } }", "fields: { /to: { class: secret, export: keep } }", "drop → keep"],
  ])("reads from the documents what no verdict shows: %s", (name, before, after, change) => {
    const send = (more: string) =>
      loaded(
        `${PAY.replace("rules:", `  send: { arguments: { type: object, properties: { to: {} } }, reversibility: reversible, execution: idempotent, risk: low, ${more} }\nrules:`)}`,
      );
    const settings = (from: string, to: string) =>
      diffPolicies(send(from), send(to)).flatMap(({ action, direction, aspects, witness }) =>
        witness === null ? aspects.filter((aspect) => aspect.name === name).map((aspect) => [action, direction, `${aspect.before} → ${aspect.after}`]) : [],
      );
    expect(settings(before, after)).toEqual([["send", "looser", change]]);
    expect(settings(after, before)).toEqual([["send", "stricter", change.split(" → ").reverse().join(" → ")]]);
  });

  it("finds a longer window of an audit", () => {
    const audit = (window: string) => loaded(PAY.replace("risk: low }", `risk: low, gate: { kind: audit, window: ${window} } }`));
    const aspect = { name: "audit due", direction: "looser", before: "2026-01-06T11:00:00.000Z", after: "2027-01-07T10:00:00.000Z" };
    expect(diffPolicies(audit("PT1H"), audit("P366D"))[0]).toMatchObject({ action: "read", direction: "looser", aspects: expect.arrayContaining([aspect]) });
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
    const verdicts = [pay, after].map((policy) => judgeFully([policy.compiled], inputOf(region!.witness!, "w")));
    expect(verdicts.map(({ risk }) => risk)).toEqual(["high", "medium"]);
  });

  it("finds a tool that is no longer described, and says that it became stricter", () => {
    const after = loaded(PAY.replace(/ {2}read: .*\n/, ""));
    expect(diffPolicies(pay, after).map(({ action, direction }) => [action, direction])).toContainEqual(["read", "stricter"]);
    expect(diffPolicies(after, pay).map(({ action, direction }) => [action, direction])).toContainEqual(["read", "looser"]);
  });
});

/** An ordinary call is internal, to example.com, with no flag set: what is looked for differs from it in three places. */
const SEND = `actions:
  pay:
    arguments:
      type: object
      properties: { amount: { type: number }, kind: { enum: [internal, external] }, to: { type: string, format: email }, a: { type: boolean }, b: { type: boolean }, c: { type: boolean } }
      required: [amount, kind, to, a, b, c]
    reversibility: partially
    risk: low
`;
const UNLESS = `not: { any: [{ args: { /kind: { is: internal } } }, { args: { /to: { domain_in: [example.com] } } }] }`;
const floor = (when: string) => `floors: [{ id: f, when: { action: pay, ${when} }, forbid: true, because: b }]\n`;
const points = (many: number) =>
  `rules: [${["a", "b", "c"].map((key) => `{ id: ${key}, when: { action: pay, args: { /${key}: { is: true } } }, raise: { points: ${many} }, because: b }`).join(", ")}]\n`;

describe("a condition with several parts", () => {
  it.each([
    ["a floor with exceptions", floor(`args: { /amount: { above: 100 } }, ${UNLESS}`), ""],
    [
      "a wider exception",
      floor(`args: { /amount: { above: 100 } }, ${UNLESS}`),
      floor(`args: { /amount: { above: 100 } }, ${UNLESS}`.replace("[example.com]", "[example.com, evil.test]")),
    ],
    [
      "one more exception",
      floor(`args: { /amount: { above: 100 } }, ${UNLESS}`),
      floor(`args: { /amount: { above: 100 } }, ${UNLESS.replace("any: [", "any: [{ args: { /a: { is: false } } }, ")}`),
    ],
    [
      "an exception to an exception",
      floor(`not: { args: { /kind: { is: internal } }, not: { args: { /to: { is: ann@y.test }, /amount: { above: 5 }, /a: { is: true } } } }`),
      floor("not: { args: { /kind: { is: internal } } }"),
    ],
    [
      "two bounds of one field",
      floor("all: [{ args: { /amount: { above: 50 } } }, { args: { /amount: { below: 50.5 } } }, { args: { /kind: { is: external }, /a: { is: true } } }]"),
      "",
    ],
    [
      "alternatives within alternatives",
      floor(
        "args: { /kind: { is: external }, /amount: { above: 100 } }, any: [{ all: [{ any: [{ args: { /a: { is: true } } }, { args: { /b: { is: true } } }] }, { args: { /to: { is: ann@y.test } } }] }]",
      ),
      "",
    ],
    [
      "the points of three rules that only together reach a tier",
      `tiers: { medium: 30, high: 60, critical: 90 }\n${points(30)}`,
      `tiers: { medium: 30, high: 60, critical: 120 }\n${points(30)}`,
    ],
    [
      "fewer points of three rules",
      `tiers: { medium: 200, high: 300, critical: 400 }\n${points(67)}`,
      `tiers: { medium: 200, high: 300, critical: 400 }\n${points(63)}`,
    ],
  ])("is met as a whole: %s", (_, before, after) => {
    const [was, is] = [loaded(SEND + before), loaded(SEND + after)];
    const scored = (name: string) => name === "score";
    const found = diffPolicies(was, is).filter(({ direction, aspects }) => direction === "looser" && !aspects.every(({ name }) => scored(name)));
    expect(found.map(({ action }) => action)).toContain("pay");
    const [old, now] = [was, is].map((policy) => judgeFully([policy.compiled], inputOf(found[0]!.witness!, "w")));
    expect(old).not.toEqual(now);
  });
});

/** A catalogue that knows its tools by globs alone. */
const GLOBS = `actions:
  "db_*": { arguments: { type: object, properties: { rows: { type: number } }, required: [rows] }, reversibility: partially, risk: high }
  "db_x": { reversibility: reversible, risk: low }
`;

describe("a tool that the catalogue knows only by a glob", () => {
  it.each([
    ["a floor on its name", "floors: [{ id: f, when: { action: db_drop }, forbid: true, because: b }]", "", "db_drop"],
    [
      "a floor on its name, deep in the condition",
      "floors: [{ id: f, when: { any: [{ action: db_drop }, { not: { action: '*' } }] }, forbid: true, because: b }]",
      "",
      "db_drop",
    ],
    ["a floor on another glob", "floors: [{ id: f, when: { action: '*_drop' }, forbid: true, because: b }]", "", "db_drop"],
    ["a route", "routes: [{ when: { action: db_drop }, owner: role:dba, approvals: 2 }]", "", "db_drop"],
    [
      "a budget",
      "budgets: [{ id: b, action: db_write, measure: { count: true }, window: P1D, limits: [{ above: 3, raise: { risk: critical } }] }]",
      "",
      "db_write",
    ],
    [
      "a budget over two of them",
      "budgets: [{ id: b, action: [db_read, db_write], measure: { count: true }, window: P1D, limits: [{ above: 3, raise: { risk: critical } }] }]",
      "budgets: [{ id: b, action: [db_read, db_write], measure: { count: true }, per: action, window: P1D, limits: [{ above: 3, raise: { risk: critical } }] }]",
      "db_write",
    ],
    ["a repetition", "duplicates: [{ id: d, action: db_write, window: P1D, forbid: true }]", "", "db_write"],
    [
      "a grant",
      "",
      "grants: [{ id: g, when: { action: db_drop }, lower: { risk: low }, cap: { max: 3, window: P1D }, expires: 2027-01-01, evidence: e, because: b }]",
      "db_drop",
    ],
    ["the catalogue, of which one name has its own entry", "", "rules: [{ id: r, when: { action: db_x }, raise: { risk: high }, because: b }]", "db_x"],
  ])("is tried where a part of the document names it: %s", (what, before, after, tool) => {
    const [was, is] = what.startsWith("the catalogue") ? [after, before] : [before, after];
    const found = diffPolicies(loaded(`${GLOBS}${was}\n`), loaded(`${GLOBS}${is}\n`)).filter(({ direction }) => direction === "looser");
    expect(found.map(({ action }) => action)).toContain(tool);
    expect(found.every(({ witness }) => witness !== null)).toBe(true);
  });

  it("is tried by another name where the first that its glob finds has an entry of its own", () => {
    const found = diffPolicies(loaded(GLOBS), loaded(GLOBS.replace("risk: high", "risk: low")));
    expect(found.map(({ action, direction }) => [action, direction])).toContainEqual(["db_y", "looser"]);
  });

  it.each([
    ["db_*", "*_drop", "db_drop"],
    ["*", "*", ""],
    ["a?c", "?b*", "abc"],
    ["a*", "b*", undefined],
    ["*a*b*c*d*e*f*g*h", "*h*g*f*e*d*c*b*i", undefined],
  ])("%s and %s: a name that both globs find", (a, b, name) => {
    expect(nameOfBoth(a, b)).toBe(name);
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
