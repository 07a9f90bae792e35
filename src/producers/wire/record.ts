import { z } from "zod";
import { badRecord, card, execution, finalOutcome, parked, patch, position, ref, review, risk, route, run, stage, status, timelineEntry } from "./answers.ts";

const hash = z.string().nullable().describe("null where it would let a hidden value be guessed.");
const reference = z.object({ id: z.string(), version: z.string(), sha256: z.string() });
const state = z.object({ state: z.unknown(), readAt: z.int() }).nullable();
const error = z.object({ code: z.string(), message: z.string() }).nullable();

/** What every event says of itself. */
const written = {
  eventId: z.string(),
  position,
  at: z.int().describe("When its writer wrote it."),
  by: z.object({ kind: z.string(), id: z.string(), roles: z.array(z.string()) }),
  status,
  reason: z.string().nullable().describe("Why it has no effect."),
};

const side = z
  .object({ step: z.int().describe("Place in the plan, from 1."), args: z.unknown(), argsSha256: hash })
  .nullable()
  .meta({ id: "RecordedArguments" });

const executed = z
  .object({
    grant: z.string(),
    outcome: z.enum(["proceed", "proceed_edited", "roll_back"]).describe("What the grant was for."),
    progress: z.enum(["not_started", "running", "succeeded", "failed", "unknown", "compensated"]),
    by: z.string().nullable(),
    startedAt: z.int().nullable(),
    endedAt: z.int().nullable(),
    args: z.unknown().describe("null where other arguments were used than granted: nobody but the executor knows them."),
    argsSha256: hash,
    asGranted: z.boolean().nullable().describe("Whether exactly the granted arguments were used; null before it started."),
    receipt: z.string().nullable().describe("The receipt that ended it."),
    externalRef: ref.nullable(),
    result: z.unknown(),
    error,
    stateAfter: state,
    settled: z
      .object({ eventId: z.string(), by: z.string(), outcome: z.string(), externalRef: ref.nullable() })
      .nullable()
      .describe("What a person or the clock said of an outcome that nobody knew."),
  })
  .meta({ id: "RecordedExecution" });

const action = z
  .object({
    actionId: z.string(),
    tool: z.string(),
    proposed: side,
    approved: side.describe("null while nothing is approved, and where a reviewer took it out."),
    executed: z.array(executed).describe("One after the other: a retry is an execution of its own."),
    changed: z.enum(["no", "edited", "dropped", "waiting"]).describe("What became of the proposed arguments; waiting: nothing is approved (yet)."),
    patch: patch.nullable().describe("From the proposed to the approved arguments."),
    targetState: state.describe("The target as the agent read it."),
    confidence: z.number().nullable(),
  })
  .meta({ id: "RecordedAction" });

const verdict = z
  .object({
    ...written,
    judges: z.string().describe("<topic>/<event id>: the proposal, or an edit."),
    inForce: z.boolean(),
    policy: reference.nullable(),
    policies: z.array(reference).describe("The other documents in force."),
    engineVersion: z.string(),
    route,
    risk,
    score: z.number(),
    reversibility: z.string(),
    gate: z.string(),
    owner: z.string().nullable(),
    approvals: z.int(),
    because: z.array(z.string()),
    matched: z.array(z.object({ rule: z.string(), actionId: z.string().nullable(), path: z.string().nullable(), effect: z.string() })),
    budgets: z.array(z.object({ name: z.string(), key: z.string(), used: z.string(), limit: z.string() })),
    standing: z.string().nullable(),
    expiresAt: z.int().nullable(),
    onExpiry: z.string(),
    ladder: z.array(z.object({ step: z.int(), at: z.int(), to: z.string(), page: z.boolean() })),
    error,
    card: card.nullable(),
    cardSha256: hash,
  })
  .meta({ id: "RecordedVerdict" });

const decision = z
  .object({
    ...written,
    kind: z.string(),
    answers: z.string().nullable(),
    settles: z.boolean().describe("Whether it closed the verdict that it answers."),
    card: z.string().nullable().describe("The verdict whose card was seen, as it is in `verdicts`."),
    sawThatCard: z.boolean().nullable().describe("Whether the hash that the decision names is that card's; null where a decision names none."),
    message: z.string().nullable(),
    reasonCodes: z.array(z.string()),
    scope: z.string(),
    dropped: z.array(z.string()).describe("Steps taken out; of a rejection: the steps that were the reason."),
    order: z.array(z.string()),
    edits: z.array(z.object({ actionId: z.string(), before: z.unknown(), after: z.unknown(), patch })),
    scores: z.array(z.object({ criterion: z.string(), score: z.int() })),
    review: z.object({ openedAt: z.int().nullable(), activeMs: z.int().nullable(), channel: z.string() }).nullable(),
    lease: z.object({ id: z.string(), endsAt: z.int(), takenOver: z.boolean() }).nullable(),
    escalation: z.object({ step: z.int(), from: z.string(), to: z.string() }).nullable(),
    settlement: z.object({ outcome: z.string(), externalRef: ref.nullable() }).nullable(),
    standing: z.object({ scope: z.unknown(), max: z.int(), amount: z.string().nullable(), until: z.int() }).nullable(),
    incident: z.object({ severity: z.string(), url: z.string().nullable() }).nullable(),
  })
  .meta({ id: "RecordedDecision" });

const resume = z
  .object({
    ...written,
    answers: z.string().nullable(),
    outcome: z.string(),
    message: z.string().nullable().describe("What the model was told."),
    actions: z.array(z.object({ actionId: z.string(), tool: z.string(), argsSha256: hash, effectKey: hash })),
    notAfter: z.int().nullable(),
    closedBy: z.string().nullable(),
  })
  .meta({ id: "RecordedResume" });

const receipt = z
  .object({
    ...written,
    kind: z.string(),
    grant: z.string().nullable(),
    actionId: z.string().nullable(),
    argsSha256: hash,
    externalRef: ref.nullable(),
    result: z.unknown(),
    resultSha256: z.string().nullable(),
    error,
    stateAfter: state,
    startedAt: z.int().nullable(),
    finishedAt: z.int().nullable(),
    resumed: z.object({ threadId: z.string(), checkpointId: z.string().nullable() }).nullable(),
  })
  .meta({ id: "RecordedReceipt" });

/** The record of an item: what an incident review opens. */
export const itemRecord = z
  .object({
    itemId: z.string(),
    workspace: z.string(),
    at: z.int().describe("When the record was made."),
    profile: z.enum(["strict", "raw"]).describe("strict: what policies classify as secret or personal is hidden, wherever it stands in the record."),
    hidden: z.array(z.object({ actionId: z.string(), path: z.string(), class: z.enum(["secret", "personal"]) })),
    headline: z.string().nullable(),
    stage,
    outcome: finalOutcome,
    execution,
    review,
    flagged: z.boolean(),
    proposal: z.object({
      ...written,
      ask: z.string(),
      idempotencyKey: z.string(),
      agent: z.object({ id: z.string(), version: z.string().nullable(), model: z.string().nullable(), owner: z.string().nullable() }),
      onBehalfOf: z.object({ id: z.string(), scopes: z.array(z.string()) }).nullable(),
      origin: ref.nullable(),
      question: z.string().nullable(),
      intent: z.string().nullable(),
      reasoning: z.string().nullable(),
      evidence: z.array(z.object({ label: z.string(), value: z.string().nullable(), url: z.string().nullable() })),
      traceUrl: z.string().nullable(),
      transcript: z.object({ sha256: z.string(), uri: z.string().nullable() }).nullable(),
      retryOf: z.string().nullable(),
      replaces: z.boolean(),
    }),
    actions: z.array(action).describe("Proposed, approved and executed, side by side."),
    verdicts: z.array(verdict),
    decisions: z.array(decision),
    resumes: z.array(resume),
    receipts: z.array(receipt),
    run: z
      .object({
        paused: run,
        wentOn: z.array(
          z.object({
            receipt: z.string(),
            at: z.int(),
            threadId: z.string(),
            checkpointId: z.string().nullable(),
            elsewhere: z.boolean().describe("A finding."),
          }),
        ),
      })
      .nullable()
      .describe("Where the run paused, and where it really went on."),
    receiptTarget: ref.nullable(),
    incidents: z.array(z.object({ eventId: z.string(), severity: z.string(), message: z.string().nullable(), url: z.string().nullable() })),
    findings: z.array(
      z.object({ code: z.string(), says: z.string(), topic: z.string(), eventId: z.string(), offset: z.int().nullable(), detail: z.string().optional() }),
    ),
    events: z.array(timelineEntry.extend({ appendedAt: z.int() })).describe("Every event of the item with its place in the log, in the order of the log."),
    badRecords: z.array(badRecord),
    parked: z.array(parked),
  })
  .meta({ id: "ItemRecord" });

/** How to read a record. */
export const recordRequest = z.strictObject({
  profile: z.enum(["strict", "raw"]).optional().describe("Default strict. raw: nothing is hidden."),
  format: z.enum(["json", "html"]).optional().describe("html: a page to print. Default json, or what Accept asks for."),
});

export type ItemRecord = z.infer<typeof itemRecord>;
export type RecordRequest = z.input<typeof recordRequest>;
