import { type Json, parseStrict } from "../events/canonical.ts";
import type { Topic } from "../events/topics.ts";
import type { EventOf, ExternalRef, RunRef } from "../events/types.generated.ts";
import { editedActions } from "../ledger/edits.ts";
import { type DecisionNode, type Entry, type Item, keyOf, nodeOf, type Status, type VerdictNode } from "../ledger/item.ts";
import { lifeOf, type Outcome, type Stage } from "../ledger/life.ts";
import { MapMemory } from "../ledger/memory.ts";

/** The decisions of people that make an example. */
export const EXAMPLE_KINDS = ["approve", "edit", "reject", "respond", "acknowledge"] as const;
export type ExampleKind = (typeof EXAMPLE_KINDS)[number];

/** An action with its arguments as a JSON value. */
export interface ExampleAction {
  readonly actionId: string;
  readonly tool: string;
  readonly args: Json;
  readonly argsSha256: string;
}

/** Where an event of the example lies in the log. */
export interface Source {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: string;
}

/** One effective decision of a person, with what it was about and what came of it. */
export interface ReviewedExample {
  readonly itemId: string;
  readonly workspace: string;
  readonly ask: string;
  readonly question: string | null;
  readonly agent: { readonly id: string; readonly version: string | null; readonly model: string | null };
  readonly run: Pick<RunRef, "framework" | "threadId" | "checkpointId" | "step"> | null;
  /** What the agent proposed. */
  readonly proposed: readonly ExampleAction[];
  /** What was on the table when it was decided: the same, or what an earlier edit had made of it. */
  readonly presented: readonly ExampleAction[];
  /** What was approved or edited to; null where nothing may run by this decision. */
  readonly final: readonly ExampleAction[] | null;
  readonly decision: {
    readonly kind: ExampleKind;
    readonly reasonCodes: readonly string[];
    readonly message: string | null;
    readonly scope: string;
    readonly reviewer: { readonly id: string; readonly roles: readonly string[] };
    readonly decidedAt: number;
    readonly activeMs: number | null;
    readonly channel: string | null;
    readonly batchId: string | null;
  };
  readonly policy: EventOf["verdicts"]["policy"];
  /** What policy had said of what was presented. `fallback`: an edit before this decision was forbidden, and these terms hold again. */
  readonly verdict: {
    readonly route: string;
    readonly risk: string;
    readonly score: number;
    readonly reversibility: string;
    readonly gate: string;
    readonly owner: string | null;
    readonly matched: readonly string[];
    readonly because: readonly string[];
    readonly fallback: boolean;
  };
  /** What policy said of the edit; null on other decisions and while it has not. */
  readonly rejudged: { readonly route: string; readonly risk: string; readonly because: readonly string[] } | null;
  /** What had become of the item by the end of the exported range. */
  readonly outcome: {
    readonly stage: Stage;
    readonly outcome: Outcome | null;
    readonly receipts: readonly {
      readonly kind: string;
      readonly actionId: string | null;
      readonly externalRef: ExternalRef | null;
      readonly error: string | null;
    }[];
  };
  /** What the model had seen. Messages and tools only where they were asked for. */
  readonly transcript: { readonly sha256: string; readonly uri: string | null; readonly messages: Json; readonly tools: Json } | null;
  readonly sources: readonly Source[];
}

/** Remembers of an item's events what examples are made of: transcripts and cards, which are most of the bytes, only where asked for. */
export class ExampleMemory extends MapMemory {
  private readonly transcripts: boolean;
  constructor(transcripts: boolean) {
    super();
    this.transcripts = transcripts;
  }

  override set(entry: Entry, status: Status, reason: string | null): void {
    // A parked event is still to be folded, and folding reads all of it.
    super.set(status === "parked" ? entry : { ...entry, event: this.slim(entry) }, status, reason);
  }

  private slim({ topic, event }: Entry): Entry["event"] {
    if (topic === "verdicts") return { ...(event as EventOf["verdicts"]), card: null };
    if (topic === "receipts") return { ...(event as EventOf["receipts"]), result: null, stateAfter: null };
    if (topic !== "proposals" || this.transcripts) return event;
    const proposal = event as EventOf["proposals"];
    return { ...proposal, transcript: proposal.transcript && { ...proposal.transcript, messages: null, tools: null } };
  }
}

/** A folded item with what its examples are made of. */
export interface FoldedItem {
  readonly item: Item;
  readonly memory: ExampleMemory;
  readonly partition: number;
}

/** An example and the offset of its decision, which orders the examples of a partition. */
export interface PlacedExample {
  readonly partition: number;
  readonly offset: number;
  readonly example: ReviewedExample;
}

/** The examples in one item: one for each effective decision of a person on a verdict, of which `wanted` accepts the offset. */
export function examplesOf(folded: FoldedItem, wanted: (offset: number) => boolean): PlacedExample[] {
  const examples: PlacedExample[] = [];
  for (const { status, entry } of folded.memory.statuses.values()) {
    if (entry.topic !== "decisions" || status !== "effective" || !wanted(entry.offset)) continue;
    const decision = entry.event as EventOf["decisions"];
    if (!(EXAMPLE_KINDS as readonly string[]).includes(decision.kind) || decision.answers?.topic !== "verdicts") continue;
    examples.push({ partition: folded.partition, offset: entry.offset, example: exampleOf(folded, decision) });
  }
  return examples;
}

function exampleOf(folded: FoldedItem, decision: EventOf["decisions"]): ReviewedExample {
  const { item } = folded;
  const proposal = eventIn(folded, "proposals", item.proposal) as EventOf["proposals"];
  const answered = nodeOf(item, "verdicts", (decision.answers as { eventId: string }).eventId) as VerdictNode;
  const standing = standingVerdict(item, answered);
  const verdict = eventIn(folded, "verdicts", standing.id) as EventOf["verdicts"];
  const editNode = decision.kind === "edit" ? nodeOf(item, "decisions", decision.eventId) : undefined;
  const rejudged = eventIn(folded, "verdicts", editNode?.verdict ?? null);
  const final = decision.kind === "approve" ? answered.actions : decision.kind === "edit" ? editedActions(answered.actions, decision) : null;
  const { transcript, run } = proposal;
  return {
    itemId: item.id,
    workspace: proposal.workspace,
    ask: proposal.ask,
    question: proposal.question,
    agent: { id: proposal.agent.id, version: proposal.agent.version, model: proposal.agent.model },
    run: run && { framework: run.framework, threadId: run.threadId, checkpointId: run.checkpointId, step: run.step },
    proposed: proposal.actions.map(actionOf),
    presented: answered.actions.map(actionOf),
    final: final === null ? null : final.map(actionOf),
    decision: {
      kind: decision.kind as ExampleKind,
      reasonCodes: decision.reasonCodes,
      message: decision.message,
      scope: decision.scope,
      reviewer: { id: decision.actor.id, roles: decision.actor.roles },
      decidedAt: decision.occurredAt,
      activeMs: decision.review?.activeMs ?? null,
      channel: decision.review?.channel ?? null,
      batchId: decision.batchId,
    },
    policy: verdict.policy,
    verdict: {
      route: verdict.route,
      risk: verdict.risk,
      score: verdict.score,
      reversibility: verdict.reversibility,
      gate: verdict.gate,
      owner: verdict.owner,
      matched: verdict.matched.map((m) => m.rule),
      because: verdict.because,
      fallback: answered.fallback,
    },
    rejudged: rejudged ? { route: rejudged.route, risk: rejudged.risk, because: rejudged.because } : null,
    outcome: outcomeOf(folded),
    transcript: transcript && { sha256: transcript.sha256, uri: transcript.uri, messages: parsed(transcript.messages), tools: parsed(transcript.tools) },
    sources: sourcesOf(folded, [proposal.eventId, standing.id, answered.id, decision.eventId, rejudged?.eventId]),
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

function actionOf({ actionId, tool, args, argsSha256 }: { actionId: string; tool: string; args: string; argsSha256: string }): ExampleAction {
  return { actionId, tool, args: parsed(args), argsSha256 };
}

/** The JSON value of a text. A text that a foreign producer wrote and that is no strict JSON stays a text, so that it stops no export. */
function parsed(text: string | null): Json {
  if (text === null) return null;
  try {
    return parseStrict(text);
  } catch {
    return text;
  }
}

function eventIn<T extends Topic>({ memory }: FoldedItem, topic: T, eventId: string | null): EventOf[T] | undefined {
  return eventId === null ? undefined : (memory.statuses.get(keyOf(topic, eventId))?.entry.event as EventOf[T] | undefined);
}

const FINAL = new Set(["succeeded", "failed", "unknown", "lapsed", "revoked", "compensated"]);

/** What became of the item. Receipts in the order of offsets, because the fold's own depends on how the topics were interleaved. */
function outcomeOf({ item, memory }: FoldedItem): ReviewedExample["outcome"] {
  const { stage, outcome } = lifeOf(item);
  const receipts = [...memory.statuses.values()]
    .filter(({ status, entry }) => status === "effective" && entry.topic === "receipts")
    .sort((a, b) => a.entry.offset - b.entry.offset)
    .map(({ entry }) => entry.event as EventOf["receipts"])
    .filter((r) => FINAL.has(r.kind))
    .map((r) => ({ kind: r.kind, actionId: r.actionId, externalRef: r.externalRef, error: r.error && `${r.error.code}: ${r.error.message}` }));
  return { stage, outcome, receipts };
}

/** The events an example was made of: those named, and all effective resumes and receipts of the item. Once each, in the order of causes. */
function sourcesOf({ memory, partition }: FoldedItem, ids: readonly (string | undefined)[]): Source[] {
  const order: readonly Topic[] = ["proposals", "verdicts", "decisions", "resumes", "receipts"];
  return [...memory.statuses.values()]
    .filter(({ status, entry }) => status === "effective" && (ids.includes(entry.event.eventId) || entry.topic === "resumes" || entry.topic === "receipts"))
    .map(({ entry }) => ({ topic: entry.topic, partition, offset: entry.offset, eventId: entry.event.eventId }))
    .sort((a, b) => order.indexOf(a.topic) - order.indexOf(b.topic) || a.offset - b.offset);
}
