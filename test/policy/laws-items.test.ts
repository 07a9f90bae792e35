import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalArgs, sha256 } from "../../src/events/canonical.ts";
import type { VerdictReached } from "../../src/events/types.generated.ts";
import type { UsageReader } from "../../src/policy/budgets/usage.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import type { CompiledPolicy } from "../../src/policy/compiled.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { args, atLeast, body, call, gateOf, grants, open, ROUTES, type Rules, rule, rules, SCHEMA, TIERS, tier } from "./arbitraries.ts";
import { type Call, NOW, proposal, verdictOn } from "./helpers.ts";

/** A document with everything in it that can loosen or tighten, about `act`, which may do harm, and others that may not. */
interface Parts {
  readonly act: object;
  readonly list: Rules;
  readonly floors: Rules;
  readonly given: Rules;
  readonly budgets: Rules;
  readonly duplicates: Rules;
}

const limit = fc.oneof(
  fc.record({ raise: fc.record({ risk: tier }) }),
  fc.record({ raise: fc.constant({ gate: "hard" }) }),
  fc.record({ raise: fc.record({ approvals: fc.integer({ min: 2, max: 3 }) }) }),
  fc.constant({ forbid: true }),
);
const budgets = fc
  .array(
    fc.record({
      measure: fc.constantFrom<object>({ count: true }, { sum: "/n" }, { distinct: "/s" }),
      per: fc.constantFrom<unknown>("tenant", "agent", ["agent", "run"], "/s"),
      effects: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 30 }), limit), { minLength: 1, maxLength: 2, selector: ([above]) => above }),
    }),
    { maxLength: 2 },
  )
  .map((list) =>
    list.map(({ measure, per, effects }, i) => ({
      ...{ id: `b${i}`, action: "act", measure, per, window: "PT1H" },
      limits: [...effects].sort(([a], [b]) => a - b).map(([above, effect]) => ({ above, ...effect })),
    })),
  );
const duplicates = fc
  .array(limit, { maxLength: 1 })
  .map((list) => list.map((effect, i) => ({ id: `d${i}`, action: "act", by: ["/s"], window: "PT1H", ...effect })));
const floors = fc.array(rule, { maxLength: 2 }).map((list) => list.map((one, i) => ({ id: `f${i}`, because: `floor ${i}`, ...one })));
const parts = (act: fc.Arbitrary<object>): fc.Arbitrary<Parts> => fc.record({ act, list: rules, floors, given: grants, budgets, duplicates });

const OTHERS = {
  another: { reversibility: "reversible", risk: "low" },
  ab: { arguments: SCHEMA, reversibility: "reversible", risk: "low" },
};

function policyOf({ act, list, floors: low, given, budgets: limits, duplicates: twice }: Parts, { mode = "enforce", id = "p" } = {}): CompiledPolicy {
  const text = JSON.stringify({
    ...{ policy: id, version: "1", workspace: "w", owner: "role:boss", mode, defaults: { annotations: "trust" } },
    ...{ actions: { act, ...OTHERS }, rules: list, floors: low, grants: given, budgets: limits, duplicates: twice },
  });
  return compilePolicy(parsePolicy(text));
}

/** What others have used of every budget and grant: the same for each of a verdict's questions. */
const usage = fc.nat(30).map(
  (n): UsageReader =>
    () => ({ count: n, sum: String(n) }),
);
const plan = fc
  .tuple(
    fc.array(
      call.map((one) => ({ ...one, tool: "ab" })),
      { maxLength: 2 },
    ),
    call,
    fc.nat(2),
  )
  .map(([around, one, at]): Call[] => {
    const steps: Call[] = [...around];
    steps.splice(Math.min(at, around.length), 0, one);
    return steps;
  });
const edited = fc.option(args, { nil: undefined });

interface Situation {
  readonly steps: Call[];
  readonly edit: object | undefined;
  readonly used: UsageReader;
}

const situation: fc.Arbitrary<Situation> = fc.record({ steps: plan, edit: edited, used: usage });

/** The verdict on a plan, or on an edit of all its steps. */
function judged(policies: readonly CompiledPolicy[], { steps, edit, used }: Situation): VerdictReached {
  const proposed = proposal(...steps);
  const actions = edit === undefined ? proposed.actions : proposed.actions.map((action) => ({ ...action, ...canonicalArgs(edit) }));
  return verdictOn(policies, { proposal: proposed, actions, answers: edit === undefined ? "proposal" : "edit", now: NOW, usage: used });
}

const hints = fc.constantFrom({}, { annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false } });
const irreversible = fc.record({ hint: hints, risk: tier, hard: fc.boolean() }).map(({ hint, risk, hard }) => ({
  ...{ arguments: SCHEMA, reversibility: "irreversible", risk, ...hint },
  ...(hard ? { gate: { kind: "hard" } } : {}),
}));
const amount = fc.integer({ min: 0, max: 25 });
const shuffled = <T>(list: readonly T[], seed: readonly number[]): T[] =>
  list
    .map((one, i) => [seed[i % seed.length] ?? 0, i, one] as const)
    .sort((a, b) => a[0] - b[0] || b[1] - a[1])
    .map(([, , one]) => one);

describe("laws of the judge on whole items: plans, edits, budgets, grants, several policies", { timeout: 120_000 }, () => {
  it("nothing makes an irreversible action flow: no mode, grant, audit, other policy, harmless step beside it, edit, usage or confidence", () => {
    const modes = fc.constantFrom("enforce", "shadow", "off");
    fc.assert(
      fc.property(parts(irreversible), modes, fc.option(parts(open), { nil: undefined }), modes, situation, (one, mode, two, mode2, at) => {
        const policies = [policyOf(one, { mode }), ...(two === undefined ? [] : [policyOf(two, { mode: mode2, id: "q" })])];
        // What the other policy thinks of it does not count where this one is in force; where this one only watches, the other one may know better.
        fc.pre(mode !== "shadow" || two === undefined || mode2 === "shadow");
        const sure = { ...at, steps: at.steps.map((step) => ({ ...step, confidence: step.confidence ?? 1 })) };
        const v = judged(policies, sure);
        expect(["interrupt", "forbid"]).toContain(v.route);
        expect([v.gate, v.batchKey]).toEqual(["hard", null]);
      }),
      { numRuns: 80 },
    );
  });

  it("the order of rules, floors, grants, budgets and of the policies never matters", () => {
    fc.assert(
      fc.property(parts(open), parts(open), situation, fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), (one, two, at, seed) => {
        const moved = (p: Parts): Parts => ({
          ...p,
          list: shuffled(p.list, seed),
          floors: shuffled(p.floors, seed),
          given: shuffled(p.given, seed),
          budgets: shuffled(p.budgets, seed),
        });
        const ref = { id: "p", version: "1", sha256: sha256("p") };
        const first = judged([{ ...policyOf(one), ref }, policyOf(two, { id: "q" })], at);
        const other = judged([policyOf(two, { id: "q" }), { ...policyOf(moved(one)), ref }], at);
        const sorted = ({ budgets: list, ...rest }: ReturnType<typeof body>) => ({
          ...rest,
          budgets: [...list].sort((a, b) => (a.name + a.key < b.name + b.key ? -1 : 1)),
        });
        expect(sorted(body(other))).toEqual(sorted(body(first)));
      }),
      { numRuns: 80 },
    );
  });

  it("adding a rule, a floor or a budget never lowers anything", () => {
    fc.assert(
      fc.property(
        parts(open),
        rule,
        situation,
        fc.constantFrom("list", "floors"),
        fc.constantFrom("first", "zlast"),
        budgets,
        (one, extra, at, layer, id, limits) => {
          const more = { ...one, [layer]: [...one[layer], { id, because: "one more", ...extra }] };
          const before = judged([policyOf(one)], at);
          for (const stricter of [more, { ...one, budgets: [...one.budgets, ...limits.map((limitOf, i) => ({ ...limitOf, id: `e${i}` }))] }]) {
            const after = judged([policyOf(stricter)], at);
            for (const [scale, key] of [
              [ROUTES, "route"],
              [TIERS, "risk"],
            ] as const)
              expect(scale.indexOf(after[key])).toBeGreaterThanOrEqual(scale.indexOf(before[key]));
            expect(after.score).toBeGreaterThanOrEqual(before.score);
            if (after.route === before.route && after.allowedDecisions.length > 0) expect(after.approvals).toBeGreaterThanOrEqual(before.approvals);
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it("raising an amount past thresholds never lowers anything, whether it is proposed, in a plan or edited, with budgets that count it", () => {
    const above = fc.record({ threshold: fc.integer({ min: 0, max: 20 }), effect: rule.map(({ when: _, ...effect }) => effect as object) });
    fc.assert(
      fc.property(open, fc.array(above, { maxLength: 3 }), budgets, situation, amount, fc.nat(10), (act, up, limits, at, n, more) => {
        const list = up.map(({ threshold, effect }, i) => ({
          id: `r${i}`,
          because: "b",
          when: { action: "act", args: { "/n": { above: threshold } } },
          ...effect,
        }));
        const policy = policyOf({ act, list, floors: [], given: [], budgets: limits.filter(({ measure }) => !("distinct" in measure)), duplicates: [] });
        const with_ = (value: number): Situation =>
          at.edit === undefined
            ? { ...at, steps: at.steps.map((step) => (step.tool === undefined ? { ...step, args: { s: "a", n: value } } : step)) }
            : { ...at, edit: { s: "a", n: value } };
        atLeast(judged([policy], with_(n + more)), judged([policy], with_(n)));
      }),
      { numRuns: 80 },
    );
  });

  it("a higher limit of a budget never makes a lower one void", () => {
    const limits = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 20 }), limit), { minLength: 2, maxLength: 3, selector: ([above]) => above });
    fc.assert(
      fc.property(open, limits, fc.array(amount, { minLength: 2, maxLength: 5 }), (act, list, amounts) => {
        const sorted = [...list].sort(([a], [b]) => a - b).map(([above, effect]) => ({ above, ...effect }));
        const budget = { id: "b", action: "act", measure: { sum: "/n" }, window: "PT1H", limits: sorted };
        const policy = policyOf({ act, list: [], floors: [], given: [], budgets: [budget], duplicates: [] });
        const used: UsageReader = () => ({ count: 0, sum: "0" });
        const verdicts = [...amounts].sort((a, b) => a - b).map((n) => judged([policy], { steps: [{ args: { n } }], edit: undefined, used }));
        for (const [i, v] of verdicts.entries()) if (i > 0) atLeast(v, verdicts[i - 1] as VerdictReached);
      }),
      { numRuns: 120 },
    );
  });

  it("a plan is judged at least as severely as each of its steps alone", () => {
    fc.assert(
      fc.property(parts(fc.oneof(open, irreversible)), plan, (one, steps) => {
        const nothing: UsageReader = () => ({ count: 0, sum: "0" });
        const policy = policyOf({ ...one, given: [] });
        const whole = judged([policy], { steps, edit: undefined, used: nothing });
        for (const step of steps) {
          const alone = judged([policy], { steps: [step], edit: undefined, used: nothing });
          expect(ROUTES.indexOf(whole.route)).toBeGreaterThanOrEqual(ROUTES.indexOf(alone.route));
          expect(TIERS.indexOf(whole.risk)).toBeGreaterThanOrEqual(TIERS.indexOf(alone.risk));
        }
      }),
      { numRuns: 80 },
    );
  });

  it("an audit gate never opens for what is irreversible: such a document does not load", () => {
    fc.assert(
      fc.property(irreversible, gateOf, (act, gate) => {
        expect(() => policyOf({ act: { ...act, gate }, list: [], floors: [], given: [], budgets: [], duplicates: [] })).toThrow("always has a hard gate");
      }),
      { numRuns: 20 },
    );
  });
});
