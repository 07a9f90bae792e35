import { sha256 } from "../events/canonical.ts";
import { dueItemId } from "../events/check.ts";
import { type Codec, FRAME_BYTES, schemaIdOf } from "../events/codec.ts";
import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import { foldEvent } from "../ledger/fold.ts";
import { createItem, type Entry, type Item } from "../ledger/item.ts";
import { MapMemory } from "../ledger/memory.ts";
import type { Checkpoint, EventLog, LogRecord } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { Buckets } from "./buckets.ts";
import { Catalogue } from "./catalogue.ts";
import { EXPORT_TOPICS, type Ranges, rangesOf } from "./ranges.ts";

/** Where to read, and how far. */
export interface ReadLedgerOptions {
  readonly log: EventLog;
  readonly codec: Codec;
  /** Text of a schema that the codec does not know yet; null where nobody does. */
  readonly schemaText?: (id: number) => Promise<string | null>;
  /** First offsets of which the decisions become rows. Default: the beginning. */
  readonly from?: Checkpoint;
  /** Where reading ends, exclusive. Partitions that are not named end at the head, as all do by default. */
  readonly to?: Checkpoint;
  /** Hears how many of how many records were read. */
  readonly onProgress?: (read: number, all: number) => void;
  readonly signal?: AbortSignal;
  /** Most bytes of records held in memory before files take them. */
  readonly mostHeld?: number;
}

/** A folded item with all of its events. */
export interface FoldedItem {
  readonly item: Item;
  readonly memory: MapMemory;
  readonly partition: number;
}

/** Records that could not take part, by reason. */
export interface Skipped {
  undecodable: number;
  unknownSchema: number;
  misplaced: number;
}

/** What was read: the items, to be folded one at a time. */
export interface ReadLedger {
  readonly ranges: Ranges;
  readonly catalogue: Catalogue;
  readonly skipped: Skipped;
  readonly records: number;
  /** Folds the items, by partition and their first decision. Once. */
  items(): Generator<FoldedItem>;
  close(): void;
}

/**
 * Reads the topics up to `to` and sorts them by item. Memory holds an index and a bounded part of the records.
 *
 * @throws CountersignError request_invalid when a range lies beyond the head, and what reading the log throws
 */
export async function readLedger(options: ReadLedgerOptions): Promise<ReadLedger> {
  const { log, codec, signal } = options;
  // A decision answers what was there before it. So the end of the decisions is taken first: heads are not read at one moment, and an
  // end of the verdicts that lies before that of the decisions would lose decisions between two exports.
  const decided = (await log.heads()).filter((h) => h.topic === "decisions");
  const others = (await log.heads()).filter((h) => h.topic !== "decisions");
  const ranges = rangesOf([...decided, ...others], options.from, options.to);
  const until = Object.fromEntries(EXPORT_TOPICS.map((t) => [t, Object.fromEntries(ranges[t].map((r) => [r.partition, r.to]))])) as Checkpoint;
  const all = EXPORT_TOPICS.reduce((n, t) => n + ranges[t].reduce((m, r) => m + r.to, 0), 0);
  const skipped: Skipped = { undecodable: 0, unknownSchema: 0, misplaced: 0 };
  const catalogue = new Catalogue();
  const buckets = new Buckets(log.partitions, options.mostHeld);
  let read = 0;
  try {
    for await (const { records } of log.read({}, { topics: EXPORT_TOPICS, until, ...(signal && { signal }) })) {
      for (const record of records) {
        if (record.offset >= (until[record.topic]?.[record.partition] ?? 0)) continue;
        read++;
        const id = record.value === null ? undefined : schemaIdOf(record.value);
        if (id !== undefined && !codec.knows(id)) await learn(id, options);
        if (record.value === null) skipped.undecodable++;
        else if (record.key === null || record.partition !== partitionOf(record.key, log.partitions)) skipped.misplaced++;
        else if (record.topic === "policies") addPolicy(record, codec, catalogue, skipped);
        else buckets.add(record, record.key, record.value);
      }
      options.onProgress?.(read, all);
    }
    signal?.throwIfAborted();
  } catch (error) {
    buckets.close();
    throw error;
  }
  return { ranges, catalogue, skipped, records: read, close: () => buckets.close(), items: () => foldAll(buckets, log.partitions, codec, skipped) };
}

async function learn(id: number, { codec, schemaText }: ReadLedgerOptions): Promise<void> {
  const text = (await schemaText?.(id)) ?? null;
  if (text !== null) codec.learn(id, text);
}

function* foldAll(buckets: Buckets, partitions: number, codec: Codec, skipped: Skipped): Generator<FoldedItem> {
  for (let partition = 0; partition < partitions; partition++)
    for (const { itemId, records } of buckets.items(partition, "decisions")) {
      const folded = { item: createItem(itemId), memory: new MapMemory(), partition };
      for (const record of records) foldRecord(record, folded, codec, skipped);
      yield folded;
    }
}

function foldRecord(record: LogRecord, { item, memory }: FoldedItem, codec: Codec, skipped: Skipped): void {
  const event = decoded(record, codec, skipped);
  if (event === undefined) return;
  foldEvent(item, memory, new RecordEntry(record, event));
}

/** A record on its way into the fold. */
class RecordEntry implements Entry {
  readonly topic: Topic;
  readonly offset: number;
  readonly event: AnyEvent;
  private readonly value: Uint8Array;

  constructor({ topic, offset, value }: LogRecord, event: AnyEvent) {
    this.topic = topic;
    this.offset = offset;
    this.event = event;
    this.value = value as Uint8Array;
  }

  /** Worked out when it is asked for, which is when a second delivery comes. */
  get contentSha256(): string {
    return sha256(this.value.subarray(FRAME_BYTES));
  }
}

function decoded(record: LogRecord, codec: Codec, skipped: Skipped) {
  const found = codec.decode(record.topic, record.value);
  if (!found.ok) {
    skipped[found.reason === "unknown_schema" ? "unknownSchema" : "undecodable"]++;
    return undefined;
  }
  const { event } = found;
  const due = dueItemId(record.topic, event);
  if (record.key === event.itemId && (due === undefined || due === event.itemId)) return event;
  skipped.misplaced++;
  return undefined;
}

function addPolicy(record: LogRecord, codec: Codec, catalogue: Catalogue, skipped: Skipped): void {
  const event = decoded(record, codec, skipped);
  if (event !== undefined) catalogue.add(event as EventOf["policies"]);
}
