import { CountersignError, messageOf } from "../errors.ts";
import { TOPICS, type Topic } from "../events/topics.ts";
import type { Head } from "./log.ts";
import type { KafkaUrl } from "./url.ts";

/** How `topics apply` is to set up the topics. */
export interface ApplyOptions {
  /** Default: that of the log URL, or 12. It can never be changed later. */
  readonly partitions?: number;
  /** Copies of each record. Default 3. */
  readonly replication?: number;
  /** Copies that must exist before an append is acknowledged. Default 2. */
  readonly minInsyncReplicas?: number;
  /** Only tell what would be done. */
  readonly dryRun?: boolean;
}

/** What was done, or would be done, to one topic. */
export interface TopicRow {
  /** With its prefix. */
  readonly topic: string;
  readonly status: "created" | "would create" | "altered" | "would alter" | "unchanged";
  /** What is set, or what differs, as a sentence. */
  readonly detail: string;
}

/** Result of `topics apply`. */
export interface ApplyReport {
  readonly rows: readonly TopicRow[];
  /** What endangers the ledger, as sentences. */
  readonly warnings: readonly string[];
}

interface ConfigEntry {
  readonly configName: string;
  readonly configValue: string;
  readonly configSource: number;
}

/** What is used of the Kafka client's admin. */
export interface TopicAdmin {
  listTopics(): Promise<string[]>;
  fetchTopicMetadata(o: { topics: string[] }): Promise<{ topics: { name: string; partitions: { partitionId: number; replicas: number[] }[] }[] }>;
  describeCluster(): Promise<{ brokers: unknown[] }>;
  describeConfigs(o: {
    resources: { type: number; name: string }[];
    includeSynonyms: boolean;
  }): Promise<{ resources: { resourceName: string; configEntries: ConfigEntry[] }[] }>;
  alterConfigs(o: { validateOnly: boolean; resources: { type: number; name: string; configEntries: { name: string; value: string }[] }[] }): Promise<unknown>;
  createTopics(o: {
    waitForLeaders: boolean;
    topics: { topic: string; numPartitions: number; replicationFactor: number; configEntries: { name: string; value: string }[] }[];
  }): Promise<boolean>;
}

/** Kafka's number for a topic in requests about settings. */
const TOPIC_RESOURCE = 2;
/** Where a setting comes from, when it was made on the topic itself. */
const SET_ON_TOPIC = 1;
/** The largest event (900 KiB) with key and headers, and room for a batch of several. */
const LEAST_MESSAGE_BYTES = 2 * 1024 * 1024;

type Settings = Readonly<Record<string, string>>;

/** The settings a ledger needs. */
function settingsOf(minInsyncReplicas: number): Settings {
  return {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": String(minInsyncReplicas),
    "max.message.bytes": String(LEAST_MESSAGE_BYTES),
  };
}

/** Creates and corrects topics through an admin client. */
export async function applyTopicsWith(admin: TopicAdmin, url: KafkaUrl, options: ApplyOptions): Promise<ApplyReport> {
  const { partitions = url.partitions ?? 12, replication = 3, minInsyncReplicas = 2, dryRun = false } = options;
  checkNumbers(partitions, replication, minInsyncReplicas);
  const names = TOPICS.map((topic) => url.prefix + topic);
  const existing = new Set(await admin.listTopics());
  const missing = names.filter((name) => !existing.has(name));
  const present = names.filter((name) => existing.has(name));
  const wanted = settingsOf(minInsyncReplicas);
  const described = await describe(admin, present);
  checkPartitionCounts(described, partitions);
  if (missing.length > 0) await checkBrokers(admin, replication);
  const rows = new Map<string, TopicRow>();
  for (const { name, settings } of described) {
    const differing = differences(settings, wanted);
    const status = differing.length === 0 ? "unchanged" : dryRun ? "would alter" : "altered";
    rows.set(name, { topic: name, status, detail: differing.length === 0 ? "as it should be" : differing.map((d) => d.text).join(", ") });
  }
  for (const name of missing) {
    const detail = `${partitions} partitions, replication ${replication}, min ISR ${minInsyncReplicas}, kept forever`;
    rows.set(name, { topic: name, status: dryRun ? "would create" : "created", detail });
  }
  if (!dryRun) {
    await alter(admin, described, wanted);
    await create(admin, missing, partitions, replication, wanted);
  }
  return { rows: names.map((name) => rows.get(name)!), warnings: warningsOf(replication, minInsyncReplicas, described) };
}

/** Number of partitions of the topics of a log. @throws CountersignError topics_missing, partitions_mismatch */
export async function partitionsOf(admin: TopicAdmin, url: KafkaUrl): Promise<number> {
  const existing = new Set(await admin.listTopics());
  const names = TOPICS.map((topic) => url.prefix + topic);
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0)
    throw new CountersignError("topics_missing", `Kafka has no topic ${missing.join(", ")}, or this user may not see it`, {
      field: missing[0]!,
      fix: "create them with countersign topics apply --log URL",
    });
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const counts = new Map(topics.map((t) => [t.name, t.partitions.length]));
  const expected = url.partitions ?? counts.get(names[0]!)!;
  const other = names.find((name) => counts.get(name) !== expected);
  if (other !== undefined) throw mismatch(other, counts.get(other) ?? 0, expected);
  return expected;
}

/** Heads of one topic from the client's offsets. */
export function headsOfTopic(topic: Topic, offsets: readonly { partition: number; low: string; high: string }[], partitions: number): Head[] {
  if (offsets.length !== partitions) throw mismatch(topic, offsets.length, partitions);
  return offsets.map(({ partition, low, high }) => ({ topic, partition, first: Number(low), next: Number(high) })).sort((a, b) => a.partition - b.partition);
}

interface Described {
  readonly name: string;
  readonly partitions: number;
  readonly replication: number;
  readonly settings: ReadonlyMap<string, ConfigEntry>;
}

async function describe(admin: TopicAdmin, names: string[]): Promise<Described[]> {
  if (names.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })) });
  const settings = new Map(resources.map((r) => [r.resourceName, new Map(r.configEntries.map((e) => [e.configName, e]))]));
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    replication: Math.min(...partitions.map((p) => p.replicas.length)),
    settings: settings.get(name) ?? new Map(),
  }));
}

function differences(settings: ReadonlyMap<string, ConfigEntry>, wanted: Settings): { name: string; text: string }[] {
  return Object.entries(wanted)
    .filter(([name, value]) => !satisfies(name, settings.get(name)?.configValue, value))
    .map(([name, value]) => ({ name, text: `${name}: ${settings.get(name)?.configValue ?? "unset"} → ${value}` }));
}

/** A topic that takes more than we need stays as it is. */
function satisfies(name: string, value: string | undefined, wanted: string): boolean {
  return name === "max.message.bytes" ? Number(value) >= Number(wanted) : value === wanted;
}

/** The client's request replaces all settings of a topic, so what others have set on it goes along. */
async function alter(admin: TopicAdmin, described: readonly Described[], wanted: Settings): Promise<void> {
  const resources = described.flatMap(({ name, settings }) => {
    const differing = new Set(differences(settings, wanted).map((d) => d.name));
    if (differing.size === 0) return [];
    const kept = [...settings.values()].filter((e) => e.configSource === SET_ON_TOPIC && !differing.has(e.configName));
    const configEntries = [...kept.map((e) => ({ name: e.configName, value: e.configValue })), ...[...differing].map((d) => ({ name: d, value: wanted[d]! }))];
    return [{ type: TOPIC_RESOURCE, name, configEntries }];
  });
  if (resources.length > 0) await admin.alterConfigs({ validateOnly: false, resources });
}

async function create(admin: TopicAdmin, names: string[], numPartitions: number, replicationFactor: number, wanted: Settings): Promise<void> {
  if (names.length === 0) return;
  const configEntries = Object.entries(wanted).map(([name, value]) => ({ name, value }));
  try {
    await admin.createTopics({ waitForLeaders: true, topics: names.map((topic) => ({ topic, numPartitions, replicationFactor, configEntries })) });
  } catch (error) {
    // Another process may have created them in the meantime; what it made is looked at by the next run.
    if (/already exists/i.test(messageOf(error))) return;
    throw error;
  }
}

function warningsOf(replication: number, minInsyncReplicas: number, described: readonly Described[]): string[] {
  const warnings: string[] = [];
  if (replication < 3)
    warnings.push(`REPLICATION ${replication}: when a broker's disk is lost, acknowledged decisions are lost with it. Use 3 for anything but development.`);
  if (minInsyncReplicas < 2)
    warnings.push(`MIN ISR ${minInsyncReplicas}: a decision is acknowledged while it exists only once. Use 2 for anything but development.`);
  for (const { name, replication: has } of described)
    if (has < replication)
      warnings.push(`${name} has ${has} replicas where ${replication} are asked for; this command does not move replicas (use kafka-reassign-partitions).`);
  return warnings;
}

function checkNumbers(partitions: number, replication: number, minInsyncReplicas: number): void {
  for (const [field, value] of Object.entries({ partitions, replication, minInsyncReplicas }))
    if (!Number.isInteger(value) || value < 1)
      throw new CountersignError("usage", `${field} must be a whole number from 1, not ${value}`, { field, fix: `give ${field} as 1 or more` });
  if (minInsyncReplicas > replication)
    throw new CountersignError("usage", `min ISR ${minInsyncReplicas} is more than the replication ${replication}: nothing could ever be appended`, {
      field: "minInsyncReplicas",
      fix: `use --min-isr ${Math.max(1, replication - 1)}`,
    });
}

async function checkBrokers(admin: TopicAdmin, replication: number): Promise<void> {
  const { brokers } = await admin.describeCluster();
  if (brokers.length >= replication) return;
  const count = brokers.length === 1 ? "one broker" : `${brokers.length} brokers`;
  throw new CountersignError("topics_mismatch", `Replication ${replication} needs ${replication} brokers, but the cluster has ${count}`, {
    field: "replication",
    fix: "add brokers; for development use --replication 1 --min-isr 1",
  });
}

function checkPartitionCounts(described: readonly Described[], partitions: number): void {
  const other = described.find((d) => d.partitions !== partitions);
  if (other) throw mismatch(other.name, other.partitions, partitions);
}

function mismatch(topic: string, has: number, expected: number): CountersignError {
  return new CountersignError(
    "partitions_mismatch",
    `${topic} has ${has} partitions, not ${expected}; the number never changes in the life of a ledger, and is the same for all topics`,
    {
      field: topic,
      fix: `use --partitions ${has} if all topics have ${has}; otherwise use another prefix and move the events with export and import`,
    },
  );
}
