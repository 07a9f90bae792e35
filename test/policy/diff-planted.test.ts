import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../src/policy/compile.ts";
import { type Difference, differences } from "../../src/policy/diff/diff.ts";
import { checkValue } from "../../src/policy/document/document.ts";
import { type LoadedPolicy, loadPolicy } from "../../src/policy/document/loaded.ts";
import type { Verdict } from "../../src/policy/testing/expect.ts";
import { examplesOf, isTestFile, parseTests } from "../../src/policy/testing/file.ts";
import { type Described, inputOf } from "../../src/policy/testing/input.ts";
import { mutantsOf } from "../../src/policy/testing/mutants.ts";
import { judgeFully } from "../../src/policy/testing/run.ts";
import { read } from "./helpers.ts";
import { loaded } from "./testing/helpers.ts";

const judged = ({ compiled, document }: LoadedPolicy, described: Described): Verdict =>
  judgeFully([compiled], inputOf(described, document.workspace, [compiled]));

const SCALES: readonly ((v: Verdict) => number)[] = [
  (v) => ["allow", "batch", "interrupt", "forbid"].indexOf(v.route),
  (v) => ["low", "medium", "high", "critical"].indexOf(v.risk),
  (v) => ["none", "audit", "soft", "hard"].indexOf(v.gate),
  (v) => ["reversible", "partially", "irreversible"].indexOf(v.reversibility),
  (v) => ["idempotent", "queryable", "blind"].indexOf(v.steps[0]?.execution ?? "blind"),
  (v) => v.score,
];
/** Of what a person is asked; where nobody is, only the route tells. */
const ASKED: readonly ((v: Verdict) => number)[] = [(v) => v.approvals, (v) => v.separation.length];

/** Whether some part of a verdict is milder: written anew, so that the difference is not its own judge. */
function milder(after: Verdict, before: Verdict): boolean {
  const asks = before.allowedDecisions.length > 0 && after.allowedDecisions.length > 0;
  const count = (v: Verdict, who: string) => v.approvalOrder.filter((role) => role === who).length;
  const longer = (of: (v: Verdict) => number | null | undefined) => (of(after) ?? 0) > (of(before) ?? Number.POSITIVE_INFINITY);
  const more = (of: (v: Verdict) => readonly string[]) => of(after).some((word) => !of(before).includes(word));
  return (
    [...SCALES, ...(asks ? ASKED : [])].some((of) => of(after) < of(before)) ||
    (before.allowedDecisions.length > 0 === after.allowedDecisions.length > 0 &&
      (longer((v) => v.grantTtlMs) || longer((v) => v.batchMax) || longer((v) => (v.gate === "audit" ? v.ladder[0]?.at : null)))) ||
    (asks && before.approvalOrder.some((role) => count(after, role) < count(before, role))) ||
    (asks &&
      (more((v) => v.allowedDecisions) || more((v) => v.editablePaths.map(({ path }) => path)) || before.separation.some((s) => !after.separation.includes(s))))
  );
}

/** The first region that became more permissive. Its witness is judged once more: it must be milder. */
function looserRegion(before: LoadedPolicy, after: LoadedPolicy, what: string): Difference | undefined {
  for (const difference of differences(before, after)) {
    if (difference.direction !== "looser") continue;
    expect([what, milder(judged(after, difference.witness), judged(before, difference.witness))]).toEqual([what, true]);
    return difference;
  }
  return undefined;
}

/** A policy with one mistake in it; undefined where it would not load. */
function planted(policy: LoadedPolicy, value: unknown): LoadedPolicy | undefined {
  const { document } = checkValue(value, { file: policy.file, sha256: policy.document.sha256 });
  return document && { ...policy, value, document, compiled: compilePolicy(document) };
}

/** A stream of numbers from 0 to 1 that a seed repeats. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const files = globSync(["policies/*.yaml", "examples/*/policy.yaml"], { cwd: root }).filter((file) => !isTestFile(file));
const SEED = Number(process.env.SEED ?? 4);
const EACH = Number(process.env.PLANTED ?? 6);

describe("loosenings planted in the shipped policies", () => {
  it(
    `are found by the difference, at least 95 of 100, and what it finds is looser when it is judged (SEED=${SEED} repeats the sample, PLANTED=1000 tries all)`,
    () => {
      const missed: string[] = [];
      let found = 0;
      for (const file of files.sort()) {
        const policy = loadPolicy(read(file), file, read);
        const tests = parseTests(read(file.replace(".yaml", ".policytest.yaml")), file).cases;
        const cases = [...tests, ...examplesOf(policy.document.content, policy.source, file)].map(({ test }) => test);
        const was = cases.map((test) => judged(policy, test));
        const next = random(SEED);
        const mutants = mutantsOf(policy.value)
          .map((mutant) => ({ mutant, at: next() }))
          .sort((a, b) => a.at - b.at);
        let tried = 0;
        for (const { mutant } of mutants) {
          const after = planted(policy, mutant.value);
          // Planted is what a case of the policy shows to be looser: mistakes that loosen nothing cannot be found.
          if (after === undefined || !cases.some((test, i) => milder(judged(after, test), was[i] as Verdict))) continue;
          if (looserRegion(policy, after, `${file}: ${mutant.what}`) === undefined) missed.push(`${file} ${mutant.path.join(".")}: ${mutant.what}`);
          else found++;
          if (++tried >= EACH) break;
        }
      }
      expect(found + missed.length).toBeGreaterThanOrEqual(Math.min(40, EACH * 6));
      expect({ missed: found / (found + missed.length) >= 0.95 ? [] : missed }).toEqual({ missed: [] });
    },
    EACH > 50 ? 1_800_000 : 180_000,
  );
});

const ACTION = `actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: {}, list: { type: array, items: { type: string } } }, required: [amount] }
    reversibility: partially
    effects: [access]
    risk: low
    decisions: [approve, edit, reject]
    editable: [/amount]
    amount: { path: /amount, unit: USD }
    gate: { kind: soft, from_risk: high, below_confidence: 0.5 }
    require: { evidence: [order] }
  open: { reversibility: partially, risk: low, effects: [prod] }
`;
const rule = (when: string, effect = "raise: { risk: high }") => `rules: [{ id: r, when: { action: pay, ${when} }, ${effect}, because: b }]\n`;
const CALENDAR = `calendar: { time_zone: Europe/Zurich, hours: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:30" }], holidays: ["2026-12-25"] }\n`;
const grant = (more = "expires: 2026-06-01") =>
  `grants: [{ id: g, when: { action: pay, confidence: { at_least: 0.9 } }, lower: { risk: low }, cap: { max: 3, amount: 500, per: agent, window: P1D }, ${more}, evidence: e, because: b }]\n`;
const budget = `budgets: [{ id: b, action: pay, measure: { sum: /amount }, per: agent, window: P1D, limits: [{ above: 100, raise: { risk: high } }] }]\n`;
const twice = "duplicates: [{ id: d, action: pay, by: [/to], window: P1D, raise: { risk: high } }]\n";
const counting = (measure: string, above: number, more = "per: tenant, window: P30D") =>
  `budgets: [{ id: b, action: [pay, open], measure: { ${measure} }, ${more}, limits: [{ above: ${above}, raise: { risk: high } }] }]\n`;
const wide = (cap: string) =>
  rule("args: { /amount: { at_least: 0 } }", "raise: { risk: medium }") +
  `grants: [{ id: g, when: { action: pay }, lower: { risk: low }, cap: { ${cap} }, expires: 2027-01-01, evidence: e, because: b }]\n`;
const signed = (more: string) => rule("args: { /amount: { above: 10 } }", `raise: { risk: high, ${more} }`);
const steps = "confidence: [{ below: 0.7, from: low, to: high }]\n";

describe("a loosening of each kind", () => {
  it.each([
    ["an edge of the day", rule('time: { between: ["22:00", "06:00"], zone: Europe/Zurich }'), '"22:00"', '"22:01"'],
    ["the end of the night", rule('time: { between: ["22:00", "06:00"], zone: Europe/Zurich }'), '"06:00"', '"05:59"'],
    ["a day of the week", rule("time: { days: [sat, sun], zone: Asia/Tokyo }"), "[sat, sun]", "[sun]"],
    ["the zone", rule('time: { between: ["22:00", "06:00"], zone: Europe/Zurich }'), "Europe/Zurich", "Europe/London"],
    ["the end of a freeze", rule('time: { from: "2026-12-20", until: "2027-01-04" }'), "2027-01-04", "2027-01-03"],
    ["working hours", CALENDAR + rule("time: { business: false }"), 'to: "17:30"', 'to: "17:45"'],
    ["a holiday", CALENDAR + rule("time: { business: false }"), '["2026-12-25"]', "[]"],
    ["a step of the run", rule("run: { step: { above: 40 } }"), "above: 40", "above: 41"],
    ["the cost of the run", rule("run: { cost_usd: { at_least: 5 } }"), "at_least: 5", "above: 5"],
    ["the framework", rule("run: { framework: { not_in: [langgraph] } }"), "[langgraph]", "[langgraph, other]"],
    ["a tag of the action", rule("effects: [access]"), "effects: [access] }", "effects: [prod] }"],
    ["the source of the confidence", rule("confidence_source: { in: [self_rating, other] }"), "[self_rating, other]", "[other]"],
    ["a step of confidence", steps, "below: 0.7", "below: 0.69"],
    ["the confidence of a soft gate", "", "below_confidence: 0.5", "below_confidence: 0.4"],
    ["an agent", rule("agent: { id: { prefix: test- } }"), "prefix: test-", "prefix: test-1"],
    ["where it came from", rule("origin: { system: { is: zendesk } }"), "is: zendesk", "is: jira"],
    ["the evidence", "", "evidence: [order]", "evidence: []"],
    ["the state of the target", rule("target: { /state: { is: frozen } }"), "is: frozen", "is: closed"],
    ["a value of another type", rule("all: [{ args: { /to: { exists: true } } }, { args: { /to: { is: 5 } } }]"), "/to: { is: 5 } }", "/amount: { is: 5 } }"],
    ["the cap of a grant", rule("args: { /amount: { at_least: 0 } }", "raise: { risk: medium }") + grant(), "max: 3", "max: 4"],
    ["the amount of a grant", rule("args: { /amount: { at_least: 0 } }", "raise: { risk: medium }") + grant(), "amount: 500,", "amount: 501,"],
    ["the end of a grant", rule("args: { /amount: { at_least: 0 } }", "raise: { risk: medium }") + grant(), "2026-06-01", "2026-06-02"],
    ["whom a grant is for", rule("args: { /amount: { at_least: 0 } }", "raise: { risk: medium }") + grant(), "at_least: 0.9", "at_least: 0.89"],
    ["a limit of a budget", budget, "above: 100", "above: 101"],
    ["the window of a budget", budget, "window: P1D", "window: PT23H"],
    ["for whom a budget counts", budget, "per: agent", "per: [agent, run]"],
    ["the window of a repetition", twice, "window: P1D", "window: PT12H"],
    ["what makes two calls the same", twice, "by: [/to]", "by: [/to, /amount]"],
    ["the window of a budget on many actions", counting("count: true", 51), "window: P30D", "window: PT1M"],
    ["for whom a budget on many actions counts", counting("count: true", 200_000), "per: tenant", "per: agent"],
    ["for whom a budget on different values counts", counting("distinct: /to", 60), "per: tenant", "per: agent"],
    ["the limit of a budget on different values", counting("distinct: /to", 60), "above: 60", "above: 61"],
    ["a sum over two actions that becomes one of each", counting("sum: /amount", 1000), "per: tenant", "per: action"],
    ["what a budget counts", counting("sum: /amount", 1000), "action: [pay, open]", "action: [pay]"],
    ["for whom a large cap counts", wide("max: 5000, per: tenant, window: P30D"), "per: tenant", "per: agent"],
    ["the window of a large cap", wide("max: 5000, per: tenant, window: P30D"), "P30D", "PT1M"],
    ["a large cap", wide("max: 5000, per: tenant, window: P30D"), "max: 5000", "max: 5001"],
    ["who approves first", signed("approval_order: [role:legal, role:cfo]"), "approval_order: [role:legal, role:cfo]", "approvals: 2"],
    ["whose approval it is", signed("approval_order: [role:legal, role:cfo]"), "[role:legal, role:cfo]", "[role:anybody, role:anybody]"],
    ["the end of a run", rule("run: { ended: { is: true } }"), "is: true", "is: false"],
    ["the version of the framework", rule('run: { framework_version: { is: "2" } }'), 'is: "2"', 'is: "3"'],
    ["how long a grant may be started", "", "risk: low\n    decisions", "risk: low\n    grant_ttl: P366D\n    decisions"],
    [
      "how many are approved at once",
      `${rule("args: { /amount: { above: 10 } }", "raise: { risk: medium }").replace("soft", "none")}batch: { max: 2 }\n`,
      "max: 2",
      "max: 20",
    ],
    ["a constant of CEL", rule('cel: "args.amount > 250.0"'), "250.0", "251.0"],
    ["a text in CEL", rule(`cel: "args.list.exists(r, r.startsWith('eu-'))"`), "'eu-'", "'eu-w'"],
    [
      "a part of a longer condition",
      rule("args: { /amount: { above: 10 } }, target: { /state: { is: open } }, confidence: { below: 0.8 }"),
      "above: 10",
      "above: 11",
    ],
  ])("is found: %s", (what, more, from, to) => {
    expect(ACTION + more).toContain(from);
    const text = more.includes(from) ? ACTION + more.replace(from, to) : ACTION.replace(from, to) + more;
    const region = looserRegion(loaded(ACTION + more), loaded(text), what);
    expect([what, region?.direction]).toEqual([what, "looser"]);
    // The other way round it is no loosening of the same proposal.
    expect(judged(loaded(text), region!.witness)).not.toEqual(judged(loaded(ACTION + more), region!.witness));
  });
});
