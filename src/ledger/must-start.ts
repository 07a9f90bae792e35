import type { Item, ResumeNode } from "./item.ts";

/** Whether a grant is a further try at what is in doubt: it answers a settle that asks for a retry. */
export function isRetry(item: Item, { cause }: Pick<ResumeNode, "cause">): boolean {
  const node = item.nodes.get(cause);
  return node?.topic === "decisions" && node.settlement === "retry";
}

/**
 * Whether only a start brings a grant to an end: a roll_back undoes what has run, and a retry clears up what may have run. Were it taken
 * back, or its time to run out, nobody could settle any more what it is about: an unknown outcome is settled once.
 */
export function mustBeStarted(item: Item, grant: ResumeNode): boolean {
  return grant.outcome === "roll_back" || (grant.group.done === 0 && isRetry(item, grant));
}

/**
 * Whether a withdrawal at this time reaches a grant of which nothing is running. One that came while a step of a plan ran, or lost against its
 * start, did not: its agent was told that it came too late, so it takes back nothing of that grant afterwards either.
 */
export function reachedBy({ group }: ResumeNode, withdrawnAt: number): boolean {
  return group.endedAt === null || group.endedAt < withdrawnAt;
}
