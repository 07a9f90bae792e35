import type { Topic } from "../events/topics.ts";

/** Where a record lies. Offsets of a partition are contiguous from the first that is kept. */
export interface Position {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
}

/** A record to append. */
export interface NewRecord {
  readonly topic: Topic;
  /** The item id. It decides the partition: Java's murmur2 of its UTF-8 bytes, in every driver. */
  readonly key: string;
  /** Framed bytes. The log does not look into them. */
  readonly value: Uint8Array;
  /** Only called by drivers that keep headers (kafka). They are derived from the value, so the embedded log does not store them. */
  readonly headers?: () => Record<string, string>;
}

/** A record as it is read. Key and value are what lies in the log, also when a foreign producer wrote it. */
export interface LogRecord extends Position {
  /** Null when the record has no key or the key is no UTF-8. */
  readonly key: string | null;
  readonly value: Uint8Array | null;
  /** When the log appended it, in milliseconds since the epoch. For display and for merging; the fold never reads it. */
  readonly appendedAt: number;
}

/** Next offset to read, per topic and partition. What is absent starts at the beginning. */
export type Checkpoint = { readonly [T in Topic]?: { readonly [partition: number]: number } };

/** The half-open range of offsets that a partition holds. */
export interface Head {
  readonly topic: Topic;
  readonly partition: number;
  /** Offset of the first record that is kept. */
  readonly first: number;
  /** Offset that the next record will get. */
  readonly next: number;
}

/** One step of reading. */
export interface Batch {
  /** Each partition in log order; across partitions by append time where several are ready, ties in the order of TOPICS. */
  readonly records: readonly LogRecord[];
  /** True when, at the moment of reading, nothing more was there. */
  readonly atHead: boolean;
}

/** How to read. */
export interface ReadOptions {
  /** Ends the reading: the iteration returns. */
  readonly signal?: AbortSignal;
  /** Only these topics. Default: all. */
  readonly topics?: readonly Topic[];
  /** Stop (return) once these offsets are reached, exclusive, instead of following forever. `"heads"`: the heads at the time of the call. */
  readonly until?: Checkpoint | "heads";
  /** Most records in a batch. Default 1000. */
  readonly maxBatch?: number;
  /** Who reads, for drivers that keep groups (kafka: group id). Default: a fresh anonymous reader. */
  readonly reader?: string;
}

/**
 * The log: three verbs over seven topics with the same number of partitions. It knows bytes and positions, not meaning.
 *
 * What every driver promises, and one contract suite checks:
 * - Records with the same key and topic keep their order: those of one `append` call as given, those of calls that were awaited one
 *   after the other in that order. Delivery is at least once; nothing acknowledged is ever lost, also by a crash.
 * - Offsets of a partition are contiguous. A hole that a reader meets is an error (`log_gap`), never skipped.
 * - Two processes may append and read at the same time.
 */
export interface EventLog {
  /** Number of partitions of every topic. It never changes in the life of a log. */
  readonly partitions: number;

  /** The URL that names this log, without credentials. */
  readonly url: string;

  /**
   * Appends records and resolves with their positions, in the order given, once they are durable. Each record is appended whole or
   * not at all; the records of one call are not one transaction.
   *
   * @throws AppendOutcomeUnknown when it cannot tell whether records were appended: look for their eventIds before trying again, with the same ids
   * @throws CountersignError log_unavailable, retryable: nothing was appended; log_closed
   */
  append(records: readonly NewRecord[]): Promise<readonly Position[]>;

  /**
   * Reads from a checkpoint, and follows. Batches are never empty, except that one with `atHead: true` may be, to say that the head
   * is reached. While catching up, records of all topics are merged by append time, so that causes come before their answers as far
   * as time can tell. The consumer pulls: nothing more than a bounded buffer is read ahead.
   *
   * Retries by itself, with backoff, while the log is unreachable; `onTrouble` hears of it.
   *
   * @throws CountersignError log_gap when an offset is missing; log_recreated when the checkpoint lies beyond the head; topics_missing
   */
  read(from: Checkpoint, options?: ReadOptions): AsyncIterable<Batch>;

  /** First and next offsets of every partition of every topic. @throws CountersignError log_unavailable, topics_missing */
  heads(): Promise<readonly Head[]>;

  /**
   * How often reading was interrupted. Afterwards the log may be another one under the same name, refilled to the same offsets, which no
   * offset tells: a reader that goes on compares what it read last with what lies there now. Logs that cannot be exchanged have none.
   */
  readonly interruptions?: number;

  /** Called with a sentence while the log cannot be reached, and with null when it can again. */
  onTrouble?: ((sentence: string | null) => void) | undefined;

  /** Finishes what is under way and lets go of files and connections. */
  close(): Promise<void>;
}

/** A copy of a checkpoint that can be moved forward. */
export type MutableCheckpoint = { [T in Topic]?: { [partition: number]: number } };

/** Offset at which a checkpoint continues in a partition. */
export function offsetIn(checkpoint: Checkpoint, topic: Topic, partition: number): number {
  return checkpoint[topic]?.[partition] ?? 0;
}

/** Moves a checkpoint behind a position. */
export function advance(checkpoint: MutableCheckpoint, position: Position): void {
  let perTopic = checkpoint[position.topic];
  if (!perTopic) checkpoint[position.topic] = perTopic = {};
  perTopic[position.partition] = position.offset + 1;
}

/** The checkpoint at the heads. */
export function checkpointAt(heads: readonly Head[]): Checkpoint {
  const checkpoint: MutableCheckpoint = {};
  for (const head of heads) if (head.next > 0) advance(checkpoint, { ...head, offset: head.next - 1 });
  return checkpoint;
}
