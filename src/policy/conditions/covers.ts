import { canonicalize, type Json } from "../../events/canonical.ts";
import type { Condition, Leaf } from "../document/shape-condition.ts";
import { TIERS } from "../tiers.ts";
import { rangeOf } from "./foregone.ts";
import { OPERATORS } from "./operators.ts";
import { glob, isGlob } from "./regex.ts";

/** Parts of a condition that hold several comparisons, each of a field. */
const GROUPS: readonly string[] = ["args", "target", "agent", "origin", "run"] satisfies (keyof Condition)[];

/** Whether a condition holds wherever another does, as far as their texts show. */
export function covers(wide: Condition | undefined, narrow: Condition | undefined): boolean {
  if (wide === undefined) return true;
  const parts = Object.entries(wide).filter(([, part]) => part !== undefined);
  return parts.every(([key, part]) => {
    const other = narrow?.[key as keyof Condition];
    if (key === "action") return narrow?.action?.every((name) => (wide.action ?? []).some((w) => w === name || (isGlob(w) && glob(w)(name) === true))) === true;
    if (GROUPS.includes(key)) {
      const leaves = Object.entries(part as Readonly<Record<string, Leaf | undefined>>);
      return leaves.every(([name, leaf]) => leaf === undefined || implies((other as Readonly<Record<string, Leaf | undefined>> | undefined)?.[name], leaf));
    }
    if (key === "risk" || key === "base_risk") return tiersOf(other as Leaf | undefined).every((tier) => tiersOf(part as Leaf).includes(tier));
    if (key === "confidence") return implies(other as Leaf | undefined, part as Leaf);
    return other !== undefined && canonicalize(part as Json) === canonicalize(other as Json);
  });
}

/** Places of the tiers for which a comparison of tiers holds; all of them where there is none. */
export function tiersOf(leaf: Leaf | undefined): number[] {
  const test = leaf === undefined ? undefined : OPERATORS[leaf.operator]?.compile(leaf.threshold);
  return TIERS.map((_, i) => i).filter((i) => test === undefined || test(i, { left: 1000 }) === true);
}

/** Whether one comparison holds only where another does: above 500 is also above 50. What neither can read is unknown to both. */
function implies(narrow: Leaf | undefined, wide: Leaf): boolean {
  if (narrow === undefined) return false;
  if (narrow.operator === wide.operator && canonicalize(narrow.threshold) === canonicalize(wide.threshold)) return true;
  const [long, alsoLong] = [narrow, wide].map(({ operator }) => operator.startsWith("length_"));
  if (long !== alsoLong) return false;
  const [a, b] = [narrow, wide].map(({ operator, threshold }) => rangeOf(operator.replace(/^length_/, ""), threshold));
  // What is no number an exact comparison may answer with no, and a range never.
  if (a === undefined || b === undefined || wide.operator === "is") return false;
  return (a.low > b.low || (a.low === b.low && (a.openLow || !b.openLow))) && (a.high < b.high || (a.high === b.high && (a.openHigh || !b.openHigh)));
}
