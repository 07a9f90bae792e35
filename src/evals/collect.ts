import { availableParallelism } from "node:os";
import { CountersignError } from "../errors.ts";
import { partitionOf } from "../log/partitioner.ts";
import { type Crew, crewOf } from "./crew.ts";
import { factsOf, type PartitionFacts } from "./facts.ts";
import type { Skipped } from "./fold-items.ts";
import { Insights } from "./insights.ts";
import type { Part } from "./output.ts";
import type { PileSource } from "./pile.ts";
import { type PublishedPolicies, publishedPolicies } from "./published-policies.ts";
import type { Ranges } from "./ranges.ts";
import { type ReadLedger, type ReadLedgerOptions, readLedger } from "./read-ledger.ts";
import { type Hidden, nothingHidden, type Profile } from "./redact/redactor.ts";
import { tellSiblings } from "./siblings.ts";
import { DEFAULT_SPLIT_SEED } from "./split.ts";
import { Tally } from "./tally.ts";
import { targetOf } from "./targets/table.ts";
import type { PublishedDocument } from "./targets/target.ts";
import { asFault, Temporary } from "./temporary.ts";
import type { Final, First, Settings } from "./work.ts";

/** What to collect. */
export interface CollectOptions extends ReadLedgerOptions {
  /** Only items of this workspace. */
  readonly workspace?: string;
  /** Only decisions made at or after this. Milliseconds since the epoch. */
  readonly after?: number;
  /** Whether messages and tools of the transcripts come along. Default: yes. */
  readonly transcripts?: boolean;
  /** Default strict. */
  readonly profile?: Profile;
  /** Key of the pseudonyms. */
  readonly key: string;
  readonly splitSeed?: string;
  /** Runs whose first proposal is at or after this are the holdout. Milliseconds since the epoch. */
  readonly holdoutFrom?: number;
  /** Hears of how many of how many partitions the rows are made. */
  readonly onRows?: (made: number, all: number) => void;
  /** Threads that make the rows, this one among them. They change no byte. Default: one for each processor where there is much to do, else this one alone. */
  readonly threads?: number;
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
  readonly tally: Tally;
  /** From the names in the files to the names of the tools. */
  readonly functionNames: { readonly [mapped: string]: string };
  /** The rows, file by file and in the order of partition, item and decision. */
  readonly parts: readonly Part[];
  close(): Promise<void>;
}

/** Refuses a time that ends before it begins. @throws CountersignError request_invalid */
function checkTimes({ after, before }: CollectOptions): void {
  if (after === undefined || before === undefined || after <= before) return;
  const [from, to] = [new Date(after).toISOString(), new Date(before).toISOString()];
  throw new CountersignError("request_invalid", `The time from ${from} to ${to} ends before it begins`, {
    field: "/after",
    value: from,
    fix: "give a beginning that is not later than the end",
  });
}

/** Events from which on other threads are worth their start. */
const WORTH_THREADS = 100_000;
/** More threads than this wait for the disk. */
const MOST_THREADS = 8;

/**
 * Reads the topics, folds every item, and makes the rows of the examples in the range, redacted, in the form of a target. What depends on
 * other items (who decided otherwise, what comes twice, which retry was approved, which calls answer the same messages) is worked out when all have been folded, and the rows of
 * the items that it concerns are made again.
 *
 * @param target null where nothing is written, only counted
 * @throws as readLedger; request_invalid where the time ends before it begins
 */
export async function collect(target: string | null, options: CollectOptions): Promise<Collection> {
  checkTimes(options);
  const temporary = new Temporary();
  let ledger: ReadLedger | undefined;
  let crew: Crew | undefined;
  const close = async () => {
    await crew?.close();
    ledger?.close();
    temporary.close();
  };
  try {
    crew = crewOf(options.threads ?? (await worthThreads(options)), temporary);
    ledger = await readLedger(options, temporary);
    const { records, ranges } = ledger;
    const policies = publishedPolicies(ledger.policies);
    crew.begin(settingsOf(target, options, ledger, policies));
    const firsts = await firstPass(ledger, crew, options);
    const finals = await secondPass(firsts, crew, options);
    return { ranges, records, ...collectionOf(ledger, firsts, finals), unreadablePolicies: policies.unreadable, documents: policies.newest, close };
  } catch (error) {
    await close();
    throw asFault(error);
  }
}

async function worthThreads({ log }: CollectOptions): Promise<number> {
  const records = (await log.heads()).reduce((n, { first, next }) => n + next - first, 0);
  return records < WORTH_THREADS ? 1 : Math.min(availableParallelism(), MOST_THREADS);
}

function settingsOf(target: string | null, options: CollectOptions, { ranges }: ReadLedger, { described, versions }: PublishedPolicies): Settings {
  const needsJudged = target !== null && targetOf(target).needsJudged === true;
  return {
    versions: needsJudged ? versions : [],
    target,
    schemas: options.codec.schemas(),
    policies: described,
    from: { decisions: ranges.decisions.map((r) => r.from), proposals: ranges.proposals.map((r) => r.from) },
    workspace: options.workspace,
    after: options.after ?? Number.NEGATIVE_INFINITY,
    transcripts: options.transcripts ?? true,
    profile: options.profile ?? "strict",
    key: options.key,
    splitSeed: options.splitSeed ?? DEFAULT_SPLIT_SEED,
    holdoutFrom: options.holdoutFrom,
  };
}

async function firstPass(ledger: ReadLedger, crew: Crew, { log, signal, onRows }: CollectOptions): Promise<(First | undefined)[]> {
  const sources = Array.from({ length: log.partitions }, (_, partition) => ledger.hand(partition));
  const all = sources.filter((source) => source !== undefined).length;
  let made = 0;
  const first = async (source: PileSource, partition: number) => {
    const done = await crew.first(partition, source);
    onRows?.(++made, all);
    return done;
  };
  return together(sources, (source, partition) => (source === undefined ? undefined : first(source, partition)), signal);
}

async function secondPass(firsts: readonly (First | undefined)[], crew: Crew, { log, holdoutFrom, signal }: CollectOptions): Promise<(Final | undefined)[]> {
  const placeOf = (itemId: string) => partitionOf(itemId, log.partitions);
  const facts = factsOf(firsts, holdoutFrom, placeOf);
  const isShared = ({ items }: PartitionFacts) => [...items.values()].some(({ prompt }) => prompt !== null);
  const siblings = await together(facts, (of, partition) => (isShared(of) ? crew.siblings(partition, of) : undefined), signal);
  tellSiblings(
    facts,
    siblings.flatMap((found) => found ?? []),
    placeOf,
  );
  return together(firsts, (first, partition) => (first === undefined ? undefined : crew.final(partition, facts[partition] as (typeof facts)[number])), signal);
}

/** Waits for all, or for what stops them. */
async function together<A, B>(
  all: readonly A[],
  start: (one: A, i: number) => Promise<B> | undefined,
  signal: AbortSignal | undefined,
): Promise<(B | undefined)[]> {
  signal?.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal?.reason);
  signal?.addEventListener("abort", stop);
  try {
    return await Promise.race([Promise.all(all.map((one, i) => start(one, i))), stopped.promise]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function collectionOf(ledger: ReadLedger, firsts: readonly (First | undefined)[], finals: readonly (Final | undefined)[]) {
  const skipped = { ...ledger.skipped };
  const hidden = nothingHidden();
  const [insights, tally] = [new Insights(), new Tally()];
  let [parked, items] = [0, 0];
  for (const first of firsts) {
    if (first === undefined) continue;
    parked += first.parked;
    items += first.items;
    for (const reason of Object.keys(skipped) as (keyof Skipped)[]) skipped[reason] += first.skipped[reason];
    hidden.fields += first.hidden.fields;
    hidden.onlyInField += first.hidden.onlyInField;
    for (const kind of Object.keys(hidden.found) as (keyof Hidden["found"])[]) hidden.found[kind] += first.hidden.found[kind];
    insights.merge(first.insights);
  }
  const done = finals.filter((final) => final !== undefined);
  for (const final of done) tally.merge(final.tally);
  const names = done.flatMap((final) => Object.entries(final.functionNames));
  return {
    ...{ skipped, hidden, insights, tally, parked, items },
    functionNames: Object.fromEntries(names.sort(([a], [b]) => (a < b ? -1 : 1))),
    parts: done.flatMap((final) => final.parts),
  };
}
