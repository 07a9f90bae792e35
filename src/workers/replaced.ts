import type { EventOf } from "../events/types.generated.ts";
import { type Item, nodeOf } from "../ledger/item.ts";
import type { Queries } from "../projector/queries.ts";
import type { Tries } from "./other-tries.ts";

/** Why a person must look at a proposal that follows another one: a code for programs, and words. */
export interface Followed {
  readonly code: "not_replaced" | "tried_before";
  readonly why: string;
}

/** A proposal, with the actions that it is about: an edit's where one is judged. */
type Following = Omit<EventOf["proposals"], "actions"> & { readonly actions: Parameters<Tries["beside"]>[1] };

/** Whether something of an item has run, or may have: an execution that nobody knows the end of, or a step of a plan, may lie behind any outcome. */
function hasBegun({ nodes }: Item): boolean {
  for (const node of nodes.values()) if (node.topic === "resumes" && node.group.startedAt !== null) return true;
  return false;
}

/**
 * Whether a proposal that tries another item again, or replaces it, can be judged as any other: `wait` while what it replaces may still run,
 * null where nothing that it follows has run or may run, else why a person must look at it.
 */
export function followed(queries: Queries, tries: Tries, proposal: Following): "wait" | Followed | null {
  const { retryOf, replaces, workspace, agent, actions, itemId } = proposal;
  if (retryOf === null) return null;
  const old = queries.item(retryOf);
  const of = old === undefined ? undefined : nodeOf(old.item, "proposals", old.item.proposal);
  const isOwn = of?.agentId === agent.id && old?.item.workspace === workspace;
  const what = replaces ? "It is to replace" : "It is to try again";
  // One that is not here yet is looked at before anything is granted; what is to be gone first must be seen.
  if (!isOwn && (replaces || of !== undefined))
    return { code: replaces ? "not_replaced" : "tried_before", why: `${what} ${retryOf}, which is no item of this agent` };
  if (replaces && old?.stage !== "done") return "wait";
  const view = queries.item(itemId);
  // A question and a notice let nothing run.
  const others = view === undefined || actions.length === 0 ? [] : tries.beside(view.item, actions);
  const inTime = !replaces || old === undefined || !hasBegun(old.item);
  if (inTime) return others.length === 0 ? null : { code: "tried_before", why: others.map(({ why }) => why).join(". ") };
  const words = others.find(({ itemId: other }) => other === retryOf)?.words ?? `ended as ${old.outcome}`;
  const late = `${what} ${retryOf}, which was not withdrawn in time: it ${words}`;
  return { code: "not_replaced", why: [late, ...others.filter(({ itemId: other }) => other !== retryOf).map(({ why }) => why)].join(". ") };
}
