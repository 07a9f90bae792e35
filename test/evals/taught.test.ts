/** What the airline example teaches: every dataset holds exactly the edits and rejections of its scripted reviewer, and every target is a gold call. */
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Manifest } from "../../src/evals/manifest.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { canonicalize } from "../../src/events/canonical.ts";
import { cli } from "../cli/harness.ts";
import { sharedData } from "../shared-data.ts";
import { type LedgerKind, ledgerKinds, type Place } from "../support/ledgers.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const recorded = sharedData("tau-bench-airline");
const INPUTS: { name: string; runs: string; tools: string }[] = [
  { name: "the sample runs", runs: join(root, "examples/airline/sample-runs.jsonl"), tools: join(root, "examples/airline/sample-tools.json") },
  ...(recorded === null ? [] : [{ name: "the 100 recorded runs", runs: join(recorded, "runs.jsonl"), tools: join(recorded, "tools.json") }]),
];

interface Function {
  readonly name: string;
  readonly arguments: unknown;
}

for (const kind of await ledgerKinds())
  for (const input of INPUTS) {
    const title = `taught from ${input.name} on ${kind.name}`;
    if (kind.why !== null) test.skip(`${title}: ${kind.why}`, () => undefined);
    else describe(title, () => suite(kind, input));
  }
if (recorded === null) test.skip("taught from the 100 recorded runs: ../shared/data is not here", () => undefined);

function suite(kind: LedgerKind, input: (typeof INPUTS)[number]): void {
  let place: Place;
  let decided: ReviewedExample[];
  const gold = new Map<string, Set<string>>();
  const isGold = (thread: string, call: Function) => gold.get(thread)?.has(canonicalize({ name: call.name, arguments: call.arguments })) === true;

  beforeAll(async () => {
    place = await kind.place();
    await promisify(execFile)(
      process.execPath,
      [join(root, "examples/airline/main.ts"), "--log", place.log, "--runs", input.runs, "--tools", input.tools, "--json"],
      { timeout: 150_000 },
    );
    for (const line of readFileSync(input.runs, "utf8").trim().split("\n")) {
      const run = JSON.parse(line) as { run_id: string; gold_actions?: Function[] };
      gold.set(run.run_id, new Set((run.gold_actions ?? []).map((call) => canonicalize({ name: call.name, arguments: call.arguments }))));
    }
    decided = (await rowsOf("jsonl")) as unknown as ReviewedExample[];
  }, 200_000);
  afterAll(() => place.remove());

  async function exported(target: string): Promise<{ out: string; manifest: Manifest }> {
    const out = join(place.data, `out-${target}`);
    const { code, out: text, err } = await cli(["export", "--log", place.log, "--data", place.data, "--target", target, "--out", out, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    return { out, manifest: JSON.parse(text) as Manifest };
  }

  async function rowsOf(target: string): Promise<Record<string, unknown>[]> {
    const { out } = await exported(target);
    const names = globSync("*.jsonl", { cwd: out }).filter((name) => name !== "rejected-rows.jsonl");
    return names.flatMap((name) => lines(join(out, name)));
  }

  const lines = (file: string) =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const idsOf = (...kinds: string[]) =>
    decided
      .filter((row) => kinds.includes(row.decision.kind))
      .map((row) => row.id)
      .sort();
  const threadOf = (id: unknown) => decided.find((row) => row.id === id)?.run?.threadId ?? "";
  const callIn = (messages: unknown): Function => (messages as { tool_calls: { function: Function }[] }[])[0]?.tool_calls[0]?.function as Function;

  test("preference pairs are the edits, one each, and every chosen call is a gold call while no rejected one is", async () => {
    const pairs = await rowsOf("trl-preference");
    expect(pairs.map((row) => row.id).sort()).toEqual(idsOf("edit"));
    expect(idsOf("edit").length).toBeGreaterThan(0);
    for (const pair of pairs) {
      expect([pair.id, isGold(threadOf(pair.id), callIn(pair.chosen))]).toEqual([pair.id, true]);
      expect([pair.id, isGold(threadOf(pair.id), callIn(pair.rejected))]).toEqual([pair.id, false]);
    }
    expect((await exported("trl-preference")).manifest.rejected).toEqual([]);
  });

  test("KTO negatives are what was edited and rejected, positives are gold calls", async () => {
    const rows = await rowsOf("trl-kto");
    const by = (label: boolean) =>
      rows
        .filter((row) => row.label === label)
        .map((row) => row.id)
        .sort();
    expect(by(false)).toEqual(idsOf("edit", "reject"));
    expect(by(true)).toEqual(idsOf("edit", "approve"));
    for (const row of rows) expect([row.id, isGold(threadOf(row.id), callIn(row.completion))]).toEqual([row.id, row.label]);
  });

  test("every target of supervised fine-tuning is a gold call, in both shapes", async () => {
    const trl = await rowsOf("trl-sft");
    expect(trl.map((row) => row.id).sort()).toEqual(idsOf("edit", "approve"));
    for (const row of trl) expect([row.id, isGold(threadOf(row.id), callIn(row.completion))]).toEqual([row.id, true]);
    const openai = await rowsOf("openai-sft");
    const calls = openai.map((row) => callIn([(row.messages as unknown[]).at(-1)]));
    expect(calls.map((call) => canonicalize({ name: call.name, arguments: JSON.parse(call.arguments as string) })).sort()).toEqual(
      trl.map((row) => canonicalize({ name: callIn(row.completion).name, arguments: callIn(row.completion).arguments })).sort(),
    );
  });

  test("cases for evaluations are one for each decision: what to call is gold, what not to call is what was rejected", async () => {
    const rows = (await rowsOf("braintrust")) as unknown as { id: string; expected: { kind: string; tool_calls?: Function[]; not_tool_calls?: Function[] } }[];
    const of = (caseKind: string) => rows.filter((row) => row.expected.kind === caseKind);
    expect(
      of("should_call")
        .map((row) => row.id)
        .sort(),
    ).toEqual(idsOf("edit", "approve"));
    expect(
      of("should_not_call")
        .map((row) => row.id)
        .sort(),
    ).toEqual(idsOf("reject"));
    for (const row of of("should_call")) expect(isGold(threadOf(row.id), row.expected.tool_calls?.[0] as Function)).toBe(true);
    for (const row of of("should_not_call")) expect(isGold(threadOf(row.id), row.expected.not_tool_calls?.[0] as Function)).toBe(false);
  });

  test("the policy tests are what was edited and rejected, and policy test runs them as they are", async () => {
    const { out, manifest } = await exported("policy-tests");
    expect(manifest.rows).toBe(idsOf("edit", "reject").length);
    const { code, err } = await cli(["policy", "test", join(out, "airline")]);
    expect([code, err]).toEqual([0, ""]);
  });

  test("no run straddles splits", () => {
    const splits = new Map<string, Set<string>>();
    for (const row of decided) splits.set(row.run?.threadId ?? "", (splits.get(row.run?.threadId ?? "") ?? new Set()).add(row.split));
    expect([...splits].filter(([, found]) => found.size > 1)).toEqual([]);
  });
}
