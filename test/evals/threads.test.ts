import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ExportOptions, exportDataset } from "../../src/evals/export.ts";
import type { Manifest } from "../../src/evals/manifest.ts";
import { Codec } from "../../src/events/codec.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { story } from "./story.ts";

let temporary: string;
const before = process.env.TMPDIR;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "countersign-threads-"));
  process.env.TMPDIR = temporary;
});
afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(temporary, { recursive: true, force: true });
});

async function exported(name: string, target: string, options: ExportOptions): Promise<{ manifest: Manifest; bytes: Map<string, string> }> {
  const manifest = await exportDataset(join(temporary, name), target, options);
  const names = [...manifest.files.map((file) => file.name), "manifest.json"];
  return { manifest, bytes: new Map(names.map((file) => [file, readFileSync(join(temporary, name, file), "hex")])) };
}

describe("threads", () => {
  test.each(["jsonl", "huggingface", "policy-tests", "operations"])("change no byte of %s", async (target) => {
    const script = await story();
    const given = { log: script.log, codec: script.codec, key: TEST_KEY, holdoutFrom: 0 };
    const alone = await exported("none", target, { ...given, threads: 1 });
    expect(alone.manifest.rows).toBeGreaterThan(0);
    const heard: [number, number][] = [];
    await exported("heard", target, { ...given, threads: 2, onRows: (made, all) => heard.push([made, all]) });
    expect(heard).toEqual(heard.map((_, i) => [i + 1, heard.length]));
    expect(heard.length).toBeGreaterThan(1);
    rmSync(join(temporary, "heard"), { recursive: true });
    for (const threads of [2, 3]) expect(await exported(`${threads}`, target, { ...given, threads, mostHeld: 1 })).toEqual(alone);
    expect(readdirSync(temporary).sort()).toEqual(["2", "3", "none"]);
  });

  test("compare rows that different threads made: duplicates, contradictions and retries over all partitions", async () => {
    const script = await Script.open();
    const run = { framework: "test", threadId: "t", checkpointId: "c", step: 1, ended: false };
    for (let i = 0; i < 40; i++) {
      const verdict = await script.judge(await script.propose(`same-${i}`, { n: i % 10 }, { run }), "interrupt");
      await script.decide(verdict, i === 39 ? "reject" : "approve");
    }
    const rejected = [];
    for (let i = 0; i < 10; i++) {
      const proposal = await script.propose(`first-${i}`, { n: 100 + i });
      await script.decide(await script.judge(proposal, "interrupt"), "reject", { reasonCodes: ["wrong"] });
      rejected.push(proposal.event.itemId);
    }
    for (const [i, retryOf] of rejected.entries()) {
      const again = await script.judge(await script.propose(`again-${i}`, { n: 200 + i }, { retryOf }), "interrupt");
      await script.resume(await script.decide(again, "approve"), "proceed", { n: 200 + i });
    }
    const given = { log: script.log, codec: script.codec, key: TEST_KEY };
    const alone = await exported("none", "jsonl", { ...given, threads: 1 });
    const rows = Buffer.from(alone.bytes.get("reviewed-examples.jsonl") as string, "hex")
      .toString()
      .trimEnd()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as { id: string; duplicateOf: string | null; labels: string[]; quality: { tier: string }; presented: { args: { n: number } }[] },
      );
    // 40 decisions on ten calls: one approval of each and the rejection come first, wherever they lie.
    expect(rows.filter((row) => row.duplicateOf !== null).length).toBe(29);
    for (const [i, row] of rows.entries()) if (row.duplicateOf !== null) expect(rows.findIndex((other) => other.id === row.duplicateOf)).toBeLessThan(i);
    expect(rows.filter((row) => row.quality.tier === "disputed").map((row) => row.presented[0]?.args.n)).toEqual([9, 9, 9, 9]);
    expect(rows.filter((row) => row.labels.includes("preference")).length).toBe(10);
    for (const threads of [2, 4]) expect(await exported(`${threads}`, "jsonl", { ...given, threads })).toEqual(alone);
    const pairs = await exported("pairs", "huggingface", { ...given, threads: 2 });
    expect(pairs.manifest.rejected).toContainEqual({ class: "preference", reason: "no_transcript", rows: 10 });
  });

  test("are ended when the export is stopped, and leave no file behind", async () => {
    const script = await story();
    const stop = new AbortController();
    const options = { log: script.log, codec: script.codec, key: TEST_KEY, mostHeld: 1, threads: 2, signal: stop.signal };
    const broken = exportDataset(join(temporary, "out"), "jsonl", { ...options, onProgress: () => setTimeout(() => stop.abort(new Error("enough")), 20) });
    await expect(broken).rejects.toThrow("enough");
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("get to know schemas that were fetched while the log was read", async () => {
    const script = await story();
    const given = { log: script.log, key: TEST_KEY, schemaText: (id: number) => script.registry.textOf(id) };
    const fetched = await exported("fetched", "jsonl", { ...given, codec: new Codec(), threads: 2 });
    expect(fetched).toEqual(await exported("known", "jsonl", { ...given, codec: script.codec, threads: 1 }));
  });
});
