import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { canonicalArgs, type Json } from "../../events/canonical.ts";
import { complete, type Draft } from "../../events/draft.ts";
import { newEventId } from "../../events/ids.ts";
import { LIMITS } from "../../events/limits.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { argsFault } from "../../ledger/args-schema.ts";
import type { VerdictNode } from "../../ledger/item.ts";
import { saysType } from "../../policy/document/schema-fields.ts";
import type { decisionRequest } from "../../producers/wire/requests.ts";
import { actorOf } from "./identity.ts";
import { type SaysType, typeFault } from "./kept-types.ts";
import type { Context } from "./ledger.ts";
import { at } from "./proposal-event.ts";

/** A decision as it is asked for. */
export type DecideRequest = z.output<typeof decisionRequest>;

/** Kinds that a reviewer decides by what they saw. */
export const REVIEWS: ReadonlySet<string> = new Set(["approve", "edit", "reject", "respond", "acknowledge"]);

/** Fields that belong to one kind. Sent with another, they would be kept without meaning anything. */
const BELONGS: readonly (readonly [field: keyof DecideRequest, kinds: readonly string[]])[] = [
  ["edits", ["edit"]],
  ["dropped", ["edit"]],
  ["order", ["edit"]],
  ["steps", ["reject"]],
  ["standing", ["approve"]],
  ["lease", ["claim", ...REVIEWS]],
  ["receipt", ["settle", "report"]],
  ["settlement", ["settle"]],
  ["incident", ["report"]],
  ["cleared", ["clear"]],
  ["seen", [...REVIEWS]],
  ["batchId", [...REVIEWS]],
  ["scores", ["approve", "edit", "reject", "respond"]],
];
const NEEDS: { readonly [kind: string]: readonly (keyof DecideRequest)[] } = {
  approve: ["verdict", "seen"],
  edit: ["verdict", "seen"],
  reject: ["verdict", "seen"],
  respond: ["verdict", "seen", "message"],
  acknowledge: ["verdict", "seen"],
  settle: ["settlement"],
  report: ["incident"],
  clear: ["cleared"],
};

/** Refuses a request whose fields do not fit its kind, before the item is looked at. @throws CountersignError request_invalid */
export function checkFields(request: DecideRequest): void {
  for (const field of NEEDS[request.kind] ?? []) {
    const value = request[field];
    if (value === undefined || (field === "message" && !request.message?.trim()))
      throw invalid(`/${field}`, undefined, `is needed to ${request.kind}`, `send ${field}`);
  }
  for (const [field, kinds] of BELONGS) {
    const value = request[field];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0) && !kinds.includes(request.kind))
      throw invalid(`/${field}`, value, `does not go with ${request.kind}`, `leave it out: it goes with ${kinds.join(", ")}`);
  }
  if (request.scope === "branch" && request.kind !== "reject")
    throw invalid("/scope", "branch", `does not go with ${request.kind}`, "leave it out: it goes with reject");
  if (request.lease?.minutes !== undefined && request.kind !== "claim")
    throw invalid("/lease/minutes", request.lease.minutes, `does not go with ${request.kind}`, "leave it out: it goes with claim");
  const scored = request.scores.map((s) => s.criterion);
  const twice = scored.find((criterion, i) => scored.indexOf(criterion) !== i);
  if (twice !== undefined) throw invalid("/scores", twice, "is scored twice", "send each criterion once");
  if (request.kind === "edit" && request.edits.length + request.dropped.length + request.order.length === 0)
    throw invalid("/edits", [], "is empty: nothing is edited", "send the new arguments, or approve");
  if (request.settlement?.outcome === "succeeded" && request.settlement.externalRef === undefined)
    throw invalid("/settlement/externalRef", undefined, "is needed to settle as succeeded", "name the record in the system of record that proves it");
}

/** The event of a decision. `answers` is the cause. @throws CountersignError json_*, schema_invalid, request_invalid */
export function decisionEvent(
  context: Context,
  request: DecideRequest,
  itemId: string,
  answers: { topic: "verdicts" | "receipts"; eventId: string },
  verdict: VerdictNode | null,
): EventOf["decisions"] {
  const { ledger, identity } = context;
  const now = ledger.now();
  const tools = verdict?.actions.map((a) => a.tool) ?? [];
  checkCriteria(request, ledger.rubric(identity.workspace, tools));
  const { kind, verdict: _verdict, receipt: _receipt, lease, edits, seen, review, steps, standing: _standing, ...rest } = request;
  const draft: Draft<EventOf["decisions"]> = {
    ...rest,
    kind,
    eventId: request.eventId ?? newEventId(),
    itemId,
    workspace: identity.workspace,
    answers,
    occurredAt: now,
    actor: actorOf(identity),
    // A rejected plan keeps which of its steps were the reason where an edit keeps the steps that go.
    ...(kind === "reject" && steps.length > 0 ? { dropped: knownSteps(steps, verdict) } : {}),
    edits: edits.map((edit, i) => editOf(context, edit, i, verdict)),
    ...(seen === undefined ? {} : { seen }),
    ...(REVIEWS.has(kind) ? { review: review ?? { channel: "api" } } : {}),
    ...(kind === "claim" ? { lease: leaseOf(lease, verdict, identity.id, now, ledger.claimMs(identity.workspace, tools)) } : {}),
    ...(kind === "release" ? { lease: standingLease(verdict) } : {}),
  };
  return complete("decisions", draft);
}

/** A criterion that no policy names would be a mean of its own in every report, beside the one that was meant. */
function checkCriteria({ scores }: DecideRequest, criteria: readonly { readonly id: string }[]): void {
  const rubric = criteria.map(({ id }) => id);
  for (const [i, { criterion }] of scores.entries())
    if (!rubric.includes(criterion))
      throw invalid(
        `/scores/${i}/criterion`,
        criterion,
        "is no criterion of this item's rubric",
        rubric.length === 0 ? "leave the scores out: no policy names criteria for its actions (`rubric`)" : `score ${rubric.join(", ")}`,
      );
}

function knownSteps(steps: readonly string[], verdict: VerdictNode | null): string[] {
  const known = verdict?.actions.map((a) => a.actionId) ?? [];
  for (const [i, step] of steps.entries())
    if (!known.includes(step)) throw invalid(`/steps/${i}`, step, "is no step of this item", `name one of ${known.join(", ") || "its steps (it has none)"}`);
  return [...new Set(steps)];
}

function editOf(
  { ledger, identity }: Context,
  { actionId, args: value }: DecideRequest["edits"][number],
  index: number,
  verdict: VerdictNode | null,
): EventOf["decisions"]["edits"][number] {
  const path = `/edits/${index}/args`;
  const action = verdict?.actions.find((a) => a.actionId === actionId);
  if (action === undefined)
    throw invalid(
      `/edits/${index}/actionId`,
      actionId,
      "is no action of this item",
      `name one of ${verdict?.actions.map((a) => a.actionId).join(", ") || "its actions (it has none)"}`,
    );
  const { args, argsSha256 } = canonicalArgs(value, { name: path, maxBytes: LIMITS.args });
  const fault = action.argsSchema === null ? null : argsFault(action.argsSchema, value);
  if (fault !== null)
    throw new CountersignError(
      "schema_invalid",
      `The edited arguments break the schema of ${action.tool}: ${fault.path || "the arguments"} ${fault.message} (${fault.rule})`,
      {
        field: `${path}${fault.path}`,
        value: at(value, fault.path),
        fix: "edit to arguments that the tool's schema allows",
      },
    );
  const schema = action.argsSchema === null ? undefined : (JSON.parse(action.argsSchema) as Json);
  const isTold: SaysType = (keys) => saysType(schema, keys) || ledger.saysType(identity.workspace, action.tool, keys);
  const other = typeFault(JSON.parse(action.args) as Json, JSON.parse(args) as Json, isTold);
  if (other !== null)
    throw invalid(
      `${path}${other.keys.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")}`,
      other.value,
      other.rule,
      "keep the type of the argument; a schema of the tool (`arguments` in the policy) may allow more",
    );
  return { actionId, args, argsSha256 };
}

function leaseOf(
  lease: DecideRequest["lease"],
  verdict: VerdictNode | null,
  person: string,
  now: number,
  claimMs: number,
): NonNullable<EventOf["decisions"]["lease"]> {
  const standing = verdict?.group.lease ?? null;
  // Only what is really taken from somebody is a take-over.
  const takenOver = lease?.takeOver === true && standing !== null && standing.person !== person;
  return { id: newEventId(), endsAt: Math.round(now + (lease?.minutes === undefined ? claimMs : lease.minutes * 60_000)), takenOver };
}

function standingLease(verdict: VerdictNode | null): NonNullable<EventOf["decisions"]["lease"]> {
  const lease = verdict?.group.lease;
  if (!lease)
    throw new CountersignError("stale", "Nobody holds a claim on this item", {
      field: "/kind",
      value: "release",
      fix: "nothing: there is no claim to give back",
    });
  return { id: lease.id, endsAt: lease.endsAt, takenOver: false };
}

function invalid(field: string, value: unknown, rule: string, fix: string): CountersignError {
  return new CountersignError("request_invalid", `${field} ${rule}`, { field, value, fix });
}
