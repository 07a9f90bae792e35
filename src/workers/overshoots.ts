import { compare } from "../events/decimal.ts";
import { type PastLimit, pastLimits } from "../policy/budgets/overshoot.ts";
import { documentsOf } from "../policy/earlier-version.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Queries } from "../projector/queries.ts";
import { restored } from "./policy-bar.ts";
import type { PublishedPolicies } from "./published-policies.ts";
import type { LiveUsage } from "./usage.ts";

/** A budget of which more was granted than a limit lets pass. */
export interface Overshoot {
  readonly workspace: string;
  /** `<policy id>/<id of the budget>` */
  readonly budget: string;
  readonly key: string;
  readonly windowMs: number;
  /** What is granted in the window that ends now. */
  readonly used: string;
  /** The items that were granted past a limit, each with its verdict. */
  readonly items: readonly (Omit<PastLimit, "morePeople"> & { readonly verdict: string })[];
}

/**
 * What was granted past the limits in force: two ledgers that judged and granted in the same moment, or a limit that came later. It is
 * worked out on reading, since no item's state may depend on another one. `itemId`: only where that item is one of those.
 */
export async function overshootsOf(
  { queries, events, policies, usage }: { queries: Queries; events: EventStore; policies: PublishedPolicies; usage: LiveUsage },
  now: number,
  itemId?: string,
): Promise<Overshoot[]> {
  const budgets = new Map(policies.enforced().flatMap((policy) => policy.budgets.map((budget) => [budget.meter, budget] as const)));
  const documents = new Map(policies.enforced().flatMap((policy) => policy.budgets.map(({ meter }) => [meter, policy.ref.sha256] as const)));
  const found: Overshoot[] = [];
  for (const { meter, key, total, entries } of [...usage.inWindow(now, itemId)]) {
    const budget = budgets.get(meter);
    if (budget?.limits.some(({ above }) => compare(total, above) > 0) !== true) continue;
    const { used, past } = pastLimits(budget, entries());
    const items = [];
    for (const one of past) {
      if (itemId !== undefined && one.itemId !== itemId) continue;
      const verdict = await unaware(queries, events, one, { rule: budget.id, document: documents.get(meter) });
      const { morePeople: _asked, ...told } = one;
      if (verdict !== null) items.push({ ...told, verdict });
    }
    if (items.length > 0) found.push({ workspace: meter.workspace, budget: meter.id, key, windowMs: meter.windowMs, used, items });
  }
  return found;
}

/** The verdict of an item that did not know of the limit. One that knew of it and let the item pass (under an audit gate, with a standing approval) has met it. */
async function unaware(
  queries: Queries,
  events: EventStore,
  { itemId, forbids, morePeople }: PastLimit,
  of: { rule: string; document: string | undefined },
): Promise<string | null> {
  const view = queries.item(itemId);
  const verdict = view?.life.verdict;
  if (view === undefined || verdict == null) return null;
  const { id } = restored(view.item, verdict);
  const reached = forbids ? undefined : await events.get(itemId, "verdicts", id);
  const knew = reached !== undefined && documentsOf(reached).some(({ sha256 }) => sha256 === of.document);
  return knew && !morePeople && reached.matched.some((match) => match.rule === of.rule) ? null : id;
}
