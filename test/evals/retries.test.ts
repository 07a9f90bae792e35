import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { collected, TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

/** A proposal of one call, where the model always saw the same. */
async function asked(script: Script, key: string, n: number, more: object = {}) {
  const actions = [{ actionId: "a", tool: "bank/pay", ...canonicalArgs({ n }), confidence: null }];
  return script.judge(await script.propose(key, { n }, { transcript: transcript("Pay"), actions, ...more }), "interrupt");
}

const approved = async (script: Script, of: Parameters<Script["decide"]>[0], n: number) =>
  script.resume(await script.decide(of, "approve"), "proceed", { n }, {}, "bank/pay");

/** The chosen calls of the pairs of a ledger, and why there are no others. */
async function pairsOf({ log, codec }: Script, more: object = {}): Promise<{ chosen: number[]; left: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-retries-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { files, rejected } = await exportDataset(folder, "trl-preference", { log, codec, key: TEST_KEY, ...more });
  const names = files.map(({ name }) => name).filter((name) => /^(train|validation|test|holdout)\.jsonl$/.test(name));
  const rows = names.flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"));
  const calls = rows.map((row) => (JSON.parse(row) as { chosen: { tool_calls: { function: { arguments: { n: number } } }[] }[] }).chosen[0]?.tool_calls[0]);
  return { chosen: calls.map((call) => call?.function.arguments.n as number).sort(), left: rejected.map(({ reason }) => reason) };
}

describe("a retry on which people contradict each other", () => {
  /** A rejection, its retry, and somebody who rejects what the retry called where the model saw the same. */
  async function disputed() {
    const script = await Script.open();
    const no = await asked(script, "no", 1);
    await script.decide(no, "reject", { message: "not 1" });
    await approved(script, await asked(script, "again", 2, { retryOf: no.event.itemId }), 2);
    await script.decide(await asked(script, "other", 2), "reject", { message: "not 2" }, "ben");
    return { script, of: no.event.itemId };
  }

  test("is no chosen call, and the manifest says so", async () => {
    const { script } = await disputed();
    expect(await pairsOf(script)).toEqual({ chosen: [], left: ["retry_disputed"] });
  });

  test("leaves the pair to a later retry that nobody disputes", async () => {
    const { script, of } = await disputed();
    await approved(script, await asked(script, "third", 3, { retryOf: of }), 3);
    expect(await pairsOf(script)).toEqual({ chosen: [3], left: [] });
  });
});

describe("a chain of retries without a run", () => {
  async function chain(length: number, name: string) {
    const script = await Script.open();
    let of: string | null = null;
    for (let n = 0; n < length; n++) {
      const verdict = await asked(script, `${name}-${n}`, n, { retryOf: of });
      if (n === length - 1) await approved(script, verdict, n);
      else await script.decide(verdict, "reject", { message: `not ${n}` });
      of = verdict.event.itemId;
    }
    return script;
  }

  test("is one run, however long: it lies in one split, and the pair at its end is not lost", async () => {
    for (let i = 0; i < 8; i++) {
      const script = await chain(5, `chain-${i}`);
      const { log, codec } = script;
      expect(new Set((await collected({ log, codec })).examples.map((row) => row.split)).size).toBe(1);
      expect(await pairsOf(script)).toEqual({ chosen: [4], left: [] });
    }
  });

  test("is held out as a whole, by when its first try was proposed", async () => {
    const script = await chain(4, "held");
    const { log, codec } = script;
    const times = (await collected({ log, codec })).examples.map((row) => row.decision.decidedAt).sort();
    const splits = async (holdoutFrom: number) => (await collected({ log, codec, holdoutFrom })).examples.map((row) => row.split === "holdout");
    expect(await splits((times[0] as number) - 10)).toEqual([true, true, true, true]);
    expect(await splits(times[1] as number)).toEqual([false, false, false, false]);
    expect(await pairsOf(script, { holdoutFrom: times[1] })).toEqual({ chosen: [3], left: [] });
  });
});
