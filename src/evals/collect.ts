import { hash } from "node:crypto";
import { lifeOf } from "../ledger/life.ts";
import { type Draft, examplesOf, type OperationDraft, operationsOf, parsed } from "./build-example.ts";
import type { Catalogue } from "./catalogue.ts";
import { type FoldedItem, type ReadLedgerOptions, readLedger, type Skipped } from "./fold-items.ts";
import { Insights } from "./insights.ts";
import { type Calls, labelsOf } from "./labels.ts";
import { Others, proposalOf, Starts } from "./others.ts";
import { qualityOf } from "./quality.ts";
import type { Ranges } from "./ranges.ts";
import { type Hidden, type Profile, type Redaction, redactor } from "./redact/redactor.ts";
import { isEqualPair, ownerOf, redactedDraft } from "./redact-draft.ts";
import type { Operation, ReviewedExample } from "./reviewed-example.ts";
import { DEFAULT_SPLIT_SEED, type Split, splitOf } from "./split.ts";
import { Spool } from "./spool.ts";
import type { PublishedDocument } from "./targets/target.ts";

/** What to collect. */
export interface CollectOptions extends ReadLedgerOptions {
  /** Only items of this workspace. */
  readonly workspace?: string;
  /** Only decisions made at or after this, and before that. Milliseconds since the epoch. */
  readonly after?: number;
  readonly before?: number;
  /** Whether messages and tools of the transcripts come along. Default: yes. */
  readonly transcripts?: boolean;
  /** Default strict. */
  readonly profile?: Profile;
  /** Key of the pseudonyms. */
  readonly key: string;
  readonly splitSeed?: string;
  /** Runs whose first proposal is at or after this are the holdout. Milliseconds since the epoch. */
  readonly holdoutFrom?: number;
}

/** An example with what a later, approved item made of it, when one tries it again. */
export interface Collected {
  readonly example: ReviewedExample;
  readonly retry: Calls | null;
  /** After redaction both sides of the edit are the same. */
  readonly equal: boolean;
}

/** Everything that an export is made from. */
export interface Collection {
  readonly ranges: Ranges;
  readonly skipped: Skipped;
  /** Records that were read. */
  readonly records: number;
  /** Decisions in the range whose cause does not lie before the end of the range: they are no rows, here or in a later export. */
  readonly parked: number;
  readonly items: number;
  readonly hidden: Hidden;
  /** Policy documents that could not be read. */
  readonly unreadablePolicies: readonly string[];
  readonly documents: readonly PublishedDocument[];
  readonly insights: Insights;
  /** Rows in the order of partition, item and decision. Once. */
  rows(): Generator<Collected>;
  operations(): Generator<Operation>;
  close(): void;
}

interface Spooled {
  readonly draft: Draft;
  readonly call: string;
  readonly same: string;
  readonly thread: string;
  readonly equal: boolean;
}

/**
 * Reads the topics, folds every item, and collects the examples in the range, redacted. What depends on other items (who decided
 * otherwise, what comes twice, which retry was approved) is worked out in a second pass over the collected rows.
 *
 * @throws as readLedger
 */
export async function collect(options: CollectOptions): Promise<Collection> {
  const ledger = await readLedger(options);
  const spool = new Spool(options.mostHeld);
  const operations: OperationSpool[] = [];
  const others = new Others();
  const hidden: Hidden = { fields: 0, found: { card: 0, iban: 0, email: 0, phone: 0 } };
  const redactionOf = redactor(options.profile ?? "strict", options.key, hidden);
  const starts = new Starts(options.holdoutFrom);
  const insights = new Insights();
  const from = new Map(ledger.ranges.decisions.map((r) => [r.partition, r.from]));
  let parked = 0;
  let items = 0;
  const close = () => {
    ledger.close();
    spool.close();
  };
  try {
    for (const folded of ledger.items()) {
      options.signal?.throwIfAborted();
      const { item } = folded;
      if (options.workspace !== undefined && item.workspace !== null && item.workspace !== options.workspace) continue;
      const inRange = (offset: number) => offset >= (from.get(folded.partition) ?? 0);
      const wanted = (offset: number, at: number) =>
        inRange(offset) && at >= (options.after ?? Number.NEGATIVE_INFINITY) && at < (options.before ?? Number.POSITIVE_INFINITY);
      parked += parkedIn(folded, inRange);
      if (item.proposal === null) continue;
      if (options.workspace !== undefined && item.workspace !== options.workspace) continue;
      const drafts = examplesOf(folded, {
        wanted,
        context: options.transcripts ?? true,
        isCosmetic: (tool, path) => ledger.catalogue.fieldsOf(item.workspace ?? "", tool).isCosmetic(path),
      });
      insights.add(folded, drafts, wanted, isCounted(folded, ledger.ranges, options));
      starts.add(folded);
      others.addRetry(folded, ({ item: { workspace } }) => redactedCalls(folded, workspace ?? "", redactionOf, ledger.catalogue));
      if (drafts.length > 0) items++;
      for (const draft of drafts) {
        const redaction = redactionOf(draft.workspace);
        const redacted = redactedDraft(draft, redaction, ledger.catalogue);
        const spooled: Spooled = { draft: redacted, ...keysOf(draft), equal: draft.decision.kind === "edit" && isEqualPair(redacted) };
        others.add(spooled);
        spool.add(JSON.stringify(spooled));
      }
      for (const draft of operationsOf(folded, wanted)) {
        const redaction = redactionOf(draft.workspace);
        operations.push({ draft: { ...draft, from: ownerOf(draft.from, redaction), to: ownerOf(draft.to, redaction) }, thread: threadOf(folded) });
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  const seed = options.splitSeed ?? DEFAULT_SPLIT_SEED;
  const splits = new Map<string, Split>();
  const splitFor = (workspace: string, thread: string): Split => {
    const run = `${workspace}\0${thread}`;
    let split = splits.get(run);
    if (split === undefined) splits.set(run, (split = starts.isHeldOut(workspace, thread) ? "holdout" : splitOf(seed, workspace, thread)));
    return split;
  };
  return {
    ranges: ledger.ranges,
    skipped: ledger.skipped,
    records: ledger.records,
    parked,
    items,
    hidden,
    unreadablePolicies: [...ledger.catalogue.unreadable].sort(),
    documents: ledger.catalogue.newest(),
    insights,
    *rows() {
      for (const line of spool.read()) yield finished(JSON.parse(line) as Spooled, others, splitFor);
    },
    *operations() {
      for (const { draft, thread } of operations) yield { ...draft, split: splitFor(draft.workspace, thread) };
    },
    close,
  };
}

interface OperationSpool {
  readonly draft: OperationDraft;
  readonly thread: string;
}

function finished({ draft, call, same, thread, equal }: Spooled, others: Others, splitFor: (workspace: string, thread: string) => Split): Collected {
  const quality = qualityOf(draft, others.isContradicted(call));
  const first = others.firstOf(same);
  const duplicateOf = first === draft.id ? null : first;
  const retry = draft.decision.kind === "reject" ? others.retryOf(draft.itemId) : null;
  const partial = { ...draft, split: splitFor(draft.workspace, thread), quality, duplicateOf };
  const labels = duplicateOf !== null ? [] : labelsOf(partial, retry).map((label) => label.class);
  return { example: { ...partial, labels: [...new Set(labels)] }, retry, equal };
}

/** What an item ran in the end, redacted like the rows are. */
function redactedCalls({ item }: FoldedItem, workspace: string, redactionOf: (workspace: string) => Redaction, catalogue: Catalogue): Calls {
  const redaction = redactionOf(workspace);
  return (lifeOf(item).verdict?.actions ?? []).map(({ actionId, tool, args }) => ({
    actionId,
    tool,
    args: redaction.args(parsed(args), catalogue.fieldsOf(workspace, tool).rules) ?? null,
  }));
}

/** Whether the item was proposed in the range. */
function isCounted(folded: FoldedItem, ranges: Ranges, { after, before }: CollectOptions): boolean {
  const entry = folded.memory.statuses.get(`proposals/${folded.item.proposal}`)?.entry;
  if (entry === undefined) return false;
  const from = ranges.proposals[folded.partition]?.from ?? 0;
  return entry.offset >= from && entry.event.occurredAt >= (after ?? Number.NEGATIVE_INFINITY) && entry.event.occurredAt < (before ?? Number.POSITIVE_INFINITY);
}

function parkedIn({ memory }: FoldedItem, wanted: (offset: number) => boolean): number {
  let n = 0;
  for (const { status, entry } of memory.statuses.values()) if (status === "parked" && entry.topic === "decisions" && wanted(entry.offset)) n++;
  return n;
}

function threadOf(folded: FoldedItem): string {
  return proposalOf(folded)?.run?.threadId ?? folded.item.id;
}

/** What a row is compared by. Before redaction, so that a profile changes neither splits nor duplicates. */
function keysOf(draft: Draft): { call: string; same: string; thread: string } {
  // A call is the same call where the model saw the same. Without a transcript only the run and its step tell.
  const context = draft.context.sha256 ?? `${draft.run?.threadId ?? draft.itemId}\0${draft.run?.checkpointId ?? draft.itemId}`;
  const call = digest(draft.workspace, draft.agent.id, context, calledIn(draft.presented), draft.question ?? "");
  const { kind, message } = draft.decision;
  const same = digest(call, kind, draft.final === null ? "" : calledIn(draft.final), kind === "respond" ? (message ?? "") : "");
  return { call, same, thread: draft.run?.threadId ?? draft.itemId };
}

/** What is called. The fold takes no arguments that are not those of their hash, so the hash stands for them. */
function calledIn(actions: Draft["presented"]): string {
  return JSON.stringify(actions.map(({ tool, argsSha256 }) => [tool, argsSha256]));
}

function digest(...parts: string[]): string {
  return hash("sha256", parts.join("\0"), "base64url").slice(0, 22);
}
