import type { EventOf } from "../events/types.generated.ts";
import { type Item, nodeOf } from "../ledger/item.ts";
import type { Queries } from "../projector/queries.ts";

/** Whether something of an item has run, or may have: an execution that nobody knows the end of, or a step of a plan, may lie behind any outcome. */
function hasBegun({ nodes }: Item): boolean {
  for (const node of nodes.values()) if (node.topic === "resumes" && node.group.startedAt !== null) return true;
  return false;
}

/**
 * Whether a proposal that replaces an item can be judged: `wait` while the old one may still run, null where it is out of the way, else
 * why a person must look at it.
 */
export function replacedItem(queries: Queries, { replaces, retryOf, agent, workspace }: EventOf["proposals"]): "wait" | { why: string } | null {
  if (!replaces || retryOf === null) return null;
  const old = queries.item(retryOf);
  const proposal = old === undefined ? undefined : nodeOf(old.item, "proposals", old.item.proposal);
  if (old === undefined || proposal?.agentId !== agent.id || old.item.workspace !== workspace)
    return { why: `It is to replace ${retryOf}, which is no item of this agent` };
  if (old.stage !== "done") return "wait";
  return hasBegun(old.item) ? { why: `It is to replace ${retryOf}, which was not withdrawn in time: it ended as ${old.outcome}` } : null;
}
