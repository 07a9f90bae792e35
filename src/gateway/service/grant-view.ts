import type { EventOf } from "../../events/types.generated.ts";
import type { ResumeNode } from "../../ledger/item.ts";
import { awaitedStart } from "../../ledger/owed.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { Grant, ItemView } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";

/** A grant as clients read it; null where the resume lets nothing run. */
export function grantView(node: ResumeNode, event: EventOf["resumes"]): Grant | null {
  if (!isGrant(node.outcome)) return null;
  const { group } = node;
  const running = group.running === null ? null : { actionId: group.running.actionId, lease: { id: group.running.leaseId, endsAt: group.running.endsAt } };
  return {
    id: node.id,
    outcome: node.outcome as Grant["outcome"],
    notAfter: node.notAfter,
    done: group.done,
    running,
    actions: event.actions.map((action) => ({ ...action, args: JSON.parse(action.args) as unknown })),
  };
}

/** The last grant of an item's resumes, in the order of its chain. */
export function lastGrant(nodes: Iterable<{ readonly topic: string }>): ResumeNode | undefined {
  return [...nodes].filter((n): n is ResumeNode => n.topic === "resumes").findLast((n) => isGrant(n.outcome));
}

/** What waits for an executor and can end in no other way; null where nothing does. */
export function startView({ item, life }: StoredItemView, now: number): ItemView["awaitsStart"] {
  const awaited = awaitedStart(item, life.resume);
  return awaited === null ? null : { ...awaited, isLate: awaited.due <= now };
}
