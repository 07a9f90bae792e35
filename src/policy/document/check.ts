import { pointerKeys } from "../pointer.ts";
import { didYouMean, type Problem, shown } from "../problems.ts";
import { isReserved } from "../publish-tool.ts";
import { isLonger, type Span, spanText } from "../span.ts";
import { REVERSIBILITIES, TIERS } from "../tiers.ts";
import { settle } from "./action-defaults.ts";
import { checkBudgets } from "./check-budgets.ts";
import { checkCondition, type Report, schemaOf } from "./check-condition.ts";
import { checkGate, checkGrants } from "./check-grants.ts";
import { DEFAULT_TIMEOUT } from "./defaults.ts";
import { declares, fieldsOf } from "./schema-fields.ts";
import type { ActionContent, PolicyContent, RouteContent, WrittenContent } from "./shape.ts";
import { parseTemplate, slotsOf } from "./template.ts";

/** Names of contributions that are not rules. */
const RESERVED = ["base", "confidence"];

/** What only shows when the parts of a document are held side by side: names, paths against schemas, ladders, gates, calendars. */
export function checkContent(content: PolicyContent, written: WrittenContent): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, message) => void problems.push({ path, message });
  const { tiers } = content;
  if (typeof content.publish?.approval.timeout === "object" && content.calendar === undefined)
    report(["publish", "approval", "timeout"], "is business time, which needs a calendar: { time_zone, hours }");
  if (tiers !== undefined && !(tiers.medium > 0 && tiers.medium < tiers.high && tiers.high < tiers.critical))
    report(["tiers"], `must rise from medium over high to critical, not ${shown(tiers)}`);
  for (const [i, step] of (content.confidence ?? []).entries())
    if (TIERS.indexOf(step.to) <= TIERS.indexOf(step.from))
      report(["confidence", i, "to"], `must be above ${step.from}, because confidence can only raise, not ${shown(step.to)}`);
  checkCalendar(content, report);
  const calendar = content.calendar !== undefined;
  for (const [name, action] of Object.entries(content.actions)) {
    const at: Report = (path, message) => report(["actions", name, ...path], message);
    if (settle(written.actions[name] as WrittenContent["actions"][string], content.defaults).reversibility === undefined)
      at(["reversibility"], `is missing, and nothing follows from the tags ${action.effects.join(", ")}; give one of ${REVERSIBILITIES.join(", ")}`);
    checkAction(name, action, calendar, at);
  }
  checkPeople(content.questions ?? {}, calendar, (path, message) => report(["questions", ...path], message));
  checkPeople(content.notices ?? {}, calendar, (path, message) => report(["notices", ...path], message));
  checkSpan(content.batch?.window, calendar, (message) => report(["batch", "window"], message));
  checkRules(content, report);
  checkGrants(content, report);
  for (const { path, message } of checkBudgets(content)) report(path, message);
  for (const [i, route] of content.routes.entries()) {
    checkPeople(route, calendar, (path, message) => report(["routes", i, ...path], message));
    if (route.when !== undefined) checkCondition(route.when, "route", content, report, ["routes", i, "when"]);
    if (route.when === undefined && i < content.routes.length - 1)
      report(["routes", i], "applies always, so the routes after it are never reached; give it a `when`, or move it to the end");
  }
  return problems;
}

/** Working time means nothing without the hours in which people work. */
function checkSpan(span: Span | undefined, calendar: boolean, report: (message: string) => void): void {
  if (typeof span === "object" && !calendar)
    report(`is ${spanText(span)}, but the document has no calendar; add calendar: { time_zone, hours, holidays }, or give an ISO 8601 duration such as PT4H`);
}

function checkCalendar({ calendar }: PolicyContent, report: Report): void {
  for (const [i, { from, to }] of (calendar?.hours ?? []).entries())
    if (from >= to) report(["calendar", "hours", i, "to"], "must be later than from; hours over midnight are two entries, one to 24:00 and one from 00:00");
}

function checkAction(name: string, action: ActionContent, calendar: boolean, report: Report): void {
  if (isReserved(name)) report([], `${shown(name)} is a tool of Countersign itself; say publish: { approval: … } for the publication of this document`);
  if (action.risk === undefined && action.points === undefined) report([], `${shown(name)} has no base risk; give it risk: ${TIERS.join(" | ")}, or points`);
  if (action.risk !== undefined && action.points !== undefined) report(["points"], "stands beside risk; keep one of the two");
  checkGate(action, (path, message) => report(["gate", ...path], message));
  checkSpan(action.gate?.window, calendar, (message) => report(["gate", "window"], message));
  checkRetries(action, report);
  // The ladder of an audit begins when its window closes.
  checkPeople(action, calendar, report, action.gate?.kind === "audit" ? action.gate.window : undefined);
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

/** Trying again what is not idempotent could do it twice. */
function checkRetries({ retries, execution }: ActionContent, report: Report): void {
  if (retries !== undefined && retries > 0 && execution !== "idempotent")
    report(["retries"], `needs execution: idempotent, not ${shown(execution)}: tried again by the clock it could happen twice`);
}

function checkPeople(
  people: Pick<RouteContent, "ladder" | "timeout" | "approvals" | "approval_order">,
  calendar: boolean,
  report: Report,
  otherwise: Span = DEFAULT_TIMEOUT,
): void {
  checkSpan(people.timeout, calendar, (message) => report(["timeout"], message));
  let before: Span = people.timeout ?? otherwise;
  for (const [i, step] of (people.ladder ?? []).entries()) {
    if (isLonger(step.timeout, before))
      report(["ladder", i, "timeout"], `is ${spanText(step.timeout)}, longer than the ${spanText(before)} before it; each step has less time, not more`);
    checkSpan(step.timeout, calendar, (message) => report(["ladder", i, "timeout"], message));
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
