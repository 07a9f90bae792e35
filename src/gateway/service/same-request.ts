import { CountersignError } from "../../errors.ts";
import { canonicalArgs, canonicalize } from "../../events/canonical.ts";
import type { EventOf } from "../../events/types.generated.ts";
import type { DecideRequest } from "./decision-event.ts";
import { type ReceiptRequest, resultOf } from "./receipt-event.ts";

/**
 * What makes a decision or a receipt this one, by field; undefined where a request leaves it to the gateway. Times, leases and what else the
 * gateway adds are no part of it: they differ when the same is sent again.
 */
export type Content = { readonly [field: string]: unknown };

/** What a decision says. */
export function decisionContent(event: EventOf["decisions"]): Content {
  const { kind, answers, edits, dropped, order, scope, message, reasonCodes, seen, batchId, settlement, incident, cleared, scores, standing } = event;
  const hashes = edits.map(({ actionId, argsSha256 }) => ({ actionId, argsSha256 }));
  return {
    ...{ kind, [answers?.topic === "receipts" ? "receipt" : "verdict"]: answers?.eventId, edits: hashes, dropped, order, scope, message, reasonCodes },
    ...{ seen, batchId, settlement, incident, cleared, scores, standing: standing === null ? null : { max: standing.max, amount: standing.amount } },
  };
}

/** What the request for a decision says. @throws CountersignError json_* */
export function decisionRequestContent(request: DecideRequest): Content {
  const { kind, verdict, receipt, dropped, steps, order, scope, reasonCodes, scores, standing } = request;
  return {
    ...{ kind, verdict, receipt, order, scope, reasonCodes, scores },
    edits: request.edits.map(({ actionId, args }, i) => ({ actionId, argsSha256: canonicalArgs(args, { name: `/edits/${i}/args` }).argsSha256 })),
    // Where a rejected plan keeps which of its steps were the reason.
    dropped: kind === "reject" ? [...new Set(steps)] : dropped,
    message: request.message ?? null,
    seen: request.seen ?? null,
    batchId: request.batchId ?? null,
    settlement: request.settlement ?? null,
    incident: request.incident ?? null,
    cleared: request.cleared ?? null,
    standing: standing === undefined ? null : { max: standing.max, amount: standing.amount },
  };
}

/** What a receipt says. */
export function receiptContent(event: EventOf["receipts"]): Content {
  const { kind, answers, actionId, argsSha256, result, resultSha256, externalRef, error, stateAfter, resumed, startedAt, finishedAt } = event;
  return {
    ...{ kind, grant: answers?.eventId, actionId, argsSha256, result, resultSha256, externalRef, error, resumed, startedAt, finishedAt },
    stateAfter: stateAfter?.sha256 ?? null,
  };
}

/** What the request for a receipt says. @throws CountersignError json_*, field_too_large, request_invalid */
export function receiptRequestContent(request: ReceiptRequest): Content {
  const { kind, grant, actionId, result, resultSha256 } = request;
  const made = resultOf(result, resultSha256);
  return {
    ...{ kind, grant, actionId, result: made.result ?? null, resultSha256: made.resultSha256 ?? null },
    argsSha256: request.argsSha256 ?? null,
    externalRef: request.externalRef ?? null,
    error: request.error ?? null,
    stateAfter: request.stateAfter === undefined ? null : canonicalArgs(request.stateAfter.state, { name: "/stateAfter/state" }).argsSha256,
    resumed: request.resumed ?? null,
    startedAt: request.startedAt ?? null,
    finishedAt: request.finishedAt ?? null,
  };
}

/** An event id stands for one content: an answer about another one would be a lie. @throws CountersignError conflict */
export function mustBeSame(eventId: string, written: Content, asked: Content): void {
  const other = Object.keys(asked).find((field) => asked[field] !== undefined && textOf(asked[field]) !== textOf(written[field]));
  if (other !== undefined) throw usedOtherwise(eventId, `/${other} is not what was sent with it before`);
}

/** Events hold null where a request leaves a field out. */
function textOf(value: unknown): string {
  return canonicalize(JSON.parse(JSON.stringify(value ?? null, (_, inner) => inner ?? undefined) ?? "null"));
}

/** The error of an event id that is there already. */
export function usedOtherwise(eventId: string, why: string): CountersignError {
  return new CountersignError("conflict", `The event id ${eventId} was used for another event of this item: ${why}`, {
    field: "eventId",
    value: eventId,
    fix: "use a new UUID for a new event; the same one only repeats the same event",
  });
}
