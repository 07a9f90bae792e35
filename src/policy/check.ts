import type { Json } from "../events/canonical.ts";
import { checkBudgets } from "./check-budgets.ts";
import { DEFAULT_TIMEOUT } from "./defaults.ts";
import { durationText } from "./duration.ts";
import { declares, fieldsOf } from "./json-schema.ts";
import { pointerKeys } from "./pointer.ts";
import { didYouMean, type Problem, shown } from "./problems.ts";
import { glob, isGlob } from "./regex.ts";
import type { ActionContent, PolicyContent, RouteContent } from "./shape.ts";
import type { Condition } from "./shape-condition.ts";
import { parseTemplate, slotsOf } from "./template.ts";
import { TIERS } from "./tiers.ts";

type Report = (path: readonly PropertyKey[], message: string) => void;

/** Names of contributions that are not rules. */
const RESERVED = ["base", "confidence"];

/** What only shows when the parts of a document are held side by side: names, paths against schemas, ladders, gates. */
export function checkContent(content: PolicyContent): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, message) => void problems.push({ path, message });
  const { tiers } = content;
  if (tiers !== undefined && !(tiers.medium > 0 && tiers.medium < tiers.high && tiers.high < tiers.critical))
    report(["tiers"], `must rise from medium over high to critical, not ${shown(tiers)}`);
  for (const [i, step] of (content.confidence ?? []).entries())
    if (TIERS.indexOf(step.to) <= TIERS.indexOf(step.from))
      report(["confidence", i, "to"], `must be above ${step.from}, because confidence can only raise, not ${shown(step.to)}`);
  for (const [name, action] of Object.entries(content.actions)) checkAction(name, action, (path, message) => report(["actions", name, ...path], message));
  checkPeople(content.questions ?? {}, (path, message) => report(["questions", ...path], message));
  checkPeople(content.notices ?? {}, (path, message) => report(["notices", ...path], message));
  checkRules(content, report);
  for (const { path, message } of checkBudgets(content)) report(path, message);
  for (const [i, route] of content.routes.entries()) {
    checkPeople(route, (path, message) => report(["routes", i, ...path], message));
    if (route.when !== undefined) checkCondition(route.when, "route", content, report, ["routes", i, "when"]);
    if (route.when === undefined && i < content.routes.length - 1)
      report(["routes", i], "applies always, so the routes after it are never reached; give it a `when`, or move it to the end");
  }
  return problems;
}

function checkAction(name: string, action: ActionContent, report: Report): void {
  if (action.risk === undefined && action.points === undefined) report([], `${shown(name)} has no base risk; give it risk: ${TIERS.join(" | ")}, or points`);
  if (action.risk !== undefined && action.points !== undefined) report(["points"], "stands beside risk; keep one of the two");
  checkGate(action, report);
  checkPeople(action, report);
  const known = (path: readonly PropertyKey[], pointer: string, what: string) => {
    if (declares(schemaOf(action), pointerKeys(pointer) ?? []) === "no")
      report(path, `${what} ${shown(pointer)}, which the arguments do not declare${didYouMean(pointer, fieldsOf(schemaOf(action)))}`);
  };
  if (action.amount !== undefined) known(["amount", "path"], action.amount.path, "names");
  for (const pointer of Object.keys(action.fields ?? {})) known(["fields", pointer], pointer, "describes");
  for (const [i, pointer] of (action.editable ?? []).entries()) known(["editable", i], pointer, "opens");
  for (const part of ["headline", "if_approved", "if_rejected", "if_it_fails", "rollback"] as const)
    for (const { pointer } of slotsOf(parseTemplate(action.card?.[part] ?? ""))) known(["card", part], pointer, "shows");
  for (const part of ["id", "url"] as const)
    for (const { pointer } of slotsOf(parseTemplate(action.receipt_target?.[part] ?? ""))) known(["receipt_target", part], pointer, "uses");
  if (action.editable?.length === 0 && action.decisions.includes("edit"))
    report(["editable"], "is empty although decisions allow edit; name what may be edited, or take edit out of decisions");
  if (action.editable !== undefined && action.editable.length > 0 && !action.decisions.includes("edit"))
    report(["editable"], "is without effect, because decisions do not allow edit");
}

function checkGate({ gate, reversibility }: ActionContent, report: Report): void {
  if (gate === undefined) return;
  const { kind } = gate;
  if (reversibility === "irreversible" && kind !== "hard")
    report(
      ["gate", "kind"],
      `an irreversible action always has a hard gate, without exception: nothing can undo what ${kind === "audit" ? "an audit finds afterwards" : `${shown(kind)} lets through`}; use { kind: hard }`,
    );
  else if (kind === "audit") report(["gate", "kind"], "audit is not supported yet by this version; use soft or hard");
  if (kind === "soft" && gate.from_risk === undefined && gate.below_confidence === undefined)
    report(["gate"], "soft needs from_risk, below_confidence or both");
  if (kind !== "soft" && gate.from_risk !== undefined) report(["gate", "from_risk"], `belongs to a soft gate, not to ${shown(kind)}`);
  if (kind !== "soft" && gate.below_confidence !== undefined) report(["gate", "below_confidence"], `belongs to a soft gate, not to ${shown(kind)}`);
  if (kind !== "audit" && gate.window !== undefined) report(["gate", "window"], `belongs to an audit gate, not to ${shown(kind)}`);
}

function checkPeople(people: Pick<RouteContent, "ladder" | "timeout" | "approvals" | "approval_order">, report: Report): void {
  let before = people.timeout ?? DEFAULT_TIMEOUT;
  for (const [i, step] of (people.ladder ?? []).entries()) {
    if (step.timeout > before)
      report(
        ["ladder", i, "timeout"],
        `is ${durationText(step.timeout)}, longer than the ${durationText(before)} before it; each step has less time, not more`,
      );
    before = step.timeout;
  }
  const order = people.approval_order?.length ?? 0;
  if (order > (people.approvals ?? 1)) report(["approval_order"], `names ${order} roles for ${people.approvals ?? 1} approvals`);
}

function checkRules(content: PolicyContent, report: Report): void {
  const ids = new Set<string>();
  for (const layer of ["rules", "floors"] as const)
    for (const [i, rule] of content[layer].entries()) {
      const at = [layer, i];
      if (ids.has(rule.id) || RESERVED.includes(rule.id)) report([...at, "id"], `${shown(rule.id)} is taken; every rule and floor has an id of its own`);
      ids.add(rule.id);
      const empty = rule.raise === undefined || Object.values(rule.raise).every((part) => part === undefined);
      if (empty && rule.forbid === undefined) report(at, "has no effect; give it raise: { risk | points | approvals | gate }, or forbid: true");
      if (rule.when !== undefined) checkCondition(rule.when, "rule", content, report, [...at, "when"]);
    }
}

/** Names and paths that no action has would make a rule that silently never applies. */
function checkCondition(
  when: Condition,
  place: "rule" | "route",
  content: PolicyContent,
  report: Report,
  at: readonly PropertyKey[],
  outer?: readonly string[],
): void {
  const catalogue = Object.keys(content.actions);
  const reach = (outer ?? catalogue).filter((name) => when.action === undefined || when.action.some((wanted) => meets(wanted, name)));
  for (const wanted of when.action ?? [])
    if (!catalogue.some((name) => meets(wanted, name))) report([...at, "action"], `no action is called ${shown(wanted)}${didYouMean(wanted, catalogue)}`);
  if (place === "rule" && when.risk !== undefined) report([...at, "risk"], "rules read base_risk; the final risk depends on the rules themselves");
  if (place === "route" && when.base_risk !== undefined) report([...at, "base_risk"], "routes read risk, which is the final one");
  for (const path of Object.keys(when.args ?? {})) {
    const schemas = reach.map((name) => schemaOf(content.actions[name]));
    if (schemas.length > 0 && schemas.every((schema) => declares(schema, pointerKeys(path) ?? []) === "no"))
      report([...at, "args", path], `no argument ${shown(path)} is declared by ${reach.join(", ")}${didYouMean(path, schemas.flatMap(fieldsOf))}`);
  }
  for (const word of ["all", "any"] as const)
    for (const [i, part] of (when[word] ?? []).entries()) checkCondition(part, place, content, report, [...at, word, i], reach);
  if (when.not !== undefined) checkCondition(when.not, place, content, report, [...at, "not"], reach);
}

/** Whether a wanted name or glob and a name or glob of the catalogue can mean the same tool. Two globs may always. */
function meets(wanted: string, name: string): boolean {
  if (isGlob(wanted) && isGlob(name)) return true;
  return isGlob(name) ? glob(name)(wanted) === true : glob(wanted)(name) === true;
}

/** The schema of an action's arguments; undefined where there is none to ask yet (none given, or still a file). */
function schemaOf(action: ActionContent | undefined): Json | undefined {
  return typeof action?.arguments === "string" ? undefined : action?.arguments;
}
