import type { Topic } from "../events/topics.ts";
import type { Fetched, RawMessage } from "./kafka-fetch.ts";
import type { LogRecord } from "./log.ts";
import { gap } from "./sequence.ts";

/** What is read of one partition. */
export interface Lane {
  readonly topic: Topic;
  readonly partition: number;
  /** Breaks ties of append time. */
  readonly order: number;
  /** Next offset to come in. */
  next: number;
  /** Catching up means: up to here, exclusive, this lane is waited for. */
  target: number;
  /** Nothing from here on is wanted. */
  readonly end: number;
  /** The partition's next offset as last heard. */
  head: number;
  queue: LogRecord[];
  at: number;
  bytes: number;
}

/**
 * Merges the partitions by append time, while a lane that is known to have more is waited for; what comes after the targets flows as it
 * comes. A binary heap of the lanes that hold something, so a record costs a few comparisons and no promise.
 */
export class TimeMerge {
  /** Records and bytes that are held. */
  count = 0;
  bytes = 0;
  readonly lanes: readonly Lane[];
  private heap: Lane[] = [];

  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
  }

  /** Lanes that are known to have more but hold nothing: until they do, nothing may be taken. */
  missing(): number {
    let n = 0;
    for (const lane of this.lanes) if (lane.at === lane.queue.length && lane.next < lane.target) n++;
    return n;
  }

  /** Takes in what was fetched; what the lane has already is skipped. @throws CountersignError log_gap */
  push(lane: Lane, { messages, failure: unreadable }: Fetched): void {
    if (lane.at === lane.queue.length) {
      lane.queue = [];
      lane.at = 0;
    }
    const wasEmpty = lane.queue.length === 0;
    let failure: unknown = unreadable;
    for (const message of messages) {
      const { offset } = message;
      if (offset < lane.next) continue;
      if (lane.next >= lane.end) break;
      if (offset > lane.next) {
        failure = gap(lane.topic, lane.partition, lane.next, offset);
        break;
      }
      lane.next++;
      lane.queue.push(recordOf(lane, message));
      const size = (message.value?.length ?? 0) + 100;
      lane.bytes += size;
      this.bytes += size;
      this.count++;
    }
    if (wasEmpty && lane.queue.length > 0) this.add(lane);
    if (failure && lane.next < lane.end) throw failure;
  }

  /** The next records in order, at most `max`; none while a lane is missing. */
  take(max: number): LogRecord[] {
    const taken: LogRecord[] = [];
    if (this.heap.length === 0 || this.missing() > 0) return taken;
    while (taken.length < max) {
      const lane = this.heap[0];
      if (!lane) break;
      const record = lane.queue[lane.at]!;
      lane.at++;
      const size = (record.value?.length ?? 0) + 100;
      lane.bytes -= size;
      this.bytes -= size;
      this.count--;
      taken.push(record);
      if (lane.at < lane.queue.length) {
        this.siftDown(lane);
        continue;
      }
      lane.queue = [];
      lane.at = 0;
      const last = this.heap.pop()!;
      if (this.heap.length > 0 && last !== lane) this.siftDown(last);
      if (lane.next < lane.target) break;
    }
    return taken;
  }

  /** Whether nothing is held and nothing more was there when last heard. */
  atHead(): boolean {
    return this.count === 0 && this.lanes.every((lane) => lane.next >= Math.min(lane.head, lane.end));
  }

  /** Whether every lane has delivered all that is wanted. */
  finished(): boolean {
    return this.count === 0 && this.lanes.every((lane) => lane.next >= lane.end);
  }

  /** Waits for no lane any more, so that what is held can be taken. */
  release(): void {
    for (const lane of this.lanes) lane.target = 0;
  }

  private add(lane: Lane): void {
    let i = this.heap.push(lane) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(lane, this.heap[up]!)) break;
      this.heap[i] = this.heap[up]!;
      i = up;
    }
    this.heap[i] = lane;
  }

  /** Puts a lane at the top and lets it sink to its place. */
  private siftDown(lane: Lane): void {
    const { heap } = this;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, lane)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = lane;
  }
}

function before(a: Lane, b: Lane): boolean {
  const x = a.queue[a.at]!.appendedAt;
  const y = b.queue[b.at]!.appendedAt;
  return x === y ? a.order < b.order : x < y;
}

function recordOf({ topic, partition }: Lane, { offset, key, value, time }: RawMessage): LogRecord {
  return { topic, partition, offset, key, value, appendedAt: time };
}
