import { add, compare, decimalOf, decimalText, subtract, ZERO } from "../../events/decimal.ts";
import type { BudgetUse } from "../../events/types.generated.ts";
import type { Cap, CompiledGrant } from "../compile-grant.ts";
import { durationText } from "../duration.ts";
import { plain } from "../render.ts";
import type { Countable, Counted, UsageReader } from "./usage.ts";

/** A grant that holds for an action, with what is left of it. */
export interface GrantUse {
  readonly grant: CompiledGrant;
  /** Whether the whole item fits under the caps: only then does the grant loosen. */
  readonly fits: boolean;
  readonly uses: readonly BudgetUse[];
  /** How much of it is used, or why it cannot be told. */
  readonly told: string;
}

/** Asks grants for one action of an item: all actions of the item that use up a grant for the same key count together. */
export function grantReader(item: readonly Countable[], index: number, usage: UsageReader, asOf: number): (grant: CompiledGrant) => GrantUse {
  const flowing = item.map((action) => ({ ...action, flowed: true }));
  return (grant) => {
    const caps = grant.caps.map((cap) => capUse(cap, flowing, index, usage, asOf));
    return { grant, fits: caps.every(({ fits }) => fits), uses: caps.flatMap(({ use }) => use ?? []), told: caps.map(({ told }) => told).join(", ") };
  };
}

function capUse(cap: Cap, item: readonly Countable[], index: number, usage: UsageReader, asOf: number): { fits: boolean; use?: BudgetUse; told: string } {
  const { meter, most, text } = cap;
  const counted = item.map((action) => meter.read(action));
  const mine = counted[index];
  if (mine?.amount === undefined) return { fits: false, told: `it cannot be told what it comes to` };
  const together = counted.filter((other): other is Counted => other?.key === mine.key);
  const answer = usage({ id: meter.id, key: mine.key, windowMs: meter.windowMs, asOf });
  const before = decimalOf(meter.kind === "sum" ? answer.sum : answer.count);
  if (before === undefined) throw new Error(`the usage of ${meter.id} cannot be read`);
  const own = together.reduce((total, { amount }) => add(total, amount ?? ZERO), ZERO);
  const known = together.every(({ amount }) => amount !== undefined);
  return {
    fits: known && compare(subtract(most, before), own) >= 0,
    use: { name: meter.id, key: mine.key, used: decimalText(before), limit: text, windowMs: meter.windowMs },
    told: `${decimalText(before)} of ${text} used in ${durationText(meter.windowMs)} for ${plain(mine.key.replaceAll("=", " "), 120)}`,
  };
}
