import { setTimeout as sleep } from "node:timers/promises";
import { AppendOutcomeUnknown, CountersignError, messageOf } from "../errors.ts";
import { REFUSED, RETRY } from "./kafka-errors.ts";
import type { Ack } from "./kafka-wire.ts";
import type { NewRecord, Position } from "./log.ts";
import { partitionOf } from "./partitioner.ts";

/** One record on its way out, as the Kafka client takes it. */
export interface OutMessage {
  readonly key: string;
  readonly value: Buffer;
  readonly partition: number;
  readonly headers?: Record<string, string>;
}

/** What one try to send has shown. */
export interface SendResult {
  /** Every answer of a partition that came in. */
  readonly acks: readonly Ack[];
  /** False when no produce request left this process: then nothing can have been appended. */
  readonly sent: boolean;
  /** Why it failed, when it did. */
  readonly error?: unknown;
}

/** What the appender needs. */
export interface AppendPorts {
  readonly partitions: number;
  readonly prefix: string;
  /** How long a call is tried again where nothing was appended, in milliseconds. */
  readonly timeoutMs: number;
  /** Sends once, never twice. Does not throw. */
  send(messages: ReadonlyMap<string, readonly OutMessage[]>): Promise<SendResult>;
  /** Starts over with fresh connections. */
  reset(): void;
  /** Whether a broker answers. Does not throw. */
  reachable(): Promise<boolean>;
  trouble(sentence: string | null): void;
}

interface Call {
  readonly positions: Position[];
  missing: number;
  readonly deadline: number;
  settled: boolean;
  readonly resolve: (positions: Position[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Item {
  readonly call: Call;
  readonly index: number;
  readonly record: NewRecord;
  readonly topic: string;
  readonly message: OutMessage;
  readonly size: number;
}

const MOST_RECORDS = 1000;
const MOST_BYTES = 8 * 1024 * 1024;
/** A partition's share of a request is one Kafka batch, which the broker refuses beyond max.message.bytes (1,048,588 by default). */
const MOST_BYTES_PER_PARTITION = 960 * 1024;

/** Gathers concurrent appends into one batch at a time, and finds out for each record what became of it. */
export class Appender {
  private readonly ports: AppendPorts;
  private queue: Item[] = [];
  private running: Promise<void> | undefined;
  private closed = false;
  private probing = false;
  private failures = 0;
  private wake: (() => void) | undefined;

  constructor(ports: AppendPorts) {
    this.ports = ports;
  }

  /** EventLog.append. */
  append(records: readonly NewRecord[]): Promise<Position[]> {
    if (this.closed) return Promise.reject(closedError());
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + this.ports.timeoutMs;
      const call: Call = { positions: new Array(records.length), missing: records.length, deadline, settled: false, resolve, reject };
      const items = records.map((record, index) => this.itemOf(call, record, index));
      const large = items.find((item) => item.size > MOST_BYTES_PER_PARTITION);
      if (large) return reject(tooLarge(large));
      for (const item of items) this.queue.push(item);
      this.running ??= this.run();
    });
  }

  /** Finishes what is queued, within the time that each call has. */
  async close(): Promise<void> {
    this.closed = true;
    this.wake?.();
    await this.running;
  }

  private itemOf(call: Call, record: NewRecord, index: number): Item {
    const { topic, key, value } = record;
    const headers = record.headers?.();
    let size = value.length + key.length + 100;
    for (const name in headers) size += name.length + headers[name]!.length + 10;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const message = { key, value: bytes, partition: partitionOf(key, this.ports.partitions), ...(headers ? { headers } : {}) };
    return { call, index, record, topic: this.ports.prefix + topic, message, size };
  }

  private async run(): Promise<void> {
    // Appends of the same turn of the event loop go into the first batch together.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.nextBatch();
      const result = await this.ports.send(byTopic(batch));
      const retried = this.settle(batch, result);
      this.queue = [...retried, ...this.queue].filter((item) => !item.call.settled);
      if (result.error === undefined) this.recovered();
      else await this.failed(result);
      this.expire(result);
    }
    this.running = undefined;
    if (this.failures > 0) void this.probe();
  }

  /** Nobody waits any more, but trouble was reported: its end must be reported too, also when nothing is appended for long. */
  private async probe(): Promise<void> {
    if (this.probing) return;
    this.probing = true;
    while (this.failures > 0 && !this.closed) {
      await sleep(200, undefined, { ref: false });
      if (!this.running && !this.closed && (await this.ports.reachable()) && !this.running) this.recovered();
    }
    this.probing = false;
  }

  /** From the front of the queue what fits. A record that does not fit holds back those behind it in its partition, to keep their order. */
  private nextBatch(): Item[] {
    const batch: Item[] = [];
    const rest: Item[] = [];
    const full = new Map<string, number>();
    let bytes = 0;
    for (const item of this.queue) {
      const lane = laneOf(item.topic, item.message.partition);
      const inLane = (full.get(lane) ?? 0) + item.size;
      full.set(lane, inLane);
      const fits = batch.length === 0 || (batch.length < MOST_RECORDS && bytes + item.size <= MOST_BYTES && inLane <= MOST_BYTES_PER_PARTITION);
      if (fits) {
        batch.push(item);
        bytes += item.size;
      } else {
        full.set(lane, Number.POSITIVE_INFINITY);
        rest.push(item);
      }
    }
    this.queue = rest;
    return batch;
  }

  /** Resolves and rejects what the answers decide; what may be tried again is returned, in order. */
  private settle(batch: readonly Item[], result: SendResult): Item[] {
    const acks = new Map(result.acks.map((ack) => [laneOf(ack.topic, ack.partition), ack]));
    const next = new Map<string, number>();
    const retried: Item[] = [];
    const failed: [Item, unknown][] = [];
    for (const item of batch) {
      const lane = laneOf(item.topic, item.message.partition);
      const ack = acks.get(lane);
      if (ack?.errorCode === 0) {
        const nth = next.get(lane) ?? 0;
        next.set(lane, nth + 1);
        place(item, ack.baseOffset + nth);
      } else if (ack ? RETRY.has(ack.errorCode) : !result.sent && isRetryable(result.error)) retried.push(item);
      else failed.push([item, failureOf(ack, result)]);
    }
    // Only now: what was appended of the same call makes the difference between "nothing" and "cannot tell".
    for (const [item, error] of failed) settleFailed(item.call, error);
    return retried;
  }

  private recovered(): void {
    if (this.failures > 0) this.ports.trouble(null);
    this.failures = 0;
  }

  private async failed(result: SendResult): Promise<void> {
    this.failures++;
    this.ports.trouble(`Kafka cannot be written to: ${reasonOf(result)}`);
    if (result.acks.length === 0) this.ports.reset();
    if (this.queue.length > 0) await this.pause(Math.min(1000, 25 * 2 ** this.failures));
  }

  private async pause(ms: number): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  private expire(result: SendResult): void {
    const now = Date.now();
    for (const { call } of this.queue) {
      if (call.settled || (now < call.deadline && !(this.closed && result.error !== undefined))) continue;
      settleFailed(call, unavailable(result));
    }
    this.queue = this.queue.filter((item) => !item.call.settled);
  }
}

function place(item: Item, offset: number): void {
  const { call, record, message } = item;
  call.positions[item.index] = { topic: record.topic, partition: message.partition, offset };
  if (--call.missing > 0 || call.settled) return;
  call.settled = true;
  call.resolve(call.positions);
}

/** A call of which some records are appended has not failed cleanly: its caller must look what is there. */
function settleFailed(call: Call, error: unknown): void {
  if (call.settled) return;
  call.settled = true;
  const appended = call.positions.length - call.missing;
  if (appended === 0 || error instanceof AppendOutcomeUnknown) call.reject(error);
  else call.reject(new AppendOutcomeUnknown(`Of ${call.positions.length} records ${appended} were appended, then: ${messageOf(error)}`, error));
}

function failureOf(ack: Ack | undefined, result: SendResult): unknown {
  if (ack) {
    const refused = REFUSED.get(ack.errorCode);
    if (refused)
      return new CountersignError(refused[0], `Kafka did not append to ${ack.topic}/${ack.partition}: ${refused[1]}`, {
        field: ack.topic,
        fix: refused[1],
        cause: result.error,
      });
    return new AppendOutcomeUnknown(
      `Kafka answered for ${ack.topic}/${ack.partition} with error ${ack.errorCode}: the records may or may not be there`,
      result.error,
    );
  }
  if (!result.sent) return result.error;
  return new AppendOutcomeUnknown(`The answer to an append was lost (${reasonOf(result)}): the records may or may not be there`, result.error);
}

function unavailable(result: SendResult): CountersignError {
  return new CountersignError("log_unavailable", `Kafka cannot be written to: ${reasonOf(result)}. Nothing was appended`, {
    retryable: true,
    cause: result.error,
    fix: "check that the brokers run and can be reached from here (countersign doctor)",
  });
}

function reasonOf(result: SendResult): string {
  const ack = result.acks.find((a) => a.errorCode !== 0);
  const known = ack && (RETRY.get(ack.errorCode) ?? REFUSED.get(ack.errorCode)?.[1]);
  if (known) return `${known} (${ack.topic}/${ack.partition})`;
  // The client's own words are enough behind ours.
  const { error } = result;
  return messageOf(error instanceof CountersignError && error.code === "log_unavailable" && error.cause ? error.cause : error);
}

function isRetryable(error: unknown): boolean {
  return !(error instanceof CountersignError) || error.retryable;
}

function byTopic(batch: readonly Item[]): Map<string, OutMessage[]> {
  const topics = new Map<string, OutMessage[]>();
  for (const { topic, message } of batch) {
    const messages = topics.get(topic);
    if (messages) messages.push(message);
    else topics.set(topic, [message]);
  }
  return topics;
}

function laneOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function tooLarge(item: Item): CountersignError {
  return new CountersignError(
    "event_too_large",
    `The record for ${item.record.key} has ${item.size} bytes with its headers, the most is ${MOST_BYTES_PER_PARTITION}`,
    {
      field: item.record.topic,
      fix: "keep large content elsewhere and put its hash and uri into the event",
    },
  );
}

/** The error of a log that has been closed. */
export function closedError(): CountersignError {
  return new CountersignError("log_closed", "The log is closed");
}
