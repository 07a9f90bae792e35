import { CountersignError } from "../errors.ts";
import { effectKeyOf } from "../events/ids.ts";
import { type Item, nodeOf, type ProposalNode } from "../ledger/item.ts";
import { isGrant } from "../ledger/resumes.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Queries } from "../projector/queries.ts";

/** Resolves once the views hold what the log holds now of the proposals under an item's id. @throws CountersignError timeout, log_unavailable */
export type ProposalsFolded = (itemId: string) => Promise<void>;

/**
 * Resolves once the views hold the items that an item follows along `retryOf`, as far as the log has them. They were there before the one
 * that names them, in other partitions perhaps, of which these views may have folded less.
 *
 * @throws CountersignError timeout, log_unavailable: its keys cannot be known now
 */
export async function earlierFolded(queries: Queries, item: Item, proposalsFolded: ProposalsFolded): Promise<void> {
  for (let { root, isKnown } = rootOf(queries, item); !isKnown; ) {
    await proposalsFolded(root);
    const next = rootOf(queries, item);
    if (next.root === root) return;
    ({ root, isKnown } = next);
  }
}

/**
 * The idempotency key of each action that an item is granted, for the system of record: the same on every retry, whichever process grants
 * it. What the item was granted before keeps its key; everything else follows `retryOf`, whose items must have been folded before.
 *
 * @throws CountersignError unavailable where an earlier grant cannot be read: never another key instead
 */
export async function effectKeys(
  queries: Queries,
  events: EventStore,
  item: Item,
  actions: readonly { readonly actionId: string; readonly argsSha256: string }[],
): Promise<readonly string[]> {
  const before = await grantedKeys(events, item);
  const { root } = rootOf(queries, item);
  return actions.map(({ actionId, argsSha256 }) => before.get(`${actionId} ${argsSha256}`) ?? effectKeyOf(root, actionId, argsSha256));
}

/** Keys of what an item was granted already, by action and arguments. */
async function grantedKeys(events: EventStore, item: Item): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>();
  for (const node of item.nodes.values()) {
    if (node.topic !== "resumes" || !isGrant(node.outcome)) continue;
    const grant = await events.get(item.id, "resumes", node.id);
    if (grant === undefined) throw new CountersignError("unavailable", `The grant ${node.id} of ${item.id} cannot be read`, { retryable: true });
    for (const { actionId, argsSha256, effectKey } of grant.actions) {
      const name = `${actionId} ${argsSha256}`;
      if (!keys.has(name)) keys.set(name, effectKey);
    }
  }
  return keys;
}

/** The first item along `retryOf`, and whether the views know its proposal. One that nobody knows is the first: its name is all that there is of it. */
function rootOf(queries: Queries, item: Item): { readonly root: string; readonly isKnown: boolean } {
  const seen = new Set([item.id]);
  let root = item.id;
  for (let proposal = proposalOf(item); proposal !== undefined; proposal = proposalOf(queries.item(root)?.item)) {
    const before = proposal.retryOf;
    if (before === null || seen.has(before)) return { root, isKnown: true };
    seen.add(before);
    root = before;
  }
  return { root, isKnown: false };
}

function proposalOf(item: Item | undefined): ProposalNode | undefined {
  return item === undefined ? undefined : nodeOf(item, "proposals", item.proposal);
}
