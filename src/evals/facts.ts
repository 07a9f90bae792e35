import { DIGEST_BYTES, Digests, digestOf, Least, type LeastParts } from "./digests.ts";
import type { Calls } from "./labels.ts";
import type { Learned } from "./redact/redactor.ts";
import { hasPrompt, type RowParts, rowAt, rowId } from "./row-keys.ts";
import type { SiblingRole } from "./siblings.ts";

/** What the rows of an item have to know of others. Where nothing is said, nothing is so. */
export interface ItemFacts {
  /** Ids of rows that say what a better or an earlier row says, with the id of that one. */
  readonly duplicates: Map<string, string>;
  /** Ids of rows whose call one person approved and another one edited or rejected, where the model saw the same. */
  readonly contradicted: Set<string>;
  /** The run began in the time of the holdout. */
  heldOut: boolean;
  /** What stands for its run, where the item that it tries again tries another one again. */
  thread: string | null;
  /** Number of the question that it answers with other items, and what becomes of its labels then. */
  prompt: number | null;
  sibling: SiblingRole | null;
}

/** What is so of an item where nothing is said. */
export function noFacts(): ItemFacts {
  return { duplicates: new Map(), contradicted: new Set(), heldOut: false, thread: null, prompt: null, sibling: null };
}

/** An item that names no run and tries another one again. */
export interface Link {
  readonly ordinal: number;
  readonly workspace: string;
  readonly itemId: string;
  readonly retryOf: string;
}

/** The first approved item that tries another one again. */
export interface Retry {
  readonly of: string;
  /** As they stand in the log: they are redacted in the row that shows them, which hides what is classified in either. */
  readonly calls: Calls;
  readonly learned: Learned;
  /** Its run, which decides its split. */
  readonly thread: string;
  readonly proposedAt: number;
  readonly itemId: string;
  readonly ordinal: number;
  /** People contradict each other on it: it shows what was approved, not what is right. */
  readonly disputed: boolean;
}

/** What a partition has to know of all: only its items that are concerned. */
export interface PartitionFacts {
  readonly items: Map<number, ItemFacts>;
  /** What was approved when an item was tried again, by that item's id. */
  readonly retries: Map<string, Retry>;
}

/** What a partition tells of its rows, so that they can be compared with those of others. */
export interface Told {
  readonly rows: RowParts;
  readonly retries: readonly Retry[];
  readonly links: readonly Link[];
  /** Where runs are held out: when each began, as far as this partition knows, and the runs of the items that have rows. */
  readonly runs: { readonly began: LeastParts; readonly ordinals: Uint32Array; readonly digests: Uint8Array } | null;
}

/**
 * Compares the rows of all partitions: who decided otherwise on the same call, which of the same rows is the best, which retry was approved, which run is
 * held out. Memory holds about 100 bytes for each row.
 *
 * @param told what the partitions told, by partition
 * @param partitionOf the partition of an item
 */
export function factsOf(told: readonly (Told | undefined)[], holdoutFrom: number | undefined, partitionOf: (itemId: string) => number): PartitionFacts[] {
  const facts: PartitionFacts[] = told.map(() => ({ items: new Map(), retries: new Map() }));
  const of = (partition: number, ordinal: number): ItemFacts => {
    const { items } = facts[partition] as PartitionFacts;
    let found = items.get(ordinal);
    if (found === undefined) items.set(ordinal, (found = noFacts()));
    return found;
  };
  const all = told.flatMap((one, partition) => (one === undefined ? [] : [{ partition, ...one }]));
  findDuplicates(all, of);
  findSiblings(all, facts, of);
  findContradicted(all, of);
  const threads = findThreads(all, of);
  if (holdoutFrom !== undefined) findHeldOut(all, holdoutFrom, threads, of);
  const isDisputed = ({ itemId, ordinal }: Retry) => (facts[partitionOf(itemId)]?.items.get(ordinal)?.contradicted.size ?? 0) > 0;
  const retries = all.flatMap(({ retries }) => retries.map((retry) => ({ ...retry, disputed: isDisputed(retry) })));
  for (const retry of firstRetries(retries)) {
    const thread = threads.get(retry.itemId)?.thread ?? retry.thread;
    facts[partitionOf(retry.of)]?.retries.set(retry.of, { ...retry, thread });
  }
  return facts;
}

type Of = (partition: number, ordinal: number) => ItemFacts;
type All = readonly (Told & { readonly partition: number })[];

/** By item, what stands for its run. */
type Threads = Map<string, { readonly workspace: string; readonly thread: string; readonly facts: ItemFacts }>;

/** More rows than a partition can have. */
const MOST_ROWS = 2 ** 32;

/** Of the rows that say the same the best one stands, of equally good ones the first by partition and order. */
function findDuplicates(all: All, of: Of): void {
  const seen = new Digests();
  const rankAt = (at: number) => {
    const { rows } = all[Math.floor(at / MOST_ROWS)] as All[number];
    return rows.bytes[rowAt.rank(at % MOST_ROWS)] as number;
  };
  // By number of the digest: the row that stands, with the place of its partition.
  const best: number[] = [];
  let count = 0;
  for (const [place, { rows }] of all.entries())
    for (const row of rows.ordinals.keys()) {
      const n = seen.add(rows.bytes, rowAt.same(row));
      const before = best[n];
      count++;
      if (before === undefined || (rows.bytes[rowAt.rank(row)] as number) < rankAt(before)) best[n] = place * MOST_ROWS + row;
    }
  if (count === seen.size) return;
  for (const [place, { partition, rows }] of all.entries())
    for (const [row, ordinal] of rows.ordinals.entries()) {
      const stands = best[seen.add(rows.bytes, rowAt.same(row))] as number;
      if (stands === place * MOST_ROWS + row) continue;
      const { rows: others } = all[Math.floor(stands / MOST_ROWS)] as All[number];
      of(partition, ordinal).duplicates.set(rowId(rows, row), rowId(others, stands % MOST_ROWS));
    }
}

/** Which items answer the same messages. What only repeats another row is not asked. */
function findSiblings(all: All, facts: readonly PartitionFacts[], of: Of): void {
  const prompts = new Digests();
  // By number of the digest: the first item, and whether there is another one.
  const first: { readonly partition: number; readonly ordinal: number; isShared: boolean }[] = [];
  for (const { partition, rows } of all)
    for (const [row, ordinal] of rows.ordinals.entries()) {
      if (!hasPrompt(rows, row)) continue;
      if (facts[partition]?.items.get(ordinal)?.duplicates.has(rowId(rows, row)) === true) continue;
      const n = prompts.add(rows.bytes, rowAt.prompt(row));
      const before = first[n];
      if (before === undefined) first[n] = { partition, ordinal, isShared: false };
      else if (before.partition !== partition || before.ordinal !== ordinal) {
        before.isShared = true;
        of(partition, ordinal).prompt = n;
      }
    }
  for (const [n, { partition, ordinal, isShared }] of first.entries()) if (isShared) of(partition, ordinal).prompt = n;
}

function findContradicted(all: All, of: Of): void {
  const calls = new Digests();
  const most = all.reduce((sum, { rows }) => sum + rows.ordinals.length, 0);
  const verdicts = new Uint8Array(most);
  for (const { rows } of all)
    for (const row of rows.ordinals.keys()) {
      const n = calls.add(rows.bytes, rowAt.call(row));
      verdicts[n] = (verdicts[n] as number) | (rows.bytes[rowAt.verdict(row)] as number);
    }
  for (const { partition, rows } of all)
    for (const [row, ordinal] of rows.ordinals.entries())
      if (verdicts[calls.add(rows.bytes, rowAt.call(row))] === 3) of(partition, ordinal).contradicted.add(rowId(rows, row));
}

/** Follows items that name no run to the first that was tried: that one stands for the run of all. By item, where it takes more than one step. */
function findThreads(all: All, of: Of): Threads {
  const triedIn = new Map(all.flatMap(({ links }) => links.map((link) => [link.itemId, link.retryOf])));
  const threads: Threads = new Map();
  for (const { partition, links } of all)
    for (const { itemId, ordinal, retryOf, workspace } of links) {
      const passed = new Set([itemId]);
      let thread = retryOf;
      // Nobody keeps two items from naming each other.
      for (let next = triedIn.get(thread); next !== undefined && !passed.has(thread); next = triedIn.get(thread)) {
        passed.add(thread);
        thread = threads.get(thread)?.thread ?? next;
      }
      if (thread === retryOf) continue;
      const facts = of(partition, ordinal);
      facts.thread = thread;
      threads.set(itemId, { workspace, thread, facts });
    }
  return threads;
}

function findHeldOut(all: All, holdoutFrom: number, threads: Threads, of: Of): void {
  const began = new Least();
  for (const { runs } of all) if (runs !== null) began.merge(runs.began);
  // The whole run is held out, or none of it.
  const isHeldOut = (at: number) => at !== Number.POSITIVE_INFINITY && at >= holdoutFrom;
  for (const { partition, runs } of all)
    for (const [i, ordinal] of (runs?.ordinals ?? []).entries()) {
      const at = began.of(runs?.digests as Uint8Array, DIGEST_BYTES * i);
      if (isHeldOut(at)) of(partition, ordinal).heldOut = true;
    }
  for (const { workspace, thread, facts } of threads.values()) facts.heldOut = isHeldOut(began.of(digestOf(runKey(workspace, thread))));
}

/** Of each item the first retry that nobody disputes; else the first. */
function firstRetries(retries: readonly Retry[]): Iterable<Retry> {
  const first = new Map<string, Retry>();
  const isBefore = (a: Retry, b: Retry) => {
    if (a.disputed !== b.disputed) return b.disputed;
    return a.proposedAt === b.proposedAt ? a.itemId < b.itemId : a.proposedAt < b.proposedAt;
  };
  for (const retry of retries) {
    const before = first.get(retry.of);
    if (before === undefined || isBefore(retry, before)) first.set(retry.of, retry);
  }
  return first.values();
}

/** What a run is told from others by. */
export function runKey(workspace: string, thread: string): string {
  return `${workspace}\0${thread}`;
}

/** When runs began, and which items with rows are of which run. */
export class Runs {
  private readonly began = new Least();
  private readonly ordinals: number[] = [];
  private readonly digests: Buffer[] = [];

  add(ordinal: number, hasRows: boolean, run: string, proposedAt: number): void {
    const digest = digestOf(run);
    this.began.add(proposedAt, digest);
    if (!hasRows) return;
    this.ordinals.push(ordinal);
    this.digests.push(digest);
  }

  parts(): NonNullable<Told["runs"]> {
    return { began: this.began.parts(), ordinals: Uint32Array.from(this.ordinals), digests: new Uint8Array(Buffer.concat(this.digests)) };
  }
}
