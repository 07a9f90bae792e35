/** The tests for promptfoo, checked and run by promptfoo itself: what answers as people decided passes, what answers otherwise fails. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { exportDataset } from "../../src/evals/export.ts";
import type { Manifest } from "../../src/evals/manifest.ts";
import { TEST_KEY } from "./collected.ts";
import { story } from "./story.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
let work: string;
let manifest: Manifest;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "countersign-promptfoo-"));
  const { log, codec } = await story();
  manifest = await exportDataset(work, "promptfoo", { log, codec, key: TEST_KEY });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Call {
  readonly name: string;
  readonly arguments: { readonly [name: string]: unknown };
}

describe("the assertion on calls", () => {
  type Verdict = { pass: boolean; score: number; reason: string };
  const judge = (output: unknown, expected: object) =>
    (createRequire(import.meta.url)(join(work, "assert-call.cjs")) as (output: unknown, context: { vars: { expected: string } }) => Verdict)(output, {
      vars: { expected: JSON.stringify(expected) },
    });
  const call: Call = { name: "bank/pay", arguments: { amount: 10, to: "Ada" } };
  const other: Call = { name: "bank/pay", arguments: { amount: 100, to: "Ada" } };

  test.each([
    ["the call itself", [call]],
    ["a text of it", JSON.stringify([call])],
    ["keys in another order", [{ arguments: { to: "Ada", amount: 10 }, name: "bank/pay" }]],
    ["arguments as a text, as OpenAI answers", [{ id: "1", type: "function", function: { name: call.name, arguments: JSON.stringify(call.arguments) } }]],
    ["a whole message", { role: "assistant", content: null, tool_calls: [{ function: call }] }],
  ])("takes %s for the call that was wanted, and for the one that was not", (_, output) => {
    expect(judge(output, { tool_calls: [call] })).toMatchObject({ pass: true, score: 1 });
    expect(judge(output, { not_tool_calls: [call] })).toMatchObject({ pass: false, score: 0, reason: expect.stringContaining("rejected") });
    expect(judge(output, { answer: "The second" })).toMatchObject({ pass: false, reason: "should have asked" });
  });

  test.each([
    ["another amount", [other]],
    ["one call too many", [call, other]],
    ["no call", []],
    ["words", "I have paid."],
    ["arguments that are no JSON", [{ function: { name: "bank/pay", arguments: "{amount" } }]],
    ["nothing", null],
    ["a list of nothing", [null]],
  ])("fails %s where the call was wanted", (_, output) => {
    expect(judge(output, { tool_calls: [call] })).toMatchObject({ pass: false, score: 0, reason: expect.stringContaining("wanted") });
  });
});

/** Where promptfoo is, or why it is not here: COUNTERSIGN_PROMPTFOO, or what scripts/evals-promptfoo.sh has installed. */
const entry = process.env.COUNTERSIGN_PROMPTFOO ?? join(root, ".cache/promptfoo", "node_modules", "promptfoo", "dist/src/entrypoint.js");
if (!existsSync(entry)) {
  const why = "promptfoo is not here; bash scripts/evals-promptfoo.sh installs it";
  console.warn(`skipped: ${why}`);
  test.skip(`promptfoo runs the tests: ${why}`, () => undefined);
} else
  describe("promptfoo", () => {
    const env = { ...process.env, PROMPTFOO_DISABLE_TELEMETRY: "1", PROMPTFOO_DISABLE_UPDATE: "1", NO_COLOR: "1" };
    const promptfoo = (...args: string[]) =>
      promisify(execFile)(process.execPath, [entry, ...args], { cwd: work, env: { ...env, PROMPTFOO_CONFIG_DIR: join(work, "home") }, timeout: 150_000 });

    interface Result {
      readonly success: boolean;
      readonly prompt: { readonly raw: string };
      readonly testCase: { readonly description: string; readonly vars: { readonly messages: string; readonly expected: string } };
    }

    /** Runs every test on a provider that gives these calls. promptfoo ends with 100 where a test fails. */
    async function run(answer: string): Promise<Result[]> {
      writeFileSync(
        join(work, "provider.cjs"),
        `module.exports = class { id() { return "scripted"; } async callApi(_prompt, { vars }) { const expected = JSON.parse(vars.expected); return { output: JSON.stringify(${answer}) }; } };\n`,
      );
      const args = ["-c", "promptfooconfig.yaml", "-r", "file://provider.cjs", "--no-cache", "--no-table", "--no-progress-bar", "--no-write", "-o", "out.json"];
      await promptfoo("eval", ...args).catch((error: { code?: unknown }) => expect(error.code).toBe(100));
      return (JSON.parse(readFileSync(join(work, "out.json"), "utf8")) as { results: { results: Result[] } }).results.results;
    }

    test("finds the configuration and its tests valid, and refuses a test that is none", async () => {
      expect((await promptfoo("validate", "-c", "promptfooconfig.yaml")).stdout).toContain("Configuration is valid");
      const config = readFileSync(join(work, "promptfooconfig.yaml"), "utf8");
      writeFileSync(join(work, "spoilt.yaml"), config.replace("tests: file://tests.yaml", "tests: [{ vars: {}, assert: file://assert-call.cjs }]"));
      const { stdout, stderr } = await promptfoo("validate", "-c", "spoilt.yaml").catch((error: { stdout: string; stderr: string }) => error);
      expect(stdout + stderr).toMatch(/Invalid configuration.*assert must be an array/s);
      expect(stdout).not.toContain("Configuration is valid");
    }, 180_000);

    test("shows the model the messages of the transcript, and passes what does as people decided", async () => {
      const results = await run("expected.tool_calls ?? []");
      expect(results.map((result) => [result.testCase.description, result.success])).toEqual(results.map((result) => [result.testCase.description, true]));
      expect(results.length).toBe(manifest.rows);
      const asked = results.find(({ prompt }) => prompt.raw.includes("Pay the bill edit"));
      expect((JSON.parse(asked?.prompt.raw ?? "null") as { role: string }[]).map((message) => message.role)).toEqual(["system", "user", "assistant", "tool"]);
    }, 180_000);

    test("fails what does as the agent did", async () => {
      const results = await run("expected.not_tool_calls ?? [{ name: 'bank/pay', arguments: {} }]");
      expect(results.filter((result) => result.success)).toEqual([]);
      expect(results.length).toBe(manifest.rows);
    }, 180_000);
  });

test("braces in a transcript are no templates", async () => {
  const { transcript } = await import("./story.ts");
  const { Script } = await import("./script.ts");
  const script = await Script.open();
  const text = "Pay {{ env.HOME }} {% if x %} {# no #} {% endraw %}";
  const tools = [{ name: "pay" }];
  await script.decide(await script.judge(await script.propose("k", { n: 1 }, { transcript: transcript(text, tools) }), "interrupt"), "reject");
  const out = join(work, "braces");
  await exportDataset(out, "promptfoo", { log: script.log, codec: script.codec, key: TEST_KEY });
  const [row] = parse(readFileSync(join(out, "tests.yaml"), "utf8")) as { vars: { messages: string } }[];
  expect(row?.vars.messages).toMatch(/^\{% raw %\}.*\{% endraw %\}$/);
  expect(row?.vars.messages.slice(0, -"{% endraw %}".length)).not.toContain("{% endraw %}");
});
