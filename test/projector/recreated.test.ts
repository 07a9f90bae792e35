import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { TOPICS } from "../../src/events/topics.ts";
import { openHttpRegistry } from "../../src/log/http-registry.ts";
import { applyTopics } from "../../src/log/kafka.ts";
import { applySchemas } from "../../src/log/schemas.ts";
import { openLedger } from "../../src/runtime.ts";
import { sharedKafka, whyNoKafka } from "../support/kafka.ts";
import { rawKafka } from "../support/kafka-raw.ts";

const why = await whyNoKafka();
const main = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const TOPICS_AS = { partitions: 1, replication: 1, minInsyncReplicas: 1 };

/** Topics with some bytes in each that no schema knows: enough for a place in every log. */
async function place() {
  const url = (await sharedKafka()).logUrl({ partitions: 1 });
  await applyTopics(url, TOPICS_AS);
  const registry = openHttpRegistry({ url: url.registry, prefix: url.prefix });
  await applySchemas(registry, { prefix: url.prefix });
  await registry.close();
  const raw = await rawKafka(url);
  const fill = (what: string, count: number) =>
    Promise.all(
      TOPICS.map((topic) =>
        raw.send(
          topic,
          Array.from({ length: count }, (_, i) => ({ partition: 0, key: Buffer.from(`k${i}`), value: Buffer.from(what + i) })),
        ),
      ),
    );
  const exchange = async () => {
    await raw.deleteTopics([...TOPICS]);
    await applyTopics(url, TOPICS_AS);
    await fill("other", 6);
  };
  const data = mkdtempSync(join(tmpdir(), "countersign-exchanged-"));
  return { url, raw, fill, exchange, data, remove: () => Promise.all([raw.close(), rmSync(data, { recursive: true, force: true })]) };
}

describe.skipIf(why !== null)("a log that is exchanged for another of the same name and length", () => {
  it("is noticed by one that reads all the while, and nothing of it is folded", async () => {
    const p = await place();
    const ledger = await openLedger({ log: p.url.text, data: p.data });
    try {
      await p.fill("first", 5);
      await ledger.start({ workers: false });
      await p.exchange();
      await expect(ledger.ended).rejects.toMatchObject({ code: "log_recreated" });
      expect(ledger.queries.bad().filter((bad) => bad.offset >= 5)).toEqual([]);
    } finally {
      await ledger.close().catch(() => undefined);
      await p.remove();
    }
  }, 60_000);

  it("is noticed by a process that stood still meanwhile: it stops, and says which topic", async () => {
    const p = await place();
    const argv = [main, "up", "--log", p.url.text, "--data", p.data, "--port", "0"];
    await p.fill("first", 5);
    const child = spawn(process.execPath, argv, { env: { PATH: process.env.PATH } });
    let text = "";
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    try {
      await new Promise<void>((resolve, reject) => {
        const hear = (chunk: Buffer) => {
          text += chunk;
          if (/answers at/.test(text)) resolve();
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.on("exit", (code) => reject(new Error(`up ended with ${code}: ${text}`)));
      });
      child.kill("SIGSTOP");
      await p.exchange();
      await new Promise((resolve) => setTimeout(resolve, 3500));
      child.kill("SIGCONT");
      expect(await ended).not.toBe(0);
      expect(text).toMatch(/was recreated, or the log is an older copy|another log, or an older copy/);
    } finally {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
      await p.remove();
    }
  }, 90_000);
});
