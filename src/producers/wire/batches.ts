import { z } from "zod";
import { OUT } from "../../ledger/batch.ts";
import { OUTCOMES, STAGES } from "../../ledger/stages.ts";
import { eventId, itemId, jsonObject, moment, name, sha256Hex, text } from "./common.ts";

/** Why an item that a batch names is out of it. */
const why = z.enum([...OUT, "missed"]).describe("missed: it never became a member; it was decided, or sealed in another batch, before.");
const sealedBy = z.string().describe("size, window, deadline or run_end");
const count = (what: string) => z.int().describe(what);

const head = {
  batchId: z.string(),
  workspace: z.string(),
  key: z.string().describe("What its members share: owner, action and rule set, or the run that did them."),
  owner: z.string(),
  sealedBy,
  sealedAt: z.int().describe("Milliseconds since the epoch, UTC."),
  size: count("Members, in and out."),
  open: count("Members that are in: the batch can decide them."),
  deadline: z.int().nullable().describe("When the time of the first of them is over."),
};

/** A batch as lists show it. */
const listedBatch = z.object({ ...head, headline: z.string().nullable().describe("The sentence of the first member that is in.") }).meta({ id: "ListedBatch" });

/** A member with what a reviewer compares. */
const batchMember = z
  .object({
    itemId: z.string(),
    state: z.enum(["in", "out"]),
    why: why.nullable(),
    decision: z
      .object({ kind: z.string(), eventId: z.string(), by: z.string(), together: z.boolean() })
      .nullable()
      .describe("What took it out. together: it was decided in this batch."),
    verdict: z.string().nullable(),
    stage: z.enum(STAGES),
    outcome: z.enum(OUTCOMES).nullable(),
    headline: z.string().nullable(),
    agent: z.string().nullable(),
    threadId: z.string().nullable(),
    tools: z.array(z.string()),
    fields: z.array(z.object({ label: z.string(), value: z.string(), unusual: z.boolean() })).describe("The key fields of its card."),
    amount: z.number().nullable(),
    confidence: z.number().nullable(),
    unlike: z.array(z.string()).describe("How it differs from the others, in sentences; such members come first."),
    deadline: z.int().nullable(),
    claim: z.object({ person: z.string(), endsAt: z.int() }).nullable(),
    allowedDecisions: z.array(z.string()),
    approvals: z.int(),
    votes: z.array(z.string()),
  })
  .meta({ id: "BatchMember" });

/** A batch with all members. */
export const batchView = z
  .object({
    ...head,
    members: z.array(batchMember),
    membersSha256: z.string().describe("What a decision says that it has seen: the members with their verdicts and cards."),
    toOpen: z
      .string()
      .nullable()
      .describe(
        "The member that this reviewer must open before deciding (GET /v1/items/{itemId}): drawn from the batch, the reviewer and the members that are in. The same until it is out of the batch; then another one.",
      ),
  })
  .meta({ id: "Batch" });

/** Which batches to list. */
export const batchesRequest = z.strictObject({
  owner: name().optional(),
  mine: z.enum(["true", "false"]).optional().describe("true: only what the roles of this key own."),
  all: z.enum(["true", "false"]).optional().describe("true: those as well of which nothing waits any more."),
  idPrefix: z
    .string()
    .regex(/^b[0-9a-f]{0,24}$/, "must be the beginning of a batch id")
    .optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|100)$/, "must be a number from 1 to 100")
    .optional(),
  after: z.string().max(200).optional().describe("`next` of the page before."),
});

export const batchesAnswer = z.object({ batches: z.array(listedBatch), next: z.string().nullable() }).meta({ id: "BatchesAnswer" });

const reasons = { message: text(16_000).optional(), reasonCodes: z.array(name(100)).max(20).optional() };
const scores = z
  .array(z.strictObject({ criterion: name(100), score: z.int().min(1).max(5) }))
  .max(10)
  .optional();

/** Decisions on the members of a batch. */
export const batchDecisionRequest = z
  .strictObject({
    seen: z.strictObject({ membersSha256: sha256Hex }).describe("`membersSha256` of the batch as it was seen."),
    opened: z
      .strictObject({ itemId, cardSha256: sha256Hex.nullable(), openedAt: moment.optional(), activeMs: z.int().min(0).optional() })
      .optional()
      .describe(
        "The member `toOpen`, with the hash of the card that it shows: only who opens it knows it. When a request is sent again, the one of the first time.",
      ),
    all: z
      .strictObject({ kind: z.enum(["approve", "reject"]), ...reasons })
      .optional()
      .describe("For every member that is in and not named in `members`."),
    members: z
      .array(
        z.strictObject({
          itemId,
          kind: z.enum(["approve", "edit", "reject", "skip"]).describe("skip: it is left as it is."),
          edits: z
            .array(z.strictObject({ actionId: name(100), args: jsonObject }))
            .max(50)
            .optional(),
          ...reasons,
          scores,
          eventId: eventId.optional().describe("Own UUID of the decision: sent again with it, it is not made twice."),
          openedAt: moment.optional(),
          activeMs: z.int().min(0).optional(),
        }),
      )
      .max(20)
      .default([])
      .describe("Members that are decided otherwise."),
    review: z
      .strictObject({ openedAt: moment.optional(), activeMs: z.int().min(0).optional(), channel: z.enum(["console", "cli", "api", "chat"]).default("api") })
      .optional()
      .describe("Attention to the batch as a whole: each member that has no time of its own is given its share of it."),
  })
  .meta({ id: "BatchDecisionRequest" });

const memberResult = z
  .object({
    itemId: z.string(),
    kind: z.string(),
    status: z.enum(["effective", "refused", "skipped", "out"]),
    eventId: z.string().nullable(),
    code: z.string().nullable().describe("Of a refusal: as in a problem."),
    detail: z.string().nullable(),
    field: z.string().nullable(),
    fix: z.string().nullable(),
    rejudged: z.string().nullable().describe("On edit: waiting, settled, pending or fell_back."),
    stage: z.enum(STAGES),
    outcome: z.enum(OUTCOMES).nullable(),
  })
  .meta({ id: "MemberResult" });

/** What became of the decisions: each member has its own result. */
export const batchDecisionAnswer = z
  .object({ batchId: z.string(), effective: z.int(), refused: z.int(), results: z.array(memberResult), batch: batchView })
  .meta({ id: "BatchDecisionAnswer" });

export type BatchAnswer = z.infer<typeof batchView>;
export type BatchMemberView = z.infer<typeof batchMember>;
export type ListedBatch = z.infer<typeof listedBatch>;
export type BatchesAnswer = z.infer<typeof batchesAnswer>;
export type BatchDecisionRequest = z.input<typeof batchDecisionRequest>;
export type BatchDecisionAnswer = z.infer<typeof batchDecisionAnswer>;
export type MemberResult = z.infer<typeof memberResult>;
