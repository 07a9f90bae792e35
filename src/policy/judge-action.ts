import { canonicalize, type Json } from "../events/canonical.ts";
import type { Contribution, RuleMatch, WouldPass } from "../events/types.generated.ts";
import { type CompiledAction, type CompiledPolicy, type CompiledRule, touchesSecret } from "./compile.ts";
import type { Facts, Reading } from "./condition.ts";
import { OPPOSITE } from "./operators.ts";
import { type Opinion, peopleOf, type Reason, rankOf, type Subject } from "./opinion.ts";
import { MASKED, plain } from "./render.ts";
import { pointsOf, TIERS, type Tier, tierOf, worst } from "./tiers.ts";
import { ABSENT, raises, type Truth, YES } from "./truth.ts";

/** A rule that took hold. */
export interface Hit {
  readonly rule: CompiledRule;
  readonly truth: Truth;
  readonly readings: readonly Reading[];
}

/** What risk and gates come to. */
interface Outcome {
  readonly route: Opinion["route"];
  readonly risk: Tier;
  readonly score: number;
  readonly gate: Opinion["gate"];
  readonly approvals: number;
  /** Reasons beside the rules' own. */
  readonly because: readonly Reason[];
}

/** The opinion of one entry of a catalogue on one action whose arguments conform to its schema. `budgets`: those that took hold of it. */
export function judgeAction(policy: CompiledPolicy, action: CompiledAction, subject: Subject, budgets: readonly Hit[] = []): Opinion {
  const facts: Facts = { ...subject.facts, baseRisk: action.baseRisk, risk: action.baseRisk };
  const hits = [...hitsOf(action.rules, facts), ...budgets];
  const outcome = outcomeOf(policy, action, subject, hits);
  const finalFacts: Facts = { ...facts, risk: outcome.risk };
  const route = action.routes.find(({ when }) => when === undefined || raises(when.test(finalFacts)));
  const people = peopleOf(policy.owner, route?.people, action.people);
  const because = [...hits.map((hit) => reasonOf(hit)), ...outcome.because];
  const name = action.name ?? subject.facts.tool;
  return {
    policy: policy.ref,
    rank: rankOf(policy, subject.index, action.name),
    route: outcome.route,
    risk: outcome.risk,
    score: outcome.score,
    contributions: contributionsOf(policy, action, subject, hits),
    reversibility: action.reversibility,
    gate: outcome.gate,
    matched: hits.flatMap((hit) => matchesOf(hit, subject.actionId, action)),
    because,
    wouldPass: wouldPassOf(policy, action, subject, hits, outcome),
    error: null,
    ...people,
    approvals: Math.max(people.approvals, outcome.approvals),
    separation: [...new Set([...people.separation, ...hits.flatMap((hit) => hit.rule.separation)])],
    decisions: action.decisions,
    batch:
      outcome.route === "batch"
        ? { key: `${policy.workspace}:${policy.ref.id}:${name}:${people.owner}`, max: policy.batch.max, windowMs: policy.batch.window }
        : null,
    editable: action.editable.map((path) => ({ actionId: subject.actionId, path })),
    step: { actionId: subject.actionId, execution: action.execution, leaseMs: action.leaseMs, reversibility: action.reversibility, because: told(because) },
    grantTtlMs: action.grantTtlMs,
    unusual: new Set(hits.flatMap((hit) => hit.readings.filter((reading) => reading.isArgument).map((reading) => reading.path))),
    action,
  };
}

/** Reasons as sentences, the weightiest first, each once. */
export function told(reasons: readonly Reason[]): string[] {
  const sorted = [...reasons].sort((a, b) => b.weight - a.weight || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  return [...new Set(sorted.map((reason) => reason.text))];
}

/** The rules that take hold. */
export function hitsOf(rules: readonly CompiledRule[], facts: Facts): Hit[] {
  const hits: Hit[] = [];
  for (const rule of rules) {
    const truth = rule.when === undefined ? YES : rule.when.test(facts);
    if (!raises(truth)) continue;
    const readings: Reading[] = [];
    rule.when?.read(facts, false, readings);
    hits.push({ rule, truth, readings });
  }
  return hits;
}

/** A floor that could not be checked, because the proposal brought no state of its target, is for a person: nobody knows whether it holds. */
export const uncheckable = (hit: Hit): boolean => hit.rule.forbid && hit.truth === ABSENT;

function outcomeOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, hits: readonly Hit[]): Outcome {
  const { thresholds } = policy;
  const name = subject.facts.tool;
  const because: Reason[] = [];
  const raised = confidenceTier(policy, action, subject.facts.confidence);
  const tiers: Tier[] = hits.flatMap((hit) => (hit.rule.risk === undefined ? [] : [hit.rule.risk]));
  if (raised !== undefined) {
    tiers.push(raised);
    because.push({
      weight: 2 + TIERS.indexOf(raised),
      text: `${confidenceText(subject.facts.confidence)} raises the risk from ${action.baseRisk} to ${raised}`,
    });
  }
  if (hits.some(uncheckable)) tiers.push("high");
  const sum = hits.reduce((points, hit) => points + hit.rule.points, action.basePoints);
  const score = Math.max(sum, ...tiers.map((tier) => pointsOf(tier, thresholds)));
  const risk = tierOf(score, thresholds);
  const missing = action.evidence.filter((label) => !subject.evidence.has(label));
  if (missing.length > 0) because.push({ weight: 4, text: `Evidence is missing: ${missing.join(", ")}` });
  const hard = action.gate.kind === "hard" || missing.length > 0 || hits.some((hit) => hit.rule.hard || uncheckable(hit));
  if (action.name === undefined) because.push({ weight: 5, text: `No policy describes ${plain(name, 80)}` });
  else if (action.reversibility === "irreversible") because.push({ weight: 1, text: `${name} cannot be undone, so a person decides` });
  else if (action.gate.kind === "hard") because.push({ weight: 1, text: `${name} always waits for a person` });
  const forbid = hits.some((hit) => hit.rule.forbid && !uncheckable(hit));
  const route = forbid ? "forbid" : hard ? "interrupt" : routeOf(action, risk, subject.facts.confidence, because);
  if (hits.length === 0 && because.length === 0) because.push({ weight: 1, text: `The risk of ${name} is ${risk}` });
  return {
    route,
    risk,
    score,
    gate: hard ? "hard" : route === "allow" ? "none" : "soft",
    approvals: Math.max(1, ...hits.map((hit) => hit.rule.approvals)),
    because,
  };
}

/** Without a hard gate: low flows, medium batches, high and critical interrupt. A soft gate lets medium through as well, below its thresholds. */
function routeOf(action: CompiledAction, risk: Tier, confidence: number | null, because: Reason[]): Opinion["route"] {
  const byRisk = risk === "low" ? "allow" : risk === "medium" ? "batch" : "interrupt";
  if (action.gate.kind !== "soft") return byRisk;
  const { from_risk = "high", below_confidence } = action.gate;
  const risky = TIERS.indexOf(risk) >= TIERS.indexOf(from_risk);
  const unsure = below_confidence !== undefined && (confidence === null || confidence < below_confidence);
  if (unsure) because.push({ weight: 2, text: `${confidenceText(confidence)} is not enough for ${action.name}: ${below_confidence} is` });
  if (!risky && !unsure) return "allow";
  return byRisk === "allow" ? "batch" : byRisk;
}

function confidenceText(confidence: number | null): string {
  return confidence === null ? "A missing confidence" : `A confidence of ${confidence}`;
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

function contributionsOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, hits: readonly Hit[]): Contribution[] {
  const raised = confidenceTier(policy, action, subject.facts.confidence);
  const out: Contribution[] = [{ rule: "base", points: action.basePoints, tier: null }];
  if (raised !== undefined) out.push({ rule: "confidence", points: 0, tier: raised });
  for (const hit of hits) {
    const tier = hit.rule.risk ?? (uncheckable(hit) ? "high" : null);
    if (hit.rule.points > 0 || tier !== null) out.push({ rule: hit.rule.id, points: hit.rule.points, tier });
  }
  return out;
}

function reasonOf(hit: Hit): Reason {
  const { rule, truth } = hit;
  const weight = rule.forbid && !uncheckable(hit) ? 9 : 3 + (rule.risk === undefined ? 0 : TIERS.indexOf(rule.risk)) + (rule.hard ? 1 : 0);
  if (truth === YES) return { weight, text: rule.because };
  const open = [...new Set(hit.readings.filter((reading) => reading.truth !== YES).map((reading) => plain(reading.path, 80)))];
  return { weight, text: `${rule.because} (could not be checked: ${open.join(", ")} is missing or of another type)` };
}

function effectOf(hit: Hit): string {
  const { rule } = hit;
  const parts: string[] = [];
  if (rule.forbid) parts.push(uncheckable(hit) ? "interrupt (could not be checked)" : "forbid");
  if (rule.risk !== undefined) parts.push(`risk: ${rule.risk}`);
  if (rule.points > 0) parts.push(`points: +${rule.points}`);
  if (rule.approvals > 1) parts.push(`approvals: ${rule.approvals}`);
  if (rule.hard) parts.push("gate: hard");
  if (rule.separation.length > 0) parts.push(`separation: ${rule.separation.join(", ")}`);
  return parts.join(", ");
}

function matchesOf(hit: Hit, actionId: string, action: CompiledAction): RuleMatch[] {
  const effect = effectOf(hit);
  if (hit.readings.length === 0) return [{ rule: hit.rule.id, actionId, path: null, operator: null, threshold: null, operand: null, effect }];
  return hit.readings.map((reading) => ({
    rule: hit.rule.id,
    actionId,
    path: reading.path,
    operator: reading.negated ? `not ${reading.operator}` : reading.operator,
    threshold: canonicalize(named(reading, reading.threshold)),
    operand: reading.operand === undefined ? null : operandText(reading, action),
    effect,
  }));
}

/** Canonical JSON of the value found; a secret is masked and a long one shortened, because a verdict is read by many. */
function operandText(reading: Reading, action: CompiledAction): string {
  if (reading.isArgument && touchesSecret(action.fields, reading.path)) return canonicalize(MASKED);
  const text = canonicalize(named(reading, reading.operand as Json));
  return text.length <= 1000 ? text : canonicalize(plain(text, 900));
}

/** Tiers are compared by their place in the order, and shown by name. */
function named(reading: Reading, value: Json): Json {
  if (reading.path !== "base_risk" && reading.path !== "risk") return value;
  return Array.isArray(value) ? value.map((part) => named(reading, part)) : (TIERS[value as number] ?? value);
}

/** The smallest changes that would lower the outcome: of rules that stand on one argument, those without which it would be milder. */
function wouldPassOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, hits: readonly Hit[], outcome: Outcome): WouldPass[] {
  const simple = hits.filter((hit) => hit.truth === YES && hit.readings.length === 1 && changeOf(hit, subject.actionId) !== undefined);
  if (simple.length === 0) return [];
  const milder = (without: readonly Hit[]) =>
    severity(
      outcomeOf(
        policy,
        action,
        subject,
        hits.filter((hit) => !without.includes(hit)),
      ),
    ) < severity(outcome);
  const alone = simple.filter((hit) => milder([hit]));
  const chosen = alone.length > 0 ? alone : milder(simple) ? simple : [];
  return chosen.filter((hit) => !touchesSecret(action.fields, hit.readings[0]?.path ?? "")).flatMap((hit) => changeOf(hit, subject.actionId) ?? []);
}

function severity(outcome: Outcome): number {
  return ["allow", "batch", "interrupt", "forbid"].indexOf(outcome.route) * 1e6 + TIERS.indexOf(outcome.risk) * 1e4 + outcome.approvals;
}

function changeOf(hit: Hit, actionId: string): WouldPass | undefined {
  const [reading] = hit.readings;
  if (reading === undefined || !reading.isArgument) return undefined;
  const operator = reading.negated ? reading.operator : OPPOSITE[reading.operator];
  return operator === undefined ? undefined : { actionId, path: reading.path, operator, value: canonicalize(reading.threshold) };
}
