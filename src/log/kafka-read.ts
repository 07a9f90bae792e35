import { setTimeout as sleep } from "node:timers/promises";
import { CountersignError, messageOf } from "../errors.ts";
import { TOPICS, type Topic } from "../events/topics.ts";
import { isSettling } from "./kafka-errors.ts";
import type { Fetched } from "./kafka-fetch.ts";
import { type Lane, TimeMerge } from "./kafka-merge.ts";
import { type Batch, type Checkpoint, type Head, offsetIn, type ReadOptions } from "./log.ts";
import { gap, recreated } from "./sequence.ts";

/** What a consumer session tells its reader. */
export interface SessionEvents {
  /** Asked at every join, synchronously: where each wanted partition goes on, and which are not wanted. */
  positions(): { readonly topic: Topic; readonly partition: number; readonly next: number; readonly wanted: boolean }[];
  /** The broker has answered a fetch. */
  alive(): void;
  /** Records of one partition in order, as soon as they are here. */
  fetched(topic: Topic, partition: number, fetched: Fetched, head: number): void;
  /** Resolves when more of the partition may be fetched. */
  room(topic: Topic, partition: number, heartbeat: () => Promise<void>): Promise<void>;
  /** The session is over. `outOfRange`: the broker did not have the offset asked for. */
  failed(error: unknown, outOfRange: boolean): void;
}

/** A running consumer. */
export interface Session {
  pause(lanes: readonly { topic: Topic; partition: number }[]): void;
  resume(lanes: readonly { topic: Topic; partition: number }[]): void;
  close(): void;
}

/** What a reader needs of the driver. */
export interface ReadPorts {
  readonly partitions: number;
  heads(topics: readonly Topic[]): Promise<readonly Head[]>;
  open(topics: readonly Topic[], reader: string | undefined, events: SessionEvents): Session;
  /** Aborts when the log is closed. */
  readonly closed: AbortSignal;
  trouble(sentence: string | null): void;
  /** Reading was interrupted: what lies at the places already read may be another log. */
  interrupted(): void;
}

/** Most that is held before fetching waits for the consumer: about a second of folding. */
const MOST_HELD_BYTES = 12 * 1024 * 1024;
/** A lane with more than this is not fetched while another lane has nothing. */
const LANE_HELD_BYTES = 256 * 1024;
/** How long topics may be missing while reading before that is believed: a broker that starts does not know them at once. */
const MISSING_BELIEVED_MS = 5000;

/** EventLog.read over Kafka. The range is fixed at the call. */
export function readKafka(ports: ReadPorts, from: Checkpoint, options: ReadOptions = {}): AsyncIterable<Batch> {
  const topics = options.topics ? TOPICS.filter((t) => options.topics!.includes(t)) : TOPICS;
  // A failure here is met again, with patience, when the iteration begins.
  const heads = ports.heads(topics).catch(() => undefined);
  return follow(ports, heads, topics, from, options);
}

async function* follow(
  ports: ReadPorts,
  early: Promise<readonly Head[] | undefined>,
  topics: readonly Topic[],
  from: Checkpoint,
  options: ReadOptions,
): AsyncGenerator<Batch> {
  const finished = new AbortController();
  const ending = AbortSignal.any([ports.closed, finished.signal, ...(options.signal ? [options.signal] : [])]);
  if (ports.closed.aborted) throw new CountersignError("log_closed", "The log is closed");
  checkPartitions(ports.partitions, from);
  let reading: Reading | undefined;
  try {
    const heads = (await early) ?? (await patientHeads(ports, topics, ending, 0));
    if (!heads) return;
    const merge = new TimeMerge(heads.map((head, order) => laneOf(head, order, from, options)));
    checkRange(merge.lanes, heads);
    if (merge.finished()) return;
    reading = new Reading(ports, merge, topics, options.reader, ending);
    yield* deliver(reading, merge, options.maxBatch ?? 1000, ending);
  } finally {
    // First, so that nothing that is still under way reports trouble afterwards.
    finished.abort();
    reading?.close();
    ports.trouble(null);
  }
}

async function* deliver(reading: Reading, merge: TimeMerge, maxBatch: number, ending: AbortSignal): AsyncGenerator<Batch> {
  let announced = false;
  while (!ending.aborted) {
    const records = merge.take(maxBatch);
    const atHead = merge.atHead();
    reading.taken();
    if (records.length > 0 || (atHead && !announced)) {
      announced = atHead;
      yield { records, atHead };
      if (records.length > 0 && !atHead) await nextTurn();
    } else if (merge.finished()) return;
    else await reading.more();
  }
}

/** One iteration: keeps a session open, reopens it where the last one ended. */
class Reading {
  private readonly ports: ReadPorts;
  private readonly merge: TimeMerge;
  private readonly topics: readonly Topic[];
  private readonly reader: string | undefined;
  private readonly ending: AbortSignal;
  private readonly lanes = new Map<string, Lane>();
  private session: Session | undefined;
  private serial = 0;
  private failure: unknown;
  private failures = 0;
  private wakeReader: (() => void) | undefined;
  private wakeFetch: (() => void) | undefined;
  private paused: Lane[] = [];
  private waking = false;

  constructor(ports: ReadPorts, merge: TimeMerge, topics: readonly Topic[], reader: string | undefined, ending: AbortSignal) {
    this.ports = ports;
    this.merge = merge;
    this.reader = reader;
    this.ending = ending;
    for (const lane of merge.lanes) this.lanes.set(`${lane.topic}/${lane.partition}`, lane);
    this.topics = topics.filter((t) => merge.lanes.some((lane) => lane.topic === t && lane.next < lane.end));
    ending.addEventListener("abort", this.onAbort);
    this.open();
  }

  /** Resolves when there may be more to take. @throws what ended the reading for good */
  async more(): Promise<void> {
    if (this.failure !== undefined) {
      if (this.merge.count === 0) throw this.failure;
      // What lies before the hole is delivered first.
      this.merge.release();
      return;
    }
    await new Promise<void>((resolve) => (this.wakeReader = resolve));
    this.wakeReader = undefined;
  }

  /** Lets fetching go on when there is room again. */
  taken(): void {
    if (this.wakeFetch && (this.merge.bytes < MOST_HELD_BYTES / 2 || this.merge.missing() > 0)) this.wakeFetch();
    if (this.paused.length === 0) return;
    // A paused lane that has run empty may be the very one that is waited for.
    const all = this.merge.missing() === 0;
    const resumed = this.paused.filter((lane) => all || lane.bytes <= LANE_HELD_BYTES / 2);
    if (resumed.length === 0) return;
    this.paused = this.paused.filter((lane) => !resumed.includes(lane));
    this.session?.resume(resumed.filter((lane) => lane.next < lane.end));
  }

  close(): void {
    this.serial++;
    this.ending.removeEventListener("abort", this.onAbort);
    this.session?.close();
    this.wakeFetch?.();
  }

  private readonly onAbort = (): void => {
    this.wakeReader?.();
    this.wakeFetch?.();
  };

  private open(): void {
    const serial = ++this.serial;
    const current = () => serial === this.serial;
    this.paused = [];
    this.session = this.ports.open(this.topics, this.reader, {
      positions: () => this.merge.lanes.map((l) => ({ topic: l.topic, partition: l.partition, next: l.next, wanted: l.next < l.end })),
      alive: () => {
        if (this.failures === 0 || !current()) return;
        this.failures = 0;
        this.ports.trouble(null);
      },
      fetched: (topic, partition, fetched, head) => {
        if (current()) this.receive(topic, partition, fetched, head);
      },
      room: (topic, partition, heartbeat) => this.room(topic, partition, heartbeat, current),
      failed: (error, outOfRange) => {
        if (current()) void this.reopen(error, outOfRange);
      },
    });
  }

  private receive(topic: Topic, partition: number, fetched: Fetched, head: number): void {
    const lane = this.lanes.get(`${topic}/${partition}`);
    if (!lane) return;
    if (fetched.errorCode !== undefined) {
      this.ports.interrupted();
      return;
    }
    if (head > lane.head) lane.head = head;
    try {
      this.merge.push(lane, fetched);
    } catch (error) {
      this.fail(error);
    }
    this.wake();
  }

  private async room(topic: Topic, partition: number, heartbeat: () => Promise<void>, current: () => boolean): Promise<void> {
    const lane = this.lanes.get(`${topic}/${partition}`);
    if (!lane || !current()) return;
    if (lane.next >= lane.end) this.session?.pause([lane]);
    else if (this.merge.missing() > 0 && lane.bytes > LANE_HELD_BYTES && !this.paused.includes(lane)) {
      this.session?.pause([lane]);
      this.paused.push(lane);
    }
    while (current() && !this.ending.aborted && this.merge.bytes > MOST_HELD_BYTES && this.merge.missing() === 0) {
      const room = new Promise<void>((resolve) => (this.wakeFetch = resolve));
      // The group would take a consumer that is silent for too long for dead.
      if ((await Promise.race([room, sleep(2000, "still full", { ref: false })])) === "still full") await heartbeat();
    }
    this.wakeFetch = undefined;
  }

  /** After this turn of the event loop, so that all partitions of one fetch are merged together. */
  private wake(): void {
    if (this.waking) return;
    this.waking = true;
    setImmediate(() => {
      this.waking = false;
      this.wakeReader?.();
    });
  }

  private fail(error: unknown): void {
    this.failure ??= error;
    this.serial++;
    this.session?.close();
    this.wakeReader?.();
  }

  private async reopen(error: unknown, outOfRange: boolean): Promise<void> {
    const serial = ++this.serial;
    this.session?.close();
    this.session = undefined;
    this.ports.interrupted();
    // A coordinator that is just being chosen is no trouble yet.
    if (this.failures++ > 3 || !(outOfRange || isSettling(error))) this.ports.trouble(messageOf(error));
    try {
      if (error instanceof CountersignError && !error.retryable) throw error;
      const heads = await patientHeads(this.ports, [...new Set(this.merge.lanes.map((l) => l.topic))], this.ending, MISSING_BELIEVED_MS, this.failures);
      if (!heads || serial !== this.serial) return;
      checkRange(this.merge.lanes, heads);
      if (outOfRange) throw lostPlace(error);
      for (const [i, head] of heads.entries()) this.merge.lanes[i]!.head = head.next;
      this.open();
    } catch (fatal) {
      this.fail(fatal);
    }
  }
}

/** The heads, however long it takes. Undefined when the reading ends first. */
async function patientHeads(
  ports: ReadPorts,
  topics: readonly Topic[],
  ending: AbortSignal,
  missingMs: number,
  failures = 0,
): Promise<readonly Head[] | undefined> {
  const began = Date.now();
  for (let tries = failures; !ending.aborted; tries++) {
    if (tries > 0) await sleep(Math.min(2000, 50 * 2 ** Math.min(tries, 6)), undefined, { signal: ending }).catch(() => undefined);
    if (ending.aborted) break;
    try {
      const heads = await ports.heads(topics);
      if (tries > failures) ports.trouble(null);
      return heads;
    } catch (error) {
      if (ending.aborted) break;
      const waitFor = error instanceof CountersignError && error.code === "topics_missing" && Date.now() - began < missingMs;
      if (!waitFor && !(error instanceof CountersignError && error.retryable)) throw error;
      ports.trouble(messageOf(error));
    }
  }
  return undefined;
}

function laneOf(head: Head, order: number, from: Checkpoint, { until }: ReadOptions): Lane {
  const { topic, partition } = head;
  const next = offsetIn(from, topic, partition);
  const end = until === undefined ? Number.POSITIVE_INFINITY : until === "heads" ? head.next : offsetIn(until, topic, partition);
  return { topic, partition, order, next, end, target: Math.min(end, head.next), head: head.next, queue: [], at: 0, bytes: 0 };
}

/** The client would silently begin elsewhere when an offset is out of range, so every start and every restart looks first. */
function checkRange(lanes: readonly Lane[], heads: readonly Head[]): void {
  for (const [i, { topic, partition, next, end }] of lanes.entries()) {
    const head = heads[i]!;
    if (next > head.next) throw recreated(topic, partition, next, head.next);
    if (next < head.first && next < end) throw deleted(topic, partition, next, head.first);
  }
}

function deleted(topic: Topic, partition: number, next: number, first: number): CountersignError {
  const { message } = gap(topic, partition, next, first);
  return new CountersignError("log_gap", `${message}: they were deleted by retention or by hand (the first that is kept is ${first})`, {
    field: `${topic}/${partition}@${next}`,
    fix: "set retention.ms=-1 and retention.bytes=-1 with countersign topics apply, and restore the deleted events from a backup",
  });
}

function lostPlace(error: unknown): CountersignError {
  return new CountersignError(
    "log_recreated",
    `The log no longer had the next offset while it was being read (${messageOf(error)}): a topic was deleted and made again, or lost its end`,
    {
      fix: "open the right log, or rebuild the views from this one with countersign rebuild",
    },
  );
}

function checkPartitions(partitions: number, from: Checkpoint): void {
  for (const topic of TOPICS) {
    const beyond = Object.keys(from[topic] ?? {}).find((p) => !(Number(p) >= 0 && Number(p) < partitions));
    if (beyond === undefined) continue;
    throw new CountersignError("partitions_mismatch", `The checkpoint names partition ${beyond} of ${topic}, but this log has ${partitions} partitions`, {
      field: `${topic}/${beyond}`,
      fix: "open the log that the checkpoint was made from, or rebuild the views with countersign rebuild",
    });
  }
}

/** Lets sockets, timers and waiting appends run: a reader that catches up would otherwise hold the thread until its buffer is empty. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
