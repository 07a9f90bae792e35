import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";
import { CountersignError, messageOf } from "../errors.ts";
import { TOPICS, type Topic } from "../events/topics.ts";
import { Admin } from "./kafka-admin.ts";
import { Appender, closedError, type OutMessage, type SendResult } from "./kafka-append.ts";
import { errorOf, silenceTimeoutWarning } from "./kafka-errors.ts";
import type { RawMessage } from "./kafka-fetch.ts";
import { type ReadPorts, readKafka, type Session, type SessionEvents } from "./kafka-read.ts";
import { type ApplyOptions, type ApplyReport, applyTopicsWith, headsOfTopic, partitionsOf } from "./kafka-topics.ts";
import { FetchWire, ProduceWire, type Sockets } from "./kafka-wire.ts";
import type { Batch, Checkpoint, EventLog, Head, NewRecord, Position, ReadOptions } from "./log.ts";
import { type KafkaUrl, kafkaCredentials } from "./url.ts";

/** Times of the driver, in milliseconds. */
export interface KafkaOptions {
  /** How long an append is tried again where nothing was appended. Default 10 s. */
  readonly appendTimeoutMs?: number;
  /** How long an answer of a broker is waited for. Default 15 s. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may take. Default 3 s. */
  readonly connectTimeoutMs?: number;
  /** A reader that has heard nothing for so long connects anew. Default 10 s. */
  readonly stallMs?: number;
}

type Client = kafkajs.Kafka;
type SocketFactory = kafkajs.ISocketFactory;
type LogEntry = kafkajs.LogEntry;

/** Fetches wait so long for news, in milliseconds; it bounds how long closing takes, not how fast news arrive. */
const MAX_WAIT_MS = 100;
const FETCH_BYTES_PER_PARTITION = 256 * 1024;
const FETCH_BYTES = 8 * 1024 * 1024;
/** How long new topics may take to have their leaders, in milliseconds: on a busy machine much longer than a moment. */
const LEADERS_MS = 30_000;
const OUT_OF_RANGE = "Offset out of range";

silenceTimeoutWarning();

/**
 * Opens a log on Kafka. The topics must exist and have the same number of partitions.
 *
 * @throws CountersignError topics_missing, partitions_mismatch, unauthenticated, forbidden; log_unavailable (retryable) when no broker answers
 */
export async function openKafkaLog(url: KafkaUrl, options: KafkaOptions = {}): Promise<EventLog> {
  const admin = adminOf(url, options);
  try {
    const partitions = await admin.run((a) => partitionsOf(a, url));
    return new KafkaLog(url, options, admin, partitions);
  } catch (error) {
    await admin.close();
    throw error;
  }
}

/** Creates missing topics and corrects the settings of those that exist; the command `countersign topics apply`. @throws CountersignError as openKafkaLog, topics_mismatch */
export async function applyTopics(url: KafkaUrl, options: ApplyOptions = {}): Promise<ApplyReport> {
  const admin = adminOf(url, {});
  try {
    const report = await admin.run((a) => applyTopicsWith(a, url, options));
    // A topic that was just made has no leader for a moment, and the next command would stumble over that.
    if (!options.dryRun) await admin.run((a) => Promise.all(report.rows.map((row) => a.fetchTopicOffsets(row.topic))), LEADERS_MS);
    return report;
  } finally {
    await admin.close();
  }
}

class KafkaLog implements EventLog {
  readonly partitions: number;
  readonly url: string;
  onTrouble: ((sentence: string | null) => void) | undefined;
  private readonly config: KafkaUrl;
  private readonly options: KafkaOptions;
  private readonly admin: Admin;
  private readonly appender: Appender;
  private readonly closing = new AbortController();
  private readonly background = new Set<Promise<void>>();
  private readonly troubles = new Map<unknown, string>();
  interruptions = 0;
  private said: string | null = null;
  private producer: { wire: ProduceWire; producer: kafkajs.Producer; connected: Promise<void> } | undefined;

  constructor(config: KafkaUrl, options: KafkaOptions, admin: Admin, partitions: number) {
    this.config = config;
    this.options = options;
    this.admin = admin;
    this.partitions = partitions;
    this.url = config.text;
    this.appender = new Appender({
      partitions,
      prefix: config.prefix,
      timeoutMs: options.appendTimeoutMs ?? 10_000,
      send: (messages) => this.send(messages),
      reset: () => this.reset(),
      reachable: () =>
        this.admin
          .run((a) => a.describeCluster(), 0)
          .then(
            () => true,
            () => false,
          ),
      trouble: (sentence) => this.trouble(this.appender, sentence),
    });
  }

  append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    return this.appender.append(records);
  }

  read(from: Checkpoint, options?: ReadOptions): AsyncIterable<Batch> {
    const reader = {};
    const ports: ReadPorts = {
      partitions: this.partitions,
      heads: (topics) => this.headsOf(topics),
      open: (topics, name, events) => this.openSession(topics, name, events),
      closed: this.closing.signal,
      trouble: (sentence) => this.trouble(reader, sentence),
      interrupted: () => void this.interruptions++,
    };
    return readKafka(ports, from, options);
  }

  heads(): Promise<readonly Head[]> {
    return this.headsOf(TOPICS);
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    await this.appender.close();
    this.closing.abort();
    this.reset();
    await Promise.all(this.background);
    await this.admin.close();
  }

  private headsOf(topics: readonly Topic[]): Promise<Head[]> {
    if (this.closing.signal.aborted) return Promise.reject(closedError());
    return this.admin.run(async (admin) => {
      try {
        const perTopic = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(this.config.prefix + topic)));
        return topics.flatMap((topic, i) => headsOfTopic(topic, perTopic[i]!, this.partitions));
      } catch (error) {
        if (!/does not host this topic/.test(messageOf(error))) throw error;
        const partitions = await partitionsOf(admin, this.config);
        throw new CountersignError("log_unavailable", `The topics exist with ${partitions} partitions, but the broker does not serve them yet`, {
          retryable: true,
          cause: error,
        });
      }
    });
  }

  private async send(messages: ReadonlyMap<string, readonly OutMessage[]>): Promise<SendResult> {
    const { wire, producer, connected } = this.openProducer();
    const before = wire.sent;
    wire.take();
    try {
      await connected;
      const topicMessages = [...messages].map(([topic, list]) => ({ topic, messages: [...list] }));
      await producer.sendBatch({ acks: -1, timeout: this.options.requestTimeoutMs ?? 15_000, topicMessages });
      return { acks: wire.take(), sent: true };
    } catch (error) {
      return { acks: wire.take(), sent: wire.sent > before, error: errorOf(error) };
    }
  }

  private openProducer() {
    if (this.producer) return this.producer;
    const wire = new ProduceWire();
    const client = clientOf(this.config, this.options, wire.connect);
    const producer = client.producer({
      // The idempotent mode loses acknowledged records after a failed send; retries are ours, because we know when one is safe.
      idempotent: false,
      retry: { retries: 0 },
      createPartitioner: () => (args) => args.message.partition!,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
    });
    const connected = producer.connect();
    connected.catch(() => undefined);
    this.producer = { wire, producer, connected };
    return this.producer;
  }

  private reset(): void {
    const old = this.producer;
    this.producer = undefined;
    if (!old) return;
    old.wire.destroy();
    this.later(old.producer.disconnect());
  }

  private openSession(topics: readonly Topic[], reader: string | undefined, events: SessionEvents): Session {
    const groupId = `countersign-${this.config.prefix}${reader ?? "reader"}-${randomUUID()}`;
    const session = new ConsumerSession(this.config, this.options, topics, groupId, events);
    return {
      pause: (lanes) => session.pause(lanes),
      resume: (lanes) => session.resume(lanes),
      close: () => this.later(session.close().then(() => this.admin.run((a) => a.deleteGroups([groupId]), 0))),
    };
  }

  /** Something that nobody waits for until the log is closed. */
  private later(work: Promise<unknown>): void {
    const done = work.then(
      () => undefined,
      () => undefined,
    );
    this.background.add(done);
    void done.then(() => this.background.delete(done));
  }

  private trouble(source: unknown, sentence: string | null): void {
    if (sentence === null) this.troubles.delete(source);
    else this.troubles.set(source, sentence);
    // One voice for all appends and readers, and never the same sentence twice in a row.
    const said = sentence ?? this.troubles.values().next().value ?? null;
    if (said === this.said) return;
    this.said = said;
    this.onTrouble?.(said);
  }
}

/** A consumer that has a group of its own, from its first join to its first failure. */
class ConsumerSession {
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

function adminOf(url: KafkaUrl, options: KafkaOptions): Admin {
  return new Admin((sockets) => clientOf(url, options, sockets.connect).admin({ retry: { retries: 2, initialRetryTime: 50 } }));
}

/** A client whose own log lines reach nobody but `onLog`. */
function clientOf(url: KafkaUrl, options: KafkaOptions, connect: Sockets["connect"], onLog: (entry: LogEntry) => void = () => undefined): Client {
  const credentials = kafkaCredentials();
  const { saslMechanism: mechanism } = url;
  if (mechanism && !credentials)
    throw new CountersignError("unauthenticated", `The log URL asks for saslMechanism=${mechanism}, but there is no user name`, {
      field: "saslMechanism",
      fix: "set KAFKA_USERNAME and KAFKA_PASSWORD in the environment",
    });
  return new kafkajs.Kafka({
    clientId: "countersign",
    brokers: url.brokers,
    ssl: url.ssl,
    ...(mechanism ? { sasl: { mechanism, ...credentials } as kafkajs.SASLOptions } : {}),
    connectionTimeout: options.connectTimeoutMs ?? 3000,
    requestTimeout: options.requestTimeoutMs ?? 15_000,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 500 },
    socketFactory: connect as unknown as SocketFactory,
    logCreator: () => onLog,
  });
}
