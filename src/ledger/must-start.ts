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
