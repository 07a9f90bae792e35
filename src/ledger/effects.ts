import { type ActionTerms, type Item, keyOf, nodeOf, type ReceiptNode, type ResumeNode, type VerdictNode } from "./item.ts";

/** The actions that have, or may have, had an effect under a verdict, the last one first: what a roll_back has to undo. */
export function effectsOf(item: Item, verdict: VerdictNode): readonly ActionTerms[] {
  const done = new Set<string>();
  for (const node of item.nodes.values()) {
    if (node.topic !== "resumes" || node.outcome === "roll_back") continue;
    for (const { actionId } of node.actions.slice(0, node.group.done)) done.add(actionId);
    const unknown = unknownOf(item, node);
    if (unknown?.actionId != null && mayHaveHappened(item, unknown)) done.add(unknown.actionId);
  }
  return verdict.actions.filter((a) => done.has(a.actionId)).reverse();
}

function unknownOf(item: Item, grant: ResumeNode): ReceiptNode | undefined {
  const receipt = grant.group.closedBy?.kind === "unknown" ? item.nodes.get(keyOf("receipts", grant.group.closedBy.id)) : undefined;
  return receipt?.topic === "receipts" ? receipt : undefined;
}

/** The last settlement of an action counts. A retry that failed or never ran leaves the doubt about what was before it. */
function mayHaveHappened(item: Item, unknown: ReceiptNode): boolean {
  const settle = nodeOf(item, "decisions", unknown.settle);
  if (settle?.settlement !== "retry") return settle?.settlement !== "failed";
  const next = nodeOf(item, "resumes", settle.resume);
  const again = next === undefined ? undefined : unknownOf(item, next);
  return again?.actionId !== unknown.actionId || mayHaveHappened(item, again as ReceiptNode);
}
