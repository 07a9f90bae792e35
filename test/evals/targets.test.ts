import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import type { Manifest } from "../../src/evals/manifest.ts";
import { TARGETS } from "../../src/evals/targets/table.ts";
import { sha256 } from "../../src/events/canonical.ts";
import { parseTests } from "../../src/policy/testing/file.ts";
import { TEST_KEY } from "./collected.ts";
import type { Script } from "./script.ts";
import { story } from "./story.ts";

const golden = fileURLToPath(new URL("golden/", import.meta.url));
let script: Script;
let work: string;
beforeAll(async () => {
  script = await story();
  work = mkdtempSync(join(tmpdir(), "countersign-targets-"));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const exported = (target: string, out = join(work, target)) => exportDataset(out, target, { log: script.log, codec: script.codec, key: TEST_KEY });

/** Files of a folder that are kept as golden files. Parquet is binary, and DuckDB reads it elsewhere. */
function textFiles(folder: string): Record<string, string> {
  const names = globSync("**/*.{jsonl,yaml,cjs,md}", { cwd: folder }).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8").replace(/countersign \d+\.\d+\.\d+/, "countersign VERSION")]));
}

const rowsOf = (target: string) =>
  globSync("*.jsonl", { cwd: join(work, target), exclude: ["rejected-rows.jsonl"] })
    .filter((name) => name !== "rejected-rows.jsonl")
    .flatMap((name) =>
      readFileSync(join(work, target, name), "utf8")
        .trim()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    );

describe.each(TARGETS.map((t) => t.name))("%s", (target) => {
  test("writes what its golden files hold (UPDATE_GOLDEN=1 writes them anew)", async () => {
    await exported(target);
    const found = textFiles(join(work, target));
    if (process.env.UPDATE_GOLDEN === "1") {
      rmSync(join(golden, target), { recursive: true, force: true });
      for (const [name, text] of Object.entries(found)) {
        mkdirSync(dirname(join(golden, target, name)), { recursive: true });
        writeFileSync(join(golden, target, name), text);
      }
    }
    expect(found).toEqual(textFiles(join(golden, target)));
  });

  test("gives the same bytes again, and its manifest names every file with its hash", async () => {
    const manifest = await exported(target, join(work, `${target}-again`));
    expect(manifest).toEqual(JSON.parse(readFileSync(join(work, target, "manifest.json"), "utf8")) as Manifest);
    for (const { name, bytes, sha256: hash } of manifest.files) {
      const content = readFileSync(join(work, `${target}-again`, name));
      expect([name, content.length, sha256(content)]).toEqual([name, bytes, hash]);
    }
    const beside = globSync("**/*", { cwd: join(work, target), withFileTypes: true }).filter((f) => f.isFile() && f.name !== "manifest.json");
    expect(beside).toHaveLength(manifest.files.length);
  });
});

test("arguments are objects for TRL and strings for the OpenAI shapes, and the same call either way", () => {
  const [trl, openai] = [rowsOf("trl-preference"), rowsOf("openai-dpo")];
  expect(trl).toHaveLength(2);
  for (const [i, pair] of trl.entries()) {
    expect(JSON.parse(openai[i].preferred_output[0].tool_calls[0].function.arguments)).toEqual(pair.chosen[0].tool_calls[0].function.arguments);
    expect(JSON.parse(openai[i].non_preferred_output[0].tool_calls[0].function.arguments)).toEqual(pair.rejected[0].tool_calls[0].function.arguments);
  }
});

test("a function name that the APIs refuse is mapped everywhere in the row, and the manifest leads back", () => {
  const { functionNames } = JSON.parse(readFileSync(join(work, "openai-sft", "manifest.json"), "utf8")) as Manifest;
  expect(Object.values(functionNames)).toEqual(["bank/pay"]);
  const [mapped] = Object.keys(functionNames);
  expect(mapped).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  for (const row of rowsOf("openai-sft")) {
    expect(row.tools[0].function.name).toBe(mapped);
    expect(row.messages.at(-1).tool_calls[0].function.name).toBe(mapped);
    expect(row.messages[2].tool_calls[0].function.name).toBe(mapped);
    expect(JSON.stringify(row)).not.toContain("bank/pay");
  }
});

test("rows without transcript or tools are refused for training, and counted and named with the reason", () => {
  const { rejected } = JSON.parse(readFileSync(join(work, "trl-preference", "manifest.json"), "utf8")) as Manifest;
  expect(rejected).toEqual([
    { class: "preference", reason: "no_tools", rows: 1 },
    { class: "preference", reason: "no_transcript", rows: 1 },
  ]);
  const named = readFileSync(join(work, "trl-preference", "rejected-rows.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(named.map((row) => row.reason).sort()).toEqual(["no_tools", "no_transcript"]);
});

test("a rejection becomes a pair only where a later item tried it again and was approved", () => {
  const pairs = rowsOf("trl-preference").map((row) => [
    row.rejected[0].tool_calls[0].function.arguments.note,
    row.chosen[0].tool_calls[0].function.arguments.note,
  ]);
  expect(pairs.sort()).toEqual(
    [
      ["bill", "the bill"],
      [undefined, "due"],
    ].sort(),
  );
});

test("an approval with a grave incident is a negative and no positive; one with a slight incident has no label", () => {
  const rows = rowsOf("jsonl");
  const of = (severity: string) => rows.find((row) => row.outcome.incidents[0]?.severity === severity);
  expect([of("high").quality.tier, of("high").labels]).toEqual(["gold", ["kto_negative", "should_not_call"]]);
  expect([of("low").quality.tier, of("low").labels]).toEqual(["disputed", []]);
});

test("timeouts are rows of operations and of nothing else", () => {
  expect(rowsOf("operations").map((row) => [row.kind, row.from, row.to])).toEqual([
    ["escalate", "role:lead", "role:boss"],
    ["expire", "role:boss", null],
  ]);
  expect(rowsOf("jsonl").some((row) => row.run?.threadId === "thread-late")).toBe(false);
});

test("the policy tests are read by the reader of policy test", () => {
  const file = join(work, "policy-tests", "w", "pay.policytest.yaml");
  const { policies, cases } = parseTests(readFileSync(file, "utf8"), file);
  expect(policies).toEqual(["./pay.yaml"]);
  expect(cases.map((c) => c.test.action)).toEqual(Array(cases.length).fill("bank/pay"));
  expect(cases.length).toBe(4);
});

test("an edit of a field that the catalogue calls cosmetic is cosmetic, any other is material", () => {
  const row = rowsOf("jsonl").find((r) => r.run?.threadId === "thread-edit");
  expect(row.changes.map((c: { path: string; kind: string }) => [c.path, c.kind])).toEqual([
    ["/amount", "material"],
    ["/note", "cosmetic"],
  ]);
  expect(row.review.scores).toEqual([{ criterion: "right_amount", score: 2 }]);
});
