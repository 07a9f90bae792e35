import { type Item, nodeOf } from "./item.ts";

/** Why a member is out of its batch. */
export const OUT = ["decided", "edited", "withdrawn", "expired", "escalated"] as const;
export type Out = (typeof OUT)[number];

/** How a member stands: in the batch, or out of it, with the decision that took it out where one did. */
export type MemberState = { readonly state: "in" } | { readonly state: "out"; readonly why: Out; readonly decision: string | null };

const CLOSED: { readonly [kind: string]: Out } = { edit: "edited", withdraw: "withdrawn", expire: "expired" };

/** The key of what a run did and one owner reviews together. */
export function runBatchKey(workspace: string, threadId: string, owner: string): string {
  return `${workspace}:run:${threadId}:${owner}`;
}

/**
 * How the verdict with which an item became a member stands. A join on reading: what happens to an item never asks whether it is in a batch.
 */
export function memberState(item: Item, verdictId: string): MemberState {
  const verdict = nodeOf(item, "verdicts", verdictId);
  // Views that are behind in one partition may know the seal of a verdict that they are about to fold.
  if (verdict === undefined) return { state: "in" };
  const { closedBy, step } = verdict.group;
  if (closedBy !== null) return { state: "out", why: CLOSED[closedBy.kind] ?? "decided", decision: closedBy.id };
  return step > 0 ? { state: "out", why: "escalated", decision: null } : { state: "in" };
}
