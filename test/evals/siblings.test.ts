import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { exportDataset } from "../../src/evals/export.ts";
import type { Manifest } from "../../src/evals/manifest.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { policyItemId } from "../../src/events/ids.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

type Args = { readonly [name: string]: string };
const cancel = (args: Args) => ({ name: "bank/pay", arguments: args });
const [A, B]: [Args, Args] = [{ id: "AAAAAA" }, { id: "BBBBBB" }];

/** A call of a message: each is an item of its own, and they say by their steps where they stood. */
async function asked(script: Script, key: string, args: Args, step: number, more: object = {}) {
  const actions = [{ actionId: "a", tool: "bank/pay", ...canonicalArgs(args), confidence: null }];
  const run = { framework: "test", threadId: "t", checkpointId: "m", step, ended: false };
  return script.judge(await script.propose(key, args, { run, transcript: transcript("cancel both"), actions, ...more }), "interrupt");
}

async function ran(script: Script, of: Parameters<Script["resume"]>[0], args: Args, outcome: "proceed" | "proceed_edited" = "proceed") {
  const grant = await script.resume(of, outcome, args, {}, "bank/pay");
  await script.receipt(grant, "started");
  return script.receipt(grant, "succeeded");
}

const approve = async (script: Script, key: string, args: Args, step: number, more: object = {}) =>
  ran(script, await script.decide(await asked(script, key, args, step, more), "approve"), args);

interface Exported {
  readonly folder: string;
  readonly manifest: Manifest;
  // biome-ignore lint/suspicious/noExplicitAny: rows of many targets, looked into by path.
  readonly rows: any[];
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly left: any[];
}

async function exported({ log, codec }: Script, target: string, threads = 1): Promise<Exported> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-siblings-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const manifest = await exportDataset(folder, target, { log, codec, key: TEST_KEY, threads });
  const lines = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  const names = manifest.files.map(({ name }) => name).filter((name) => /^(train|validation|test)\.jsonl$/.test(name));
  return { folder, manifest, rows: names.flatMap(lines), left: lines("rejected-rows.jsonl") };
}

/** Whether each of promptfoo's tests passes a model that makes these calls. */
async function passes(script: Script, made: readonly Args[]): Promise<boolean[]> {
  const { folder } = await exported(script, "promptfoo");
  const tests = parse(readFileSync(join(folder, "tests.yaml"), "utf8")) as { vars: object }[];
  const judge = createRequire(import.meta.url)(join(folder, "assert-call.cjs"));
  return tests.map(({ vars }) => judge(made.map(cancel), { vars }).pass);
}

const completion = (row: { completion: { tool_calls: { function: object }[] }[] }) => row.completion[0]?.tool_calls.map((call) => call.function);

describe("calls of one message that were decided one by one", () => {
  async function bothApproved(name = "k") {
    const script = await Script.open();
    await approve(script, `${name}-second`, B, 2);
    await approve(script, `${name}-first`, A, 1);
    return script;
  }

  test("are one target in the order of the message, wherever the items lie and whatever the threads, and what was left out names the row that holds it", async () => {
    for (const name of ["k", "l", "m", "n"]) {
      const script = await bothApproved(name);
      const { rows, left, manifest } = await exported(script, "trl-sft");
      expect(rows.map(completion)).toEqual([[cancel(A), cancel(B)]]);
      expect(left).toMatchObject([{ class: "sft", reason: "in_sibling", siblingId: rows[0].id }]);
      expect(manifest.rejected).toEqual([{ class: "sft", reason: "in_sibling", rows: 1 }]);
      if (name === "k") expect((await exported(script, "trl-sft", 3)).manifest).toEqual(manifest);
    }
    const [row] = (await exported(await bothApproved(), "openai-sft")).rows;
    expect([row.parallel_tool_calls, row.messages.at(-1).tool_calls.length]).toEqual([true, 2]);
    const { counts } = (await exported(await bothApproved(), "huggingface")).manifest;
    expect(counts.filter((cell) => ["sft", "cases"].includes(cell.class)).map((cell) => cell.rows)).toEqual([1, 1]);
  });

  test("are one case, which passes what people approved in any order, and nothing less or more", async () => {
    const script = await bothApproved();
    expect(await passes(script, [A, B])).toEqual([true]);
    expect(await passes(script, [B, A])).toEqual([true]);
    expect(await passes(script, [A])).toEqual([false]);
    expect(await passes(script, [A, B, B])).toEqual([false]);
    const [sample] = (await exported(script, "inspect")).rows;
    expect(JSON.parse(sample.target)).toEqual([cancel(A), cancel(B)]);
  });

  test("stay two positives for KTO, which asks of each call by itself", async () => {
    expect((await exported(await bothApproved(), "trl-kto")).rows.map(completion)).toHaveLength(2);
  });

  test("of which one was edited and one rejected make one target of what was right, and a case that names what was wrong", async () => {
    const script = await Script.open();
    await approve(script, "a", A, 1);
    await ran(script, await script.judge(await script.edit(await asked(script, "b", B, 2), { id: "B" }), "interrupt"), { id: "B" }, "proceed_edited");
    await script.decide(await asked(script, "c", { id: "C" }, 3), "reject", { message: "not C" });
    expect((await exported(script, "trl-sft")).rows.map(completion)).toEqual([[cancel(A), cancel({ id: "B" })]]);
    const { rows, left } = await exported(script, "mlflow");
    expect(rows.map((row) => row.expectations)).toEqual([
      { kind: "should_call", tool_calls: [cancel(A), cancel({ id: "B" })], not_tool_calls: [cancel(B), cancel({ id: "C" })], any_order: true },
    ]);
    expect(left.map((row) => `${row.class} ${row.reason}`).sort()).toEqual(["regression in_sibling", "should_not_call in_sibling"]);
    expect((await exported(script, "trl-preference")).rows).toHaveLength(1);
  });

  test("that were all rejected are one case, which fails each of them", async () => {
    const script = await Script.open();
    for (const [i, args] of [A, B].entries()) await script.decide(await asked(script, `r-${i}`, args, i), "reject", { message: "no" });
    expect((await exported(script, "mlflow")).rows).toHaveLength(1);
    expect(await passes(script, [A])).toEqual([false]);
    expect(await passes(script, [B])).toEqual([false]);
    expect(await passes(script, [])).toEqual([true]);
  });

  test("are left out with the reason where nobody looked closely enough at one of them: the right answer as a whole is not known", async () => {
    const script = await Script.open();
    await approve(script, "a", A, 1);
    const glance = { review: { channel: "console" as const, activeMs: 100 } };
    await ran(script, await script.decide(await asked(script, "b", B, 2), "approve", glance), B);
    const { rows, left } = await exported(script, "trl-sft");
    expect(rows).toEqual([]);
    expect(left.map((row) => row.reason).sort()).toEqual(["quality", "siblings_unclear"]);
  });

  test("are not mixed with those of another run where the model saw the same", async () => {
    const script = await Script.open();
    await approve(script, "a", A, 1);
    await approve(script, "b", B, 2, { run: { framework: "test", threadId: "another", ended: false } });
    expect((await exported(script, "trl-sft")).rows.map(completion)).toHaveLength(2);
  });
});

test("a rejection and its retry from the same messages are one case: what is right, and what is not", async () => {
  const script = await Script.open();
  const no = await asked(script, "no", A, 1);
  await script.decide(no, "reject", { message: "not A" });
  await approve(script, "again", B, 1, { retryOf: no.event.itemId });
  const { rows } = await exported(script, "mlflow");
  expect(rows.map((row) => row.expectations)).toEqual([{ kind: "should_call", tool_calls: [cancel(B)], not_tool_calls: [cancel(A)] }]);
  expect(new Set(rows.map((row) => JSON.stringify(row.inputs))).size).toBe(rows.length);
});

test("a chain of retries from the same messages is one case also where no proposal names a run", async () => {
  const script = await Script.open();
  let of: string | null = null;
  for (const [i, id] of ["1", "2", "3"].entries()) {
    const verdict = await asked(script, `chain-${id}`, { id }, i, { run: null, retryOf: of });
    if (id === "3") await ran(script, await script.decide(verdict, "approve"), { id });
    else await script.decide(verdict, "reject", { message: `not ${id}` });
    of = verdict.event.itemId;
  }
  await approve(script, "stranger", A, 1, { run: null });
  const { rows } = await exported(script, "mlflow");
  const expectations = rows.map((row) => row.expectations as { tool_calls: object[]; not_tool_calls?: object[] });
  const chain = expectations.find(({ not_tool_calls }) => not_tool_calls !== undefined);
  expect(chain?.tool_calls).toEqual([cancel({ id: "3" })]);
  expect(chain?.not_tool_calls).toHaveLength(2);
  expect(expectations.filter((one) => one !== chain)).toEqual([{ kind: "should_call", tool_calls: [cancel(A)] }]);
});

test("what one call holds in a classified field is hidden in its siblings too", async () => {
  const script = await Script.open();
  const document = `
policy: pay
workspace: w
version: "1"
owner: role:lead
actions:
  bank/pay:
    arguments: { type: object, properties: { to: {}, note: {} } }
    reversibility: reversible
    risk: high
    fields: { /to: { label: Payee, class: personal } }
`;
  const policy = { itemId: policyItemId("w", "pay"), actor: { kind: "authority", id: "ci" }, kind: "policy", policyId: "pay", version: "1", document };
  await script.append("policies", policy);
  await approve(script, "a", { to: "Ada Canary", note: "half" }, 1);
  await approve(script, "b", { to: "Bob Canary", note: "the other half is for Ada Canary" }, 2);
  for (const target of ["trl-sft", "openai-sft", "inspect"]) {
    const { rows } = await exported(script, target);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain("Canary");
  }
});
