import type { ReceiptRecorded } from "../events/types.generated.ts";
import { EFFECTIVE, illegal, type ReceiptGroup, type ResumeNode, type Ruling, superseded } from "./item.ts";
import { isGrant } from "./resumes.ts";

type Grant = Omit<ResumeNode, "group">;

const BY_CLOCK = new Set(["unknown", "lapsed", "revoked"]);
const WHOLE_GRANT = new Set(["lapsed", "revoked"]);
const NEEDS_HASH = new Set(["started", "succeeded", "failed"]);

/** The receipts on a grant before the first. */
export const NO_RECEIPTS: ReceiptGroup = { done: 0, running: null, leaseIds: [], startedAt: null, endedAt: null, closedBy: null };

/** Why a receipt on an action that nobody has started has no effect. */
export const NOT_RUNNING = "not running";

/** Receipts that end an action or a grant: what a report can be about. */
export const FINAL_RECEIPTS: ReadonlySet<string> = new Set(["succeeded", "failed", "compensated", "lapsed", "revoked"]);

/** The machine of receipts that answer a grant. */
export function legalReceipt(grant: Grant, group: ReceiptGroup, event: ReceiptRecorded): Ruling {
  const reason = pastReason(grant, event);
  if (reason !== null) return illegal(reason);
  if (group.closedBy !== null) return superseded(`closed by ${group.closedBy.kind} ${group.closedBy.id}`);
  const index = grant.actions.findIndex((a) => a.actionId === event.actionId);
  const { running } = group;
  switch (event.kind) {
    case "started":
      if (index < group.done || running?.actionId === event.actionId) return superseded("started already");
      if (index > group.done || running !== null) return illegal("the action before it has not succeeded");
      return EFFECTIVE;
    case "lapsed":
    case "revoked":
      return running === null ? EFFECTIVE : superseded(`${running.actionId} is running`);
    case "renewed":
      if (running?.actionId !== event.actionId) return illegal(NOT_RUNNING);
      return group.leaseIds.includes(event.lease?.id as string) ? superseded("stale lease: its id was used") : EFFECTIVE;
    case "unknown":
      if (running === null || running.actionId !== event.actionId || running.leaseId !== event.lease?.id) return superseded("stale lease");
      return event.occurredAt < running.endsAt ? illegal("early: the lease has not ended") : EFFECTIVE;
    case "succeeded":
    case "failed":
    case "compensated":
      return running?.actionId === event.actionId ? EFFECTIVE : illegal(NOT_RUNNING);
    default:
      return illegal(`wrong kind: ${event.kind}`);
  }
}

/** What is wrong with a receipt whatever its siblings did. */
function pastReason(grant: Grant, event: ReceiptRecorded): string | null {
  const { kind, actor } = event;
  if (actor.kind !== (BY_CLOCK.has(kind) ? "clock" : "executor")) return `wrong actor: ${actor.kind} cannot write ${kind}`;
  if (!isGrant(grant.outcome)) return "no grant: nothing may run";
  if (kind === "lapsed") return grant.notAfter === null ? "the grant never lapses" : event.occurredAt < grant.notAfter ? "early: the grant still stands" : null;
  if (WHOLE_GRANT.has(kind)) return null;
  if (!grant.actions.some((a) => a.actionId === event.actionId)) return "no grant: the action is not in the grant";
  if (NEEDS_HASH.has(kind) && event.argsSha256 === null) return "missing field: argsSha256";
  if ((kind === "started" || kind === "renewed" || kind === "unknown") && event.lease === null) return "missing field: lease";
  if (kind === "succeeded" && grant.outcome === "roll_back") return "a roll_back ends as compensated";
  if (kind === "compensated" && grant.outcome !== "roll_back") return "compensated only in a roll_back";
  return null;
}

/** The group after an effective receipt. */
export function applyReceipt(grant: Grant, group: ReceiptGroup, event: ReceiptRecorded): ReceiptGroup {
  const closedBy = { kind: event.kind, id: event.eventId };
  switch (event.kind) {
    case "started":
    case "renewed": {
      const lease = event.lease as NonNullable<ReceiptRecorded["lease"]>;
      const running = { actionId: event.actionId as string, leaseId: lease.id, endsAt: lease.endsAt };
      return { ...group, running, leaseIds: [...group.leaseIds, lease.id], startedAt: event.kind === "started" ? event.occurredAt : group.startedAt };
    }
    case "succeeded":
    case "compensated": {
      const done = group.done + 1;
      return { ...group, done, running: null, endedAt: event.occurredAt, closedBy: done === grant.actions.length ? { kind: "done", id: event.eventId } : null };
    }
    default:
      return { ...group, running: null, closedBy };
  }
}
