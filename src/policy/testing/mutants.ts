import { shown } from "../problems.ts";
import { at, type Change, change, fewerApprovals, isRaw, list, longer, lowered, put, type Raw, shifted } from "./change.ts";
import { conditionMutants } from "./mutants-condition.ts";
import { ofBudget, ofGrant } from "./mutants-limit.ts";
import { ofGate, ofRaise } from "./mutants-raise.ts";
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

function entries(value: unknown): [string, Raw][] {
  return Object.entries(isRaw(value) ? value : {}).filter((entry): entry is [string, Raw] => isRaw(entry[1]));
}
