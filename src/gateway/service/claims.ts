import { CountersignError } from "../../errors.ts";
import { isOwner, separationReason } from "../../ledger/decisions.ts";
import { nodeOf } from "../../ledger/item.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { type DecideRequest, REVIEWS } from "./decision-event.ts";
import { actorOf, mustHaveRole } from "./identity.ts";
import type { Context } from "./ledger.ts";

/** Takes a claim from whoever holds it. */
const TAKE_OVER = ["takeover"];

/** Whether a request takes the claim of somebody else. @throws CountersignError not_entitled without the role for it */
export function takesOver({ identity }: Context, { life }: StoredItemView, { kind, lease }: DecideRequest): boolean {
  const standing = life.verdict?.group.lease ?? null;
  if (lease?.takeOver !== true || standing === null || standing.person === identity.id || !(kind === "claim" || REVIEWS.has(kind))) return false;
  mustHaveRole(identity, TAKE_OVER, `take over the claim of ${standing.person}`);
  return true;
}

/**
 * A claim of somebody who cannot approve now would only keep the item from those who may.
 *
 * @throws CountersignError not_entitled where separation keeps a person from approving, they have approved already, or it is not their turn
 */
export function mustBeAbleToVote({ identity }: Context, { item, life: { verdict } }: StoredItemView): void {
  const proposal = nodeOf(item, "proposals", item.proposal);
  if (verdict === null || proposal === undefined || !verdict.terms.allowedDecisions.includes("approve")) return;
  const { terms, group, earlierApprovers } = verdict;
  const due = terms.approvalOrder[group.votes.length];
  const why =
    separationReason(proposal, terms, earlierApprovers, identity.id) ??
    (group.votes.includes(identity.id) ? "you have approved it already" : null) ??
    (due !== undefined && !isOwner(due, identity.id, identity.roles) ? `${due} approves next` : null);
  if (why !== null)
    throw new CountersignError("not_entitled", `The claim has no effect: ${why}, so it would only keep others from it`, {
      field: "/kind",
      value: "claim",
      fix: "leave it to somebody else; rejecting, and editing without a vote, need no claim",
    });
}

/** An item as it would stand if a person held its claim. */
export function asHolder(view: StoredItemView, person: string): StoredItemView {
  const { verdict } = view.life;
  const lease = verdict?.group.lease;
  if (verdict === null || !lease) return view;
  return { ...view, life: { ...view.life, verdict: { ...verdict, group: { ...verdict.group, lease: { ...lease, person } } } } };
}

/** The claim that comes before a decision under somebody else's claim: it records the take-over. */
export function claimFirst({ verdict }: DecideRequest): DecideRequest {
  return {
    kind: "claim",
    ...(verdict !== undefined && { verdict }),
    lease: { takeOver: true },
    scope: "action",
    edits: [],
    dropped: [],
    order: [],
    steps: [],
    reasonCodes: [],
    scores: [],
  };
}

/**
 * Looks again after a claim was written: a vote may have come in between, of its holder or of somebody whose turn came first. A claim whose
 * holder cannot vote any more is given back.
 *
 * @throws CountersignError not_entitled where it was
 */
export async function mustStillBeAbleToVote(context: Context, itemId: string): Promise<void> {
  const view = context.ledger.queries.item(itemId);
  const group = view?.life.verdict?.group;
  if (view === undefined || group === undefined || group.closedBy !== null || group.lease?.person !== context.identity.id) return;
  try {
    mustBeAbleToVote(context, view);
  } catch (error) {
    // What is not given back now the clock gives back when its time is over.
    await giveBack(context, itemId).catch(() => {});
    throw error;
  }
}

/** After a vote that does not settle, its voter gives the claim back: others have to vote as well. */
export async function giveBack({ ledger, identity }: Context, itemId: string): Promise<void> {
  const verdict = ledger.queries.item(itemId)?.life.verdict;
  const lease = verdict?.group.lease;
  if (verdict == null || lease == null || verdict.group.closedBy !== null || lease.person !== identity.id) return;
  const { position } = await ledger.write("decisions", itemId, {
    workspace: identity.workspace,
    answers: { topic: "verdicts", eventId: verdict.id },
    actor: actorOf(identity),
    kind: "release",
    scope: "action",
    lease: { id: lease.id, endsAt: lease.endsAt, takenOver: false },
  });
  await ledger.waitFor([position]);
}
