import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { TOPICS } from "../../src/events/topics.ts";
import { applyTopics, openKafkaLog } from "../../src/log/kafka.ts";
import type { KafkaUrl } from "../../src/log/url.ts";
import { type SharedKafka, sharedKafka, whyNoKafka } from "../support/kafka.ts";
import { type RawKafka, rawKafka } from "../support/kafka-raw.ts";

const why = await whyNoKafka();
const ONE = { replication: 1, minInsyncReplicas: 1 };
const WANTED = {
  "cleanup.policy": "delete",
  "retention.ms": "-1",
  "retention.bytes": "-1",
  "message.timestamp.type": "LogAppendTime",
  "min.insync.replicas": "1",
};

if (why) it.skip(why, () => undefined);
else describe("topics apply", suite);

function suite(): void {
  let kafka: SharedKafka;
  let raw: RawKafka | undefined;
  beforeAll(async () => {
    kafka = await sharedKafka();
  });
  afterEach(async () => {
    await raw?.close();
    raw = undefined;
  });
  const fresh = async (): Promise<KafkaUrl> => {
    const url = kafka.logUrl({ partitions: 3 });
    raw = await rawKafka(url);
    return url;
  };

  it("tells in a dry run what it would do, and does nothing", async () => {
    const url = await fresh();
    const { rows } = await applyTopics(url, { ...ONE, dryRun: true });
    expect(rows.map((r) => [r.topic, r.status])).toEqual(TOPICS.map((t) => [url.prefix + t, "would create"]));
    await expect(openKafkaLog(url)).rejects.toMatchObject({ code: "topics_missing" });
  });

  it("creates topics that keep everything, in order, with the log's own time, and changes nothing the second time", async () => {
    const url = await fresh();
    expect((await applyTopics(url, ONE)).rows.map((r) => r.status)).toEqual(TOPICS.map(() => "created"));
    for (const topic of TOPICS) {
      const settings = await raw!.settingsOf(topic);
      expect(settings).toMatchObject(WANTED);
      expect(Number(settings["max.message.bytes"])).toBeGreaterThan(1024 * 1024);
    }
    expect((await applyTopics(url, ONE)).rows.map((r) => r.status)).toEqual(TOPICS.map(() => "unchanged"));
    const log = await openKafkaLog(url);
    expect(log.partitions).toBe(3);
    await log.close();
  });

  it("corrects the settings of a topic that exists, says which, and leaves alone what others have set", async () => {
    const url = await fresh();
    const others = { "retention.ms": "60000", "message.timestamp.type": "CreateTime", "segment.bytes": "52428800", "max.message.bytes": "5000000" };
    await raw!.createTopic("decisions", 3, others);
    const dry = await applyTopics(url, { ...ONE, dryRun: true });
    const row = dry.rows.find((r) => r.topic.endsWith("decisions"))!;
    expect(row.status).toBe("would alter");
    expect(row.detail).toMatch(/retention\.ms: 60000 → -1/);
    expect(row.detail).toMatch(/message\.timestamp\.type: CreateTime → LogAppendTime/);
    expect(row.detail).not.toMatch(/max\.message\.bytes/);
    expect((await raw!.settingsOf("decisions"))["retention.ms"]).toBe("60000");
    const { rows } = await applyTopics(url, ONE);
    expect(rows.map((r) => r.status)).toEqual(TOPICS.map((t) => (t === "decisions" ? "altered" : "created")));
    expect(await raw!.settingsOf("decisions")).toMatchObject({ ...WANTED, "segment.bytes": "52428800", "max.message.bytes": "5000000" });
    expect((await applyTopics(url, ONE)).rows.map((r) => r.status)).toEqual(TOPICS.map(() => "unchanged"));
  });

  it("warns loudly of fewer than three replicas and of an ISR below two", async () => {
    const { warnings } = await applyTopics(await fresh(), { ...ONE, dryRun: true });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/^REPLICATION 1: /);
    expect(warnings[1]).toMatch(/^MIN ISR 1: /);
  });

  it("never changes the number of partitions", async () => {
    const url = await fresh();
    await raw!.createTopic("verdicts", 2);
    await expect(applyTopics(url, ONE)).rejects.toMatchObject({ code: "partitions_mismatch", field: `${url.prefix}verdicts` });
    expect((await raw!.settingsOf("verdicts"))["message.timestamp.type"]).toBe("CreateTime");
  });

  it("refuses to open a log whose topics differ in their number of partitions", async () => {
    const url = await fresh();
    for (const topic of TOPICS) await raw!.createTopic(topic, topic === "resumes" ? 2 : 3);
    await expect(openKafkaLog(url)).rejects.toMatchObject({ code: "partitions_mismatch", message: expect.stringMatching(/resumes has 2 partitions, not 3/) });
  });

  it.runIf(!process.env.KAFKA_BROKERS)("names the flags for development when there are too few brokers for the replication", async () => {
    await expect(applyTopics(await fresh(), {})).rejects.toMatchObject({
      message: "Replication 3 needs 3 brokers, but the cluster has one broker",
      fix: expect.stringMatching(/--replication 1 --min-isr 1/),
    });
  });

  it("refuses a min ISR that could never be met", async () => {
    await expect(applyTopics(await fresh(), { replication: 1, minInsyncReplicas: 2 })).rejects.toMatchObject({ code: "usage", fix: "use --min-isr 1" });
  });

  it("names the command that creates missing topics", async () => {
    const url = await fresh();
    const error = await openKafkaLog(url).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "topics_missing", fix: expect.stringMatching(/countersign topics apply/) });
    expect((error as Error).message).toContain(`${url.prefix}proposals`);
  });
}
