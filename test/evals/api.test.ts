import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { endOf, exportDataset, insightsOf, linesOf, openTopics, TARGETS } from "../../src/evals/index.ts";
import { openLog } from "../../src/log/open.ts";
import { TEST_KEY } from "./collected.ts";
import { story } from "./story.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-evals-api-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The story on an embedded log. */
async function storyUrl(): Promise<string> {
  const script = await story();
  const url = `sqlite:${join(folder, "log")}`;
  const { log, registry } = await openLog(url);
  // Both logs hold this version's schemas alone, and so under the same ids.
  for await (const { records } of script.log.read({}, { until: "heads" }))
    await log.append(records.map(({ topic, key, value }) => ({ topic, key: key as string, value: value as Uint8Array })));
  await registry.close();
  await log.close();
  return url;
}

test("a program exports, diagnoses and reads the topics of a log by its URL", async () => {
  const topics = await openTopics(await storyUrl());
  try {
    const out = join(folder, "out");
    const manifest = await exportDataset(out, "trl-preference", { ...topics, key: TEST_KEY });
    expect(manifest.rows).toBeGreaterThan(0);
    expect(await insightsOf(topics)).toEqual(manifest.insights);
    const edits = [];
    for await (const line of linesOf({ ...topics, topics: ["decisions"], kind: ["edit"] })) edits.push(line);
    expect(edits.length).toBe(manifest.byDecision.edit);
    expect(edits.map(({ topic, event }) => [topic, (event as { kind?: string }).kind])).toEqual(edits.map(() => ["decisions", "edit"]));
    const [first] = edits;
    const own = [];
    for await (const line of linesOf({ ...topics, item: first?.key as string })) own.push(line);
    expect(new Set(own.map((line) => line.event?.itemId))).toEqual(new Set([first?.key]));
    expect(own.map((line) => line.topic)).toEqual(expect.arrayContaining(["proposals", "verdicts", "decisions"]));
    // The end of one export is the beginning of the next, which has nothing more to tell.
    expect((await exportDataset(join(folder, "next"), "jsonl", { ...topics, key: TEST_KEY, from: endOf(manifest) })).rows).toBe(0);
    expect(TARGETS.map(({ name }) => name)).toContain("trl-preference");
  } finally {
    await topics.close();
  }
});

test("topics that are not there are told, and no log is made of them", async () => {
  await expect(openTopics(`sqlite:${join(folder, "none")}`)).rejects.toMatchObject({ code: "log_unavailable" });
});
