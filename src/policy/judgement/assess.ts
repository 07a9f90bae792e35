import type { GrantUse } from "../budgets/grant-use.ts";
import type { CompiledGate, CompiledGrant } from "../compile-grant.ts";
import type { CompiledAction, CompiledPolicy, CompiledRule } from "../compiled.ts";
import type { Facts, Reading } from "../conditions/condition.ts";
import { ABSENT, raises, type Truth, YES } from "../conditions/truth.ts";
import { GATES, pointsOf, ROUTES, TIERS, type Tier, tierOf, worst } from "../tiers.ts";
import type { Opinion } from "./opinion.ts";
import { joinOrders } from "./people.ts";

/** A rule that took hold. */
export interface Hit {
  readonly rule: CompiledRule;
  readonly truth: Truth;
  /** What it read; left out where the rule's own condition can tell. */
  readonly readings?: readonly Reading[];
}

/** What one entry of a catalogue comes to on one action, before anything is said in words. */
export interface Outcome {
  readonly route: Opinion["route"];
  readonly risk: Tier;
  readonly score: number;
  readonly gate: Opinion["gate"];
  readonly approvals: number;
  readonly approvalOrder: readonly string[];
  readonly hits: readonly Hit[];
  /** The tier that confidence raised the base risk to. */
  readonly raised: Tier | undefined;
  /** Evidence that is required and was not brought. */
  readonly missing: readonly string[];
  /** Whether the confidence is not enough for the soft gate. */
  readonly unsure: boolean;
  /** Grants that were asked whether they loosen; `fits` says whether they did. */
  readonly grants: readonly GrantUse[];
  /** Whether an audit waits for the end of the run. */
  readonly together: boolean;
  /** How long an audit may take; undefined where there is none. */
  readonly window: CompiledGate["window"] | undefined;
}

/** What stands around an action while it is judged. */
export interface Surroundings {
  /** Budgets that took hold of it. */
  readonly budgets: readonly Hit[];
  /** Asks a grant how much of it is left. */
  readonly grant: (grant: CompiledGrant) => GrantUse;
}

const NO_HITS: readonly Hit[] = [];
const NO_TEXTS: readonly string[] = [];
const NO_GRANTS: readonly GrantUse[] = [];

/** Judges one action: the vector alone, without a word about why. Nothing is allocated for rules that do not take hold. */
export function assess(policy: CompiledPolicy, action: CompiledAction, facts: Facts, evidence: ReadonlySet<string>, around: Surroundings): Outcome {
  const missing = missingOf(action.evidence, evidence);
  const hits = hitsOf(action.rules, facts, around.budgets);
  const strict = outcomeOf(policy, action, facts, missing, hits, NO_GRANTS);
  if (action.grants.length === 0 || around.budgets.length > 0 || !canBeLowered(strict)) return strict;
  const grants: GrantUse[] = [];
  for (const grant of action.grants) if (grant.expires > facts.now && lowers(grant, strict) && grant.when.test(facts) === YES) grants.push(around.grant(grant));
  return grants.length === 0 ? strict : outcomeOf(policy, action, facts, missing, hits, grants);
}

/** The rules that take hold, and budgets. */
export function hitsOf(rules: readonly CompiledRule[], facts: Facts, budgets: readonly Hit[] = []): readonly Hit[] {
  let hits: Hit[] | undefined;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i] as CompiledRule;
    const truth = rule.when === undefined ? YES : rule.when.test(facts);
    if (raises(truth)) (hits ??= []).push({ rule, truth });
  }
  return budgets.length === 0 ? (hits ?? NO_HITS) : [...(hits ?? []), ...budgets];
}

function missingOf(required: readonly string[], brought: ReadonlySet<string>): readonly string[] {
  if (required.length === 0) return NO_TEXTS;
  const missing = required.filter((label) => !brought.has(label));
  return missing.length === 0 ? NO_TEXTS : missing;
}

/** A floor that could not be checked, because the proposal brought no state of its target, is for a person: nobody knows whether it holds. */
export const uncheckable = (hit: Hit): boolean => hit.rule.forbid && hit.truth === ABSENT;

/** A grant never touches what is critical, forbidden, under a floor, past a budget or a repetition, or without its evidence. */
function canBeLowered({ route, risk, hits, missing }: Outcome): boolean {
  return route !== "forbid" && risk !== "critical" && missing.length === 0 && !hits.some(({ rule }) => rule.floor || rule.forbid);
}

function lowers({ risk, gate }: CompiledGrant, strict: Outcome): boolean {
  return (
    (risk !== undefined && TIERS.indexOf(risk) < TIERS.indexOf(strict.risk)) || (gate !== undefined && (strict.route !== "allow" || strict.gate !== "none"))
  );
}

/** The vector of the hits given: also asked "what if this rule had not matched". */
export function outcomeOf(
  policy: CompiledPolicy,
  action: CompiledAction,
  facts: Pick<Facts, "confidence">,
  missing: readonly string[],
  hits: readonly Hit[],
  grants: readonly GrantUse[],
): Outcome {
  const { thresholds } = policy;
  const { confidence } = facts;
  const raised = confidenceTier(policy, action, confidence);
  let sum = action.basePoints;
  let least = raised === undefined ? 0 : pointsOf(raised, thresholds);
  let approvals = 1;
  let orders: (readonly string[])[] | undefined;
  let hard = missing.length > 0;
  let forbid = false;
  for (const hit of hits) {
    const { rule } = hit;
    const blind = uncheckable(hit);
    sum += rule.points;
    if (rule.risk !== undefined) least = Math.max(least, pointsOf(rule.risk, thresholds));
    if (blind) least = Math.max(least, thresholds.high);
    approvals = Math.max(approvals, rule.approvals);
    if (rule.approvalOrder.length > 0) (orders ??= []).push(rule.approvalOrder);
    hard ||= blind || rule.hard;
    forbid ||= rule.forbid && !blind;
  }
  const score = Math.max(sum, least);
  let risk = tierOf(score, thresholds);
  for (const { grant, fits } of grants) if (fits && grant.risk !== undefined && TIERS.indexOf(grant.risk) < TIERS.indexOf(risk)) risk = grant.risk;
  let passed = passing(action.gate, hard, risk, confidence);
  for (const { grant, fits } of grants) {
    if (!fits || grant.gate === undefined) continue;
    // A gate that loosens one risk may be tighter at another, so the mildest is taken of what they come to, not of what they are called.
    const other = passing(grant.gate, hard, risk, confidence);
    if (mildness(other) < mildness(passed)) passed = other;
  }
  return {
    ...(forbid ? { ...HARD, route: "forbid" as const, gate: passed.gate === "hard" ? ("hard" as const) : ("soft" as const) } : passed),
    risk,
    score,
    approvals,
    approvalOrder: orders === undefined ? NO_TEXTS : joinOrders(orders),
    hits,
    raised,
    missing,
    grants,
  };
}

type Passing = Pick<Outcome, "route" | "gate" | "unsure" | "together" | "window">;

const mildness = ({ route, gate }: Passing): number => ROUTES.indexOf(route) * GATES.length + GATES.indexOf(gate);

/** What a gate lets pass. `hard`: something else than the gate wants a person. */
function passing(gate: CompiledGate, hard: boolean, risk: Tier, confidence: number | null): Passing {
  if (hard || gate.kind === "hard") return HARD;
  const unsure = gate.kind === "soft" && gate.belowConfidence !== undefined && (confidence === null || confidence < gate.belowConfidence);
  if (gate.kind === "audit" && TIERS.indexOf(risk) < TIERS.indexOf(gate.fromRisk))
    return { route: gate.together ? "batch" : "allow", gate: "audit", unsure, together: gate.together, window: gate.window };
  const route = routeOf(gate, risk, unsure);
  return { route, gate: route === "allow" ? "none" : "soft", unsure, together: false, window: undefined };
}

const HARD: Passing = { route: "interrupt", gate: "hard", unsure: false, together: false, window: undefined };

/** Without a hard gate: low flows, medium batches, high and critical interrupt. A soft gate lets medium through as well, below its thresholds. */
function routeOf(gate: CompiledGate, risk: Tier, unsure: boolean): Opinion["route"] {
  const byRisk = risk === "low" ? "allow" : risk === "medium" ? "batch" : "interrupt";
  if (gate.kind !== "soft") return byRisk;
  const risky = TIERS.indexOf(risk) >= TIERS.indexOf(gate.fromRisk);
  if (!risky && !unsure) return "allow";
  return byRisk === "allow" ? "batch" : byRisk;
}

/** Raised once, from the base risk: never step upon step. */
function confidenceTier(policy: CompiledPolicy, action: CompiledAction, confidence: number | null): Tier | undefined {
  let to: Tier | undefined;
  for (const step of policy.confidence) {
    if (step.from !== action.baseRisk || (confidence === null ? !step.or_missing : confidence >= step.below)) continue;
    to = to === undefined ? step.to : worst(TIERS, to, step.to);
  }
  return to;
}
