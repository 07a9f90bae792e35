import type { Json } from "../../events/canonical.ts";
import { compileCel } from "../conditions/cel.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import { pointerKeys } from "../pointer.ts";
import { didYouMean, shown } from "../problems.ts";
import { declares, fieldsOf } from "./schema-fields.ts";
import type { ActionContent, PolicyContent } from "./shape.ts";
import type { Condition } from "./shape-condition.ts";
import type { TimeContent } from "./shape-time.ts";

/** Takes a problem: where, and what is wrong. */
export type Report = (path: readonly PropertyKey[], message: string) => void;

/** Names and paths that no action has would make a rule that silently never applies. */
export function checkCondition(
  when: Condition,
  place: "rule" | "route" | "grant",
  content: PolicyContent,
  report: Report,
  at: readonly PropertyKey[],
  outer?: readonly string[],
): void {
  const catalogue = Object.keys(content.actions);
  const reach = (outer ?? catalogue).filter((name) => when.action === undefined || when.action.some((wanted) => meets(wanted, name)));
  for (const wanted of when.action ?? [])
    if (!catalogue.some((name) => meets(wanted, name))) report([...at, "action"], `no action is called ${shown(wanted)}${didYouMean(wanted, catalogue)}`);
  if (place !== "route" && when.risk !== undefined) report([...at, "risk"], `${place}s read base_risk; the final risk depends on the ${place}s themselves`);
  if (place === "route" && when.base_risk !== undefined) report([...at, "base_risk"], "routes read risk, which is the final one");
  const undeclared = (keys: readonly string[]): boolean => {
    const schemas = reach.map((name) => schemaOf(content.actions[name]));
    return schemas.length > 0 && schemas.every((schema) => declares(schema, keys) === "no");
  };
  if (when.cel !== undefined)
    for (const keys of compileCel(when.cel).argumentKeys)
      if (undeclared(keys)) report([...at, "cel"], `reads args.${keys.join(".")}, which is declared by none of ${reach.join(", ")}`);
  checkEffects(when.effects ?? [], content, (message) => report([...at, "effects"], message));
  if (when.time !== undefined) checkTime(when.time, content, (path, message) => report([...at, "time", ...path], message));
  for (const path of Object.keys(when.args ?? {})) {
    const schemas = reach.map((name) => schemaOf(content.actions[name]));
    if (undeclared(pointerKeys(path) ?? []))
      report([...at, "args", path], `no argument ${shown(path)} is declared by ${reach.join(", ")}${didYouMean(path, schemas.flatMap(fieldsOf))}`);
  }
  for (const word of ["all", "any"] as const)
    for (const [i, part] of (when[word] ?? []).entries()) checkCondition(part, place, content, report, [...at, word, i], reach);
  if (when.not !== undefined) checkCondition(when.not, place, content, report, [...at, "not"], reach);
}

/** A tag that no action carries would make a rule that silently never applies. */
function checkEffects(tags: readonly string[], content: PolicyContent, report: (message: string) => void): void {
  const carried = Object.values(content.actions).flatMap((action) => action.effects);
  for (const tag of tags) if (!carried.includes(tag)) report(`no action has the effect ${shown(tag)}${didYouMean(tag, carried)}`);
}

function checkTime({ between, days, from, until, business, zone }: TimeContent, { calendar }: PolicyContent, report: Report): void {
  if (business !== undefined && calendar === undefined) report(["business"], "needs a calendar in the document; add calendar: { time_zone, hours, holidays }");
  if ((between !== undefined || days !== undefined) && zone === undefined && calendar === undefined)
    report([], "is told by a clock on a wall, so it needs a zone such as Europe/Zurich, or a calendar in the document");
  if (between !== undefined && between[0] === between[1]) report(["between"], "begins when it ends; leave it out for the whole day");
  if (from !== undefined && until !== undefined && from >= until) report(["until"], "must be later than from");
}

/** Whether a wanted name or glob and a name or glob of the catalogue can mean the same tool. Two globs may always. */
export function meets(wanted: string, name: string): boolean {
  if (isGlob(wanted) && isGlob(name)) return true;
  return isGlob(name) ? glob(name)(wanted) === true : glob(wanted)(name) === true;
}

/** The schema of an action's arguments; undefined where there is none to ask yet (none given, or still a file). */
export function schemaOf(action: ActionContent | undefined): Json | undefined {
  return typeof action?.arguments === "string" ? undefined : action?.arguments;
}
