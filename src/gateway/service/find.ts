import { CountersignError } from "../../errors.ts";
import { nodeOf } from "../../ledger/item.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import type { Identity } from "./identity.ts";
import type { Context } from "./ledger.ts";

/** Whether an item exists for this identity: in its workspace and, for an agent, its own. */
export function isVisible(identity: Identity, view: StoredItemView): boolean {
  const proposal = nodeOf(view.item, "proposals", view.item.proposal);
  if (proposal === undefined || view.item.workspace !== identity.workspace) return false;
  return identity.kind !== "agent" || proposal.agentId === identity.id;
}

/** The item as it stands. What others may not see does not exist for them. @throws CountersignError not_found */
export function findItem({ ledger, identity }: Context, itemId: string): StoredItemView {
  const view = ledger.queries.item(itemId);
  if (view === undefined || !isVisible(identity, view))
    throw new CountersignError("not_found", `There is no item ${itemId} for this key`, {
      field: "itemId",
      value: itemId,
      fix: "check the id, and that the key is of the item's workspace",
    });
  return view;
}
