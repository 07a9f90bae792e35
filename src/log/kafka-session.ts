import { isUtf8 } from "node:buffer";
import kafkajs from "kafkajs";
import type { Topic } from "../events/topics.ts";
import { clientOf, type KafkaOptions, type LogEntry } from "./kafka-client.ts";
import { errorOf } from "./kafka-errors.ts";
import type { RawMessage } from "./kafka-fetch.ts";
import type { SessionEvents } from "./kafka-read.ts";
import { FetchWire } from "./kafka-wire.ts";
import type { KafkaUrl } from "./url.ts";

/** Fetches wait so long for news, in milliseconds; it bounds how long closing takes, not how fast news arrive. */
const MAX_WAIT_MS = 100;
const FETCH_BYTES_PER_PARTITION = 256 * 1024;
const FETCH_BYTES = 8 * 1024 * 1024;
const OUT_OF_RANGE = "Offset out of range";

/** A consumer that has a group of its own, from its first join to its first failure. */
export class ConsumerSession {
  private readonly wire: FetchWire;
  private readonly consumer: kafkajs.Consumer;
  private readonly prefix: string;
  private readonly events: SessionEvents;
  private readonly watchdog: NodeJS.Timeout;
  private readonly started: Promise<void>;
  private heard = Date.now();
  private lastError = "";
  private over = false;

  constructor(config: KafkaUrl, options: KafkaOptions, topics: readonly Topic[], groupId: string, events: SessionEvents) {
    this.prefix = config.prefix;
    this.events = events;
    this.wire = new FetchWire((topic, partition, fetched, head) => {
      if (!this.over) events.fetched(topic.slice(this.prefix.length) as Topic, partition, fetched, head);
    });
    const client = clientOf(config, options, this.wire.connect, (entry) => this.logged(entry));
    this.consumer = client.consumer({
      groupId,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: MAX_WAIT_MS,
      minBytes: 1,
      // A ledger knows no transactions: what one aborted is met as an error, not passed over.
      readUncommitted: true,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxBytes: FETCH_BYTES,
      retry: { retries: 2, initialRetryTime: 50, restartOnFailure: async () => false },
    });
    this.consumer.on(this.consumer.events.GROUP_JOIN, () => this.joined());
    this.consumer.on(this.consumer.events.FETCH, () => {
      this.heard = Date.now();
      if (!this.over) this.events.alive();
    });
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => this.fail(payload.error));
    const stallMs = options.stallMs ?? 10_000;
    this.watchdog = setInterval(
      () => {
        if (Date.now() - this.heard > stallMs) this.fail(new Error(`no answer for ${stallMs} ms${this.lastError && `, last: ${this.lastError}`}`));
      },
      Math.min(1000, stallMs / 2),
    );
    this.started = this.start(topics.map((topic) => this.prefix + topic));
  }

  pause(lanes: readonly { topic: Topic; partition: number }[]): void {
    if (!this.over) this.consumer.pause(lanes.map(({ topic, partition }) => ({ topic: this.prefix + topic, partitions: [partition] })));
  }

  resume(lanes: readonly { topic: Topic; partition: number }[]): void {
    if (!this.over) this.consumer.resume(lanes.map(({ topic, partition }) => ({ topic: this.prefix + topic, partitions: [partition] })));
  }

  /** Leaves the group and disconnects. */
  async close(): Promise<void> {
    this.over = true;
    clearInterval(this.watchdog);
    // A broker that does not answer must not hold up the end.
    const cut = setTimeout(() => this.wire.destroy(), 1000);
    await this.started.catch(() => undefined);
    await this.consumer.disconnect().catch(() => undefined);
    clearTimeout(cut);
    this.wire.destroy();
  }

  private async start(topics: string[]): Promise<void> {
    try {
      await this.consumer.connect();
      await this.consumer.subscribe({ topics, fromBeginning: true });
      await this.consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
          const topic = batch.topic.slice(this.prefix.length) as Topic;
          // Before waiting for room: a failed heartbeat must not make the client fetch the same again.
          resolveOffset(batch.lastOffset());
          const beat = async () => {
            this.heard = Date.now();
            await heartbeat();
          };
          // Of a broker from before Kafka 2.3 the client has read the records itself.
          if (!this.wire.reading) this.events.fetched(topic, batch.partition, { messages: batch.messages.map(rawOf) }, Number(batch.highWatermark));
          await this.events.room(topic, batch.partition, beat);
          this.heard = Date.now();
        },
      });
    } catch (error) {
      this.fail(error);
    }
  }

  /** Synchronously in the join: the first fetch must already begin here. */
  private joined(): void {
    this.heard = Date.now();
    if (this.over) return;
    for (const { topic, partition, next, wanted } of this.events.positions()) {
      this.consumer.seek({ topic: this.prefix + topic, partition, offset: String(next) });
      if (!wanted) this.pause([{ topic, partition }]);
    }
  }

  private logged({ level, log }: LogEntry): void {
    if (level !== kafkajs.logLevel.ERROR) return;
    this.lastError = log.message;
    if (log.message.startsWith(OUT_OF_RANGE)) this.fail(new Error(`offset out of range in ${log.topic}/${log.partition}`), true);
  }

  private fail(error: unknown, outOfRange = false): void {
    if (this.over) return;
    this.over = true;
    this.events.failed(errorOf(error), outOfRange);
  }
}

/** A message that the client has decoded itself. */
function rawOf({ offset, key, value, timestamp }: kafkajs.KafkaMessage): RawMessage {
  return { offset: Number(offset), key: key && isUtf8(key) ? key.toString("utf8") : null, value, time: Number(timestamp) };
}
