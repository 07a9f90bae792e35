import { canonicalize } from "../../events/canonical.ts";
import type { ReviewedExample } from "../reviewed-example.ts";
import type { Column, Target } from "./target.ts";

/** Name of the file with the neutral rows. */
export const EXAMPLES_FILE = "reviewed-examples.jsonl";

/** The neutral rows, one canonical JSON object a line. */
export const jsonl: Target = {
  name: "jsonl",
  summary: "the neutral rows, one for each decision of a person, as JSON Lines",
  files: EXAMPLES_FILE,
  takes: "examples",
  needsContext: false,
  *rows({ example }) {
    yield { file: EXAMPLES_FILE, row: example };
  },
};

/** Columns of the neutral rows in Parquet: what is counted and grouped by stands flat, what has a shape of its own is JSON. */
export const EXAMPLE_COLUMNS: readonly (Column & { readonly of: (example: ReviewedExample) => unknown })[] = [
  { name: "id", type: "STRING", of: (e) => e.id },
  { name: "item_id", type: "STRING", of: (e) => e.itemId },
  { name: "workspace", type: "STRING", of: (e) => e.workspace },
  { name: "split", type: "STRING", of: (e) => e.split },
  { name: "tier", type: "STRING", of: (e) => e.quality.tier },
  { name: "tier_why", type: "STRING", of: (e) => e.quality.why.join(", ") },
  { name: "labels", type: "STRING", of: (e) => e.labels.join(", ") },
  { name: "duplicate_of", type: "STRING", of: (e) => e.duplicateOf },
  { name: "decision", type: "STRING", of: (e) => e.decision.kind },
  { name: "decided_at", type: "TIMESTAMP", of: (e) => new Date(e.decision.decidedAt) },
  { name: "reviewer", type: "STRING", of: (e) => e.decision.reviewer.id },
  { name: "reviewer_roles", type: "STRING", of: (e) => e.decision.reviewer.roles.join(", ") },
  { name: "reason_codes", type: "STRING", of: (e) => e.decision.reasonCodes.join(", ") },
  { name: "message", type: "STRING", of: (e) => e.decision.message },
  { name: "active_ms", type: "DOUBLE", of: (e) => e.review.activeMs },
  { name: "waited_ms", type: "DOUBLE", of: (e) => e.review.waitedMs },
  { name: "batch_id", type: "STRING", of: (e) => e.review.batch?.id ?? null },
  { name: "batch_size", type: "INT32", of: (e) => e.review.batch?.size ?? null },
  { name: "batch_position", type: "INT32", of: (e) => e.review.batch?.position ?? null },
  { name: "scores", type: "STRING", of: (e) => json(e.review.scores) },
  { name: "agent", type: "STRING", of: (e) => e.agent.id },
  { name: "agent_version", type: "STRING", of: (e) => e.agent.version },
  { name: "model", type: "STRING", of: (e) => e.agent.model },
  { name: "framework", type: "STRING", of: (e) => e.run?.framework ?? null },
  { name: "thread", type: "STRING", of: (e) => e.run?.threadId ?? null },
  { name: "checkpoint", type: "STRING", of: (e) => e.run?.checkpointId ?? null },
  { name: "step", type: "INT32", of: (e) => e.run?.step ?? null },
  { name: "tool", type: "STRING", of: (e) => e.presented.map((a) => a.tool).join(", ") },
  { name: "proposed", type: "STRING", of: (e) => json(e.proposed) },
  { name: "presented", type: "STRING", of: (e) => json(e.presented) },
  { name: "final", type: "STRING", of: (e) => (e.final === null ? null : json(e.final)) },
  { name: "patch", type: "STRING", of: (e) => json(e.patch) },
  { name: "changes", type: "STRING", of: (e) => json(e.changes) },
  { name: "policy", type: "STRING", of: (e) => e.policy?.id ?? null },
  { name: "policy_version", type: "STRING", of: (e) => e.policy?.version ?? null },
  { name: "rules", type: "STRING", of: (e) => e.verdict.matched.join(", ") },
  { name: "route", type: "STRING", of: (e) => e.verdict.route },
  { name: "risk", type: "STRING", of: (e) => e.verdict.risk },
  { name: "risk_score", type: "DOUBLE", of: (e) => e.verdict.score },
  { name: "reversibility", type: "STRING", of: (e) => e.verdict.reversibility },
  { name: "outcome", type: "STRING", of: (e) => e.outcome.class },
  { name: "context_status", type: "STRING", of: (e) => e.context.status },
  { name: "messages", type: "STRING", of: (e) => (e.context.messages === null ? null : json(e.context.messages)) },
  { name: "tools", type: "STRING", of: (e) => (e.context.tools === null ? null : json(e.context.tools)) },
  { name: "context_sha256", type: "STRING", of: (e) => e.context.sha256 },
  { name: "context_uri", type: "STRING", of: (e) => e.context.uri },
  { name: "ask", type: "STRING", of: (e) => e.ask },
  { name: "question", type: "STRING", of: (e) => e.question },
  { name: "intent", type: "STRING", of: (e) => e.intent },
  { name: "reasoning", type: "STRING", of: (e) => e.reasoning },
  { name: "evidence", type: "STRING", of: (e) => json(e.evidence) },
  { name: "retry_of", type: "STRING", of: (e) => e.retryOf },
  { name: "scope", type: "STRING", of: (e) => e.decision.scope },
  { name: "dropped", type: "STRING", of: (e) => json(e.dropped) },
  { name: "order", type: "STRING", of: (e) => json(e.order) },
  { name: "channel", type: "STRING", of: (e) => e.review.channel },
  { name: "other_decisions", type: "STRING", of: (e) => json(e.review.others) },
  { name: "policy_sha256", type: "STRING", of: (e) => e.policy?.sha256 ?? null },
  { name: "gate", type: "STRING", of: (e) => e.verdict.gate },
  { name: "owner", type: "STRING", of: (e) => e.verdict.owner },
  { name: "fallback", type: "BOOLEAN", of: (e) => e.verdict.fallback },
  { name: "because", type: "STRING", of: (e) => json(e.verdict.because) },
  { name: "rejudged", type: "STRING", of: (e) => (e.rejudged === null ? null : json(e.rejudged)) },
  { name: "ended_as", type: "STRING", of: (e) => e.outcome.outcome },
  { name: "outcome_stage", type: "STRING", of: (e) => e.outcome.stage },
  { name: "receipts", type: "STRING", of: (e) => json(e.outcome.receipts) },
  { name: "incidents", type: "STRING", of: (e) => json(e.outcome.incidents) },
  { name: "sources", type: "STRING", of: (e) => json(e.sources) },
];

/** A neutral row for Parquet. */
export function flatRow(example: ReviewedExample): object {
  return Object.fromEntries(EXAMPLE_COLUMNS.map(({ name, of }) => [name, of(example)]));
}

function json(value: unknown): string {
  return canonicalize(value);
}

/** The neutral rows as one Parquet file. */
export const parquet: Target = {
  name: "parquet",
  summary: "the neutral rows as one Parquet file with flat columns; nested values as JSON texts",
  files: "reviewed-examples.parquet",
  takes: "examples",
  needsContext: false,
  columns: () => EXAMPLE_COLUMNS,
  *rows({ example }) {
    yield { file: "reviewed-examples.parquet", row: flatRow(example) };
  },
};

/** Timeouts, for those who own queues and routes. The rows come from the clock, not from examples. */
export const operations: Target = {
  name: "operations",
  summary: "what waited too long: escalations and expiries, for ownership and routing; never a quality label",
  files: "operations.jsonl",
  takes: "operations",
  needsContext: false,
  *rows() {},
};
