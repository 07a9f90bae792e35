import { z } from "zod";
import { TOPICS } from "../../events/topics.ts";
import { OUT } from "../../ledger/batch.ts";
import { EXECUTIONS, OUTCOMES, STAGES } from "../../ledger/stages.ts";

export const ref = z.object({ system: z.string(), id: z.string(), url: z.string().nullable() });
export const stage = z.enum(STAGES).meta({ id: "Stage" });
export const finalOutcome = z.enum(OUTCOMES).nullable();
export const position = z.object({ topic: z.enum(TOPICS), partition: z.int(), offset: z.int() });
export const risk = z.enum(["unrecognized", "low", "medium", "high", "critical"]);
export const route = z.enum(["unrecognized", "allow", "batch", "interrupt", "forbid"]);
const claim = z.object({ person: z.string(), endsAt: z.int() }).nullable();
const lease = z.object({ id: z.string(), endsAt: z.int().describe("Milliseconds since the epoch, UTC.") });
export const status = z.enum(["effective", "superseded", "illegal", "parked"]);
export const run = z.object({
  framework: z.string(),
  frameworkVersion: z.string().nullable(),
  threadId: z.string(),
  checkpointId: z.string().nullable(),
  checkpointNs: z.string().nullable(),
  pauseRef: z.string().nullable(),
  resumeUrl: z.string().nullable(),
  step: z.int().nullable(),
  costUsd: z.string().nullable(),
  ended: z.boolean(),
});

const grantedAction = z.object({
  actionId: z.string(),
  tool: z.string(),
  args: z.unknown().describe("Parsed. Exactly these may run."),
  argsSha256: z.string(),
  execution: z.enum(["unrecognized", "blind", "queryable", "idempotent"]),
  leaseMs: z.int(),
  effectKey: z.string().describe("Idempotency key for the system of record: the same on every retry."),
});

const grant = z
  .object({
    id: z.string(),
    outcome: z.enum(["proceed", "proceed_edited", "roll_back"]),
    notAfter: z.int().nullable(),
    done: z.int().describe("Actions that have succeeded, which are the first ones."),
    running: z.object({ actionId: z.string(), lease }).nullable(),
    actions: z.array(grantedAction),
  })
  .meta({ id: "Grant" });

export const timelineEntry = z
  .object({
    topic: z.enum(TOPICS),
    partition: z.int(),
    offset: z.int(),
    eventId: z.string(),
    what: z.string(),
    status,
    reason: z.string().nullable(),
    answers: z.string().nullable().describe("<topic>/<event id> of its cause."),
    actor: z.string().describe("<kind>:<id>"),
    occurredAt: z.int(),
  })
  .meta({ id: "TimelineEntry" });

const receipt = z.object({
  eventId: z.string(),
  kind: z.string(),
  actionId: z.string().nullable(),
  argsSha256: z.string().nullable(),
  result: z.unknown(),
  externalRef: ref.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  actor: z.string(),
  occurredAt: z.int(),
});

export const review = z.enum(["none", "open", "passed", "failed"]).describe("The review of what runs at once (audit gate), beside its execution.");
export const execution = z.enum(EXECUTIONS).describe("How far the execution is, beside the review.");
export const awaitsStart = z
  .object({
    what: z.enum(["retry", "roll_back"]),
    since: z.int(),
    due: z.int().describe("When it has waited for as long as a grant may (`grant_ttl`)."),
    isLate: z.boolean().describe("Whether that is over: then its owner has it in the queue."),
  })
  .nullable()
  .describe("A grant that no time and nobody takes back, and that no executor has started: a retry of what is in doubt, or a roll_back.");
export const patch = z
  .array(z.object({ op: z.string(), path: z.string(), value: z.unknown().optional(), from: z.string().optional() }))
  .meta({ id: "JsonPatch", description: "RFC 6902" });

/** What a reviewer decides from. */
export const card = z.object({
  headline: z.string(),
  why: z.string(),
  ifApproved: z.string(),
  ifRejected: z.string(),
  rollback: z.string(),
  ifItFails: z.string(),
  fields: z.array(z.object({ label: z.string(), actionId: z.string(), path: z.string(), value: z.string(), unusual: z.boolean() })),
});

export const badRecord = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.int(),
  reason: z.string(),
  message: z.string(),
  sha256: z.string(),
  flags: z.boolean(),
  cleared: z.boolean(),
});
export const parked = z.object({ topic: z.string(), partition: z.int(), offset: z.int(), eventId: z.string(), cause: z.string() });

/** Everything about an item. */
export const itemView = z
  .object({
    itemId: z.string(),
    workspace: z.string(),
    stage,
    outcome: finalOutcome,
    ask: z.string(),
    proposedAt: z.int(),
    agent: z.object({ id: z.string(), version: z.string().nullable(), model: z.string().nullable(), owner: z.string().nullable() }),
    onBehalfOf: z.object({ id: z.string(), scopes: z.array(z.string()) }).nullable(),
    question: z.string().nullable(),
    intent: z.string().nullable(),
    reasoning: z.string().nullable(),
    evidence: z.array(z.object({ label: z.string(), value: z.string().nullable(), url: z.string().nullable() })),
    origin: ref.nullable(),
    run: run.nullable(),
    traceUrl: z.string().nullable(),
    retryOf: z.string().nullable(),
    headline: z.string().nullable(),
    why: z.string().nullable(),
    risk: risk.nullable(),
    route: route.nullable(),
    gate: z.string().nullable(),
    reversibility: z.string().nullable(),
    policy: z.object({ id: z.string(), version: z.string(), sha256: z.string() }).nullable(),
    owner: z.string().nullable(),
    step: z.int().describe("Step of the escalation, 0 before any."),
    deadline: z.int().nullable(),
    expiresAt: z.int().nullable(),
    onExpiry: z.string().nullable(),
    allowedDecisions: z.array(z.string()).describe("What may be decided now; empty when nothing is left to decide."),
    approvals: z.int().describe("Approvals needed."),
    votes: z.array(z.string()),
    claim,
    held: z.boolean(),
    flagged: z.boolean(),
    actions: z
      .array(
        z.object({
          actionId: z.string(),
          tool: z.string(),
          args: z.unknown(),
          argsSha256: z.string(),
          proposedArgs: z.unknown().optional(),
          patch: patch.optional().describe("From the proposed arguments to these."),
        }),
      )
      .describe("The steps on the table, in their order."),
    dropped: z.array(z.object({ actionId: z.string(), tool: z.string(), args: z.unknown() })).describe("Proposed steps that a reviewer took out."),
    edits: z
      .array(
        z.object({
          eventId: z.string(),
          by: z.string(),
          dropped: z.array(z.string()),
          order: z.array(z.string()).describe("The steps after the edit."),
          actions: z.array(z.object({ actionId: z.string(), before: z.unknown(), after: z.unknown(), patch })),
          verdict: z.string().nullable().describe("The verdict on the edit; null while policy has not judged it."),
          fellBack: z.boolean().nullable().describe("Whether policy forbade it."),
        }),
      )
      .describe("The edits that took effect, the first one first."),
    editablePaths: z.array(z.object({ actionId: z.string(), path: z.string() })),
    rubric: z
      .array(z.object({ id: z.string(), label: z.string().nullable() }))
      .describe("Criteria that a decision may score from 1 to 5 (`scores`), as the policies in force name them for its actions."),
    card: card.nullable(),
    cardSha256: z.string().nullable(),
    because: z.array(z.string()),
    matched: z.array(
      z.object({
        rule: z.string(),
        actionId: z.string().nullable(),
        path: z.string().nullable(),
        operator: z.string().nullable(),
        threshold: z.string().nullable(),
        operand: z.string().nullable(),
        effect: z.string(),
      }),
    ),
    verdict: z.object({ eventId: z.string(), error: z.object({ code: z.string(), message: z.string() }).nullable() }).nullable(),
    standing: z.string().nullable().describe("The standing approval that let it run."),
    fellBack: z.object({ reason: z.string() }).nullable().describe("Why policy forbade the last edit; the terms before it stand."),
    decision: z.object({ kind: z.string(), eventId: z.string(), by: z.string() }).nullable().describe("What closed the verdict."),
    review,
    execution,
    awaitsStart,
    grant: grant.nullable().describe("The last grant, also when it is closed; `outcome` tells what may still run."),
    receipts: z.array(receipt),
    batches: z
      .array(
        z.object({
          batchId: z.string(),
          sealedBy: z.string(),
          sealedAt: z.int(),
          size: z.int(),
          state: z.enum(["in", "out"]),
          why: z
            .enum([...OUT, "missed"])
            .nullable()
            .describe("Why it is out. missed: the batch names it, but it never became a member."),
        }),
      )
      .describe("The batches that it is or was in, or was left out of."),
    batchDue: z.int().nullable().describe("Where it waits for its place in a batch: when that is sealed at the latest."),
    incidents: z.array(z.object({ eventId: z.string(), severity: z.string() })).describe("Incidents that were reported after it was finished."),
    receiptTarget: ref.nullable(),
    timeline: z.array(timelineEntry),
    findings: z.array(
      z.object({
        code: z.string(),
        topic: z.string(),
        eventId: z.string(),
        offset: z.int().nullable(),
        detail: z.string().optional().describe("What exactly, where the code does not say it: which budget, how much, above which limit."),
      }),
    ),
    badRecords: z.array(badRecord),
    parked: z.array(parked),
  })
  .meta({ id: "ItemView" });

/** A proposal, read back. */
export const proposalAnswer = z
  .object({ itemId: z.string(), eventId: z.string(), position: position.nullable().describe("null on a duplicate."), duplicate: z.boolean(), item: itemView })
  .meta({ id: "ProposalAnswer" });

/** A decision, read back. */
export const decisionAnswer = z
  .object({
    itemId: z.string(),
    eventId: z.string(),
    status,
    reason: z.string().nullable(),
    position,
    rejudged: z
      .object({ state: z.enum(["waiting", "settled", "pending", "fell_back"]), verdict: z.string().nullable(), because: z.array(z.string()) })
      .nullable()
      .describe("On edit: what policy said of the new arguments. waiting: it has not, yet."),
    branch: z
      .object({
        withdrawn: z.array(z.string()),
        revoked: z.array(z.string()).describe("Granted, and taken back before they started."),
        withheld: z.array(z.string()).describe("Approved, and not granted any more."),
        running: z.array(z.string()).describe("Had started already: a rejection does not stop them."),
        open: z.array(z.string()).describe("Not ended yet; nothing of them can begin any more."),
      })
      .nullable()
      .describe("On reject with scope branch: the other items of the run. null otherwise, and when a request is sent again."),
    item: itemView,
  })
  .meta({ id: "DecisionAnswer" });

/** A receipt, read back. */
export const receiptAnswer = z
  .object({
    itemId: z.string(),
    eventId: z.string(),
    status,
    reason: z.string().nullable(),
    position,
    lease: lease.nullable(),
    findings: z.array(z.string()),
    item: z.object({ itemId: z.string(), workspace: z.string(), stage, outcome: finalOutcome, flagged: z.boolean() }),
  })
  .meta({ id: "ReceiptAnswer" });

/** What may run now, or why nothing does. */
export const outcomeAnswer = z
  .object({
    itemId: z.string(),
    status: z.enum([
      "pending",
      "proceed",
      "proceed_edited",
      "refused",
      "responded",
      "acknowledged",
      "expired",
      "forbidden",
      "withdrawn",
      "withheld",
      "roll_back",
      "unrecognized",
    ]),
    grant: grant.nullable().describe("Only while something may still run under it."),
    message: z.string().nullable(),
    error: z
      .object({ code: z.string(), message: z.string(), fix: z.string() })
      .nullable()
      .describe("What was wrong with the proposal, where policy forbade it for that: `schema_invalid` names every field and the rule that it breaks."),
    run: run.nullable(),
    stage,
    finalOutcome,
    flagged: z.boolean().describe("A record of the item cannot be read: nothing is granted until a person has cleared it."),
  })
  .meta({ id: "OutcomeAnswer" });

/** An item as lists show it. */
export const listedItem = z
  .object({
    itemId: z.string(),
    stage,
    outcome: finalOutcome,
    owner: z.string().nullable(),
    deadline: z.int().nullable(),
    proposedAt: z.int(),
    flagged: z.boolean(),
    summary: z.object({
      workspace: z.string().optional(),
      ask: z.string().optional(),
      agent: z.string().optional(),
      tools: z.array(z.string()).readonly().optional(),
      threadId: z.string().optional(),
      traceUrl: z.string().optional(),
      headline: z.string().optional(),
      why: z.string().optional(),
      risk: z.string().optional(),
      route: z.string().optional(),
      policy: z.string().optional(),
    }),
    allowedDecisions: z.array(z.string()),
    approvals: z.int(),
    votes: z.array(z.string()),
    claim,
    held: z.boolean(),
    review,
    execution,
    awaitsStart,
  })
  .meta({ id: "ListedItem" });

/** A page of a list. */
export const listAnswer = z.object({ items: z.array(listedItem), next: z.string().nullable() }).meta({ id: "ListAnswer" });

/** An error (RFC 9457). */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe("Stable: clients switch on it."),
    retryable: z.boolean(),
    field: z.string().optional(),
    value: z.unknown().optional(),
    fix: z.string().optional(),
    instance: z.string().optional(),
  })
  .meta({ id: "Problem" });

/** Whether the service does its work. */
export const healthAnswer = z
  .object({ status: z.enum(["ok", "stopped", "log_unreachable"]), log: z.string(), folded: z.int(), behind: z.int().nullable() })
  .meta({ id: "Health" });

export type ItemView = z.infer<typeof itemView>;
export type ProposalAnswer = z.infer<typeof proposalAnswer>;
export type DecisionAnswer = z.infer<typeof decisionAnswer>;
export type ReceiptAnswer = z.infer<typeof receiptAnswer>;
export type OutcomeAnswer = z.infer<typeof outcomeAnswer>;
export type Grant = z.infer<typeof grant>;
export type GrantedAction = z.infer<typeof grantedAction>;
export type ListedItem = z.infer<typeof listedItem>;
export type ListAnswer = z.infer<typeof listAnswer>;
export type Problem = z.infer<typeof problem>;
export type Health = z.infer<typeof healthAnswer>;
