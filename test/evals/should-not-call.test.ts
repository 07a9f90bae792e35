import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { exportDataset } from "../../src/evals/export.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

const STEPS = ["x", "y", "z"];
const step = (name: string) => ({ actionId: name, tool: "bank/pay", ...canonicalArgs({ to: name }) });
const call = (name: string) => ({ name: "bank/pay", arguments: { to: name } });

let work: string;
const folder = (target: string) => join(work, target);
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "countersign-should-not-call-"));
  const script = await Script.open();
  const reject = async (threadId: string, steps: readonly string[], dropped: readonly string[]) => {
    const run = { framework: "test", threadId, ended: false };
    const plan = await script.propose(threadId, {}, { run, transcript: transcript(`Pay ${threadId}`), actions: steps.map(step) as never });
    await script.decide(await script.judge(plan, "interrupt"), "reject", { dropped: [...dropped], message: "no" });
  };
  await reject("one call", ["x"], []);
  await reject("a step of a plan", STEPS, ["y"]);
  await reject("two steps of a plan", STEPS, ["x", "y"]);
  await reject("a plan", STEPS, []);
  for (const target of ["inspect", "promptfoo"]) await exportDataset(folder(target), target, { log: script.log, codec: script.codec, key: TEST_KEY });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface PromptfooTest {
  readonly vars: { readonly messages: string; readonly expected: string };
}

/** Whether promptfoo's assertion passes a model that makes these calls where people rejected this. */
function passes(rejected: string, made: readonly string[]): boolean {
  const tests = parse(readFileSync(join(folder("promptfoo"), "tests.yaml"), "utf8")) as PromptfooTest[];
  const { vars } = tests.find(({ vars }) => vars.messages.includes(`"Pay ${rejected}"`)) as PromptfooTest;
  return createRequire(import.meta.url)(join(folder("promptfoo"), "assert-call.cjs"))(made.map(call), { vars }).pass;
}

describe("a case of what should not be called", () => {
  test.each([
    ["one call", ["x"], false],
    ["one call", ["y"], true],
    ["one call", ["x", "y"], false],
    ["a step of a plan", ["x"], true],
    ["a step of a plan", ["x", "z"], true],
    ["a step of a plan", ["y"], false],
    ["two steps of a plan", ["x"], false],
    ["two steps of a plan", ["z"], true],
    ["a plan", ["x"], true],
    ["a plan", ["x", "y"], true],
    ["a plan", ["x", "y", "z"], false],
    ["a plan", [], true],
  ] as const)("where people rejected %s: a model that calls %j passes: %s", (rejected, made, isRight) => {
    expect(passes(rejected, made)).toBe(isRight);
  });

  test("never has the forbidden calls for the target of an Inspect sample: a scorer that compares would reward what people rejected", () => {
    const names = ["train", "validation", "test"].map((split) => join(folder("inspect"), `${split}.jsonl`));
    const samples = names.flatMap((name) => {
      try {
        return readFileSync(name, "utf8").trimEnd().split("\n");
      } catch {
        return [];
      }
    });
    expect(samples).toHaveLength(4);
    for (const { target, metadata } of samples.map((line) => JSON.parse(line))) {
      expect(target).not.toContain("bank/pay");
      expect(target.trim()).not.toBe("");
      expect(metadata.expected.not_tool_calls.length).toBeGreaterThan(0);
    }
  });
});
