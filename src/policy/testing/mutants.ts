import { shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { at, isRaw, put, type Raw } from "./change.ts";
import { conditionMutants } from "./mutants-condition.ts";
import { ofBudget, ofGrant } from "./mutants-limit.ts";
import { calendarMutants } from "./mutants-time.ts";

/** A policy with one mistake in it. */
export interface Mutant {
  /** Where in the document. */
  readonly path: readonly PropertyKey[];
  /** What was changed, for people: "above 1000 became at_least 1000". */
  readonly what: string;
  /** The case that would notice. */
  readonly test: string;
  /** The document as it would be then. */
  readonly value: unknown;
}

/** A change at a path; `to` undefined takes the part out. */
export interface Change {
  readonly path: readonly PropertyKey[];
  readonly to: unknown;
  readonly what: string;
  readonly test: string;
}

/** Every single mistake that is tried on a policy document, given as a value. */
export function mutantsOf(document: unknown): Mutant[] {
  if (!isRaw(document)) return [];
  const changes = [
    ...ofPeople(document, []),
    ...entries(document.actions).flatMap(([name, action]) => ofAction(action, ["actions", name])),
    ...list(document.rules).flatMap((rule, i) => ofRule(document, rule, ["rules", i])),
    ...list(document.floors).flatMap((rule, i) => ofRule(document, rule, ["floors", i])),
    ...list(document.grants).flatMap((grant, i) => ofGrant(document, grant, ["grants", i])),
    ...(isRaw(document.calendar) ? calendarMutants(document.calendar, ["calendar"]) : []),
    ...list(document.budgets).flatMap((budget, i) => ofBudget(budget, ["budgets", i])),
    ...list(document.duplicates).flatMap((duplicate, i) => ofBudget(duplicate, ["duplicates", i])),
    ...list(document.routes).flatMap((route, i) => ofRoute(document, route, ["routes", i])),
    ...(["questions", "notices"] as const).flatMap((key) => (isRaw(document[key]) ? ofPeople(document[key], [key]) : [])),
    ...list(document.confidence).flatMap((step, i) => ofConfidence(step, ["confidence", i])),
    ...list(at(document, ["require", "evidence"])).map((label, i) => evidenceDropped(label, ["require", "evidence", i])),
    ...Object.entries(isRaw(document.tiers) ? document.tiers : {}).flatMap(([tier, points]) => shifted(points, ["tiers", tier], `a score at ${tier}`)),
  ];
  return changes.map(({ path, to, what, test }) => ({ path, what, test, value: put(document, path, to) }));
}

function ofAction(action: Raw, path: readonly PropertyKey[]): Change[] {
  const { risk, points, reversibility, gate } = action;
  const name = String(path.at(-1));
  const out = [...lowered(risk, [...path, "risk"], `${name} with nothing unusual, and its risk`), ...ofPeople(action, path)];
  if (points !== undefined) out.push(...shifted(points, [...path, "points"], `${name} with nothing unusual, and its score`));
  const milder = ["reversible", "partially", "irreversible"].indexOf(String(reversibility)) - 1;
  if (milder >= 0)
    out.push(change([...path, "reversibility"], reversibility, ["reversible", "partially"][milder], `${name} and its reversibility, or that its gate is hard`));
  if (isRaw(gate)) out.push(...ofGate(gate, [...path, "gate"], name, reversibility === "irreversible"));
  for (const [i, label] of list(at(action, ["require", "evidence"])).entries()) out.push(evidenceDropped(label, [...path, "require", "evidence", i]));
  const editable = action.editable;
  if (Array.isArray(editable) && editable.length > 0 && !editable.includes(""))
    out.push(change([...path, "editable"], editable, [""], `${name} and what may be edited`));
  return out;
}

/** Mistakes in a gate: none at all, other thresholds, a longer review. */
export function ofGate(gate: Raw, path: readonly PropertyKey[], name: string, irreversible: boolean): Change[] {
  const test = `${name} where only its gate asks a person`;
  const out: Change[] = [];
  // An irreversible action has a hard gate whatever stands there: taking it out changes nothing.
  if (gate.kind !== "none" && !irreversible) out.push({ path, to: { kind: "none" }, what: `gate ${shown(gate.kind)} became none`, test });
  const from = TIERS.indexOf(gate.from_risk as (typeof TIERS)[number]);
  for (const other of from < 0 ? [] : [TIERS[from - 1], TIERS[from + 1]])
    if (other !== undefined) out.push(change([...path, "from_risk"], gate.from_risk, other, `${name} at the risk ${other}, and at ${gate.from_risk}`));
  if (typeof gate.window === "string")
    out.push(change([...path, "window"], gate.window, longer(gate.window), `${name} and expires_in: how long its review may take`));
  if (gate.review === "run_end") out.push({ path: [...path, "review"], to: undefined, what: "review no longer waits for the end of the run", test });
  if (typeof gate.below_confidence === "number") out.push(...shifted(gate.below_confidence, [...path, "below_confidence"], test));
  return out;
}

function ofRule(document: Raw, rule: Raw, path: readonly PropertyKey[]): Change[] {
  const id = String(rule.id);
  const { raise } = rule;
  const out: Change[] = [{ path, to: undefined, what: `${id} was dropped`, test: `a case in which ${id} matches, and what it leads to` }];
  if (rule.forbid === true)
    out.push({
      path,
      to: { ...rule, forbid: undefined, raise: { risk: "critical" } },
      what: `${id} raises to critical instead of forbidding`,
      test: `a case in which ${id} matches, with route: forbid`,
    });
  if (isRaw(raise)) out.push(...ofRaise(raise, [...path, "raise"], id));
  if (isRaw(rule.when)) out.push(...conditionMutants(document, rule.when, [...path, "when"], id));
  return out;
}

/** Mistakes in what a rule or a limit raises to. */
export function ofRaise(raise: Raw, path: readonly PropertyKey[], id: string): Change[] {
  const test = (what: string) => `a case in which ${id} matches, and its ${what}`;
  const out = lowered(raise.risk, [...path, "risk"], test("risk"));
  if (typeof raise.points === "number") out.push(change([...path, "points"], raise.points, raise.points - 1, test("score")));
  out.push(...fewerApprovals(raise.approvals, [...path, "approvals"], test("approvals")));
  if (raise.gate !== undefined && Object.keys(raise).length > 1)
    out.push({ path: [...path, "gate"], to: undefined, what: `${id} no longer asks for a hard gate`, test: test("gate") });
  for (const [i, word] of list(raise.separation).entries())
    out.push({ path: [...path, "separation", i], to: undefined, what: `${shown(word)} was dropped`, test: test("separation") });
  return out;
}

function ofRoute(document: Raw, route: Raw, path: readonly PropertyKey[]): Change[] {
  const name = `route ${Number(path[1]) + 1}`;
  const out: Change[] = [{ path, to: undefined, what: `${name} was dropped`, test: `a case that takes ${name}, and its owner` }, ...ofPeople(route, path)];
  if (isRaw(route.when)) out.push(...conditionMutants(document, route.when, [...path, "when"], name));
  return out;
}

/** Who decides, and by when. */
function ofPeople(people: Raw, path: readonly PropertyKey[]): Change[] {
  const out: Change[] = [];
  const of = path.length === 0 ? "an action that names no owner" : path.join(" ");
  if (typeof people.owner === "string") out.push(change([...path, "owner"], people.owner, "role:somebody-else", `the owner of ${of}`));
  out.push(...fewerApprovals(people.approvals, [...path, "approvals"], `the approvals of ${of}`));
  for (const [i, word] of list(people.separation).entries())
    out.push({ path: [...path, "separation", i], to: undefined, what: `${shown(word)} was dropped`, test: `the separation of ${of}` });
  if (typeof people.timeout === "string") out.push(change([...path, "timeout"], people.timeout, longer(people.timeout), `expires_in of ${of}`));
  if (Array.isArray(people.ladder) && people.ladder.length > 0)
    out.push({ path: [...path, "ladder"], to: undefined, what: "the ladder was dropped", test: `the ladder of ${of}` });
  if (people.on_expiry === "reject" || people.on_expiry === "hold")
    out.push(change([...path, "on_expiry"], people.on_expiry, people.on_expiry === "reject" ? "hold" : "reject", `on_expiry of ${of}`));
  return out;
}

function ofConfidence(step: Raw, path: readonly PropertyKey[]): Change[] {
  const test = `a ${shown(step.from)} action with a confidence just below and just at ${shown(step.below)}`;
  return [
    { path, to: undefined, what: `the confidence step below ${shown(step.below)} was dropped`, test },
    ...shifted(step.below, [...path, "below"], test),
    ...lowered(step.to, [...path, "to"], test),
  ];
}

function evidenceDropped(label: unknown, path: readonly PropertyKey[]): Change {
  return { path, to: undefined, what: `evidence ${shown(label)} is no longer required`, test: `a case without the evidence ${shown(label)}` };
}

/** One value taken for another. */
export function change(path: readonly PropertyKey[], from: unknown, to: unknown, test: string): Change {
  return { path, to, what: `${String(path.at(-1))}: ${shown(from)} became ${shown(to)}`, test };
}

/** The next lower tier. */
export function lowered(tier: unknown, path: readonly PropertyKey[], test: string): Change[] {
  const rank = TIERS.indexOf(tier as (typeof TIERS)[number]);
  return rank > 0 ? [change(path, tier, TIERS[rank - 1], test)] : [];
}

function fewerApprovals(approvals: unknown, path: readonly PropertyKey[], test: string): Change[] {
  return typeof approvals === "number" && approvals > 1 ? [change(path, approvals, approvals - 1, test)] : [];
}

/** A number that is written as one, moved by its smallest step and by a hundredth, both ways. `whole`: to the next whole number at least. */
export function shifted(value: unknown, path: readonly PropertyKey[], test: string, whole = false): Change[] {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return [];
  const decimals = whole ? 0 : (/\.(\d+)/.exec(String(number))?.[1]?.length ?? 0);
  const step = 10 ** -decimals;
  const places = Math.max(decimals, whole ? 0 : 4);
  const hundredth = whole ? Math.max(1, Math.round(Math.abs(number) / 100)) : Math.abs(number) / 100;
  const moved = [number + step, number - step, number + hundredth, number - hundredth].map((to) => Number(to.toFixed(places)));
  return [...new Set(moved)].filter((to) => to !== number).map((to) => change(path, value, typeof value === "string" ? String(to) : to, test));
}

/** An ISO 8601 duration, or a number of business hours, with twice its first number. */
export function longer(duration: string): string {
  return duration.replace(/\d+/, (digits) => String(2 * Number(digits)));
}

/** A list of objects; empty where there is none. */
export function list(value: unknown): Raw[] {
  return Array.isArray(value) ? (value as Raw[]) : [];
}

function entries(value: unknown): [string, Raw][] {
  return Object.entries(isRaw(value) ? value : {}).filter((entry): entry is [string, Raw] => isRaw(entry[1]));
}
