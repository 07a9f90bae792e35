import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ExportOptions, exportDataset } from "../../src/evals/export.ts";
import { MANIFEST_FILE } from "../../src/evals/manifest.ts";
import { endOf } from "../../src/evals/ranges.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { EXAMPLES_FILE } from "../../src/evals/targets/neutral.ts";
import { canonicalArgs, sha256 } from "../../src/events/canonical.ts";
import { Codec } from "../../src/events/codec.ts";
import { transcriptSha256 } from "../../src/events/ids.ts";
import { openMemoryLog } from "../../src/log/memory.ts";
import { collected, TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";

let script: Script;
let folder: string;
beforeEach(async () => {
  script = await Script.open();
  folder = await mkdtemp(join(tmpdir(), "countersign-export-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (more: Partial<ExportOptions> = {}): ExportOptions => ({
  key: TEST_KEY,
  profile: "raw",
  log: script.log,
  codec: script.codec,
  schemaText: (id) => script.registry.textOf(id),
  ...more,
});

async function rows(more: Partial<ExportOptions> = {}): Promise<ReviewedExample[]> {
  return (await collected(options(more))).examples;
}

const exportExamples = (out: string, given: ExportOptions) => exportDataset(out, "jsonl", given);

async function bytes(name: string): Promise<Buffer> {
  return readFile(join(folder, name));
}

/** One item to its end. */
async function approved(key: string, args: object) {
  const p = await script.propose(key, args);
  const v = await script.judge(p, "interrupt");
  const d = await script.decide(v, "approve", { message: "fine", review: { channel: "cli", activeMs: 1200 } });
  const r = await script.resume(d, "proceed", args);
  await script.receipt(r, "started");
  await script.receipt(r, "succeeded", { externalRef: { system: "bank", id: "tx-1" }, result: '"ok"' });
  return { p, v, d, r };
}

describe("rows", () => {
  test("an approval is a row with the proposed and the final arguments, policy, outcome and the positions of its events", async () => {
    const { p, v, d, r } = await approved("k1", { n: 1 });
    const [row, ...more] = await rows();
    expect(more).toEqual([]);
    const action = { actionId: "a", tool: "pay", args: { n: 1 }, argsSha256: canonicalArgs({ n: 1 }).argsSha256, schemaSha256: null };
    expect(row).toMatchObject({
      itemId: p.event.itemId,
      agent: { id: "payer" },
      proposed: [action],
      presented: [action],
      final: [action],
      decision: { kind: "approve", message: "fine", reviewer: { id: "ann", roles: ["lead"] }, decidedAt: d.event.occurredAt },
      review: { activeMs: 1200, channel: "cli", batch: null },
      policy: { id: "pay", version: "1" },
      verdict: { route: "interrupt", risk: "high", owner: "role:lead", matched: ["large"], because: ["It is large"], fallback: false },
      rejudged: null,
      outcome: {
        stage: "done",
        outcome: "succeeded",
        receipts: [{ kind: "succeeded", actionId: "a", externalRef: { system: "bank", id: "tx-1" }, error: null }],
      },
    });
    expect(row?.sources.slice(0, 4)).toEqual(
      [p, v, d, r].map((made) => ({ topic: made.topic, partition: expect.any(Number), offset: 0, eventId: made.event.eventId })),
    );
    expect(row?.sources.map((s) => `${s.topic} ${s.offset}`)).toEqual(["proposals 0", "verdicts 0", "decisions 0", "resumes 0", "receipts 0", "receipts 1"]);
  });

  test("an edit that the editor's own vote settles is one row, with what it was edited to and how that was judged", async () => {
    const p = await script.propose("k1", { n: 1 });
    const v = await script.judge(p, "interrupt");
    const e = await script.edit(v, { n: 2 });
    const again = await script.judge(e, "batch", { risk: "medium", because: ["It is smaller"] });
    await script.resume(again, "proceed_edited", { n: 2 });
    const found = await rows();
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      decision: { kind: "edit" },
      proposed: [{ args: { n: 1 } }],
      presented: [{ args: { n: 1 } }],
      final: [{ args: { n: 2 } }],
      verdict: { route: "interrupt", risk: "high" },
      rejudged: { route: "batch", risk: "medium", because: ["It is smaller"] },
      outcome: { stage: "granted", outcome: null },
    });
  });

  test("an approval of what an earlier edit made shows what was proposed, what was presented and what was approved", async () => {
    const p = await script.propose("k1", { n: 1 });
    const e = await script.edit(await script.judge(p, "interrupt"), { n: 2 });
    const again = await script.judge(e, "interrupt", { separation: ["earlier_approver"], approvals: 2 });
    await script.decide(again, "approve", {}, "bob");
    const found = await rows();
    expect(found.map((r) => [r.decision.kind, r.decision.reviewer.id, r.proposed[0]?.args, r.presented[0]?.args, r.final?.[0]?.args])).toEqual([
      ["edit", "ann", { n: 1 }, { n: 1 }, { n: 2 }],
      ["approve", "bob", { n: 1 }, { n: 2 }, { n: 2 }],
    ]);
  });

  test("after a forbidden edit a decision is shown under the terms that hold again", async () => {
    const p = await script.propose("k1", { n: 1 });
    const e = await script.edit(await script.judge(p, "interrupt"), { n: 99 });
    const forbidden = await script.judge(e, "forbid", { risk: "critical", because: ["Too much"] });
    const no = await script.decide(forbidden, "reject", { reasonCodes: ["wrong_amount"], message: "Ask again" });
    await script.resume(no, "refused");
    const found = await rows();
    expect(found.map((r) => [r.decision.kind, r.rejudged?.route, r.verdict.route, r.verdict.fallback, r.outcome.outcome])).toEqual([
      ["edit", "forbid", "interrupt", false, "refused"],
      ["reject", undefined, "interrupt", true, "refused"],
    ]);
    expect(found[1]).toMatchObject({ presented: [{ args: { n: 1 } }], final: null, decision: { reasonCodes: ["wrong_amount"], message: "Ask again" } });
  });

  test("only decisions that took effect are rows: a second one, one without the right and one of the clock are not", async () => {
    const v = await script.judge(await script.propose("k1", { n: 1 }), "interrupt", { expiresAt: 1 });
    await script.append("decisions", {
      ...(await script.decide(v, "reject", {}, "ann")).event,
      eventId: "018f0000-0000-7000-9000-000000000001",
      kind: "approve",
      actor: { kind: "person", id: "bob", roles: ["lead"] },
    });
    const w = await script.judge(await script.propose("k2", { n: 2 }), "interrupt", { owner: "role:other" });
    await script.decide(w, "approve");
    const x = await script.judge(await script.propose("k3", { n: 3 }), "interrupt", { expiresAt: 1 });
    await script.decide(x, "expire", { actor: { kind: "clock", id: "clock", roles: [] }, seen: null });
    await script.judge(await script.propose("k4", { n: 4 }), "allow");
    expect((await rows()).map((r) => [r.decision.kind, r.proposed[0]?.args])).toEqual([["reject", { n: 1 }]]);
  });

  test("an answer to a question is a row without final arguments", async () => {
    const q = await script.propose("k1", {}, { ask: "question", actions: [], question: "Which account?" });
    await script.decide(await script.judge(q, "interrupt"), "respond", { message: "The second" });
    expect(await rows()).toMatchObject([
      { ask: "question", question: "Which account?", proposed: [], final: null, decision: { kind: "respond", message: "The second" } },
    ]);
  });

  test.each(["failed", "lapsed", "revoked"] as const)("the outcome of a grant that ended as %s is told", async (kind) => {
    const v = await script.judge(await script.propose("k1", { n: 1 }), "interrupt");
    const r = await script.resume(await script.decide(v, "approve"), "proceed", { n: 1 }, { notAfter: 1 });
    if (kind === "failed") await script.receipt(r, "started");
    await script.receipt(r, kind, kind === "failed" ? { error: { code: "bank", message: "closed" } } : { actionId: null, argsSha256: null });
    const error = kind === "failed" ? "bank: closed" : null;
    expect((await rows())[0]?.outcome).toMatchObject({ stage: "done", outcome: kind, receipts: [{ kind, error }] });
  });

  test("an unknown outcome is what it was settled as", async () => {
    const v = await script.judge(await script.propose("k1", { n: 1 }), "interrupt", {
      steps: [{ actionId: "a", execution: "blind", leaseMs: 1, reversibility: "reversible" }],
    });
    const r = await script.resume(await script.decide(v, "approve"), "proceed", { n: 1 });
    await script.receipt(r, "started");
    const u = await script.receipt(r, "unknown", { lease: { id: "lease-1", endsAt: 1 } });
    expect((await rows())[0]?.outcome.stage).toBe("in_doubt");
    await script.decide(u, "settle", { seen: null, settlement: { outcome: "succeeded", externalRef: { system: "bank", id: "tx" } } });
    expect((await rows()).map((x) => x.outcome.outcome)).toEqual(["succeeded"]);
  });

  test("transcripts come along unless they are left out, their hash always", async () => {
    const [messages, tools] = ['[{"content":"hi","role":"user"}]', '[{"name":"pay"}]'];
    const transcript = { messages, tools, sha256: transcriptSha256(messages, tools) };
    await script.decide(await script.judge(await script.propose("k1", { n: 1 }, { transcript }), "interrupt"), "approve");
    expect((await rows({ transcripts: false }))[0]?.context).toEqual({ status: "left_out", sha256: transcript.sha256, uri: null, messages: null, tools: null });
    expect((await rows())[0]?.context).toEqual({
      status: "complete",
      sha256: transcript.sha256,
      uri: null,
      messages: JSON.parse(messages),
      tools: JSON.parse(tools),
    });
  });

  test("a decision was made in a batch where it names it, and not where the item only lay in one", async () => {
    const verdicts = [];
    for (const key of ["k1", "k2"]) verdicts.push(await script.judge(await script.propose(key, { key }), "batch"));
    const members = verdicts.map((v) => v.event.itemId);
    for (const { topic, event } of verdicts) {
      const { itemId, eventId } = event;
      const actor = { kind: "batcher", id: "batcher" };
      await script.append("batches", {
        itemId,
        answers: { topic, eventId },
        actor,
        batchId: "b-1",
        batchKey: "k",
        owner: "role:lead",
        members,
        sealedBy: "size",
      });
    }
    const [together, alone] = verdicts as [(typeof verdicts)[0], (typeof verdicts)[0]];
    await script.decide(together, "approve", { batchId: "b-1" });
    await script.decide(alone, "approve");
    const batches = new Map((await rows()).map((row) => [row.itemId, [row.review.batch, row.quality.why]]));
    expect(batches.get(together.event.itemId)).toEqual([{ id: "b-1", size: 2, position: 1 }, ["in_a_batch"]]);
    expect(batches.get(alone.event.itemId)).toEqual([null, ["not_executed_yet"]]);
  });

  test("items of other workspaces can be left out", async () => {
    for (const workspace of ["w", "v"]) await script.decide(await script.judge(await script.propose("k1", { n: 1 }, { workspace }), "interrupt"), "approve");
    expect((await rows()).length).toBe(2);
    expect((await rows({ workspace: "v" })).map((r) => r.workspace)).toEqual(["v"]);
  });
});

describe("ranges", () => {
  test("the same range gives the same bytes, also after the log has grown", async () => {
    for (const n of [1, 2, 3, 4, 5]) await approved(`k${n}`, { n });
    const first = await exportExamples(folder, options());
    const [before, manifest] = [await bytes(EXAMPLES_FILE), await bytes(MANIFEST_FILE)];
    await approved("k6", { n: 6 });
    await exportExamples(folder, options({ to: endOf(first) }));
    expect((await bytes(EXAMPLES_FILE)).equals(before)).toBe(true);
    expect((await bytes(MANIFEST_FILE)).equals(manifest)).toBe(true);
  });

  test("the bytes do not depend on how the topics were interleaved", async () => {
    for (const n of [1, 2, 3]) await approved(`k${n}`, { n });
    const e = await script.edit(await script.judge(await script.propose("k4", { n: 4 }), "interrupt"), { n: 5 });
    await script.resume(await script.judge(e, "batch"), "proceed_edited", { n: 5 });
    // The same topics, one after the other from the last to the first: every event arrives before its cause.
    const other = openMemoryLog();
    const all = [];
    for await (const { records } of script.log.read({}, { until: "heads" })) all.push(...records);
    for (const topic of ["receipts", "resumes", "decisions", "verdicts", "proposals"] as const)
      await other.append(all.filter((r) => r.topic === topic).map((r) => ({ topic, key: r.key as string, value: r.value as Uint8Array })));
    await exportExamples(join(folder, "a"), options());
    await exportExamples(join(folder, "b"), options({ log: other }));
    for (const name of [EXAMPLES_FILE, MANIFEST_FILE]) expect((await bytes(join("b", name))).equals(await bytes(join("a", name)))).toBe(true);
    expect((await bytes(join("a", EXAMPLES_FILE))).toString().trim().split("\n")).toHaveLength(4);
  });

  test("ranges are half-open: what starts where the last export ended repeats nothing and misses nothing", async () => {
    for (const n of [1, 2, 3]) await approved(`k${n}`, { n });
    const first = await exportExamples(join(folder, "a"), options());
    for (const n of [4, 5]) await approved(`k${n}`, { n });
    const second = await exportExamples(join(folder, "b"), options({ from: endOf(first) }));
    expect([first.rows, second.rows]).toEqual([3, 2]);
    expect((await rows()).length).toBe(5);
    expect(second.ranges.decisions.map((r) => r.from)).toEqual(first.ranges.decisions.map((r) => r.to));
  });

  test("a decision whose verdict lies beyond the range is no row, and the manifest counts it", async () => {
    await approved("k1", { n: 1 });
    const before = endOf(await exportExamples(folder, options()));
    await approved("k2", { n: 2 });
    const now = endOf(await exportExamples(folder, options()));
    const cut = await exportExamples(folder, options({ to: { ...now, verdicts: before.verdicts ?? {} } }));
    expect([cut.rows, cut.parked]).toEqual([1, 1]);
  });

  test("a range that the log does not hold is refused by name", async () => {
    await approved("k1", { n: 1 });
    await expect(rows({ to: { decisions: { 3: 1000 } } })).rejects.toMatchObject({ code: "request_invalid", field: "/decisions/3" });
    await expect(rows({ from: { decisions: { 3: -1 } } })).rejects.toMatchObject({ code: "request_invalid" });
  });
});

describe("manifest", () => {
  test("the manifest tells ranges, counts, size and hash, and the rows are canonical JSON lines", async () => {
    await approved("k1", { n: 1 });
    await script.decide(await script.judge(await script.propose("k2", { n: 2 }), "interrupt"), "reject");
    const manifest = await exportExamples(folder, options());
    const text = await bytes(EXAMPLES_FILE);
    expect(JSON.parse((await bytes(MANIFEST_FILE)).toString())).toEqual(manifest);
    expect(manifest).toMatchObject({
      format: 5,
      target: "jsonl",
      log: { id: "memory:", partitions: 12 },
      rows: 2,
      items: 2,
      byDecision: { approve: 1, edit: 0, reject: 1, respond: 0, acknowledge: 0 },
    });
    expect(manifest.files.filter((f) => f.rows > 0)).toEqual([
      { name: EXAMPLES_FILE, rows: 2, bytes: text.length, sha256: createHash("sha256").update(text).digest("hex") },
    ]);
    expect(manifest.ranges.proposals.reduce((n, r) => n + r.to - r.from, 0)).toBe(2);
    for (const line of text.toString().trimEnd().split("\n")) expect(canonicalArgs(JSON.parse(line)).args).toBe(line);
  });

  test("an empty log exports an empty file and a manifest of zeros", async () => {
    const manifest = await exportExamples(folder, options());
    expect(manifest).toMatchObject({ rows: 0, examples: 0, items: 0 });
    expect(manifest.files.map((f) => f.name)).toContain(EXAMPLES_FILE);
    expect((await bytes(EXAMPLES_FILE)).length).toBe(0);
  });

  test("garbage, unknown schemas and records under a wrong key are counted and stop nothing", async () => {
    const { p } = await approved("k1", { n: 1 });
    const value = script.codec.encode("proposals", p.event);
    const unknown = Buffer.from(value);
    unknown.writeUInt32BE(4242, 1);
    await script.log.append([
      { topic: "proposals", key: p.event.itemId, value: Buffer.from("garbage") },
      { topic: "proposals", key: p.event.itemId, value: unknown },
      { topic: "proposals", key: "another key", value },
    ]);
    const manifest = await exportExamples(folder, options());
    expect(manifest.skipped).toEqual({ undecodable: 1, unknownSchema: 1, misplaced: 1 });
    expect(manifest.rows).toBe(1);
  });

  test("a schema that this process has not met is fetched", async () => {
    await approved("k1", { n: 1 });
    expect((await rows({ codec: new Codec() })).length).toBe(1);
  });

  test("arguments that a foreign producer wrote as no JSON stay a text and stop no export", async () => {
    const args = "{'n': 1}";
    const action = { actionId: "a", tool: "pay", args, argsSha256: sha256(args) };
    await script.decide(await script.judge(await script.propose("k1", {}, { actions: [action] }), "interrupt"), "reject");
    expect((await exportExamples(folder, options())).rows).toBe(1);
    expect((await rows())[0]?.proposed[0]?.args).toBe(args);
  });

  test("a folder that cannot be written is told with a way out", async () => {
    await expect(exportExamples("/dev/null/here", options())).rejects.toMatchObject({ code: "file_unreadable", fix: expect.stringContaining("--out") });
  });
});
