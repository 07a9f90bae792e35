import { shown } from "../problems.ts";
import { type Change, change, isRaw, list, longer, lowered, type Raw, shifted } from "./change.ts";
import { conditionMutants } from "./mutants-condition.ts";
import { ofGate, ofRaise } from "./mutants-raise.ts";
import { expiryMutants } from "./mutants-time.ts";

/** Mistakes in a budget or a rule on repetition: limits and what follows from them, the window, what is counted and for whom. */
export function ofBudget(budget: Raw, path: readonly PropertyKey[]): Change[] {
  const id = String(budget.id);
  const test = `a case with budgets: { ${id}: … } on each side of the limit`;
  const out: Change[] = [{ path, to: undefined, what: `${id} was dropped`, test }];
  // Actions and different values are counted in whole numbers: above 5.05 is the same limit as above 5.
  const whole = isRaw(budget.measure) && budget.measure.sum === undefined;
  for (const [i, limit] of list(budget.limits).entries()) {
    const inner = [...path, "limits", i];
    out.push(...shifted(limit.above, [...inner, "above"], test, whole), ...effects(limit, inner));
    if (list(budget.limits).length > 1) out.push({ path: inner, to: undefined, what: `the limit above ${shown(limit.above)} of ${id} was dropped`, test });
  }
  if (budget.limits === undefined) out.push(...effects(budget, path));
  if (isRaw(budget.measure) && budget.measure.count !== true)
    out.push(change([...path, "measure"], budget.measure, { count: true }, `a case with earlier actions that together are above a limit of ${id}`));
  if (Array.isArray(budget.by))
    out.push({
      path: [...path, "by"],
      to: undefined,
      what: `${id} compares all arguments`,
      test: `a case with an earlier action that has the same ${budget.by.join(", ")}, and something else otherwise`,
    });
  return [...out, ...counting(budget, path, id)];

  function effects(part: Raw, inner: readonly PropertyKey[]): Change[] {
    if (isRaw(part.raise)) return ofRaise(part.raise, [...inner, "raise"], id);
    const raised = { ...part, forbid: undefined, raise: { risk: "critical" } };
    return part.forbid === true ? [{ path: inner, to: raised, what: `${id} raises to critical instead of forbidding`, test }] : [];
  }
}

/** Mistakes in a loosening: how far it goes, how much, until when, for what. */
export function ofGrant(document: Raw, grant: Raw, path: readonly PropertyKey[]): Change[] {
  const id = String(grant.id);
  const { lower, cap } = grant;
  const out: Change[] = [{ path, to: undefined, what: `${id} was dropped`, test: `a case that ${id} loosens` }];
  if (isRaw(lower)) {
    const test = `a case that ${id} loosens, and its risk`;
    out.push(...lowered(lower.risk, [...path, "lower", "risk"], test));
    if (isRaw(lower.gate)) out.push(...ofGate(lower.gate, [...path, "lower", "gate"], id, false));
    if (lower.risk !== undefined && lower.gate !== undefined)
      for (const key of ["risk", "gate"]) out.push({ path: [...path, "lower", key], to: undefined, what: `${id} no longer lowers the ${key}`, test });
  }
  if (isRaw(cap)) {
    const inner = [...path, "cap"];
    out.push(...shifted(cap.max, [...inner, "max"], `a case with budgets: { ${id}: ${Number(cap.max) - 1} }, and one with ${shown(cap.max)}`, true));
    out.push(...shifted(cap.amount, [...inner, "amount"], `a case with budgets: { ${id}.amount: … } on each side of the cap`));
    if (cap.amount !== undefined)
      out.push({
        path: [...inner, "amount"],
        to: undefined,
        what: `${id} no longer caps the amount`,
        test: `a case with budgets: { ${id}.amount: ${shown(cap.amount)} }`,
      });
    out.push(...counting(cap, inner, id));
  }
  out.push(...expiryMutants(grant.expires, [...path, "expires"], `a case at just before ${shown(grant.expires)}, and one at it`));
  return isRaw(grant.when) ? [...out, ...conditionMutants(document, grant.when, [...path, "when"], id)] : out;
}

/** Over how long, and for whom. */
function counting(head: Raw, path: readonly PropertyKey[], id: string): Change[] {
  const test = (what: string) => `a case with earlier actions ${what}, and whether ${id} matches`;
  const out: Change[] = [];
  if (typeof head.window === "string") {
    out.push(change([...path, "window"], head.window, longer(head.window), test(`a little longer ago than ${head.window}`)));
    out.push(change([...path, "window"], head.window, shorter(head.window), test(`a little less long ago than ${head.window}`)));
  }
  const { per } = head;
  const whole = per === undefined || per === "tenant";
  out.push(
    whole ? change([...path, "per"], "tenant", "agent", test("of another agent")) : change([...path, "per"], per, "tenant", test(`of another ${shown(per)}`)),
  );
  return out;
}

/** An ISO 8601 duration with half its first number, or the next smaller unit where that is one. */
function shorter(duration: string): string {
  const first = Number(/\d+/.exec(duration)?.[0]);
  if (first > 1) return duration.replace(/\d+/, String(Math.floor(first / 2)));
  return duration.replace(/^P1D/, "PT12H").replace(/^P1W/, "P3D").replace(/^PT1H/, "PT30M").replace(/^PT1M/, "PT30S");
}
