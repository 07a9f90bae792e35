import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppendOutcomeUnknown, CountersignError } from "../../src/errors.ts";
import { TOPICS } from "../../src/events/topics.ts";
import { applyTopics, openKafkaLog } from "../../src/log/kafka.ts";
import type { KafkaOptions } from "../../src/log/kafka-client.ts";
import type { EventLog, LogRecord } from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import type { KafkaUrl } from "../../src/log/url.ts";
import { type OwnKafka, ownKafka, whyNoOwnKafka } from "../support/kafka.ts";
import { type RawKafka, rawKafka } from "../support/kafka-raw.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { appendSafely, type Envelope, envelope, identity, read, record } from "./records.ts";

const why = await whyNoOwnKafka();
const PARTITIONS = 3;
const HASTY: KafkaOptions = { appendTimeoutMs: 20_000, requestTimeoutMs: 1500, stallMs: 1500 };

if (why) it.skip(why, () => undefined);
else describe("the kafka log in trouble", { timeout: 40_000 }, suite);

function suite(): void {
  let proxy: TcpProxy;
  let own: OwnKafka;
  let url: KafkaUrl;
  let raw: RawKafka;
  let handles: EventLog[] = [];

  beforeAll(async () => {
    proxy = await startProxy(() => own.port);
    own = await ownKafka({ advertisedPort: proxy.port });
  });
  afterAll(async () => {
    await own?.stop();
    await proxy?.close();
  });
  beforeEach(async () => {
    const prefix = `f${randomBytes(6).toString("hex")}.`;
    url = { kind: "kafka", brokers: own.brokers, registry: "http://127.0.0.1:1", prefix, ssl: false, text: `kafka://${own.brokers[0]}?prefix=${prefix}` };
    await applyTopics(url, { partitions: PARTITIONS, replication: 1, minInsyncReplicas: 1 });
    raw = await rawKafka(url);
  });
  afterEach(async () => {
    for (const log of handles) await log.close();
    handles = [];
    await proxy.refuse(false);
    proxy.stall(false);
    await raw.close();
  });

  async function open(options = HASTY): Promise<EventLog> {
    const log = await openKafkaLog(url, options);
    handles.push(log);
    return log;
  }

  /** Follows a log in the background. */
  function follow(log: EventLog) {
    const seen: LogRecord[] = [];
    const stop = new AbortController();
    const done = (async () => {
      for await (const batch of log.read({}, { signal: stop.signal })) seen.push(...batch.records);
    })();
    done.catch(() => undefined);
    const until = async (n: number) => {
      for (let waited = 0; seen.length < n && waited < 25_000; waited += 20) await sleep(20);
      return seen;
    };
    return { seen, done, until, stop: () => stop.abort() };
  }

  function troublesOf(log: EventLog): (string | null)[] {
    const heard: (string | null)[] = [];
    log.onTrouble = (sentence) => void heard.push(sentence);
    return heard;
  }

  it("loses nothing acknowledged and keeps the order of every item when the broker is killed with -9 under load", async () => {
    const log = await open();
    const troubles = troublesOf(log);
    const following = follow(log);
    const acknowledged = new Map<string, number[]>();
    let running = true;
    // Each writer has items of its own and goes on with the next event only when the last one is certain.
    const writer = async (w: number) => {
      for (let n = 0; running; n++) {
        const event = envelope(`item-${w}`, n);
        await log.append([record("decisions", event)]).catch(async (error: unknown) => {
          if (!(error instanceof AppendOutcomeUnknown)) throw error;
          await appendSafely(log, "decisions", [event]);
        });
        acknowledged.set(event.itemId, [...(acknowledged.get(event.itemId) ?? []), n]);
      }
    };
    const writers = Promise.all(Array.from({ length: 8 }, (_, w) => writer(w)));
    const count = () => [...acknowledged.values()].reduce((sum, list) => sum + list.length, 0);
    // By what was acknowledged, not by time: a busy machine takes longer for the same.
    const more = async (events: number) => {
      for (const enough = count() + events; count() < enough; ) await sleep(20);
    };
    for (let kill = 0; kill < 2; kill++) {
      await more(40);
      await own.kill9();
      await sleep(200);
      await own.restart();
    }
    await more(40);
    running = false;
    await writers;
    const total = count();
    for (const records of [await read(await open()), await following.until(total)]) {
      for (const [item, sent] of acknowledged) expect(records.filter((r) => r.key === item).map((r) => identity(r).n)).toEqual(sent);
      expect(records).toHaveLength(total);
    }
    following.stop();
    expect(troubles.some((t) => t !== null)).toBe(true);
    expect(troubles.at(-1)).toBeNull();
  }, 120_000);

  it("goes on reading where it was when all connections are cut, with nothing lost and nothing twice", async () => {
    const log = await open();
    const following = follow(log);
    const sent: Envelope[] = [];
    for (let n = 0; n < 30; n++) {
      const events = Array.from({ length: 10 }, (_, i) => envelope(`item-${i}`, n));
      if (n % 10 === 5) proxy.cut();
      await log.append(events.map((e) => record("receipts", e))).catch(() => appendSafely(log, "receipts", events));
      sent.push(...events);
    }
    const records = await following.until(sent.length);
    following.stop();
    expect(records.map((r) => identity(r).eventId).sort()).toEqual(sent.map((e) => e.eventId).sort());
  });

  it("says that the outcome is unknown when an answer never comes, and recovers by itself when the network does", async () => {
    const log = await open();
    const troubles = troublesOf(log);
    const following = follow(log);
    await log.append([record("resumes", envelope("x", 0))]);
    await following.until(1);
    proxy.next("stall answer");
    await expect(log.append([record("resumes", envelope("x", 1))])).rejects.toBeInstanceOf(AppendOutcomeUnknown);
    proxy.stall(true);
    const waiting = log.append([record("resumes", envelope("x", 2))]);
    waiting.catch(() => undefined);
    await sleep(2500);
    proxy.cut();
    proxy.stall(false);
    await waiting.catch(() => appendSafely(log, "resumes", [envelope("x", 2)]));
    expect((await following.until(3)).map((r) => identity(r).n)).toEqual([0, 1, 2]);
    following.stop();
    expect(troubles.at(-1)).toBeNull();
  });

  it("appends nothing, retryably, while no broker can be reached, and goes on afterwards", async () => {
    const log = await open({ ...HASTY, appendTimeoutMs: 800 });
    await log.append([record("resumes", envelope("x", 0))]);
    await proxy.refuse(true);
    // What is written to a connection that is dead without knowing it has an unknown outcome, rightly.
    await sleep(100);
    await expect(log.append([record("resumes", envelope("x", 1))])).rejects.toMatchObject({ code: "log_unavailable", retryable: true });
    await expect(log.heads()).rejects.toMatchObject({ code: "log_unavailable", retryable: true });
    await proxy.refuse(false);
    await log.append([record("resumes", envelope("x", 2))]);
    expect((await read(log)).map((r) => identity(r).n)).toEqual([0, 2]);
  });

  it("makes no connection any more once it is closed, whatever was still being tried", async () => {
    const log = await open();
    await proxy.refuse(true);
    const heads = expect(log.heads()).rejects.toBeInstanceOf(CountersignError);
    const reading = expect(log.read({}, { until: "heads" })[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
    await sleep(50);
    const closed = log.close();
    await proxy.refuse(false);
    await Promise.all([heads, reading, closed]);
    await sleep(1500);
    expect(proxy.connections()).toBe(0);
    await expect(log.heads()).rejects.toMatchObject({ code: "log_closed" });
  });

  it("says that the log is unavailable when no broker answers at the start", async () => {
    await proxy.refuse(true);
    const began = Date.now();
    await expect(openKafkaLog(url)).rejects.toMatchObject({ code: "log_unavailable", retryable: true, fix: expect.stringMatching(/brokers run/) });
    expect(Date.now() - began).toBeLessThan(8000);
    await proxy.refuse(false);
    await (await open()).heads();
  });

  it("resolves what was acknowledged of a batch and fails only what was refused", async () => {
    const log = await open();
    await raw.setSettings("verdicts", { "max.message.bytes": "2000" });
    const large = { topic: "verdicts" as const, key: "large", value: Buffer.alloc(5000) };
    const results = await Promise.allSettled([
      log.append([record("proposals", envelope("a", 1))]),
      log.append([large]),
      log.append([record("decisions", envelope("b", 2))]),
      log.append([record("receipts", envelope("c", 3)), large]),
    ]);
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: "event_too_large", retryable: false });
    // One of its two records is there: only looking can tell which.
    expect((results[3] as PromiseRejectedResult).reason).toBeInstanceOf(AppendOutcomeUnknown);
    expect((await read(log)).map((r) => r.key).sort()).toEqual(["a", "b", "c"]);
  });

  it("refuses a record that no broker would take before it is sent", async () => {
    const log = await open();
    await expect(log.append([{ topic: "proposals", key: "k", value: Buffer.alloc(1024 * 1024) }])).rejects.toMatchObject({ code: "event_too_large" });
    expect(await read(log)).toEqual([]);
  });

  it("catches up through records that are larger than what is fetched of a partition at once", async () => {
    const log = await open();
    for (let n = 0; n < 24; n++) {
      const topic = TOPICS[n % 2]!;
      await log.append([{ topic, key: `k${n % 5}`, value: Buffer.alloc(n % 3 === 0 ? 900_000 : 20_000, n) }]);
    }
    const records = await read(await open(), {}, { maxBatch: 2 });
    expect(records).toHaveLength(24);
    for (let i = 1; i < records.length; i++) expect(records[i]!.appendedAt).toBeGreaterThanOrEqual(records[i - 1]!.appendedAt);
  });

  it("refuses to begin at the beginning when retention has deleted it, and says so", async () => {
    const log = await open();
    const partition = partitionOf("x", PARTITIONS);
    for (let n = 0; n < 5; n++) await log.append([record("proposals", envelope("x", n))]);
    await raw.deleteBefore("proposals", partition, 3);
    await expect(read(log)).rejects.toMatchObject({
      code: "log_gap",
      field: `proposals/${partition}@0`,
      message: expect.stringMatching(/deleted by retention/),
    });
    expect((await read(log, { proposals: { [partition]: 3 } })).map((r) => identity(r).n)).toEqual([3, 4]);
  });

  it("ends with an error when its topics are deleted and made again under a reader", async () => {
    const log = await open();
    const following = follow(log);
    for (let n = 0; n < 5; n++) await log.append(TOPICS.map((t) => record(t, envelope(`i${n}`, n))));
    await following.until(5 * TOPICS.length);
    await raw.deleteTopics([...TOPICS]);
    await applyTopics(url, { partitions: PARTITIONS, replication: 1, minInsyncReplicas: 1 });
    await expect(following.done).rejects.toMatchObject({ code: "log_recreated" });
  });

  it("refuses a transaction's marker, which would be a hole, and reads what lies before it", async () => {
    const log = await open();
    await log.append([record("policies", envelope("x", 0))]);
    const partition = partitionOf("x", PARTITIONS);
    await raw.send("policies", [{ partition, key: Buffer.from("x"), value: Buffer.from("{}") }], { transactional: true });
    // The marker is written a moment after the commit is answered.
    const next = async () => (await log.heads()).find((h) => h.topic === "policies" && h.partition === partition)!.next;
    while ((await next()) < 3) await sleep(20);
    const seen: LogRecord[] = [];
    const reading = (async () => {
      for await (const batch of log.read({}, { until: "heads" })) seen.push(...batch.records);
    })();
    await expect(reading).rejects.toMatchObject({ code: "log_gap", message: expect.stringMatching(/transaction/) });
    expect(seen).toHaveLength(2);
  });

  it("reads what a foreign producer has compressed", async () => {
    const log = await open();
    const messages = Array.from({ length: 50 }, (_, n) => ({
      partition: 1,
      key: Buffer.from("x"),
      value: Buffer.from(`value ${n}`),
      headers: { any: "thing" },
    }));
    await raw.send("policies", messages, { gzip: true });
    const records = await read(log, { policies: { 1: 20 } });
    expect(records.map((r) => String(r.value))).toEqual(messages.slice(20).map((m) => String(m.value)));
  });

  it("writes the record's headers", async () => {
    const log = await open();
    const { partition } = (
      await log.append([{ topic: "proposals", key: "x", value: Buffer.from("v"), headers: () => ({ ce_id: "1", "content-type": "application/avro" }) }])
    )[0]!;
    expect(await raw.headersOf("proposals", partition)).toEqual({ ce_id: "1", "content-type": "application/avro" });
  });

  it("leaves no consumer group behind", async () => {
    const log = await open();
    await log.append([record("proposals", envelope("x", 1))]);
    await read(log, {}, { reader: "views-1" });
    await read(log);
    await log.close();
    expect((await raw.groups()).filter((g) => g.includes(url.prefix))).toEqual([]);
  });

  it("never lets the Kafka client's own lines through, whatever happens", async () => {
    const script = `
      import { openKafkaLog } from "./src/log/kafka.ts";
      const url = JSON.parse(process.argv[1]);
      const log = await openKafkaLog(url);
      await log.append([{ topic: "proposals", key: "x", value: Buffer.from("v") }]);
      for await (const batch of log.read({}, { until: "heads" })) if (batch.records.length !== 1) throw new Error("not read");
      await log.close();
      await openKafkaLog({ ...url, brokers: ["127.0.0.1:1"] }).catch(() => undefined);
      await openKafkaLog({ ...url, prefix: "nothing." }).catch(() => undefined);
    `;
    const output = await new Promise<string>((resolve, reject) => {
      const args = ["--input-type=module-typescript", "-e", script, JSON.stringify(url)];
      const env = { ...process.env, KAFKAJS_LOG_LEVEL: "debug" };
      execFile(process.execPath, args, { cwd: join(import.meta.dirname, "../.."), env }, (error, stdout, stderr) =>
        error ? reject(error) : resolve(stdout + stderr),
      );
    });
    expect(output).toBe("");
  });
}
