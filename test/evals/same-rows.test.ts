import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { endOf } from "../../src/evals/index.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { collected, TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

type Of = Parameters<Script["resume"]>[0];

const glance = { review: { channel: "console" as const, activeMs: 400 } };
const look = { review: { channel: "console" as const, activeMs: 9000 } };

/** A proposal of one call, always the same where the model saw the same. */
async function asked(script: Script, key: string, verdict: object = {}, more: object = {}) {
  const actions = [{ actionId: "a", tool: "bank/pay", ...canonicalArgs({ n: 1 }), confidence: null }];
  const run = { framework: "test", threadId: "t", ended: false };
  return script.judge(await script.propose(key, { n: 1 }, { run, transcript: transcript("Pay"), actions, ...more }), "interrupt", verdict);
}

async function ran(script: Script, of: Of, end: "succeeded" | "failed" = "succeeded") {
  const grant = await script.resume(of, "proceed", { n: 1 }, {}, "bank/pay");
  await script.receipt(grant, "started");
  return script.receipt(grant, end, end === "failed" ? { error: { code: "closed", message: "the bank is closed" } } : {});
}

async function rowsOf({ log, codec }: Script, threads = 1): Promise<ReviewedExample[]> {
  return (await collected({ log, codec, threads })).examples;
}

/** What a target makes of a ledger, of all splits. */
async function exported({ log, codec }: Script, target: string): Promise<{ [key: string]: unknown }[]> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-same-rows-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { files } = await exportDataset(folder, target, { log, codec, key: TEST_KEY });
  const names = files.map(({ name }) => name).filter((name) => /^(train|validation|test)\.jsonl$/.test(name));
  return names.flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n")).map((line) => JSON.parse(line));
}

const short = (rows: readonly ReviewedExample[]) =>
  rows.map(({ quality, labels, duplicateOf }) => [quality.tier, labels.join(" "), duplicateOf !== null].join(", ")).sort();

describe("rows that say the same", () => {
  test("leave their labels to the one that was looked at, where two approve an item and the first only glanced", async () => {
    const script = await Script.open();
    const verdict = await asked(script, "k", { approvals: 2 });
    await script.decide(verdict, "approve", glance, "ann");
    await ran(script, await script.decide(verdict, "approve", look, "ben"));
    const rows = await rowsOf(script);
    expect(short(rows)).toEqual(["bronze, , true", "gold, sft kto_positive regression, false"]);
    expect(rows.find((row) => row.duplicateOf !== null)?.duplicateOf).toBe(rows.find((row) => row.duplicateOf === null)?.id);
    expect(await exported(script, "trl-sft")).toHaveLength(1);
  });

  test("leave their labels to the one that was executed, wherever the item that failed before it lies, whatever the threads", async () => {
    // The partition of an item is that of the hash of its key: of six stories some have the failed item first, and some last.
    for (let i = 0; i < 6; i++) {
      const script = await Script.open();
      const failed = await asked(script, `failed-${i}`);
      await ran(script, await script.decide(failed, "approve", look), "failed");
      const again = await asked(script, `again-${i}`, {}, { retryOf: failed.event.itemId });
      await ran(script, await script.decide(again, "approve", look));
      const rows = await rowsOf(script);
      expect(short(rows)).toEqual(["bronze, , true", "gold, sft kto_positive regression, false"]);
      if (i === 0) expect(await rowsOf(script, 3)).toEqual(rows);
    }
  });

  test("leave their labels to a decision of its own, not to an approval that only agrees with an edit", async () => {
    for (let i = 0; i < 4; i++) {
      const script = await Script.open();
      const edit = await script.edit(await asked(script, `edited-${i}`, { approvals: 2 }), { n: 5 });
      await ran(script, await script.decide(await script.judge(edit, "interrupt", { approvals: 2 }), "approve", look, "ben"));
      const actions = [{ actionId: "a", tool: "bank/pay", ...canonicalArgs({ n: 5 }), confidence: null }];
      await ran(script, await script.decide(await asked(script, `plain-${i}`, {}, { actions }), "approve"));
      const plain = (await rowsOf(script)).find((row) => row.review.others.length === 0);
      expect(plain).toMatchObject({ duplicateOf: null, labels: ["sft", "kto_positive", "regression"] });
    }
  });

  test("are compared within an export: the next part of a chain gives the labels of a better row that it alone holds", async () => {
    const script = await Script.open();
    await script.decide(await asked(script, "first"), "approve", glance);
    const given = { log: script.log, codec: script.codec };
    const first = await collected(given);
    await ran(script, await script.decide(await asked(script, "second"), "approve", look));
    expect(short(first.examples)).toEqual(["bronze, kto_positive, false"]);
    expect(short((await collected({ ...given, from: endOf(first) })).examples)).toEqual(["gold, sft kto_positive regression, false"]);
    expect(short((await collected(given)).examples)).toEqual(["bronze, , true", "gold, sft kto_positive regression, false"]);
  });
});

describe("an incident", () => {
  test.each([
    ["critical", ["gold, , true", "gold, kto_negative should_not_call, false"]],
    ["low", ["disputed, , false", "disputed, , true"]],
  ])("that is %s labels an item once, however many had approved it", async (severity, expected) => {
    const script = await Script.open();
    const verdict = await asked(script, "k", { approvals: 2 });
    await script.decide(verdict, "approve", look, "ann");
    const receipt = await ran(script, await script.decide(verdict, "approve", look, "ben"));
    await script.decide(receipt, "report", { seen: null, message: "Paid twice", incident: { severity, url: null } as never });
    expect(short(await rowsOf(script))).toEqual(expected);
    const isGrave = severity === "critical";
    expect((await exported(script, "trl-kto")).map((row) => row.label)).toEqual(isGrave ? [false] : []);
    expect(await exported(script, "braintrust")).toHaveLength(isGrave ? 1 : 0);
  });
});
