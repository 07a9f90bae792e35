import { keyOf, type Node, type ResumeNode } from "../ledger/item.ts";
import { mustBeStarted } from "../ledger/must-start.ts";
import { isGrant } from "../ledger/resumes.ts";
import type { Projector } from "../projector/projector.ts";
import type { Queries } from "../projector/queries.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { Write } from "./write.ts";

/** What sweeps read and write through. */
export interface SweepLedger {
  readonly queries: Queries;
  readonly write: Write;
  readonly waitFor: Projector["waitFor"];
}

/** The grants of an item that nobody has started, or of whose plan nothing is running. A roll_back and a retry, which are about what has run, wait instead. */
export function unstartedGrants(view: StoredItemView): readonly ResumeNode[] {
  return idleGrants(view).filter((grant) => !mustBeStarted(view.item, grant));
}

/**
 * The grants of an item that must never be started any more: those, and a retry. What it was to clear up stays in doubt, with the finding
 * `left_in_doubt`. Nothing is in the way of a roll_back.
 */
export function unwantedGrants(view: StoredItemView): readonly ResumeNode[] {
  return idleGrants(view).filter((grant) => grant.outcome !== "roll_back");
}

function idleGrants({ item }: StoredItemView): ResumeNode[] {
  const isIdle = (node: Node): node is ResumeNode =>
    node.topic === "resumes" && isGrant(node.outcome) && node.group.closedBy === null && node.group.running === null;
  return [...item.nodes.values()].filter(isIdle);
}

/** The clock takes a grant back, unless it was started in the meantime. Resolves once that is folded. */
export async function revoke(
  { queries, write, waitFor }: SweepLedger,
  itemId: string,
  grantId: string,
  error: { code: string; message: string },
): Promise<void> {
  const view = queries.item(itemId);
  const grant = view?.item.nodes.get(keyOf("resumes", grantId));
  if (view === undefined || grant?.topic !== "resumes" || grant.group.closedBy !== null || grant.group.running !== null) return;
  const { position } = await write("receipts", itemId, {
    workspace: view.item.workspace ?? "default",
    answers: { topic: "resumes", eventId: grantId },
    actor: { kind: "clock", id: "timekeeper" },
    kind: "revoked",
    error,
  });
  await waitFor([position]);
}
