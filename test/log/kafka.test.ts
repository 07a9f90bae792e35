import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, it } from "vitest";
import { TOPICS } from "../../src/events/topics.ts";
import { applyTopics, openKafkaLog } from "../../src/log/kafka.ts";
import type { KafkaUrl } from "../../src/log/url.ts";
import { type OwnKafka, ownKafka, sharedKafka, whyNoKafka, whyNoOwnKafka } from "../support/kafka.ts";
import { type RawKafka, rawKafka } from "../support/kafka-raw.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { describeLogContract } from "./contract.ts";

const why = await whyNoKafka();
const whyNoFaults = process.env.KAFKA_BROKERS ? "the broker of KAFKA_BROKERS is not behind our proxy" : await whyNoOwnKafka();

if (why) it.skip(why, () => undefined);
else describe("with a real broker", suite);

function suite(): void {
  let proxy: TcpProxy | undefined;
  let own: OwnKafka | undefined;
  let brokers: string[];
  const raws = new Map<string, RawKafka>();

  // A broker of its own, so that a proxy can stand between it and the driver.
  beforeAll(async () => {
    if (whyNoFaults) brokers = (await sharedKafka()).brokers;
    else {
      proxy = await startProxy(() => own!.port);
      own = await ownKafka({ advertisedPort: proxy.port });
      brokers = own.brokers;
    }
  });
  afterAll(async () => {
    await own?.stop();
    await proxy?.close();
  });

  describeLogContract("kafka", {
    slow: true,
    create: async ({ partitions }) => {
      const prefix = `c${randomBytes(6).toString("hex")}.`;
      const url: KafkaUrl = {
        kind: "kafka",
        brokers,
        registry: "http://127.0.0.1:1",
        prefix,
        ssl: false,
        partitions,
        text: `kafka://${brokers[0]}?prefix=${prefix}`,
      };
      const raw = await rawKafka(url);
      raws.set(prefix, raw);
      await applyTopics(url, { replication: 1, minInsyncReplicas: 1 });
      return {
        open: () => openKafkaLog(url),
        dispose: () => raw.close(),
        ...(proxy ? { loseNextAnswer: () => proxy!.next("lose answer"), loseNextRequest: () => proxy!.next("lose request") } : {}),
        appendForeign: async (records) => {
          for (const { topic, ...record } of records) await raw.send(topic, [record]);
        },
        dropBefore: (topic, partition, offset) => raw.deleteBefore(topic, partition, offset),
        recreate: async () => {
          await raw.deleteTopics([...TOPICS]);
          await applyTopics(url, { replication: 1, minInsyncReplicas: 1 });
        },
      };
    },
  });
}
