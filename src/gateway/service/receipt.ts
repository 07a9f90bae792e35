import { CountersignError } from "../../errors.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { nodeOf, type ResumeNode } from "../../ledger/item.ts";
import { mustBeStarted } from "../../ledger/must-start.ts";
import { legalReceipt } from "../../ledger/receipts.ts";
import type { ReceiptAnswer } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { findItem } from "./find.ts";
import { mustNotBeHalted } from "./halt.ts";
import { mustBe } from "./identity.ts";
import type { Context } from "./ledger.ts";
import { type ReceiptRequest, receiptEvent } from "./receipt-event.ts";
import { refusalOf } from "./refusal.ts";
import { receiptRequestContent } from "./same-request.ts";
import { earlier, type ReadBack, writeAndRead } from "./write.ts";

/** What happened outside is recorded whatever the rules say of it: a late or foreign receipt is a finding. */
const ALWAYS_WRITTEN: ReadonlySet<string> = new Set(["succeeded", "failed", "compensated"]);

/**
 * An executor says what it does with a grant. Only a `started` that was answered as effective lets it act.
 *
 * @throws CountersignError forbidden, not_found, no_grant, already_started, not_running, not_allowed, conflict, halted, late, flagged, request_invalid,
 * timeout
 */
export async function receipt(context: Context, itemId: string, request: ReceiptRequest): Promise<ReceiptAnswer> {
  mustBe(context.identity, ["executor"], "write receipts");
  const view = findItem(context, itemId);
  const grant = nodeOf(view.item, "resumes", request.grant);
  if (grant === undefined)
    throw new CountersignError("no_grant", `/grant: ${request.grant} is no grant of this item`, {
      field: "/grant",
      value: request.grant,
      fix: "take the grant's id from the outcome of the item",
    });
  const again = await earlier(context, "receipts", itemId, request.eventId, () => receiptRequestContent(request));
  const written = again ?? (await write(context, view, grant, request));
  if (written.status !== "effective") throw refusal(context, itemId, request, written);
  return answerOf(context, itemId, request, written);
}

async function write(context: Context, view: StoredItemView, grant: ResumeNode, request: ReceiptRequest): Promise<ReadBack> {
  const event = await receiptEvent(context, view, grant, request);
  if (request.kind === "started") {
    if (view.flagged) throw flagged(view.itemId);
    mustNotBeHalted(context, view, "start");
    mustNotBeBarred(context, view, grant);
    // The fold lets it pass until the clock has lapsed the grant; nobody should act on it in between.
    if (isOver(view, grant, context.ledger.now()))
      throw new CountersignError("late", "The grant's time is over", { field: "/grant", value: grant.id, fix: "propose again" });
  } else mustBeStarter(context, view.itemId, grant, event);
  const ruling = legalReceipt(grant, grant.group, event);
  if (ruling.status !== "effective" && !ALWAYS_WRITTEN.has(request.kind)) throw refusal(context, view.itemId, request, ruling);
  return writeAndRead(context, "receipts", view.itemId, event);
}

/** @throws CountersignError not_allowed where it must never run any more, conflict while another try of the same work may run */
function mustNotBeBarred({ ledger }: Context, view: StoredItemView, grant: ResumeNode): void {
  const bar = grant.group.closedBy === null ? ledger.startBar(view, grant) : null;
  if (bar === null) return;
  throw new CountersignError(bar.lasts ? "not_allowed" : "conflict", `The start is refused. ${bar.why}`, {
    field: "/grant",
    value: grant.id,
    fix: bar.lasts ? "do not act under this grant: it is taken back" : "start it once the other item has ended, and is settled where it is in doubt",
    retryable: !bar.lasts,
  });
}

/** Whether a grant's time to be started is over. It binds the first start; a plan goes on, and what must be started has no end. */
function isOver({ item }: StoredItemView, grant: ResumeNode, now: number): boolean {
  const { closedBy, done } = grant.group;
  return closedBy === null && done === 0 && grant.notAfter !== null && now > grant.notAfter && !mustBeStarted(item, grant);
}

/** @throws CountersignError flagged, late: the start was effective, but must not be acted on */
async function answerOf({ ledger }: Context, itemId: string, request: ReceiptRequest, written: ReadBack): Promise<ReceiptAnswer> {
  const { eventId, position, status, reason } = written;
  const view = ledger.queries.item(itemId) as StoredItemView;
  const { item, stage, outcome, flagged: isFlagged } = view;
  const running = nodeOf(item, "resumes", request.grant)?.group.running ?? null;
  const leases = request.kind === "started" || request.kind === "renewed";
  const event = leases ? await ledger.events.get(itemId, "receipts", eventId) : undefined;
  const lease = event?.lease ?? null;
  if (request.kind === "started") {
    if (isFlagged) throw flagged(itemId);
    // A start that is answered late, or again, is worth nothing once its lease has run out.
    const mine = lease !== null && running !== null && running.leaseId === lease.id;
    if (!mine || running.endsAt <= ledger.now())
      throw new CountersignError("late", "The start took effect, but its lease has ended since: do not act", {
        field: "/kind",
        value: "started",
        fix: "a person settles the unknown outcome; a retry is a new grant",
      });
  }
  const findings = ledger.queries
    .findingsOf(itemId)
    .filter((f) => f.eventId === eventId)
    .map((f) => f.code);
  return {
    itemId,
    eventId,
    status,
    reason,
    position,
    lease,
    findings,
    item: { itemId, workspace: item.workspace as string, stage, outcome, flagged: isFlagged },
  };
}

function flagged(itemId: string): CountersignError {
  return new CountersignError("flagged", `The item ${itemId} has a record that cannot be read: nobody acts on it`, {
    field: "itemId",
    value: itemId,
    fix: "a reviewer looks at its badRecords and clears the flag",
  });
}

function refusal(
  { ledger }: Context,
  itemId: string,
  { kind, grant }: ReceiptRequest,
  { reason, status }: { reason?: string | null; status: string },
): CountersignError {
  const kept = ALWAYS_WRITTEN.has(kind) ? " (it is kept, and shown as a finding where it tells of something that really happened)" : "";
  const first = kind === "started" && reason?.startsWith("started already") ? starter(ledger, itemId, grant) : undefined;
  const why = `${reason ?? status}${first === undefined ? "" : ` by ${first}`}${kept}`;
  const error = refusalOf(why, { ledger, itemId, topic: "receipts", subject: `The ${kind}` });
  return error.code === "settled" ? new CountersignError("late", error.message, { fix: "do not act under this grant: it is closed" }) : error;
}

/** Whoever started an action says how it went: another executor's word would end, or keep alive, what it does not do. */
function mustBeStarter({ ledger, identity }: Context, itemId: string, { id, group }: ResumeNode, { kind, actionId }: EventOf["receipts"]): void {
  if (group.closedBy === null && group.running?.actionId !== actionId) return;
  const by = starter(ledger, itemId, id);
  const me = `executor:${identity.id}`;
  if (by === undefined || by === me) return;
  throw new CountersignError("not_entitled", `The ${kind} has no effect: ${by} started ${actionId}, and only it can say how that went`, {
    field: "/kind",
    value: kind,
    fix: `use the key of ${by}; where that executor is gone, its lease runs out and the owner settles the unknown outcome`,
  });
}

function starter(ledger: Context["ledger"], itemId: string, grant: string): string | undefined {
  return ledger.queries
    .timeline(itemId)
    .findLast((e) => e.topic === "receipts" && e.what === "started" && e.status === "effective" && e.answers === `resumes/${grant}`)?.actor;
}
