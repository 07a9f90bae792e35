import { canonicalize, type Json } from "../../events/canonical.ts";
import type { Contribution, RuleMatch, WouldPass } from "../../events/types.generated.ts";
import type { GrantUse } from "../budgets/grant-use.ts";
import { touchesSecret } from "../catalogue.ts";
import type { CompiledAction, CompiledPolicy } from "../compiled.ts";
import type { Facts, Reading } from "../conditions/condition.ts";
import { canonicalOnce, OPPOSITE } from "../conditions/operators.ts";
import { YES } from "../conditions/truth.ts";
import { PUBLISH_TOOL } from "../publish-tool.ts";
import { MASKED, plain } from "../render.ts";
import { spanText } from "../span.ts";
import { TIERS } from "../tiers.ts";
import { type Hit, type Outcome, outcomeOf, uncheckable } from "./assess.ts";
import { changedArguments, severity } from "./milder.ts";
import type { Reason, Subject } from "./opinion.ts";

/** A hit with what it read. */
export type ReadHit = Hit & { readonly readings: readonly Reading[] };

/** Hits with what they read: only looked up once something has to be said about them. */
export function withReadings(hits: readonly Hit[], facts: Facts): readonly ReadHit[] {
  return hits.map((hit) => {
    const readings: Reading[] = [];
    if (hit.readings === undefined) hit.rule.when?.read(facts, false, readings);
    return { ...hit, readings: hit.readings ?? readings };
  });
}

/** Reasons as sentences, the weightiest first, each once. */
export function told(reasons: readonly Reason[]): string[] {
  const sorted = [...reasons].sort((a, b) => b.weight - a.weight || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  return [...new Set(sorted.map((reason) => reason.text))];
}

/** Why an action comes to what it does. */
export function reasonsOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, outcome: Outcome, hits: readonly ReadHit[]): Reason[] {
  const { confidence, tool } = subject.facts;
  const { raised, missing, unsure, risk, grants, window } = outcome;
  const out: Reason[] = hits.map(reasonOf);
  if (raised !== undefined)
    out.push({ weight: 2 + TIERS.indexOf(raised), text: `${confidenceText(subject.facts)} raises the risk from ${action.baseRisk} to ${raised}` });
  if (missing.length > 0) out.push({ weight: 4, text: `Evidence is missing: ${missing.join(", ")}` });
  const isOff = policy.mode === "off" && action.name !== PUBLISH_TOOL;
  if (isOff && outcome.route !== "forbid") out.push({ weight: 5, text: `Policy ${policy.ref.id} is off: everything waits for a person` });
  if (action.name === undefined) out.push({ weight: 5, text: `No policy describes ${plain(tool, 80) || "a tool without a name"}` });
  else if (action.reversibility === "irreversible") out.push({ weight: 1, text: `${action.name} cannot be undone, so a person decides` });
  else if (!isOff && action.gate.kind === "hard" && outcome.gate === "hard") out.push({ weight: 1, text: `${action.name} always waits for a person` });
  if (unsure) out.push({ weight: 2, text: `${confidenceText({ confidence })} is not enough for ${action.name}: ${action.gate.belowConfidence} is` });
  if (window !== undefined) {
    const together = outcome.together ? ", together with what else the run did" : "";
    out.push({ weight: 1, text: `${action.name} runs now and is reviewed within ${spanText(window)}${together}` });
  }
  for (const use of grants) out.push(grantReason(use));
  if (out.length === 0) out.push({ weight: 1, text: `The risk of ${action.name} is ${risk}` });
  return out;
}

function grantReason({ grant, fits, told: used }: GrantUse): Reason {
  const text = fits ? `${grant.because} (grant ${grant.id}: ${used})` : `Grant ${grant.id} does not reach this far: ${used}`;
  return { weight: fits ? 2 : 1, text };
}

function confidenceText({ confidence, confidenceSource = null }: Pick<Facts, "confidence"> & Partial<Pick<Facts, "confidenceSource">>): string {
  const source = confidenceSource === null ? "" : ` (${confidenceSource.replaceAll("_", "-")})`;
  return confidence === null ? "A missing confidence" : `A confidence of ${confidence}${source}`;
}

function reasonOf(hit: ReadHit): Reason {
  const { rule, truth } = hit;
  const weight = rule.forbid && !uncheckable(hit) ? 9 : 3 + (rule.risk === undefined ? 0 : TIERS.indexOf(rule.risk)) + (rule.hard ? 1 : 0);
  if (truth === YES) return { weight, text: rule.because };
  const open = [...new Set(hit.readings.filter((reading) => reading.truth !== YES).map(openText))];
  return { weight, text: `${rule.because} (could not be checked: ${open.join(", ")})` };
}

/** Why people are asked whom perhaps no route would have asked; nothing where nobody is asked. */
export function unroutedReason({ route, gate }: Outcome, open: readonly Reading[]): Reason[] {
  if (open.length === 0 || route === "forbid" || (route === "allow" && gate !== "audit")) return [];
  const why = [...new Set(open.map(openText))].join(", ");
  return [{ weight: 3, text: `Nobody can tell which route holds (${why}), so of those that may the strictest does` }];
}

function openText({ path, operand, why }: Reading): string {
  return `${plain(path, 80)} ${why ?? (operand === undefined ? "is missing" : "is of another type")}`;
}

/** How the score came about. */
export function contributionsOf(action: CompiledAction, { raised, grants }: Outcome, hits: readonly Hit[]): Contribution[] {
  const out: Contribution[] = [{ rule: "base", points: action.basePoints, tier: null }];
  if (raised !== undefined) out.push({ rule: "confidence", points: 0, tier: raised });
  for (const hit of hits) {
    const tier = hit.rule.risk ?? (uncheckable(hit) ? "high" : null);
    if (hit.rule.points > 0 || tier !== null) out.push({ rule: hit.rule.id, points: hit.rule.points, tier });
  }
  for (const { grant, fits } of grants) if (fits && grant.risk !== undefined) out.push({ rule: grant.id, points: 0, tier: grant.risk });
  return out;
}

function effectOf(hit: Hit): string {
  const { rule } = hit;
  const parts: string[] = [];
  if (rule.forbid) parts.push(uncheckable(hit) ? "interrupt (could not be checked)" : "forbid");
  if (rule.risk !== undefined) parts.push(`risk: ${rule.risk}`);
  if (rule.points > 0) parts.push(`points: +${rule.points}`);
  if (rule.approvals > 1) parts.push(`approvals: ${rule.approvals}`);
  if (rule.approvalOrder.length > 0) parts.push(`approval order: ${rule.approvalOrder.join(", ")}`);
  if (rule.hard) parts.push("gate: hard");
  if (rule.separation.length > 0) parts.push(`separation: ${rule.separation.join(", ")}`);
  return parts.join(", ");
}

/** Every rule and grant that took hold, with what it read. */
export function matchedOf(action: CompiledAction, actionId: string, outcome: Outcome, hits: readonly ReadHit[]): RuleMatch[] {
  const none = { actionId, path: null, operator: null, threshold: null, operand: null };
  const grants = outcome.grants.filter(({ fits }) => fits).map(({ grant }) => ({ rule: grant.id, ...none, effect: loosening(grant) }));
  return [...hits.flatMap((hit) => matchesOf(hit, actionId, action)), ...grants];
}

function loosening({ risk, gate }: GrantUse["grant"]): string {
  return [...(risk === undefined ? [] : [`lowers risk to ${risk}`]), ...(gate === undefined ? [] : [`lowers gate to ${gate.kind}`])].join(", ");
}

function matchesOf(hit: ReadHit, actionId: string, action: CompiledAction): RuleMatch[] {
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
  const value = named(reading, reading.operand as Json);
  const text = typeof value === "object" && value !== null ? canonicalOnce(value) : canonicalize(value);
  return text.length <= 1000 ? text : canonicalize(plain(text, 900));
}

/** Tiers are compared by their place in the order, and shown by name. */
function named(reading: Reading, value: Json): Json {
  if (reading.path !== "base_risk" && reading.path !== "risk") return value;
  return Array.isArray(value) ? value.map((part) => named(reading, part)) : (TIERS[value as number] ?? value);
}

/**
 * Changes of one argument that may lower the outcome, for rules that stand on it alone. Those that name a value are judged with it later
 * (`helping`); of the others only those without whose rule it would be milder.
 */
export function wouldPassOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, outcome: Outcome, hits: readonly ReadHit[]): WouldPass[] {
  const { actionId, facts } = subject;
  return hits.flatMap((hit): WouldPass[] => {
    const change = hit.truth === YES && hit.readings.length === 1 ? changeOf(hit, actionId) : undefined;
    if (change === undefined || touchesSecret(action.fields, change.path)) return [];
    if (changedArguments(facts.args, change) !== undefined) return [change];
    const rest = hits.filter((other) => other !== hit);
    return severity(outcomeOf(policy, action, facts, outcome.missing, rest, outcome.grants)) < severity(outcome) ? [change] : [];
  });
}

function changeOf(hit: ReadHit, actionId: string): WouldPass | undefined {
  const [reading] = hit.readings;
  if (reading === undefined || !reading.isArgument) return undefined;
  const operator = reading.negated ? reading.operator : OPPOSITE[reading.operator];
  return operator === undefined ? undefined : { actionId, path: reading.path, operator, value: canonicalize(reading.threshold) };
}
