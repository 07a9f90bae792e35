import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { canonicalArgs } from "../../events/canonical.ts";
import { complete, type Draft } from "../../events/draft.ts";
import { newEventId } from "../../events/ids.ts";
import { LIMITS } from "../../events/limits.ts";
import type { EventOf } from "../../events/types.generated.ts";
import type { ResumeNode } from "../../ledger/item.ts";
import type { receiptRequest } from "../../producers/wire/requests.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { actorOf } from "./identity.ts";
import type { Context } from "./ledger.ts";
import { snapshot } from "./proposal-event.ts";

export type ReceiptRequest = z.output<typeof receiptRequest>;

const NEEDS_HASH: ReadonlySet<string> = new Set(["started", "succeeded", "failed"]);

/** The event of a receipt. @throws CountersignError request_invalid, not_allowed, json_*, field_too_large */
export async function receiptEvent(context: Context, view: StoredItemView, grant: ResumeNode, request: ReceiptRequest): Promise<EventOf["receipts"]> {
  const { ledger, identity } = context;
  const { kind, grant: grantId, result, resultSha256, error, stateAfter, eventId, ...rest } = request;
  const actionId = request.actionId ?? (grant.actions.length === 1 ? grant.actions[0]?.actionId : undefined);
  if (actionId === undefined && grant.actions.length > 0)
    throw invalid("/actionId", undefined, `the grant has ${grant.actions.length} actions`, `name one of ${grant.actions.map((a) => a.actionId).join(", ")}`);
  if (NEEDS_HASH.has(kind) && request.argsSha256 === undefined)
    throw invalid("/argsSha256", undefined, `is needed on ${kind}`, "send the hash of the arguments that are really used");
  if (kind === "failed" && error === undefined) throw invalid("/error", undefined, "is needed on failed", "send code and message");
  if (error !== undefined && kind !== "failed") throw invalid("/error", error, `does not go with ${kind}`, "leave it out");
  if (result !== undefined && (kind === "started" || kind === "renewed")) throw invalid("/result", result, `does not go with ${kind}`, "leave it out");
  const granted = grant.actions.find((a) => a.actionId === actionId);
  // Starting with other arguments than those approved is not a finding to look at later: nothing has happened yet.
  if (kind === "started" && granted !== undefined && granted.argsSha256 !== request.argsSha256)
    throw new CountersignError("not_allowed", "/argsSha256: the grant is for other arguments", {
      field: "/argsSha256",
      value: request.argsSha256,
      fix: `run exactly the granted arguments (${granted.argsSha256})`,
    });
  const draft: Draft<EventOf["receipts"]> = {
    ...rest,
    kind,
    eventId: eventId ?? newEventId(),
    itemId: view.itemId,
    workspace: identity.workspace,
    answers: { topic: "resumes", eventId: grantId },
    occurredAt: ledger.now(),
    actor: actorOf(identity),
    ...(actionId === undefined ? {} : { actionId }),
    ...(error === undefined ? {} : { error }),
    ...(stateAfter === undefined ? {} : { stateAfter: snapshot(stateAfter, "/stateAfter/state") }),
    ...(kind === "started" || kind === "renewed"
      ? { lease: { id: newEventId(), endsAt: ledger.now() + (await leaseMs(context, view.itemId, grantId, actionId)) } }
      : {}),
    ...resultOf(result, resultSha256),
  };
  return complete("receipts", draft);
}

/** The result as it is kept. @throws CountersignError json_*, field_too_large, request_invalid */
export function resultOf(result: unknown, resultSha256: string | undefined): { result?: string; resultSha256?: string } {
  if (result === undefined) return resultSha256 === undefined ? {} : { resultSha256 };
  const { args, argsSha256 } = canonicalArgs(result, { name: "/result" });
  if (Buffer.byteLength(args) > LIMITS.result)
    throw new CountersignError("field_too_large", `/result has ${Buffer.byteLength(args)} bytes, more than ${LIMITS.result}`, {
      field: "/result",
      fix: `keep it elsewhere and send resultSha256 (${argsSha256}) instead`,
    });
  if (resultSha256 !== undefined && resultSha256 !== argsSha256)
    throw invalid("/resultSha256", resultSha256, `is not that of the result (${argsSha256})`, "leave it out where the result is sent");
  return { result: args };
}

const DEFAULT_LEASE_MS = 120_000;

async function leaseMs({ ledger }: Context, itemId: string, grantId: string, actionId: string | undefined): Promise<number> {
  const event = await ledger.events.get(itemId, "resumes", grantId);
  return event?.actions.find((a) => a.actionId === actionId)?.leaseMs ?? DEFAULT_LEASE_MS;
}

function invalid(field: string, value: unknown, rule: string, fix: string): CountersignError {
  return new CountersignError("request_invalid", `${field} ${rule}`, { field, value, fix });
}
