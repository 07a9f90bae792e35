import { Codec } from "../events/codec.ts";
import type { EventOf } from "../events/types.generated.ts";
import { type Draft, examplesOf, operationsOf } from "./build-example.ts";
import { CaseCheck, type PublishedVersion } from "./case-check.ts";
import { Catalogue, type DescribedPolicy } from "./catalogue.ts";
import { EarlierParts } from "./earlier-parts.ts";
import { type ItemFacts, type Link, noFacts, type PartitionFacts, type Retry, Runs, runKey, type Told } from "./facts.ts";
import { callsRun, finish, retryIn } from "./finish.ts";
import { type FoldedItem, foldedItems, nothingSkipped, proposalOf, type Skipped, threadOf } from "./fold-items.ts";
import { Insights, type InsightsParts } from "./insights.ts";
import { Output, type Part } from "./output.ts";
import type { PileSource } from "./pile.ts";
import { type Hidden, nothingHidden, type Profile, type Redaction, redactor } from "./redact/redactor.ts";
import type { FieldRule } from "./redact/treatment.ts";
import { isEqualPair, learnedOf, redactedCalls, redactedDraft, redactedSibling } from "./redact-draft.ts";
import { ownerOf } from "./redact-owner.ts";
import { keysOf, RowList } from "./row-keys.ts";
import { addOperation, addRows, type Collected, type RowSink, textOf } from "./rows.ts";
import { type Sibling, siblingOf } from "./siblings.ts";
import { type Split, splitOf } from "./split.ts";
import { Tally } from "./tally.ts";
import { FunctionNames } from "./targets/function-names.ts";
import { targetOf } from "./targets/table.ts";
import { joinsSiblings, type Target } from "./targets/target.ts";

/** What is made of every partition alike: plain data, so that it can be sent to a thread. */
export interface Settings {
  /** Name of the target; null where nothing is written, only counted. */
  readonly target: string | null;
  readonly schemas: readonly (readonly [id: number, text: string])[];
  readonly policies: readonly DescribedPolicy[];
  /** Documents under which cases are tried; none where the target has no use for them. */
  readonly versions: readonly PublishedVersion[];
  /** First offset of which the decisions become rows, and the items are counted, by partition. */
  readonly from: { readonly decisions: readonly number[]; readonly proposals: readonly number[] };
  readonly workspace: string | undefined;
  readonly after: number;
  readonly transcripts: boolean;
  readonly profile: Profile;
  readonly key: string;
  readonly splitSeed: string;
  readonly holdoutFrom: number | undefined;
}

/** What a partition came to, when nothing is known of the others. */
export interface First extends Told {
  readonly items: number;
  readonly parked: number;
  readonly skipped: Skipped;
  readonly hidden: Hidden;
  readonly insights: InsightsParts;
}

/** What a partition came to in the end. */
export interface Final {
  readonly tally: ReturnType<Tally["parts"]>;
  readonly functionNames: ReturnType<FunctionNames["table"]>;
  readonly parts: readonly Part[];
}

/** What is asked for. */
export type Request =
  | { readonly ask: "first"; readonly partition: number; readonly source: PileSource }
  | { readonly ask: "siblings" | "final"; readonly partition: number; readonly facts: PartitionFacts };

/** What is answered, in the order of what can be asked for. */
export type Answer = First | readonly Sibling[] | Final;

/** The partitions of one thread, with what they share. */
export class Workshop {
  readonly settings: Settings;
  readonly target: Target | null;
  readonly codec = new Codec();
  readonly catalogue: Catalogue;
  readonly check: CaseCheck;
  readonly folder: () => string;
  private readonly works = new Map<number, PartitionWork>();

  /** @param folder for what memory does not hold */
  constructor(settings: Settings, folder: () => string) {
    this.settings = settings;
    this.folder = folder;
    this.target = settings.target === null ? null : targetOf(settings.target);
    this.check = new CaseCheck(settings.versions);
    this.catalogue = new Catalogue(settings.policies);
    for (const [id, text] of settings.schemas) this.codec.learn(id, text);
  }

  /** Does what is asked for. */
  answer(request: Request): Answer {
    const { partition } = request;
    if (request.ask !== "first") return (this.works.get(partition) as PartitionWork)[request.ask](request.facts);
    const work = new PartitionWork(this, partition, request.source);
    this.works.set(partition, work);
    return work.first();
  }
}

const NOTHING = noFacts();

/**
 * Makes the rows of one partition, twice at most: first as if there were no other rows, which is so for most of them; then, once all
 * partitions have been compared, those of the items that are concerned once more.
 */
class PartitionWork {
  private readonly shop: Workshop;
  private readonly partition: number;
  private readonly source: PileSource;
  private readonly names = new FunctionNames();
  private readonly tally = new Tally();
  private parts: readonly Part[] = [];
  /** What it hides is counted already, or not shown. */
  private readonly unheard: (workspace: string) => Redaction;

  constructor(shop: Workshop, partition: number, source: PileSource) {
    this.shop = shop;
    this.partition = partition;
    this.source = source;
    this.unheard = redactor(shop.settings.profile, shop.settings.key, nothingHidden());
  }

  /** The first pass. */
  first(): First {
    const { shop, partition } = this;
    const { settings } = shop;
    const skipped = nothingSkipped();
    const hidden = nothingHidden();
    const redactionOf = redactor(settings.profile, settings.key, hidden);
    const insights = new Insights();
    const rows = new RowList();
    const retries: Retry[] = [];
    const links: Link[] = [];
    const runs = settings.holdoutFrom === undefined ? null : new Runs();
    const output = this.output("a");
    const joins = shop.target !== null && joinsSiblings(shop.target);
    let [items, parked] = [0, 0];
    try {
      for (const folded of foldedItems(this.source, partition, shop.codec, skipped)) {
        const { ordinal } = folded;
        if (!this.isWanted(folded)) continue;
        parked += this.parkedIn(folded);
        const proposal = proposalOf(folded);
        if (proposal === undefined) continue;
        const drafts = this.draftsOf(folded);
        insights.add(folded, drafts, this.wanted, this.isCounted(folded, proposal));
        if (drafts.length > 0) items++;
        if (shop.target === null) continue;
        const { retryOf, workspace } = proposal;
        const retry = retryIn(folded, proposal, threadOf(folded), () => {
          const calls = callsRun(folded);
          return { calls, learned: learnedOf(drafts, calls, this.unheard(workspace), this.rulesIn(workspace)) };
        });
        if (retry !== undefined) retries.push(retry);
        if (retryOf !== null && proposal.run === null) links.push({ ordinal, workspace, itemId: folded.item.id, retryOf });
        for (const draft of drafts) rows.add(ordinal, draft.id, keysOf(draft, joins));
        const hasRows = this.makeRows(folded, drafts, { redactionOf, facts: NOTHING, retry: null, pass: "first", output });
        runs?.add(ordinal, hasRows, runKey(workspace, threadOf(folded)), proposal.occurredAt);
      }
      this.parts = output.parts();
    } finally {
      output.close();
    }
    return { items, parked, skipped, hidden, insights: insights.parts(), rows: rows.parts(), retries, links, runs: runs?.parts() ?? null };
  }

  /** What the items say that answer the same messages as others. */
  siblings({ items }: PartitionFacts): Sibling[] {
    const found: Sibling[] = [];
    for (const folded of foldedItems(this.source, this.partition, this.shop.codec, nothingSkipped(), (ordinal) => items.get(ordinal)?.prompt != null)) {
      const drafts = this.draftsOf(folded);
      const workspace = folded.item.workspace ?? "";
      const learned = () => learnedOf(drafts, [], this.unheard(workspace), this.rulesIn(workspace));
      const facts = items.get(folded.ordinal) as ItemFacts;
      const sibling = siblingOf(drafts, facts, { ordinal: folded.ordinal, thread: facts.thread ?? threadOf(folded) }, learned);
      if (sibling !== undefined) found.push(sibling);
    }
    return found;
  }

  /** The second pass: what an item has to know of others is known. */
  final(facts: PartitionFacts): Final {
    if (facts.items.size > 0 || facts.retries.size > 0) this.again(facts);
    return { tally: this.tally.parts(), functionNames: this.names.table(), parts: this.parts };
  }

  private again(facts: PartitionFacts): void {
    const output = this.output("b");
    const earlier = new EarlierParts(this.parts, output);
    // What was hidden and skipped has been counted.
    const redactionOf = this.unheard;
    const isConcerned = (ordinal: number, itemId: string) => facts.items.has(ordinal) || facts.retries.has(itemId);
    try {
      for (const folded of foldedItems(this.source, this.partition, this.shop.codec, nothingSkipped(), isConcerned)) {
        const { ordinal, item } = folded;
        earlier.copyUpTo(ordinal);
        if (!this.isWanted(folded) || item.proposal === null) continue;
        const drafts = this.draftsOf(folded);
        const known = { facts: facts.items.get(ordinal) ?? NOTHING, retry: facts.retries.get(item.id) ?? null };
        this.makeRows(folded, drafts, { redactionOf, facts: NOTHING, retry: null, pass: "back", output });
        this.makeRows(folded, drafts, { redactionOf, ...known, pass: "again", output });
      }
      earlier.copyUpTo(Number.POSITIVE_INFINITY);
      this.parts = output.parts();
    } finally {
      output.close();
      earlier.close();
    }
  }

  private output(prefix: string): Output {
    const { target } = this.shop;
    const form = { isFramed: (file: string) => file.endsWith(".parquet"), text: (file: string, row: object) => textOf(target as Target, file, row) };
    return new Output(form, this.shop.folder, `${prefix}${this.partition}`);
  }

  private isWanted({ item }: FoldedItem): boolean {
    const { workspace } = this.shop.settings;
    return workspace === undefined || item.workspace === null || item.workspace === workspace;
  }

  private isInRange(offset: number): boolean {
    return offset >= (this.shop.settings.from.decisions[this.partition] ?? 0);
  }

  private readonly wanted = (offset: number, at: number): boolean => {
    return this.isInRange(offset) && at >= this.shop.settings.after;
  };

  private parkedIn({ memory }: FoldedItem): number {
    let n = 0;
    for (const { status, entry } of memory.statuses.values()) if (status === "parked" && entry.topic === "decisions" && this.isInRange(entry.offset)) n++;
    return n;
  }

  /** Whether the item was proposed in the range. */
  private isCounted({ item, memory }: FoldedItem, { occurredAt }: EventOf["proposals"]): boolean {
    const { from, after } = this.shop.settings;
    const offset = memory.statuses.get(`proposals/${item.proposal}`)?.entry.offset ?? -1;
    return offset >= (from.proposals[this.partition] ?? 0) && occurredAt >= after;
  }

  private rulesIn(workspace: string): (tool: string) => readonly FieldRule[] {
    return (tool) => this.shop.catalogue.fieldsOf(workspace, tool).rules;
  }

  private draftsOf(folded: FoldedItem): Draft[] {
    const { catalogue, settings } = this.shop;
    return examplesOf(folded, {
      wanted: this.wanted,
      context: settings.transcripts,
      judged: this.shop.target?.needsJudged === true,
      isCosmetic: (tool, path) => catalogue.fieldsOf(folded.item.workspace ?? "", tool).isCosmetic(path),
    });
  }

  /** Makes the rows of an item, or takes them back. Tells whether there are any. */
  private makeRows(folded: FoldedItem, drafts: readonly Draft[], { redactionOf, facts, retry, pass, output }: Making): boolean {
    const { target, settings } = this.shop as Workshop & { readonly target: Target };
    const { names, tally } = this;
    const sink: RowSink = { names, tally, check: this.shop.check, n: pass === "back" ? -1 : 1, add: (file, row) => output.add(folded.ordinal, file, row) };
    const thread = facts.thread ?? threadOf(folded);
    const splitFor = (workspace: string): Split => (facts.heldOut ? "holdout" : splitOf(settings.splitSeed, workspace, thread));
    for (const draft of drafts) {
      const redaction = redactionOf(draft.workspace);
      const rulesOf = this.rulesIn(draft.workspace);
      redaction.share(retry?.learned ?? []);
      if (facts.sibling?.role === "lead") redaction.share(facts.sibling.learned);
      const redacted = redactedDraft(draft, redaction, rulesOf);
      const equal = draft.decision.kind === "edit" && isEqualPair(redacted);
      const split = splitFor(draft.workspace);
      // Where runs are held out by time, only the run itself is surely in the split of the run.
      const sameSplit = (other: string) =>
        settings.holdoutFrom === undefined ? splitOf(settings.splitSeed, draft.workspace, other) === split : other === thread;
      const fault: Collected["noPair"] = retry === null ? null : retry.disputed ? "retry_disputed" : sameSplit(retry.thread) ? null : "retry_in_another_split";
      const near = retry !== null && fault === null ? redactedCalls(retry.calls, redaction, rulesOf) : null;
      const finished = { ...finish(redacted, split, facts, near), noPair: draft.decision.kind === "reject" ? fault : null };
      if (pass === "first") tally.example(finished.example);
      if (target.takes !== "operations")
        addRows(target, { ...finished, equal, judged: redacted.judged, sibling: redactedSibling(facts.sibling, redaction, rulesOf) }, sink);
    }
    if (target.takes !== "operations") return drafts.length > 0;
    const operations = operationsOf(folded, this.wanted);
    for (const draft of operations) {
      const redaction = redactionOf(draft.workspace);
      const owners = { from: ownerOf(draft.from, redaction), to: ownerOf(draft.to, redaction) };
      addOperation(target, { ...draft, ...owners, split: splitFor(draft.workspace) }, sink);
    }
    return operations.length > 0;
  }
}

interface Making {
  readonly redactionOf: (workspace: string) => Redaction;
  readonly facts: ItemFacts;
  readonly retry: Retry | null;
  /** first: rows and examples are counted; back: the rows are taken back; again: the rows are counted. */
  readonly pass: "first" | "back" | "again";
  readonly output: Output;
}
