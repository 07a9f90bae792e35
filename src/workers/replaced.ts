import type { EventOf } from "../events/types.generated.ts";
import { nodeOf } from "../ledger/item.ts";
import type { Queries } from "../projector/queries.ts";

/** Outcomes under which something has run, or may have. */
const RAN: ReadonlySet<string> = new Set(["succeeded", "failed", "compensated"]);

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
  return RAN.has(old.outcome ?? "") ? { why: `It is to replace ${retryOf}, which was not withdrawn in time: it ended as ${old.outcome}` } : null;
}
