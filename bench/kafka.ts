import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";
import { TOPICS } from "../src/events/topics.ts";
import { openHttpRegistry } from "../src/log/http-registry.ts";
import { applyTopics } from "../src/log/kafka.ts";
import type { NewRecord } from "../src/log/log.ts";
import { openLog, parseLogUrl } from "../src/log/open.ts";
import { applySchemas, loadCodec } from "../src/log/schemas.ts";
import type { KafkaUrl } from "../src/log/url.ts";
import { rebuildViews } from "../src/projector/rebuild.ts";
import { openLedger, viewsOptions } from "../src/runtime.ts";
import { chainRunner, publishReferencePolicy, runChains } from "./chain.ts";
import { percentile, type Spread, spread } from "./machine.ts";

/** Figures of a real broker. */
export interface KafkaFigures {
  readonly decideToResumeMs: { readonly p50: number; readonly p99: number; readonly samples: number; readonly perSecond: number };
  readonly rebuildEventsPerSecond: Spread;
  readonly embeddedRebuildEventsPerSecond: Spread;
  readonly ratioToEmbedded: Spread;
  readonly bareConsumerEventsPerSecond: Spread;
}

/** Measures on a broker: latency at a steady rate, and rebuilding beside the embedded log with the same events. */
export async function measureKafka(baseUrl: string, rounds: number, options: { perSecond: number; seconds: number; chains: number }): Promise<KafkaFigures> {
  const stamp = Date.now().toString(36);
  const latency = await measureLatency(await prepared(`${baseUrl}&prefix=bench-${stamp}-`), options.perSecond, options.seconds);
  const rebuild = await compareRebuilds(await prepared(`${baseUrl}&prefix=rebuild-${stamp}-`), rounds, options.chains);
  return { decideToResumeMs: latency, ...rebuild };
}

async function prepared(text: string): Promise<KafkaUrl> {
  const url = parseLogUrl(text) as KafkaUrl;
  await applyTopics(url, { replication: 1, minInsyncReplicas: 1 });
  const registry = openHttpRegistry({ url: url.registry, prefix: url.prefix });
  await applySchemas(registry);
  await registry.close();
  return url;
}

async function measureLatency(url: KafkaUrl, perSecond: number, seconds: number): Promise<KafkaFigures["decideToResumeMs"]> {
  const data = mkdtempSync(join(tmpdir(), "countersign-bench-"));
  const ledger = await openLedger({ log: url.text, data });
  await ledger.start();
  await publishReferencePolicy(ledger);
  const runner = chainRunner(ledger);
  await runChains(runner.run, 0, 200, 8);
  runner.decideToResumeMs.length = 0;
  const running: Promise<void>[] = [];
  const started = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const due = started + (n * 1000) / perSecond;
    if (due > performance.now()) await sleep(due - performance.now());
    running.push(runner.run(1000 + n));
  }
  await Promise.all(running);
  const achieved = (perSecond * seconds) / ((performance.now() - started) / 1000);
  await ledger.close();
  rmSync(data, { recursive: true });
  const ms = runner.decideToResumeMs;
  return { p50: percentile(ms, 50), p99: percentile(ms, 99), samples: ms.length, perSecond: Math.round(achieved) };
}

async function compareRebuilds(url: KafkaUrl, rounds: number, chains: number) {
  const dir = mkdtempSync(join(tmpdir(), "countersign-bench-"));
  const source = await openLedger({ log: `sqlite:${dir}`, data: dir });
  await source.start();
  await publishReferencePolicy(source);
  await runChains(chainRunner(source).run, 0, chains, 16);
  await source.close();
  await copy(`sqlite:${dir}`, url.text);
  const embedded: number[] = [];
  const kafka: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    embedded.push(await rebuildRate(`sqlite:${dir}`, dir));
    kafka.push(await rebuildRate(url.text, join(dir, "kafka")));
    bare.push(await bareRate(url));
  }
  rmSync(dir, { recursive: true });
  return {
    rebuildEventsPerSecond: spread(kafka),
    embeddedRebuildEventsPerSecond: spread(embedded),
    ratioToEmbedded: spread(kafka.map((k, i) => k / (embedded[i] as number))),
    bareConsumerEventsPerSecond: spread(bare),
  };
}

/** Moves events to another log: rewrites the schema id and nothing else. */
async function copy(from: string, to: string): Promise<void> {
  const source = await openLog(from);
  const target = await openLog(to);
  const codec = await loadCodec(target.registry);
  for await (const batch of source.log.read({}, { until: "heads" })) {
    const records: NewRecord[] = batch.records.map(({ topic, key, value }) => {
      const moved = Buffer.from(value as Uint8Array);
      moved.writeUInt32BE(codec.writerId(topic), 1);
      return { topic, key: key as string, value: moved };
    });
    if (records.length > 0) await target.log.append(records);
  }
  for (const { log, registry } of [source, target]) {
    await registry.close();
    await log.close();
  }
}

async function rebuildRate(url: string, data: string): Promise<number> {
  const { log, registry } = await openLog(url);
  const codec = await loadCodec(registry);
  const started = performance.now();
  const events = await rebuildViews(viewsOptions({ log, registry, codec }, data));
  const rate = events / ((performance.now() - started) / 1000);
  await registry.close();
  await log.close();
  return rate;
}

/** A consumer that only counts. */
async function bareRate(url: KafkaUrl): Promise<number> {
  const client = new kafkajs.Kafka({ brokers: [...url.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  const consumer = client.consumer({ groupId: `bare-${Date.now()}-${Math.random()}`, maxWaitTimeInMs: 100 });
  await admin.connect();
  const topics = TOPICS.map((t) => `${url.prefix}${t}`);
  let expected = 0;
  for (const topic of topics) for (const p of await admin.fetchTopicOffsets(topic)) expected += Number(p.high);
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  let seen = 0;
  let first = 0;
  const done = Promise.withResolvers<void>();
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      first ||= performance.now();
      seen += batch.messages.length;
      if (seen >= expected) done.resolve();
    },
  });
  await done.promise;
  const rate = expected / ((performance.now() - first) / 1000);
  await consumer.disconnect();
  await admin.disconnect();
  return rate;
}
