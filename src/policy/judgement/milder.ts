import type { Json } from "../../events/canonical.ts";
import type { WouldPass } from "../../events/types.generated.ts";
import { OPERATORS } from "../conditions/operators.ts";
import { pointerKeys, valueAt } from "../pointer.ts";
import { GATES, ROUTES, TIERS, worst } from "../tiers.ts";
import type { Hit } from "./assess.ts";
import type { Opinion } from "./opinion.ts";

/** Values that are tried of one change. */
const MOST_VALUES = 8;

/** Actions that are looked at, and changed arguments that are judged, at most for one verdict: a plan of many steps does not take many times as long. */
export const MOST_TRIED = 64;

type Severe = Pick<Opinion, "route" | "risk" | "gate" | "approvals">;

/** How severe an outcome is, as a number to compare. */
export function severity({ route, risk, gate, approvals }: Severe): number {
  return ROUTES.indexOf(route) * 1e6 + TIERS.indexOf(risk) * 1e5 + GATES.indexOf(gate) * 1e4 + approvals;
}

/** What is said of one action of an item, and of the others. */
export interface Said {
  readonly joined: Opinion;
  /** On this action, of which `joined` is the join. */
  readonly opinions: readonly Opinion[];
  /** Of the other actions of the plan, each joined. */
  readonly others: readonly Opinion[];
}

/**
 * Of the changes of an action those after which the whole item is milder, each by itself. `judged`: what the changed arguments come to; nothing
 * where there were enough of them. Where a change names no one value (another domain, not this text), it counts where no other opinion keeps the item up.
 */
export function helping({ joined, opinions, others }: Said, args: Json, judged: (changed: Json, path: string) => Opinion | undefined): readonly WouldPass[] {
  const before = worstOf([joined, ...others]);
  return joined.wouldPass.filter((change) => {
    const changed = changedArguments(args, change);
    if (changed !== undefined)
      return changed.every((one) => {
        const after = judged(one, change.path);
        return after !== undefined && severity(worstOf([after, ...others])) < severity(before);
      });
    const naming = opinions.filter(({ wouldPass }) => wouldPass.some(({ path, operator, value }) => isSame(change, path, operator, value)));
    const rest = [...opinions.filter((opinion) => !naming.includes(opinion)), ...others];
    return naming.length === 1 && (rest.length === 0 || isBelow(worstOf(rest), before));
  });
}

/** The most severe of each part. */
function worstOf(all: readonly Severe[]): Severe {
  return all.reduce((a, b) => ({
    route: worst(ROUTES, a.route, b.route),
    risk: worst(TIERS, a.risk, b.risk),
    gate: worst(GATES, a.gate, b.gate),
    approvals: Math.max(a.approvals, b.approvals),
  }));
}

/** Whether one is milder in every part that can be: whichever part of the other is lowered, this does not keep it up. */
function isBelow(one: Severe, other: Severe): boolean {
  const below = <T>(order: readonly T[], a: T, b: T) => order.indexOf(a) < order.indexOf(b) || order.indexOf(b) === 0;
  return (
    below(ROUTES, one.route, other.route) &&
    below(TIERS, one.risk, other.risk) &&
    below(GATES, one.gate, other.gate) &&
    (one.approvals < other.approvals || other.approvals === 1)
  );
}

function isSame(change: WouldPass, path: string, operator: string, value: string): boolean {
  return change.path === path && change.operator === operator && change.value === value;
}

/** The arguments with a value that the change asks for, the nearest to its bound; undefined where it names none. */
export function changedArguments(args: Json, { path, operator, value }: Pick<WouldPass, "path" | "operator" | "value">): Json[] | undefined {
  const keys = pointerKeys(path);
  const present = keys === undefined ? undefined : valueAt(args, keys);
  const values = present === undefined ? undefined : valuesFor(operator, JSON.parse(value) as Json, present);
  return values?.map((one) => replaced(args, keys ?? [], one));
}

function valuesFor(operator: string, bound: Json, present: Json): readonly Json[] | undefined {
  switch (operator) {
    case "at_most":
    case "at_least":
    case "is":
      return [bound];
    case "in":
    case "between":
      return Array.isArray(bound) && bound.length > 0 && bound.length <= MOST_VALUES ? bound : undefined;
    case "below":
    case "above":
      return typeof bound === "number" ? [bound + (operator === "below" ? -1 : 1) * step(bound, present)] : undefined;
    case "length_at_most":
    case "length_below": {
      const most = Number(bound) - (operator === "length_below" ? 1 : 0);
      if (most < 0) return undefined;
      return Array.isArray(present) ? [present.slice(0, most)] : typeof present === "string" ? [[...present].slice(0, most).join("")] : undefined;
    }
    default:
      return undefined;
  }
}

/** From a number to the next one of its kind. */
function step(bound: number, present: Json): number {
  return Number.isInteger(bound) && Number.isInteger(present) ? 1 : Math.max(Math.abs(bound) * Number.EPSILON, Number.MIN_VALUE);
}

function replaced(value: Json, [key, ...rest]: readonly string[], by: Json): Json {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((one, i) => (String(i) === key ? replaced(one, rest, by) : one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, name === key ? replaced(one, rest, by) : one]));
}

/** Whether a budget or a repetition still takes hold after the argument at `path` has changed. What it counts is not asked again: usage is read once. */
export function stillHolds({ readings = [] }: Hit, changed: Json, path: string): boolean {
  const [reading] = readings;
  if (reading === undefined || readings.length > 1 || !reading.isArgument || reading.negated || reading.path !== path) return true;
  const value = valueAt(changed, pointerKeys(path) ?? []);
  return value === undefined || OPERATORS[reading.operator]?.compile(reading.threshold)(value, { left: 1000 }) !== false;
}
