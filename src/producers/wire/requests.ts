import { z } from "zod";
import { eventError, eventId, externalRef, itemId, jsonObject, jsonValue, moment, name, sha256Hex, stateInput, text, uri, url } from "./common.ts";
import { standingRequest } from "./standing.ts";

const action = z
  .strictObject({
    actionId: name(100).optional().describe("Unique within the proposal. Default: a1, a2, …"),
    tool: name(),
    args: jsonObject.describe("The exact arguments. They are hashed as canonical JSON (RFC 8785)."),
    argsSchema: jsonObject.optional().describe("JSON Schema of the arguments that the agent worked with; they must pass it, and so must an edit."),
    targetState: stateInput.optional().describe("State of the target as the agent read it."),
    confidence: z.number().min(0).max(1).optional(),
    confidenceSource: z.enum(["logprobs", "self_rating", "other"]).optional(),
  })
  .meta({ id: "Action" });

/** What an agent asks for. */
export const proposalRequest = z
  .strictObject({
    idempotencyKey: name().describe("The agent's own key: the same key is the same item."),
    ask: z.enum(["review", "question", "notify"]).default("review"),
    tool: name().optional().describe("Short for one action."),
    args: jsonObject.optional(),
    argsSchema: jsonObject.optional(),
    actions: z.array(action).max(50).optional(),
    question: text(8000).optional().describe("The question or the notice in words."),
    agent: z
      .strictObject({ version: name().optional(), model: name().optional(), owner: name().optional() })
      .optional()
      .describe("More about the agent. Its id and its owner are those of the key: an owner that the key does not name is refused."),
    onBehalfOf: z.strictObject({ id: name(), scopes: z.array(name()).max(50).default([]) }).optional(),
    origin: externalRef.optional().describe("The business record that the work came from."),
    run: z
      .strictObject({
        framework: name().default("other"),
        frameworkVersion: name().nullish(),
        threadId: name(500),
        checkpointId: name(500).nullish(),
        checkpointNs: text(500).nullish(),
        pauseRef: name(500).nullish(),
        resumeUrl: url.nullish(),
        step: z.int().min(1).max(2147483647).nullish(),
        costUsd: z
          .string()
          .regex(/^\d{1,15}(\.\d{1,12})?$/, "must be a decimal number as a string")
          .nullish(),
        ended: z.boolean().default(false),
      })
      .optional()
      .describe("Where the paused run can go on."),
    intent: text(8000).optional(),
    reasoning: text(32_000).optional(),
    evidence: z
      .array(z.strictObject({ label: name(), value: text(8000).nullish(), url: url.nullish() }))
      .max(100)
      .default([]),
    requestedTimeoutMs: z.int().min(1).optional().describe("A shorter time to decide, in milliseconds. It never lengthens."),
    traceUrl: url.optional(),
    transcript: z
      .strictObject({ messages: jsonValue.optional(), tools: jsonValue.optional(), uri: uri.optional(), sha256: sha256Hex.optional() })
      .optional()
      .describe("What the model saw. `sha256` only where the messages lie at `uri`."),
    retryOf: itemId.optional(),
    replaces: z.boolean().default(false),
    traceparent: z
      .string()
      .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, "must be a W3C traceparent")
      .optional(),
  })
  .meta({ id: "ProposalRequest" });

/** What people and agents can decide through the API. The clock has its own way. */
export const DECISION_KINDS = ["claim", "release", "approve", "edit", "reject", "respond", "acknowledge", "withdraw", "settle", "report", "clear"] as const;

/** A decision. */
export const decisionRequest = z
  .strictObject({
    kind: z.enum(DECISION_KINDS),
    eventId: eventId.optional().describe("Own UUID of the decision: sent again with it, a decision whose answer was lost is not made twice."),
    verdict: eventId.optional().describe("The verdict that was seen. Required on approve, edit, reject, respond and acknowledge."),
    seen: z
      .strictObject({ cardSha256: sha256Hex.nullable() })
      .optional()
      .describe("Hash of the card that was seen, null where there is none. Required like `verdict`."),
    edits: z
      .array(z.strictObject({ actionId: name(100), args: jsonObject }))
      .max(50)
      .default([])
      .describe("All arguments of an action as they shall be."),
    dropped: z.array(name(100)).max(50).default([]),
    order: z.array(name(100)).max(50).default([]),
    scope: z
      .enum(["action", "branch"])
      .default("action")
      .describe("On reject. branch: the run's other pending items are withdrawn as well, and its grants that nobody has started are taken back."),
    steps: z.array(name(100)).max(50).default([]).describe("On reject: the steps of the plan that are the reason. Nothing of the plan runs."),
    message: text(16_000).optional(),
    reasonCodes: z.array(name(100)).max(20).default([]),
    scores: z
      .array(z.strictObject({ criterion: name(100), score: z.int().min(1).max(5) }))
      .max(10)
      .default([])
      .describe("Scores by the rubric of the action's policy, 1 (poor) to 5 (excellent). They never change what the decision does."),
    batchId: name(100)
      .optional()
      .describe(
        "The batch in which it was shown and is decided: it must hold the item with the verdict that was seen. On approve, edit, reject, respond and acknowledge.",
      ),
    review: z
      .strictObject({ openedAt: moment.nullish(), activeMs: z.int().min(0).nullish(), channel: z.enum(["console", "cli", "api", "chat"]).default("api") })
      .optional(),
    lease: z
      .strictObject({ minutes: z.number().positive().max(1440).optional(), takeOver: z.boolean().default(false) })
      .optional()
      .describe(
        "On claim: for how long. takeOver (also on approve, edit, reject, respond, acknowledge): take the claim of somebody else first, which takes the role takeover.",
      ),
    receipt: eventId.optional().describe("On settle the unknown receipt (default: the one in doubt), on report the final receipt (default: the last one)."),
    standing: standingRequest.optional().describe("On approve: this and alike may run, within bounds. Never for what is irreversible or critical."),
    settlement: z.strictObject({ outcome: z.enum(["succeeded", "failed", "retry"]), externalRef: externalRef.optional() }).optional(),
    incident: z.strictObject({ severity: z.enum(["low", "medium", "high", "critical"]), url: url.optional() }).optional(),
    cleared: sha256Hex.optional().describe("On clear: SHA-256 of the bad record's bytes."),
  })
  .meta({ id: "DecisionRequest" });

/** What executors write. */
export const RECEIPT_KINDS = ["started", "renewed", "succeeded", "failed", "compensated"] as const;

/** A receipt of an executor. */
export const receiptRequest = z
  .strictObject({
    kind: z.enum(RECEIPT_KINDS),
    eventId: eventId.optional().describe("Own UUID of the receipt: sent again with it, a receipt whose answer was lost is not written twice."),
    grant: eventId.describe("Id of the grant."),
    actionId: name(100).optional().describe("Default: the only action of the grant."),
    argsSha256: sha256Hex.optional().describe("Hash of the arguments that are really used. Required on started, succeeded and failed."),
    result: jsonValue.optional(),
    resultSha256: sha256Hex.optional().describe("Instead of a result that is too large to keep."),
    externalRef: externalRef.optional(),
    error: eventError.optional(),
    stateAfter: stateInput.optional(),
    resumed: z.strictObject({ threadId: name(500), checkpointId: name(500).nullish() }).optional(),
    startedAt: moment.optional(),
    finishedAt: moment.optional(),
  })
  .meta({ id: "ReceiptRequest" });

/** How to list items. Values of a query are texts. */
export const listRequest = z.strictObject({
  queue: z.enum(["true", "false"]).optional().describe("true: what waits for a decision, by risk and deadline."),
  stage: z.enum(["proposed", "pending", "rejudging", "settled", "granted", "executing", "in_doubt", "done"]).optional(),
  outcome: z
    .enum(["succeeded", "failed", "compensated", "refused", "responded", "acknowledged", "expired", "forbidden", "withdrawn", "withheld", "lapsed", "revoked"])
    .optional(),
  owner: name().optional(),
  mine: z.enum(["true", "false"]).optional().describe("true: only what the roles of this key own."),
  idPrefix: z
    .string()
    .regex(/^[0-9a-f]{1,32}$/, "must be hex digits")
    .optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, "must be a number from 1 to 200")
    .optional(),
  after: z.string().max(400).optional().describe("`next` of the page before."),
});

export type ProposalRequest = z.input<typeof proposalRequest>;
export type DecisionRequest = z.input<typeof decisionRequest>;
export type ReceiptRequest = z.input<typeof receiptRequest>;
export type ListRequest = z.input<typeof listRequest>;
