import { CountersignError } from "../../errors.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { legalDecision } from "../../ledger/decisions.ts";
import { settlePast } from "../../ledger/fold.ts";
import { EFFECTIVE, nodeOf, type ProposalNode, type ReceiptNode, type Ruling, type VerdictNode } from "../../ledger/item.ts";
import { FINAL_RECEIPTS } from "../../ledger/receipts.ts";
import { legalSettle } from "../../ledger/settle.ts";
import type { DecisionAnswer } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { checkAttention } from "./attention.ts";
import { checkInBatch } from "./batches.ts";
import { branchOf, branchReach } from "./branch.ts";
import { asHolder, claimFirst, giveBack, mustBeAbleToVote, mustStillBeAbleToVote, takesOver } from "./claims.ts";
import { checkFields, type DecideRequest, decisionEvent } from "./decision-event.ts";
import { findItem } from "./find.ts";
import { mustNotBeHalted } from "./halt.ts";
import { mustBe } from "./identity.ts";
import { itemView } from "./item-view.ts";
import type { Context } from "./ledger.ts";
import { refusalOf } from "./refusal.ts";
import { afterEdit } from "./rejudged.ts";
import { decisionRequestContent } from "./same-request.ts";
import { currentVerdict } from "./stale.ts";
import { standingOf } from "./standing.ts";
import { asksForRevocation, fateOf, hasStarted, judgedItem } from "./withdraw.ts";
import { earlier, type ReadBack, writeAndRead } from "./write.ts";

/**
 * A person decides, or an agent withdraws. What the fold would refuse is refused before it is written, with the same rules; what loses a
 * race after that is told who was first.
 *
 * @throws CountersignError forbidden, not_found, request_invalid, schema_invalid, not_judged_yet, stale, settled, claimed, already_voted,
 * not_allowed, not_entitled, timeout
 */
export async function decide(context: Context, itemId: string, request: DecideRequest): Promise<DecisionAnswer> {
  mustBe(context.identity, request.kind === "withdraw" ? ["agent"] : ["person"], request.kind);
  checkFields(request);
  if (request.kind === "withdraw") await judgedItem(context, itemId);
  const view = findItem(context, itemId);
  const again = await earlier(context, "decisions", itemId, request.eventId, () => decisionRequestContent(request));
  if (again === undefined) checkAttention(request.review ?? {}, { at: "/review", since: view.proposedAt, now: context.ledger.now() });
  if (again === undefined && request.kind === "claim") mustBeAbleToVote(context, view);
  if (again === undefined && mayStart(request)) mustNotBeHalted(context, view, request.kind);
  if (again === undefined && request.settlement?.outcome === "retry") mustBeWanted(context, view);
  const now = again === undefined ? await afterTakeOver(context, view, request) : view;
  const branch = again === undefined ? branchOf(context.ledger, view, request) : undefined;
  const written = again ?? (await writeDecision(context, now, request));
  const stands = request.kind === "withdraw" ? await takenBackBy(context, itemId, request, written) : null;
  if (stands !== null) return answerOf(context, itemId, request, stands);
  if (written.status !== "effective") throw refusal(context, itemId, request, written.reason ?? written.status);
  if (request.kind === "claim") await mustStillBeAbleToVote(context, itemId);
  return answerOf(context, itemId, request, written, branch);
}

async function writeDecision(context: Context, view: StoredItemView, request: DecideRequest): Promise<ReadBack> {
  const event = await withStanding(context, view, request);
  // A halt may have come while a claim was taken over, or a document was read: what is approved now would be withheld, and the item be over.
  if (mayStart(request)) mustNotBeHalted(context, view, request.kind);
  return writeAndRead(context, "decisions", view.itemId, event);
}

/**
 * The withdrawal that a written one is answered with: it settled the item, or what was granted was taken back before anybody started it. Where an
 * edit came first, the item waits under another verdict, and the agent wants it no more than before: it is withdrawn there. Null where another
 * decision ended it.
 *
 * @throws CountersignError settled where a start came first, timeout where that is not known yet
 */
async function takenBackBy(context: Context, itemId: string, request: DecideRequest, written: ReadBack): Promise<ReadBack | null> {
  const { eventId, status } = written;
  if (status === "illegal") return null;
  if (status === "effective" && findItem(context, itemId).life.decision?.id === eventId) return written;
  const at = (await context.ledger.events.get(itemId, "decisions", eventId))?.occurredAt ?? context.ledger.now();
  const fate = await fateOf(context, itemId, at);
  if (fate === "started") throw startedBefore(findItem(context, itemId));
  if (fate !== "open") return fate === "over" ? written : null;
  const { eventId: _superseded, ...again } = request;
  return takenBackBy(context, itemId, again, await writeDecision(context, findItem(context, itemId), again));
}

/** The event of a decision, with what it lets run beyond itself. */
async function withStanding(context: Context, view: StoredItemView, request: DecideRequest): Promise<EventOf["decisions"]> {
  const event = legalEvent(context, view, request);
  return request.standing === undefined ? event : { ...event, standing: await standingOf(context, view, request.standing) };
}

/** The item after a claim that takes it from whoever holds it, where the decision asks for that. */
async function afterTakeOver(context: Context, view: StoredItemView, request: DecideRequest): Promise<StoredItemView> {
  if (!takesOver(context, view, request) || request.kind === "claim") return view;
  // A decision that would be refused all the same must not cost its holder the claim.
  await withStanding(context, asHolder(view, context.identity.id), request);
  const claimed = await writeAndRead(context, "decisions", view.itemId, legalEvent(context, view, claimFirst(request)));
  if (claimed.status !== "effective") throw refusal(context, view.itemId, { ...request, kind: "claim" }, claimed.reason ?? claimed.status);
  return findItem(context, view.itemId);
}

/** @throws CountersignError not_allowed where nobody wants any more what would be tried again */
function mustBeWanted({ ledger }: Context, view: StoredItemView): void {
  const why = ledger.retryBar(view);
  if (why !== null)
    throw new CountersignError("not_allowed", `It is not tried again. ${why}`, {
      field: "/settlement/outcome",
      value: "retry",
      fix: "find out whether it had an effect, and settle it as succeeded or failed",
    });
}

/** What lets something run. Under a halt it would only be withheld, so it waits for the lift instead. */
function mayStart({ kind, settlement }: DecideRequest): boolean {
  return kind === "approve" || kind === "edit" || settlement?.outcome === "retry";
}

async function answerOf(context: Context, itemId: string, request: DecideRequest, written: ReadBack, branch?: readonly string[]): Promise<DecisionAnswer> {
  const { eventId, position, status, reason } = written;
  // The vote counts whatever becomes of the claim, which ends by itself as well.
  if (request.kind === "approve") await giveBack(context, itemId).catch(() => {});
  const rejudged = request.kind === "edit" ? await afterEdit(context, itemId, eventId) : null;
  const reach = branch === undefined ? null : await branchReach(context.ledger, branch);
  return { itemId, eventId, status, reason, position, rejudged, branch: reach, item: await itemView(context, itemId) };
}

function refusal({ ledger }: Context, itemId: string, { kind }: DecideRequest, reason: string): CountersignError {
  return refusalOf(reason, { ledger, itemId, topic: "decisions", subject: `The ${kind}` });
}

/** The event, when the rules let it take effect on what the views hold now. */
function legalEvent(context: Context, view: StoredItemView, request: DecideRequest): EventOf["decisions"] {
  const { event, ruling } =
    request.kind === "settle"
      ? settleEvent(context, view, request)
      : request.kind === "report"
        ? reportEvent(context, view, request)
        : verdictEvent(context, view, request);
  if (ruling.status !== "effective") throw refusal(context, view.itemId, request, ruling.reason);
  return event;
}

interface Ruled {
  readonly event: EventOf["decisions"];
  readonly ruling: Ruling;
}

function verdictEvent(context: Context, view: StoredItemView, request: DecideRequest): Ruled {
  const verdict = currentVerdict(context, view, request);
  if (request.kind === "clear") checkCleared(context, view, request);
  if (request.batchId !== undefined) checkInBatch(context, view.itemId, verdict.id, request.batchId);
  if (request.kind === "withdraw" && view.stage === "done")
    throw new CountersignError("settled", `Nothing is left to withdraw: the item is done (${view.outcome})`, {
      field: "/kind",
      value: "withdraw",
      fix: "nothing: it has ended",
    });
  if (request.kind === "withdraw" && hasStarted(view)) throw startedBefore(view);
  const made = decisionEvent(context, request, view.itemId, { topic: "verdicts", eventId: verdict.id }, verdict);
  const event = request.kind === "withdraw" ? { ...made, occurredAt: after(view, made.occurredAt) } : made;
  const proposal = nodeOf(view.item, "proposals", view.item.proposal) as ProposalNode;
  if (request.scope === "branch" && proposal.threadId === null)
    throw new CountersignError("request_invalid", "/scope: the item belongs to no run, so there is no branch to reject", {
      field: "/scope",
      value: "branch",
      fix: "reject with scope action",
    });
  const ruling = legalDecision({ proposal, verdict }, verdict.group, event);
  if (ruling.status === "superseded" && asksForRevocation(view, event)) return { event, ruling: EFFECTIVE };
  if (ruling.status !== "effective" && ruling.reason.startsWith("not allowed:")) throw notAllowed(view, verdict, request, ruling.reason);
  return { event, ruling };
}

/** Later than the end of the step that came before it, as was seen: by its time it is told from one that came while that ran. */
function after({ life: { resume } }: StoredItemView, at: number): number {
  return Math.max(at, (resume?.group.endedAt ?? at - 1) + 1);
}

/** It has started, so the withdrawal comes too late: whoever asks for it must not believe that nothing runs. */
function startedBefore({ stage, outcome }: StoredItemView): CountersignError {
  return new CountersignError("settled", `The withdraw comes too late: it was started before, and the item is ${outcome ?? stage}`, {
    field: "/kind",
    value: "withdraw",
    fix: "see its outcome; what has started is not taken back",
  });
}

function notAllowed(view: StoredItemView, { terms }: VerdictNode, { kind }: DecideRequest, reason: string): CountersignError {
  const allowed = terms.allowedDecisions.join(", ") || "none";
  return new CountersignError("not_allowed", `The ${kind} has no effect: ${reason} (allowed: ${allowed})`, {
    field: "/kind",
    value: kind,
    fix: view.stage === "pending" ? `decide with one of: ${allowed}` : "read the item again",
  });
}

function checkCleared({ ledger }: Context, { itemId, item }: StoredItemView, { cleared }: DecideRequest): void {
  const bad = ledger.queries.badOf(itemId).filter((b) => b.flags);
  if (!bad.some((b) => b.sha256 === cleared))
    throw new CountersignError("request_invalid", "/cleared: no bad record of this item has this hash", {
      field: "/cleared",
      value: cleared,
      fix: bad.length === 0 ? "nothing: no bad record flags this item" : `name one of ${bad.map((b) => b.sha256).join(", ")}`,
    });
  if (item.cleared.includes(cleared as string))
    throw new CountersignError("settled", "This bad record has been cleared already", { field: "/cleared", value: cleared, fix: "nothing: it is cleared" });
}

function settleEvent(context: Context, view: StoredItemView, request: DecideRequest): Ruled {
  const unknown = [...view.item.nodes.values()].filter((n): n is ReceiptNode => n.topic === "receipts" && n.kind === "unknown");
  const receipt =
    request.receipt === undefined ? (unknown.findLast((r) => r.settle === null) ?? unknown.at(-1)) : unknown.find((r) => r.id === request.receipt);
  if (receipt === undefined)
    throw new CountersignError(
      request.receipt === undefined ? "not_allowed" : "request_invalid",
      request.receipt === undefined ? "There is no unknown outcome to settle" : "/receipt is no unknown receipt of this item",
      {
        field: request.receipt === undefined ? "/kind" : "/receipt",
        value: request.receipt ?? "settle",
        fix: `the item is ${view.stage}; settle is for items in doubt`,
      },
    );
  const event = decisionEvent(context, request, view.itemId, { topic: "receipts", eventId: receipt.id }, null);
  return { event, ruling: legalSettle(settlePast(view.item, receipt), receipt.settle, event) };
}

function reportEvent(context: Context, view: StoredItemView, request: DecideRequest): Ruled {
  const final = [...view.item.nodes.values()].filter((n): n is ReceiptNode => n.topic === "receipts" && FINAL_RECEIPTS.has(n.kind));
  const eventId = request.receipt ?? final.at(-1)?.id;
  if (eventId === undefined)
    throw new CountersignError("not_allowed", `Nothing has ended that an incident could be reported about: the item is ${view.stage}`, {
      field: "/kind",
      value: "report",
      fix: "report once an execution has ended",
    });
  if (!final.some((receipt) => receipt.id === eventId))
    throw new CountersignError("request_invalid", "/receipt is no final receipt of this item", {
      field: "/receipt",
      value: eventId,
      fix: `name one of ${final.map((receipt) => receipt.id).join(", ") || "its final receipts (it has none)"}, or leave it out for the last`,
    });
  return { event: decisionEvent(context, request, view.itemId, { topic: "receipts", eventId }, null), ruling: { status: "effective" } };
}
