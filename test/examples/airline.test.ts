import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { MANIFEST_FILE } from "../../src/evals/manifest.ts";
import { EXAMPLES_FILE } from "../../src/evals/targets/neutral.ts";
import { sharedData } from "../shared-data.ts";
import { type LedgerKind, ledgerKinds, type Place } from "../support/ledgers.ts";

const MAIN = fileURLToPath(new URL("../../examples/airline/main.ts", import.meta.url));

/** Runs the example as somebody types it. */
async function airline(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, "--json"], { timeout: 150_000 });
  return JSON.parse(stdout);
}

/**
 * Written by hand: one run that reads, cancels what is to be cancelled, asks twice under one tool-call id for bags (one right, one wrong),
 * gives a certificate that nobody wanted, and calls once with arguments that are no JSON; and one run without right calls that only reads.
 */
const RUNS = fileURLToPath(new URL("../../examples/airline/sample-runs.jsonl", import.meta.url));
const TOOLS = fileURLToPath(new URL("../../examples/airline/sample-tools.json", import.meta.url));

const BY_HAND = {
  runs: 2,
  calls: 6,
  consequential: 4,
  approved: 2,
  edited: 1,
  rejected: 1,
  executed: 5,
  // Six proposals, verdicts and resumes; four decisions and the verdict on one edit; two receipts for each of the five that ran.
  events: 6 * 3 + 4 + 1 + 5 * 2,
  notices: 3,
  noticesWithoutBatches: 4,
  viewsEqualAfterRebuild: true,
  datasetRows: 4,
  editsEqualGold: true,
  secondImportNew: 0,
};

const RECORDED = {
  runs: 100,
  calls: 621,
  consequential: 167,
  approved: 37,
  edited: 79,
  rejected: 51,
  executed: 570,
  // 621 proposals, verdicts and resumes; 167 decisions and the verdicts on 79 edits; two receipts for each of the 570 that ran.
  events: 621 * 3 + 167 + 79 + 570 * 2,
  notices: 43,
  noticesWithoutBatches: 167,
  viewsEqualAfterRebuild: true,
  datasetRows: 167,
  editsEqualGold: true,
  secondImportNew: 0,
};

test("docs/airline-example.md shows what the sample runs give", () => {
  const page = readFileSync(fileURLToPath(new URL("../../docs/airline-example.md", import.meta.url)), "utf8");
  expect(JSON.parse(/^```json\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "null")).toEqual(BY_HAND);
});

const recorded = sharedData("tau-bench-airline");

for (const kind of await ledgerKinds()) {
  if (kind.why !== null) test.skip(`the airline example on ${kind.name}: ${kind.why}`, () => undefined);
  else describe(`the airline example on ${kind.name}`, () => suite(kind));
}

function suite(kind: LedgerKind): void {
  let place: Place;
  beforeAll(async () => {
    place = await kind.place();
  });
  afterAll(() => place.remove());

  test("the sample runs go from proposal to dataset; the same command again counts the same, writes nothing and gives the same bytes", async () => {
    const work = mkdtempSync(join(tmpdir(), "countersign-test-"));
    onTestFinished(() => rmSync(work, { recursive: true, force: true }));
    const command = (out: string) => airline("--log", place.log, "--runs", RUNS, "--tools", TOOLS, "--out", join(work, out));
    expect(await command("first")).toEqual(BY_HAND);
    expect(await command("second")).toEqual(BY_HAND);
    const examples = (out: string) => readFileSync(join(work, out, EXAMPLES_FILE), "utf8");
    expect(examples("second")).toBe(examples("first"));
    expect(readFileSync(join(work, "second", MANIFEST_FILE), "utf8")).toBe(readFileSync(join(work, "first", MANIFEST_FILE), "utf8"));
    const edited = examples("first")
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text))
      .find((row) => row.decision.kind === "edit");
    expect(edited).toMatchObject({
      run: { threadId: "by-hand-1" },
      proposed: [{ tool: "update_reservation_baggages", args: { total_baggages: 4 } }],
      final: [{ tool: "update_reservation_baggages", args: { total_baggages: 3 } }],
      outcome: { stage: "done", outcome: "succeeded" },
    });
  }, 60_000);

  test.skipIf(recorded === null)(
    "the 100 recorded runs give the counts that are known of them (skipped without ../shared/data)",
    async () => {
      const fresh = await kind.place();
      onTestFinished(fresh.remove);
      expect(await airline("--log", fresh.log, "--runs", `${recorded}/runs.jsonl`, "--tools", `${recorded}/tools.json`)).toEqual(RECORDED);
    },
    180_000,
  );
}

test.skipIf(recorded === null)(
  "the file as tau-bench publishes it gives the same counts as the same runs in chat format (skipped without ../shared/data)",
  async () => {
    const work = mkdtempSync(join(tmpdir(), "countersign-test-"));
    onTestFinished(() => rmSync(work, { recursive: true, force: true }));
    const published = `${recorded}/original-format-sample.json`;
    const wanted = (JSON.parse(readFileSync(published, "utf8")) as { task_id: number; trial: number }[]).map((run) => `${run.task_id}/${run.trial}`);
    const chat = readFileSync(`${recorded}/runs.jsonl`, "utf8")
      .trim()
      .split("\n")
      .filter((text) => {
        const { task_id, trial } = JSON.parse(text);
        return wanted.includes(`${task_id}/${trial}`);
      });
    expect(chat).toHaveLength(wanted.length);
    writeFileSync(join(work, "chat.jsonl"), chat.join("\n"));
    const counts = (runs: string, log: string) => airline("--log", `sqlite:${join(work, log)}`, "--runs", runs, "--tools", `${recorded}/tools.json`);
    const asPublished = await counts(published, "a");
    expect(asPublished).toEqual(await counts(join(work, "chat.jsonl"), "b"));
    expect(asPublished).toMatchObject({ runs: wanted.length, viewsEqualAfterRebuild: true, editsEqualGold: true, secondImportNew: 0 });
  },
);

test("a missing option, and a file that cannot be read, are told in a sentence and with an exit code", async () => {
  const failed = (...args: string[]) =>
    promisify(execFile)(process.execPath, [MAIN, ...args]).then(
      () => ({ code: 0, stderr: "" }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
    );
  expect(await failed("--log", "memory:")).toEqual({ code: 2, stderr: expect.stringMatching(/^usage: npm run example:airline -- /) });
  const unread = await failed("--log", "memory:", "--runs", "no-such-file.jsonl", "--tools", TOOLS);
  expect(unread).toEqual({ code: 1, stderr: expect.stringContaining("no-such-file.jsonl cannot be read") });
  expect(unread.stderr).not.toContain("    at ");
});
