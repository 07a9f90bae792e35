import { type Json, sha256 } from "../events/canonical.ts";
import type { Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import { editedActions } from "../ledger/edits.ts";
import { type ActionTerms, type DecisionNode, type Entry, type Item, keyOf, nodeOf, type VerdictNode } from "../ledger/item.ts";
import { changesOf, patchOf } from "./diff.ts";
import type { FoldedItem } from "./fold-items.ts";
import { type Judged, judgedOf } from "./judged.ts";
import { reader } from "./parsed.ts";
import {
  type Context,
  EXAMPLE_KINDS,
  type ExampleAction,
  type ExampleKind,
  type Operation,
  type OutcomeClass,
  type ReviewedExample,
  type Source,
} from "./reviewed-example.ts";

/** An example before it is compared with the others: what depends on other items is still missing. */
export interface Draft extends Omit<ReviewedExample, "split" | "quality" | "duplicateOf" | "labels"> {
  /** Somebody edited the item again: what this edit made of it never ran. */
  readonly overtaken: boolean;
  /** Id of the row of the edit that this approval agrees with: it says nothing that the edit does not say. */
  readonly repeats: string | null;
  /** What policy looked at beside the calls; null where the target does not ask. */
  readonly judged: Judged | null;
}

/** An operation before it has its split. */
export type OperationDraft = Omit<Operation, "split">;

/** What to make of an item. */
export interface BuildOptions {
  /** Whether the decision at this offset and time is in the range. */
  readonly wanted: (offset: number, occurredAt: number) => boolean;
  /** Whether transcripts come along. */
  readonly context: boolean;
  /** Whether what policy looked at comes along. */
  readonly judged: boolean;
  /** Whether a change of this field is cosmetic, by the action catalogue. */
  readonly isCosmetic: (tool: string, path: string) => boolean;
}

/** The effective events of an item on a topic, in log order. */
function effectiveOn<T extends Topic>({ effective }: FoldedItem, topic: T): (Entry & { event: EventOf[T] })[] {
  return effective.filter((entry) => entry.topic === topic).sort((a, b) => a.offset - b.offset) as (Entry & { event: EventOf[T] })[];
}

/**
 * The examples in an item: one for each effective decision of a person on a verdict that is wanted. An incident that was reported in the
 * range brings the examples of its item back, because what they are worth has changed.
 */
export function examplesOf(folded: FoldedItem, options: BuildOptions): Draft[] {
  const decisions = effectiveOn(folded, "decisions");
  const isWanted = ({ offset, event }: (typeof decisions)[number]) => options.wanted(offset, event.occurredAt);
  const reported = decisions.some((d) => d.event.kind === "report" && isWanted(d));
  return decisions
    .filter((d) => (EXAMPLE_KINDS as readonly string[]).includes(d.event.kind) && d.event.answers?.topic === "verdicts" && (reported || isWanted(d)))
    .map((d) => exampleOf(folded, d.event, decisions, options));
}

/** Escalations and expiries of an item. */
export function operationsOf(folded: FoldedItem, wanted: BuildOptions["wanted"]): OperationDraft[] {
  return effectiveOn(folded, "decisions")
    .filter(
      ({ offset, event }) => (event.kind === "expire" || event.kind === "escalate") && event.answers?.topic === "verdicts" && wanted(offset, event.occurredAt),
    )
    .map(({ offset, event }) => operationOf(folded, event, offset));
}

function exampleOf(folded: FoldedItem, decision: EventOf["decisions"], decisions: readonly { event: EventOf["decisions"] }[], options: BuildOptions): Draft {
  const { item } = folded;
  const proposal = eventIn(folded, "proposals", item.proposal) as EventOf["proposals"];
  const answered = nodeOf(item, "verdicts", (decision.answers as { eventId: string }).eventId) as VerdictNode;
  const standing = standingVerdict(item, answered);
  const verdict = eventIn(folded, "verdicts", standing.id) as EventOf["verdicts"];
  const asked = eventIn(folded, "verdicts", answered.id) as EventOf["verdicts"];
  const editNode = decision.kind === "edit" ? nodeOf(item, "decisions", decision.eventId) : undefined;
  const rejudged = eventIn(folded, "verdicts", editNode?.verdict ?? null);
  const confidence = new Map(proposal.actions.map((a) => [a.actionId, a.confidence]));
  const read = reader();
  const withConfidence = (terms: Parameters<typeof actionOf>[0]) => actionOf(terms, confidence.get(terms.actionId) ?? null, read);
  const presented = answered.actions.map(withConfidence);
  const finalTerms = decision.kind === "approve" ? answered.actions : decision.kind === "edit" ? editedActions(answered.actions, decision) : null;
  const final = finalTerms === null ? null : finalTerms.map(withConfidence);
  const edited = decision.kind === "edit" && final !== null ? differences(presented, final, options) : { patch: [], changes: [] };
  const { run } = proposal;
  // Here and below keys stand in their canonical order: the rows are written so, and need no sorting.
  return {
    agent: { id: proposal.agent.id, model: proposal.agent.model, version: proposal.agent.version },
    ask: proposal.ask,
    changes: edited.changes,
    context: contextOf(proposal.transcript, options.context),
    decision: {
      decidedAt: decision.occurredAt,
      kind: decision.kind as ExampleKind,
      message: decision.message,
      reasonCodes: decision.reasonCodes,
      reviewer: { id: decision.actor.id, roles: decision.actor.roles },
      scope: decision.scope,
    },
    dropped: decision.dropped,
    evidence: proposal.evidence.map(({ label, value }) => ({ label, value })),
    final,
    id: idOf(item.id, decision.eventId),
    intent: proposal.intent,
    itemId: item.id,
    judged: options.judged ? judgedOf(proposal, verdict) : null,
    order: decision.order,
    outcome: outcomeOf(folded, decisions),
    overtaken: isOvertaken(item, editNode, decisions),
    patch: edited.patch,
    policy: verdict.policy && { id: verdict.policy.id, sha256: verdict.policy.sha256, version: verdict.policy.version },
    presented,
    proposed: proposal.actions.map(withConfidence),
    question: proposal.question,
    reasoning: proposal.reasoning,
    repeats: decision.kind === "approve" ? editBefore(item, answered) : null,
    rejudged: rejudged ? { because: rejudged.because, risk: rejudged.risk, route: rejudged.route } : null,
    retryOf: proposal.retryOf,
    review: {
      activeMs: decision.review?.activeMs ?? null,
      batch: batchOf(folded, answered, decision.batchId),
      channel: decision.review?.channel ?? null,
      others: decisions
        .filter(({ event }) => event !== decision && event.actor.kind === "person" && (EXAMPLE_KINDS as readonly string[]).includes(event.kind))
        .map(({ event }) => ({ kind: event.kind, reviewer: event.actor.id })),
      scores: decision.scores.map(({ criterion, score }) => ({ criterion, score })),
      waitedMs: Math.max(0, decision.occurredAt - asked.occurredAt),
    },
    run: run && { checkpointId: run.checkpointId, framework: run.framework, step: run.step, threadId: run.threadId },
    sources: sourcesOf(folded, [proposal.eventId, standing.id, answered.id, decision.eventId, rejudged?.eventId, answered.batch ?? undefined]),
    verdict: {
      because: verdict.because,
      fallback: answered.fallback,
      gate: verdict.gate,
      matched: verdict.matched.map((m) => m.rule),
      owner: verdict.owner,
      reversibility: verdict.reversibility,
      risk: verdict.risk,
      route: verdict.route,
      score: verdict.score,
    },
    workspace: proposal.workspace,
  };
}

/** The id of a row: of the item and its decision. */
function idOf(itemId: string, eventId: string): string {
  return sha256(`${itemId}\0${eventId}`).slice(0, 32);
}

/** Whether another edit took the place of this one, and stood. */
function isOvertaken(item: Item, edit: DecisionNode | undefined, decisions: readonly { event: EventOf["decisions"] }[]): boolean {
  const verdict = edit?.verdict ?? null;
  const isForbidden = (id: string) => nodeOf(item, "verdicts", nodeOf(item, "decisions", id)?.verdict ?? "")?.fallback === true;
  return verdict !== null && decisions.some(({ event }) => event.kind === "edit" && event.answers?.eventId === verdict && !isForbidden(event.eventId));
}

/** The row of the edit that policy judged with this verdict, where it let the edit stand. */
function editBefore(item: Item, { cause, fallback }: VerdictNode): string | null {
  const [topic, eventId] = cause.split("/") as [string, string];
  return topic === "decisions" && !fallback && nodeOf(item, "decisions", eventId)?.kind === "edit" ? idOf(item.id, eventId) : null;
}

function differences(
  presented: readonly ExampleAction[],
  final: readonly ExampleAction[],
  { isCosmetic }: BuildOptions,
): Pick<ReviewedExample, "patch" | "changes"> {
  const pairs = final.flatMap((after) => {
    const before = presented.find((a) => a.actionId === after.actionId);
    if (before === undefined || before.argsSha256 === after.argsSha256) return [];
    return [{ before, after, operations: patchOf(before.args, after.args) }];
  });
  return {
    patch: pairs.map(({ after, operations }) => ({ actionId: after.actionId, operations })),
    changes: pairs.flatMap(({ before, after, operations }) => changesOf(after.actionId, before.args, operations, (path) => isCosmetic(after.tool, path))),
  };
}

/** The verdict whose terms hold: a forbidden edit brings back those of the verdict before it. */
function standingVerdict(item: Item, verdict: VerdictNode): VerdictNode {
  let standing = verdict;
  while (standing.fallback) {
    const edit = item.nodes.get(standing.cause) as DecisionNode;
    standing = item.nodes.get(edit.cause) as VerdictNode;
  }
  return standing;
}

function actionOf(
  { actionId, tool, args, argsSha256, argsSchema }: Pick<ActionTerms, "actionId" | "tool" | "args" | "argsSha256" | "argsSchema">,
  confidence: number | null,
  read: (text: string) => Json,
): ExampleAction {
  return { actionId, args: read(args), argsSha256, confidence, schemaSha256: argsSchema === null ? null : sha256(argsSchema), tool };
}

function contextOf(transcript: EventOf["proposals"]["transcript"], wanted: boolean): Context {
  if (transcript === null) return { messages: null, sha256: null, status: "no_transcript", tools: null, uri: null };
  const known = { messages: null, sha256: transcript.sha256, status: "left_out" as const, tools: null, uri: transcript.uri };
  if (!wanted) return known;
  try {
    // JSON.parse: the text was hashed as it is, and nothing is computed from its numbers.
    const messages = transcript.messages === null ? null : (JSON.parse(transcript.messages) as Json);
    const tools = transcript.tools === null ? null : (JSON.parse(transcript.tools) as Json);
    const status = messages === null ? (transcript.uri === null ? "no_transcript" : "elsewhere") : tools === null ? "no_tools" : "complete";
    return { ...known, status, messages, tools };
  } catch {
    return { ...known, status: "unreadable" };
  }
}

function eventIn<T extends Topic>({ memory }: FoldedItem, topic: T, eventId: string | null): EventOf[T] | undefined {
  return eventId === null ? undefined : (memory.statuses.get(keyOf(topic, eventId))?.entry.event as EventOf[T] | undefined);
}

function batchOf(folded: FoldedItem, verdict: VerdictNode, decidedIn: string | null): ReviewedExample["review"]["batch"] {
  const batch = eventIn(folded, "batches", verdict.batch);
  // Who decided an item by itself looked at it, also where it lay in a batch by then.
  if (batch === undefined || decidedIn !== batch.batchId) return null;
  return { id: batch.batchId, size: batch.members.length, position: batch.members.indexOf(folded.item.id) + 1 };
}

const FINAL = new Set(["succeeded", "failed", "unknown", "lapsed", "revoked", "compensated"]);

function outcomeOf(folded: FoldedItem, decisions: readonly { event: EventOf["decisions"] }[]): ReviewedExample["outcome"] {
  const { stage, outcome } = folded.life;
  const receipts = effectiveOn(folded, "receipts")
    .map(({ event }) => event)
    .filter((r) => FINAL.has(r.kind))
    .map((r) => ({ actionId: r.actionId, error: r.error && `${r.error.code}: ${r.error.message}`, externalRef: r.externalRef, kind: r.kind }));
  const incidents = decisions
    .filter(({ event }) => event.kind === "report" && event.incident !== null)
    .map(({ event }) => ({ message: event.message, severity: event.incident?.severity as string, url: event.incident?.url ?? null }));
  return { class: incidents.length > 0 ? "incident" : classOf(stage, outcome), incidents, outcome, receipts, stage };
}

function classOf(stage: string, outcome: string | null): OutcomeClass {
  if (stage === "in_doubt") return "unknown";
  if (stage !== "done") return "open";
  if (outcome === "succeeded") return "executed";
  if (outcome === "failed") return "failed";
  return outcome === "compensated" ? "rolled_back" : "not_executed";
}

/** The events an example was made of: those named, and all effective resumes and receipts of the item, and its incidents. In the order of causes. */
function sourcesOf({ effective, partition }: FoldedItem, ids: readonly (string | undefined)[]): Source[] {
  const order: readonly Topic[] = ["proposals", "verdicts", "batches", "decisions", "resumes", "receipts"];
  const belongs = ({ topic, event }: Entry) =>
    ids.includes(event.eventId) || topic === "resumes" || topic === "receipts" || (topic === "decisions" && (event as EventOf["decisions"]).kind === "report");
  return effective
    .filter(belongs)
    .map(({ event, offset, topic }) => ({ eventId: event.eventId, offset, partition, topic }))
    .sort((a, b) => order.indexOf(a.topic) - order.indexOf(b.topic) || a.offset - b.offset);
}

function operationOf(folded: FoldedItem, decision: EventOf["decisions"], offset: number): OperationDraft {
  const { item, partition } = folded;
  const proposal = eventIn(folded, "proposals", item.proposal) as EventOf["proposals"];
  const answered = nodeOf(item, "verdicts", (decision.answers as { eventId: string }).eventId) as VerdictNode;
  const verdict = eventIn(folded, "verdicts", standingVerdict(item, answered).id) as EventOf["verdicts"];
  const asked = eventIn(folded, "verdicts", answered.id) as EventOf["verdicts"];
  return {
    id: idOf(item.id, decision.eventId),
    itemId: item.id,
    workspace: proposal.workspace,
    kind: decision.kind as "expire" | "escalate",
    occurredAt: decision.occurredAt,
    agentId: proposal.agent.id,
    tools: proposal.actions.map((a) => a.tool),
    policy: verdict.policy,
    risk: verdict.risk,
    route: verdict.route,
    onExpiry: verdict.onExpiry,
    from: decision.escalation?.from ?? answered.group.owner ?? verdict.owner,
    to: decision.escalation?.to ?? null,
    step: decision.escalation?.step ?? null,
    waitedMs: Math.max(0, decision.occurredAt - asked.occurredAt),
    source: { topic: "decisions", partition, offset, eventId: decision.eventId },
  };
}
