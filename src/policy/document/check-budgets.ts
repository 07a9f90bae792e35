import type { Json } from "../../events/canonical.ts";
import { compare, decimalText } from "../../events/decimal.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import { pointerKeys } from "../pointer.ts";
import { didYouMean, type Problem, shown } from "../problems.ts";
import { declares, fieldsOf } from "./schema-fields.ts";
import type { ActionContent, PolicyContent } from "./shape.ts";

/** What is wrong with budgets and rules on repetition: names and paths that no action has, limits without effect, units that do not add up. */
export function checkBudgets(content: PolicyContent): Problem[] {
  const problems: Problem[] = [];
  const report = (path: readonly PropertyKey[], message: string) => void problems.push({ path, message });
  const ids = new Set([...content.rules, ...content.floors].map((rule) => rule.id));
  const catalogue = Object.keys(content.actions);

  /** The actions that a list of names means; a name that means none is reported. */
  function actionsOf(at: readonly PropertyKey[], id: string, names: readonly string[]): [string, ActionContent][] {
    if (ids.has(id) || id === "base" || id === "confidence") report([...at, "id"], `${shown(id)} is taken; every rule, floor and budget has an id of its own`);
    ids.add(id);
    const meets = (wanted: string, name: string) =>
      wanted === name || (isGlob(wanted) && glob(wanted)(name) === true) || (isGlob(name) && !isGlob(wanted) && glob(name)(wanted) === true);
    for (const wanted of names)
      if (!catalogue.some((name) => meets(wanted, name))) report([...at, "action"], `no action is called ${shown(wanted)}${didYouMean(wanted, catalogue)}`);
    return Object.entries(content.actions).filter(([name]) => names.some((wanted) => meets(wanted, name)));
  }

  /** A path that an action does not declare would make every call of it uncountable. */
  function checkPath(at: readonly PropertyKey[], actions: readonly [string, ActionContent][], path: string): void {
    for (const [name, { arguments: schema }] of actions)
      if (typeof schema !== "string" && declares(schema as Json | undefined, pointerKeys(path) ?? []) === "no")
        report(at, `${shown(name)} does not declare ${shown(path)}${didYouMean(path, fieldsOf(schema as Json | undefined))}`);
  }

  for (const [i, { id, action, measure, per, limits }] of content.budgets.entries()) {
    const at = ["budgets", i];
    const actions = actionsOf(at, id, action);
    if (measure.kind !== "count") checkPath([...at, "measure"], actions, measure.path);
    for (const path of per) if (path.startsWith("/")) checkPath([...at, "per"], actions, path);
    if (measure.kind === "sum") {
      const units = new Set(actions.flatMap(([, { amount }]) => (amount?.path === measure.path ? [amount.unit] : [])));
      if (units.size > 1) report([...at, "measure"], `adds up amounts of different units (${[...units].join(", ")}); make a budget for each unit`);
    }
    for (const [n, limit] of limits.entries()) {
      checkEffect([...at, "limits", n], limit, report);
      const twin = limits.findIndex((other) => compare(other.above, limit.above) === 0);
      if (twin < n) report([...at, "limits", n, "above"], `is ${decimalText(limit.above)}, as limit ${twin + 1}; say both effects in one limit`);
    }
  }
  for (const [i, { id, action, by = [], per, ...effect }] of content.duplicates.entries()) {
    const at = ["duplicates", i];
    const actions = actionsOf(at, id, action);
    for (const [n, path] of by.entries()) checkPath([...at, "by", n], actions, path);
    for (const path of per) if (path.startsWith("/")) checkPath([...at, "per"], actions, path);
    checkEffect(at, effect, report);
  }
  return problems;
}

function checkEffect(
  at: readonly PropertyKey[],
  { raise, forbid }: { raise?: object | undefined; forbid?: true | undefined },
  report: (path: readonly PropertyKey[], message: string) => void,
): void {
  const empty = raise === undefined || Object.values(raise).every((part) => part === undefined);
  if (empty && forbid === undefined) report(at, "has no effect; give it raise: { risk | points | approvals | gate }, or forbid: true");
}
