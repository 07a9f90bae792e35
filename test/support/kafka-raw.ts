import kafkajs from "kafkajs";
import type { KafkaUrl } from "../../src/log/url.ts";

/** What another program may do to the topics, past our driver. */
export interface RawKafka {
  /** Deletes the records of a partition before an offset. */
  deleteBefore(topic: string, partition: number, offset: number): Promise<void>;
  deleteTopics(topics: string[]): Promise<void>;
  send(
    topic: string,
    messages: { partition: number; key: Uint8Array | null; value: Uint8Array | null; headers?: Record<string, string> }[],
    options?: RawSend,
  ): Promise<void>;
  /** Headers of the first record of a topic's partition. */
  headersOf(topic: string, partition: number): Promise<Record<string, string>>;
  settingsOf(topic: string): Promise<Record<string, string>>;
  setSettings(topic: string, settings: Record<string, string>): Promise<void>;
  createTopic(topic: string, numPartitions: number, settings?: Record<string, string>): Promise<void>;
  groups(): Promise<string[]>;
  close(): Promise<void>;
}

/** How a foreign producer writes. */
export interface RawSend {
  readonly gzip?: boolean;
  /** As a transaction, which leaves a marker in the log. */
  readonly transactional?: boolean;
}

const TOPIC = kafkajs.ConfigResourceTypes.TOPIC;

/** Another client of the same broker. */
export async function rawKafka(url: KafkaUrl): Promise<RawKafka> {
  const kafka = new kafkajs.Kafka({ clientId: "someone-else", brokers: url.brokers, logCreator: () => () => undefined });
  const admin = kafka.admin();
  await admin.connect();
  const name = (topic: string) => url.prefix + topic;
  return {
    deleteBefore: async (topic, partition, offset) => {
      // The client knows no leaders before it has asked for something of the topic.
      await admin.fetchTopicOffsets(name(topic));
      await admin.deleteTopicRecords({ topic: name(topic), partitions: [{ partition, offset: String(offset) }] });
    },
    deleteTopics: (topics) => admin.deleteTopics({ topics: topics.map(name) }),
    send: async (topic, messages, { gzip = false, transactional = false } = {}) => {
      const compression = gzip ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None;
      const transaction = transactional ? { idempotent: true, maxInFlightRequests: 1, transactionalId: name("tx") } : {};
      const producer = kafka.producer({ createPartitioner: () => (args) => args.message.partition!, ...transaction });
      await producer.connect();
      const batch = {
        topic: name(topic),
        compression,
        messages: messages.map((m) => ({ ...m, key: m.key && Buffer.from(m.key), value: m.value && Buffer.from(m.value) })),
      };
      if (!transactional) await producer.send(batch);
      else {
        const open = await producer.transaction();
        await open.send(batch);
        await open.commit();
      }
      await producer.disconnect();
    },
    headersOf: async (topic, partition) => {
      const consumer = kafka.consumer({ groupId: `headers-${url.prefix}`, maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topics: [name(topic)], fromBeginning: true });
      const headers = await new Promise<kafkajs.IHeaders>((found) => {
        void consumer.run({ eachMessage: async (m) => void (m.partition === partition && found(m.message.headers!)) });
      });
      await consumer.disconnect();
      return Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, String(v)]));
    },
    settingsOf: async (topic) => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: TOPIC, name: name(topic) }] });
      return Object.fromEntries(resources[0]!.configEntries.map((e) => [e.configName, e.configValue]));
    },
    setSettings: async (topic, settings) => {
      const configEntries = Object.entries(settings).map(([n, value]) => ({ name: n, value }));
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC, name: name(topic), configEntries }] });
    },
    createTopic: async (topic, numPartitions, settings = {}) => {
      const configEntries = Object.entries(settings).map(([n, value]) => ({ name: n, value }));
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic: name(topic), numPartitions, replicationFactor: 1, configEntries }] });
    },
    groups: async () => (await admin.listGroups()).groups.map((g) => g.groupId),
    close: () => admin.disconnect(),
  };
}
