import { CountersignError, messageOf } from "../errors.ts";
import { TOPICS, type Topic } from "../events/topics.ts";
import { type Batch, type Checkpoint, type Head, type LogRecord, offsetIn, type ReadOptions } from "./log.ts";

/** Next offset of every partition, by topic. */
export type Offsets = { readonly [T in Topic]: number[] };

/**
 * A log that keeps one order over all topics: records are numbered 1, 2, 3 … as they are appended, and their append times never fall.
 * Reading by number is therefore reading by time, and the merge across topics costs nothing.
 */
export interface Sequence {
  readonly partitions: number;
  readonly closed: boolean;
  readonly onTrouble?: ((sentence: string | null) => void) | undefined;
  /** Number of the newest record, 0 for none, and the next offsets behind it. */
  newest(): { readonly number: number; readonly next: Offsets };
  /** A number such that no record up to it lies at or behind these offsets. The nearer, the less is read in vain. */
  before(from: Offsets): number;
  /** The records behind a number, without a hole, at most `max` and a few megabytes of them. @throws CountersignError log_gap when the next number is missing */
  after(number: number, max: number): readonly LogRecord[];
  /** Resolves when records behind a number may be there, when the log closes, or when the signal aborts. */
  more(number: number, signal: AbortSignal | undefined): Promise<void>;
}

/** Offsets that are all zero. */
export function noOffsets(partitions: number): Offsets {
  return Object.fromEntries(TOPICS.map((t) => [t, new Array<number>(partitions).fill(0)])) as unknown as Offsets;
}

/** Offsets that do not change with the others. */
export function copyOffsets(next: Offsets): Offsets {
  const copy = {} as { [T in Topic]: number[] };
  for (const topic of TOPICS) copy[topic] = next[topic].slice();
  return copy;
}

/** The heads of a log that keeps everything. */
export function headsOf(next: Offsets): Head[] {
  return TOPICS.flatMap((topic) => next[topic].map((n, partition) => ({ topic, partition, first: 0, next: n })));
}

/** EventLog.read over a sequence. The range is fixed at the call; what is wrong with it is thrown at the first step. */
export function readSequence(log: Sequence, from: Checkpoint, options: ReadOptions = {}): AsyncIterable<Batch> {
  try {
    const start = startOf(log, from, options);
    return follow(log, () => start, options);
  } catch (error) {
    return follow(log, () => Promise.reject(error), options);
  }
}

interface Start {
  number: number;
  readonly next: Offsets;
  readonly limit: Offsets;
}

function startOf(log: Sequence, from: Checkpoint, options: ReadOptions): Start {
  if (log.closed) throw new CountersignError("log_closed", "The log is closed");
  const newest = log.newest();
  const next = noOffsets(log.partitions);
  const limit = noOffsets(log.partitions);
  const topics = new Set(options.topics ?? TOPICS);
  for (const topic of TOPICS) {
    checkPartitions(log.partitions, topic, from);
    for (let partition = 0; partition < log.partitions; partition++) {
      const head = newest.next[topic][partition]!;
      const offset = offsetIn(from, topic, partition);
      if (offset > head) throw recreated(topic, partition, offset, head);
      const end = options.until === undefined ? Number.POSITIVE_INFINITY : options.until === "heads" ? head : offsetIn(options.until, topic, partition);
      next[topic][partition] = offset;
      limit[topic][partition] = topics.has(topic) ? end : offset;
    }
  }
  return { number: log.before(wantedOf(next, limit)), next, limit };
}

/** Where reading goes on. Partitions from which nothing is wanted must not pull it back to the beginning. */
function wantedOf(next: Offsets, limit: Offsets): Offsets {
  return Object.fromEntries(
    TOPICS.map((topic) => [topic, next[topic].map((offset, p) => (offset < limit[topic][p]! ? offset : Number.POSITIVE_INFINITY))]),
  ) as unknown as Offsets;
}

async function* follow(log: Sequence, start: () => Start | Promise<never>, options: ReadOptions): AsyncGenerator<Batch> {
  const at = await start();
  const { signal, maxBatch = 1000 } = options;
  const bounded = options.until !== undefined;
  let announced = false;
  let failures = 0;
  while (!signal?.aborted && !log.closed && !(bounded && finished(at))) {
    let records: LogRecord[];
    let atHead: boolean;
    try {
      const found = log.after(at.number, maxBatch);
      records = take(found, at);
      // One old record that is wanted must not make a bounded reader go through everything behind it.
      if (bounded && records.length * 2 < found.length) at.number = Math.max(at.number, log.before(wantedOf(at.next, at.limit)));
      atHead = at.number >= log.newest().number;
      if (failures > 0) log.onTrouble?.(null);
      failures = 0;
    } catch (error) {
      if (!(error instanceof CountersignError && error.retryable)) throw error;
      log.onTrouble?.(messageOf(error));
      await pause(Math.min(2000, 20 * 2 ** failures++), signal);
      continue;
    }
    if (records.length > 0 || (atHead && !announced)) {
      announced = atHead;
      yield { records, atHead };
    }
    if (!atHead) await nextTurn();
    else if (!(bounded && finished(at))) await log.more(at.number, signal);
  }
}

function finished(at: Start): boolean {
  return TOPICS.every((t) => at.limit[t].every((end, p) => at.next[t][p]! >= end));
}

/** Of the records found, those that are wanted; moves the reader behind what it took. @throws CountersignError log_gap */
function take(found: readonly LogRecord[], at: Start): LogRecord[] {
  const wanted: LogRecord[] = [];
  for (const record of found) {
    const { topic, partition, offset } = record;
    const expected = at.next[topic][partition]!;
    if (offset >= expected && expected < at.limit[topic][partition]!) {
      if (offset > expected) {
        // What lies before the hole is delivered first; the next step meets the hole again.
        if (wanted.length > 0) break;
        throw gap(topic, partition, expected, offset);
      }
      at.next[topic][partition] = expected + 1;
      wanted.push(record);
    }
    at.number++;
  }
  return wanted;
}

/** Lets timers, sockets and waiting appends run: a reader that catches up would otherwise hold the thread until it is done. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A pause that ends early when the signal aborts. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}

/** The error for records that are missing. */
export function gap(topic: Topic, partition: number, expected: number, found: number): CountersignError {
  return new CountersignError("log_gap", `Records ${expected} to ${found - 1} of ${topic}/${partition} are missing from the log`, {
    field: `${topic}/${partition}@${expected}`,
    fix: "restore the missing records from a backup of the log: a rebuild would stop at the same place",
  });
}

/** The error for a checkpoint that lies beyond the head. */
export function recreated(topic: Topic, partition: number, offset: number, head: number): CountersignError {
  return new CountersignError(
    "log_recreated",
    `The checkpoint expects offset ${offset} of ${topic}/${partition}, but the log ends at ${head}: it is another log, or an older copy`,
    {
      field: `${topic}/${partition}@${offset}`,
      fix: "open the right log, or rebuild the views from this one with countersign rebuild",
    },
  );
}

function checkPartitions(partitions: number, topic: Topic, checkpoint: Checkpoint): void {
  const beyond = Object.keys(checkpoint[topic] ?? {}).find((p) => !(Number(p) >= 0 && Number(p) < partitions));
  if (beyond !== undefined)
    throw new CountersignError("partitions_mismatch", `The checkpoint names partition ${beyond} of ${topic}, but this log has ${partitions} partitions`, {
      field: `${topic}/${beyond}`,
      fix: "open the log that the checkpoint was made from, or rebuild the views with countersign rebuild",
    });
}
