import { randomUUID } from "node:crypto";
import type kafkajs from "kafkajs";
import { CountersignError, messageOf } from "../errors.ts";
import { TOPICS, type Topic } from "../events/topics.ts";
import type { Admin } from "./kafka-admin.ts";
import { Appender, closedError, type OutMessage, type SendResult } from "./kafka-append.ts";
import { adminOf, clientOf, type KafkaOptions } from "./kafka-client.ts";
import { errorOf, silenceTimeoutWarning } from "./kafka-errors.ts";
import { type ReadPorts, readKafka, type Session, type SessionEvents } from "./kafka-read.ts";
import { ConsumerSession } from "./kafka-session.ts";
import { type ApplyOptions, type ApplyReport, applyTopicsWith, headsOfTopic, partitionsOf } from "./kafka-topics.ts";
import { ProduceWire } from "./kafka-wire.ts";
import type { Batch, Checkpoint, EventLog, Head, NewRecord, Position, ReadOptions } from "./log.ts";
import type { KafkaUrl } from "./url.ts";

/** How long new topics may take to have their leaders, in milliseconds: on a busy machine much longer than a moment. */
const LEADERS_MS = 30_000;
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
