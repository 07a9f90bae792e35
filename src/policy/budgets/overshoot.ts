import { add, compare, type Decimal, decimalText, ZERO } from "../../events/decimal.ts";
import { isShortOf } from "./at-grant.ts";
import type { CompiledBudget } from "./budget.ts";

/** One action that counts for a key of a budget, and how it was let through. */
export interface LetThrough {
  readonly itemId: string;
  readonly judgedAt: number;
  readonly granted: boolean;
  /** Whether it ran without a person. */
  readonly flowed: boolean;
  /** Approvals that its verdict asked for. */
  readonly approvals: number;
  readonly amount: Decimal;
  readonly values: readonly string[];
}

/** An item that was granted past a limit. */
export interface PastLimit {
  readonly itemId: string;
  readonly limit: string;
  /** What was granted up to it and with it. */
  readonly total: string;
  readonly forbids: boolean;
  /** Whether it asks for more people than there were, rather than for one at all. */
  readonly morePeople: boolean;
}

/**
 * The items that were granted past a limit of a budget without what the limit asks for, in the order in which they were judged. What is
 * only reserved is left out: it is held against the limits before it is granted.
 */
export function pastLimits({ meter, limits }: CompiledBudget, entries: readonly LetThrough[]): { used: string; past: PastLimit[] } {
  const granted = entries.filter((entry) => entry.granted).sort((a, b) => a.judgedAt - b.judgedAt || (a.itemId < b.itemId ? -1 : 1));
  const values = new Set<string>();
  const past: PastLimit[] = [];
  let total = ZERO;
  for (const [i, entry] of granted.entries()) {
    total = add(total, entry.amount);
    for (const value of entry.values) values.add(value);
    // The steps of a plan count together.
    if (granted[i + 1]?.itemId === entry.itemId) continue;
    if (meter.kind === "distinct") total = { n: BigInt(values.size), scale: 0 };
    const broken = limits.filter(({ above, effect }) => compare(total, above) > 0 && (effect.forbid || isShortOf(effect, entry))).at(-1);
    if (broken !== undefined)
      past.push({
        itemId: entry.itemId,
        limit: decimalText(broken.above),
        total: decimalText(total),
        forbids: broken.effect.forbid,
        morePeople: isShortOf(broken.effect, { ...entry, flowed: false }),
      });
  }
  return { used: decimalText(total), past };
}
