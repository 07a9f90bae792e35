import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { DEFAULT_SPLIT_SEED, splitOf } from "../../src/evals/split.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { collected, TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

type Of = Parameters<Script["resume"]>[0];

async function ran(script: Script, of: Of, outcome: "proceed" | "proceed_edited", args: object) {
  const grant = await script.resume(of, outcome, args, {}, "bank/pay");
  await script.receipt(grant, "started");
  return script.receipt(grant, "succeeded");
}

const rowsOf = async ({ log, codec }: Script) => (await collected({ log, codec })).examples;

/** A proposal of the tool that the transcript offers. */
function propose(script: Script, key: string, args: object, threadId: string, more: object = {}) {
  return script.propose(key, args, {
    run: { framework: "test", threadId, ended: false },
    transcript: transcript("Pay"),
    actions: [{ actionId: "a", tool: "bank/pay", ...canonicalArgs(args), confidence: null }],
    ...more,
  });
}

/** What a target makes of a ledger, and what it left out. */
async function exported({ log, codec }: Script, target: string, file = "train.jsonl"): Promise<{ rows: string[]; left: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-corrections-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const manifest = await exportDataset(folder, target, { log, codec, key: TEST_KEY });
  const lines = (name: string) => (manifest.files.some((f) => f.name === name) ? readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1) : []);
  return { rows: lines(file), left: lines("rejected-rows.jsonl") };
}

describe("an edit that somebody else edits again", () => {
  async function editedTwice() {
    const script = await Script.open();
    const two = { approvals: 2 };
    const asked = await script.judge(await propose(script, "k", { n: 100 }, "t"), "interrupt", two);
    const first = await script.edit(asked, { n: 50 });
    const second = await script.edit(await script.judge(first, "interrupt", two), { n: 10 }, { actor: { kind: "person", id: "bob", roles: ["lead"] } });
    const last = await script.decide(await script.judge(second, "interrupt", two), "approve");
    await ran(script, last, "proceed_edited", { n: 10 });
    return script;
  }

  test("teaches nothing: what it made of the call never ran", async () => {
    const rows = await rowsOf(await editedTwice());
    const byFinal = Object.fromEntries(rows.map((r) => [`${r.decision.kind} ${JSON.stringify(r.final?.[0]?.args)}`, r]));
    expect(byFinal['edit {"n":50}']).toMatchObject({ quality: { tier: "disputed", why: ["edited_again"] }, labels: [] });
    expect(byFinal['edit {"n":10}']).toMatchObject({ quality: { tier: "gold" }, duplicateOf: null });
  });

  test("leaves one positive for what ran, however many agreed to it", async () => {
    const script = await editedTwice();
    const rows = await rowsOf(script);
    const edit = rows.find((r) => r.final?.[0]?.args !== undefined && JSON.stringify(r.final[0].args) === '{"n":10}' && r.decision.kind === "edit");
    expect(rows.find((r) => r.decision.kind === "approve")).toMatchObject({ duplicateOf: edit?.id, labels: [] });
    const file = `${edit?.split}.jsonl`;
    const { rows: sft } = await exported(script, "trl-sft", file);
    expect(sft).toHaveLength(1);
    expect(sft[0]).toContain('"n":10');
  });
});

describe("a retry", () => {
  const SPLIT = splitOf(DEFAULT_SPLIT_SEED, "w", "t-0");
  const thread = (same: boolean) => {
    for (let i = 1; ; i++) if ((splitOf(DEFAULT_SPLIT_SEED, "w", `t-${i}`) === SPLIT) === same) return `t-${i}`;
  };

  async function retried(run: string) {
    const script = await Script.open();
    const no = await script.judge(await propose(script, "no", { n: 1 }, "t-0"), "interrupt");
    await script.resume(await script.decide(no, "reject", { reasonCodes: ["wrong"] }), "refused");
    const again = await script.judge(await propose(script, "again", { n: 2 }, run, { retryOf: no.event.itemId }), "interrupt");
    return { script, receipt: await ran(script, await script.decide(again, "approve"), "proceed", { n: 2 }) };
  }

  test("that was approved makes a pair with what was rejected", async () => {
    const { script } = await retried("t-0");
    expect((await exported(script, "trl-preference", `${SPLIT}.jsonl`)).rows).toHaveLength(1);
  });

  test.each(["low", "critical"] as const)("that was reported with severity %s is nobody's choice", async (severity) => {
    const { script, receipt } = await retried("t-0");
    await script.decide(receipt, "report", { seen: null, message: "Paid twice", incident: { severity } });
    expect((await exported(script, "trl-preference", `${SPLIT}.jsonl`)).rows).toHaveLength(0);
  });

  test("in a run of the same split makes a pair, and in one of another split is left out with the reason", async () => {
    const near = await exported((await retried(thread(true))).script, "trl-preference", `${SPLIT}.jsonl`);
    expect([near.rows.length, near.left.length]).toEqual([1, 0]);
    const far = await exported((await retried(thread(false))).script, "trl-preference", `${SPLIT}.jsonl`);
    expect(far.rows).toEqual([]);
    expect(far.left.map((line) => JSON.parse(line) as object)).toMatchObject([{ class: "preference", reason: "retry_in_another_split" }]);
  });
});

test("a call that was reported is no repetition of the same call that was not: both are told apart, and neither is a positive after a grave incident", async () => {
  for (const severity of ["low", "critical"] as const) {
    const script = await Script.open();
    for (const key of ["one", "two"]) {
      const asked = await script.judge(await propose(script, key, { n: 1 }, key), "interrupt");
      const receipt = await ran(script, await script.decide(asked, "approve"), "proceed", { n: 1 });
      if (key === "two") await script.decide(receipt, "report", { seen: null, message: "Paid twice", incident: { severity } });
    }
    const rows = await rowsOf(script);
    expect(rows.map((r) => r.duplicateOf)).toEqual([null, null]);
    const reported = rows.find((r) => r.outcome.incidents.length > 0);
    expect(reported?.labels).not.toContain("kto_positive");
    if (severity === "critical") expect(rows.flatMap((r) => r.labels)).not.toContain("kto_positive");
  }
});

describe("what is withheld stands among the rejected rows, for each label that the target takes", () => {
  const leftOf = async (script: Script, target: string) => {
    const { rows, left } = await exported(script, target);
    return { rows: rows.length, left: left.map((line) => JSON.parse(line) as { class: string; reason: string; why?: string[] }) };
  };

  test("an edit that policy forbade", async () => {
    const script = await Script.open();
    const edit = await script.edit(await script.judge(await propose(script, "k", { n: 1 }, "t"), "interrupt"), { n: 2 });
    await script.judge(edit, "forbid");
    expect(await leftOf(script, "trl-sft")).toMatchObject({ rows: 0, left: [{ class: "sft", reason: "disputed", why: ["edit_forbidden"] }] });
    expect((await leftOf(script, "trl-kto")).left.map((row) => row.class)).toEqual(["kto_positive", "kto_negative"]);
    expect((await leftOf(script, "jsonl")).left).toEqual([]);
    expect((await leftOf(script, "huggingface")).left).toHaveLength(6);
  });

  test("an approval at a glance, and two people who contradict each other", async () => {
    const script = await Script.open();
    await script.decide(await script.judge(await propose(script, "glance", { n: 1 }, "t"), "interrupt"), "approve", {
      review: { channel: "cli", activeMs: 10 },
    });
    expect((await leftOf(script, "trl-sft")).left).toMatchObject([{ class: "sft", reason: "quality", why: ["decided_at_a_glance"] }]);
    await script.decide(await script.judge(await propose(script, "again", { n: 1 }, "t"), "interrupt"), "reject", {}, "bob");
    expect((await leftOf(script, "trl-sft")).left).toMatchObject([{ class: "sft", reason: "disputed", why: ["others_decided_otherwise"] }]);
    const { left } = await leftOf(script, "trl-kto");
    expect(left.map((row) => `${row.class} ${row.reason}`).sort()).toEqual(["kto_negative disputed", "kto_positive disputed"]);
  });
});
