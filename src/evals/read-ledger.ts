import { type Codec, schemaIdOf } from "../events/codec.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { Checkpoint, EventLog, LogRecord, MutableCheckpoint } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { Buckets } from "./buckets.ts";
import { decodedRecord, nothingSkipped, type Skipped } from "./fold-items.ts";
import type { PileSource } from "./pile.ts";
import { EXPORT_TOPICS, type ExportTopic, type Ranges, rangesOf } from "./ranges.ts";
import type { Temporary } from "./temporary.ts";

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
  /** Events of this moment and later take no part, whatever their topic. Milliseconds since the epoch. */
  readonly before?: number;
  /** Hears how many of how many records were read. */
  readonly onProgress?: (read: number, all: number) => void;
  readonly signal?: AbortSignal;
  /** Most bytes of records held in memory before files take them. */
  readonly mostHeld?: number;
}

/** What was read. */
export interface ReadLedger {
  readonly ranges: Ranges;
  readonly policies: readonly EventOf["policies"][];
  readonly skipped: Skipped;
  readonly records: number;
  /** Hands over the records of a partition, once; undefined where there are none. */
  hand(partition: number): PileSource | undefined;
  close(): void;
}

const BATCH_RECORDS = 2000;

/**
 * Reads the topics up to `to` and sorts them by partition. Memory holds a bounded part of the records.
 *
 * @throws CountersignError request_invalid when a range lies beyond the head, and what reading the log throws
 */
export async function readLedger(options: ReadLedgerOptions, temporary: Temporary): Promise<ReadLedger> {
  const { log, codec, signal, before = Number.POSITIVE_INFINITY } = options;
  // A decision answers what was there before it. So the end of the decisions is taken first: heads are not read at one moment, and an
  // end of the verdicts that lies before that of the decisions would lose decisions between two exports.
  const decided = (await log.heads()).filter((h) => h.topic === "decisions");
  const others = (await log.heads()).filter((h) => h.topic !== "decisions");
  const ranges = rangesOf([...decided, ...others], options.from, options.to);
  const until = Object.fromEntries(EXPORT_TOPICS.map((t) => [t, Object.fromEntries(ranges[t].map((r) => [r.partition, r.to]))])) as Checkpoint;
  const all = EXPORT_TOPICS.reduce((n, t) => n + ranges[t].reduce((m, r) => m + r.to, 0), 0);
  const skipped = nothingSkipped();
  const policies: EventOf["policies"][] = [];
  const buckets = new Buckets(log.partitions, temporary, options.mostHeld);
  const cut: MutableCheckpoint = {};
  let read = 0;
  try {
    for await (const { records } of log.read({}, { topics: EXPORT_TOPICS, until, maxBatch: BATCH_RECORDS, ...(signal && { signal }) })) {
      for (const record of records) {
        if (record.offset >= (until[record.topic]?.[record.partition] ?? 0)) continue;
        read++;
        const id = record.value === null ? undefined : schemaIdOf(record.value);
        if (id !== undefined && !codec.knows(id)) await learn(id, options);
        if (before !== Number.POSITIVE_INFINITY && momentOf(record, codec) >= before) {
          const ends = (cut[record.topic] ??= {});
          ends[record.partition] ??= record.offset;
          continue;
        }
        if (record.value === null) skipped.undecodable++;
        else if (record.key === null || record.partition !== partitionOf(record.key, log.partitions)) skipped.misplaced++;
        else if (record.topic !== "policies") buckets.add(record, record.key, record.value);
        else {
          const event = decodedRecord(record, codec, skipped);
          if (event !== undefined) policies.push(event as EventOf["policies"]);
        }
      }
      options.onProgress?.(read, all);
    }
    signal?.throwIfAborted();
  } catch (error) {
    buckets.close();
    throw error;
  }
  return { ranges: endedAt(ranges, cut), policies, skipped, records: read, hand: (partition) => buckets.hand(partition), close: () => buckets.close() };
}

/** When an event occurred by its own word; of what cannot be read, when the log took it. */
function momentOf({ topic, value, appendedAt }: LogRecord, codec: Codec): number {
  const found = codec.decode(topic, value);
  return found.ok ? found.event.occurredAt : appendedAt;
}

/**
 * The ranges, ending where the first record lies that was too late to take part: what goes on from there misses nothing, and what was
 * appended later does not move it.
 */
function endedAt(ranges: Ranges, cut: Checkpoint): Ranges {
  const of = (topic: ExportTopic) => ranges[topic].map((r) => ({ ...r, to: Math.max(r.from, Math.min(r.to, cut[topic]?.[r.partition] ?? r.to)) }));
  return Object.fromEntries(EXPORT_TOPICS.map((topic) => [topic, of(topic)])) as unknown as Ranges;
}

async function learn(id: number, { codec, schemaText }: ReadLedgerOptions): Promise<void> {
  const text = (await schemaText?.(id)) ?? null;
  if (text !== null) codec.learn(id, text);
}
