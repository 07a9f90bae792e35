/** Exports read back by those they are made for: DuckDB here, `datasets`, Inspect AI, MLflow and the SDKs where a Python has them. */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import type { Manifest } from "../../src/evals/manifest.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { TEST_KEY } from "./collected.ts";
import type { Script } from "./script.ts";
import { story } from "./story.ts";

/** Targets whose rows go to a service, read by its own Python package. */
const SERVICES = ["openai-sft", "openai-dpo", "langsmith", "langfuse", "braintrust", "phoenix", "mlflow"] as const;

let script: Script;
let work: string;
const manifests = new Map<string, Manifest>();
beforeAll(async () => {
  script = await story();
  work = mkdtempSync(join(tmpdir(), "countersign-read-back-"));
  for (const target of ["parquet", "jsonl", "huggingface", "trl-preference", "trl-kto", "trl-sft", "inspect", ...SERVICES])
    manifests.set(target, await exportDataset(join(work, target), target, { log: script.log, codec: script.codec, key: TEST_KEY }));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

type Row = Record<string, unknown>;

function lines(file: string): Row[] {
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const calling = (name: string, args: unknown) => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id: "1", type: "function", function: { name, arguments: args } }],
});

/** Rows by split, as the manifest has them. */
function bySplit(target: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const { split, rows } of manifests.get(target)?.counts ?? []) out[split] = (out[split] ?? 0) + rows;
  return out;
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const connection = await (await DuckDBInstance.create()).connect();
  return (await connection.runAndReadAll(sql)).getRowObjects() as Record<string, unknown>[];
}

describe("DuckDB", () => {
  test("reads in the Parquet every value that a neutral row holds", async () => {
    const given = lines(join(work, "jsonl", "reviewed-examples.jsonl")) as unknown as ReviewedExample[];
    const rows = await query(`SELECT * REPLACE (epoch_ms(decided_at)::DOUBLE AS decided_at) FROM '${join(work, "parquet", "reviewed-examples.parquet")}'`);
    const leaves = (value: unknown): unknown[] => (typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [value]);
    for (const [i, example] of given.entries()) {
      const { context, ...rest } = example;
      const cells = Object.values(rows[i] as object);
      const found = new Set(cells.flatMap((cell) => (typeof cell === "string" && /^[[{]/.test(cell) ? leaves(JSON.parse(cell)) : [cell])));
      const lists = [example.labels, example.quality.why, example.decision.reasonCodes, example.decision.reviewer.roles, example.verdict.matched];
      for (const list of lists) expect(cells).toContain(list.join(", "));
      const listed = new Set(lists.flat() as string[]);
      const missing = leaves(rest).filter((leaf) => leaf !== null && !found.has(leaf) && !listed.has(leaf as string));
      expect([example.id, missing, found.has(context.sha256)]).toEqual([example.id, [], true]);
    }
  });

  test("reads the Parquet of the neutral rows: the same rows as the JSON Lines, with nested values as JSON", async () => {
    const given = lines(join(work, "jsonl", "reviewed-examples.jsonl")) as unknown as ReviewedExample[];
    const file = join(work, "parquet", "reviewed-examples.parquet");
    const rows = await query(
      `SELECT id, decision, tier, "split", epoch_ms(decided_at) AS at, json_extract_string(presented, '$[0].tool') AS tool, batch_size, active_ms, reason_codes FROM '${file}'`,
    );
    expect(rows.map((r) => [r.id, r.decision, r.tier, r.split, Number(r.at), r.tool, r.batch_size, r.active_ms])).toEqual(
      given.map((l) => [
        l.id,
        l.decision.kind,
        l.quality.tier,
        l.split,
        l.decision.decidedAt,
        l.presented[0]?.tool ?? null,
        l.review.batch?.size ?? null,
        l.review.activeMs,
      ]),
    );
  });

  test("reads every Parquet file of the Hugging Face folder with the rows that its manifest counts", async () => {
    for (const config of ["examples", "preference", "kto", "sft", "cases"]) {
      const [row] = await query(`SELECT count(*) AS n, count(DISTINCT id) AS ids FROM '${work}/huggingface/data/${config}/*.parquet'`);
      const counted = (manifests.get("huggingface") as Manifest).counts.filter((c) => c.class === config).reduce((n, c) => n + c.rows, 0);
      expect([config, Number(row?.n)]).toEqual([config, counted]);
      expect(Number(row?.ids)).toBeGreaterThan(0);
    }
    const [pair] = await query(
      `SELECT json_extract_string(chosen, '$[0].tool_calls[0].function.arguments.amount') AS amount FROM '${work}/huggingface/data/preference/*.parquet' ORDER BY amount LIMIT 1`,
    );
    expect(pair?.amount).toBe("10");
  });
});

/** A Python that has what the readers need, or why there is none: COUNTERSIGN_PYTHON, or the one that scripts/evals-venv.sh has made. */
function python(): { command: string } | { why: string } {
  const made = fileURLToPath(new URL("../../.cache/evals-venv/bin/python", import.meta.url));
  const command = process.env.COUNTERSIGN_PYTHON ?? (existsSync(made) ? made : "python3");
  try {
    const modules = "datasets, pandas, inspect_ai, trl, transformers, openai, langsmith, langfuse, braintrust, mlflow, phoenix.client, sqlalchemy, alembic";
    execFileSync(command, ["-c", `import importlib.util as u; assert all(u.find_spec(m) for m in "${modules}".split(", "))`], {
      stdio: "ignore",
      timeout: 60_000,
    });
    return { command };
  } catch {
    return { why: `${command} lacks packages of test/evals/requirements.txt; bash scripts/evals-venv.sh makes a Python that has them` };
  }
}

const found = python();
if ("why" in found) {
  // As without Kafka: what CI does not read back must not look read.
  if (process.env.CI) test(`datasets, Inspect AI, MLflow and the SDKs are here: ${found.why}`, () => expect.fail(found.why));
  else {
    console.warn(`skipped: ${found.why}`);
    test.skip(`datasets, Inspect AI, MLflow and the SDKs: ${found.why}`, () => undefined);
  }
} else {
  const read = async (
    target: string,
    folder = join(work, target),
  ): Promise<{ rows: Record<string, unknown>; calls?: { name: string; arguments: Record<string, unknown> }[]; columns?: string[]; conversations?: number }> => {
    const script = fileURLToPath(new URL("read_back.py", import.meta.url));
    const { stdout } = await promisify(execFile)(found.command, [script, target, folder], { timeout: 150_000, maxBuffer: 64 * 1024 * 1024 });
    return JSON.parse(stdout.trim().split("\n").at(-1) as string);
  };

  describe("Python", () => {
    // Training needs torch, which is too large here. What TRL does with a dataset before that needs none.
    test.each([
      ["trl-preference", ["chosen", "id", "prompt", "rejected", "tools"]],
      ["trl-kto", ["completion", "id", "label", "prompt", "tools"]],
      ["trl-sft", ["completion", "id", "prompt", "tools"]],
    ])(
      "datasets loads %s with TRL's columns, and TRL finds in every row the calls that were written, with arguments as objects",
      async (target, columns) => {
        const { rows, calls, columns: loaded } = await read(target);
        expect(rows).toEqual(bySplit(target));
        expect(loaded).toEqual(columns);
        expect(calls?.every((call) => call.name === "bank/pay" && typeof call.arguments.amount === "number")).toBe(true);
      },
      120_000,
    );

    test("datasets loads every config of the Hugging Face folder from its README", async () => {
      const { rows, calls } = await read("huggingface");
      expect(Object.keys(rows)).toEqual(["examples", "preference", "kto", "sft", "cases"]);
      expect(calls?.map((call) => call.arguments.amount).sort()).toEqual([10, 7]);
    }, 120_000);

    test("Inspect AI reads every sample: a conversation where the transcript was there, else one text", async () => {
      const { rows, conversations } = await read("inspect");
      expect(rows).toEqual(bySplit("inspect"));
      const all = Object.values(bySplit("inspect")).reduce((n, split) => n + split, 0);
      expect(conversations).toBeGreaterThan(0);
      expect(conversations).toBeLessThan(all);
    }, 120_000);

    test("pandas reads the Parquet of the neutral rows", async () => {
      expect((await read("parquet")).rows).toEqual({ all: manifests.get("parquet")?.rows });
    }, 120_000);

    // A check that cannot fail proves nothing: each of these is a row that the reader must not let pass.
    test.each([
      ["inspect", "a role that no chat has", (row: Row) => ({ ...row, input: [{ role: "nobody", content: "x" }] })],
      ["inspect", "a sample of another id", (row: Row) => ({ ...row, id: undefined })],
      ["trl-preference", "no call in the chosen answer", (row: Row) => ({ ...row, chosen: [{ role: "assistant", content: "no" }] })],
      ["trl-preference", "a prompt that is no conversation", (row: Row) => ({ ...row, prompt: ["Pay"] })],
      ["openai-dpo", "a name that the API refuses", (row: Row) => ({ ...row, preferred_output: [calling("bank/pay", "{}")] })],
      ["openai-dpo", "arguments that are no text", (row: Row) => ({ ...row, preferred_output: [calling("pay", {})] })],
      ["openai-sft", "every answer trained on", (row: Row) => ({ ...row, messages: (row.messages as Row[]).map((m) => ({ ...m, weight: 1 })) })],
      ["langsmith", "a field that it does not know", (row: Row) => ({ ...row, expected: {} })],
      ["langsmith", "inputs that are no object", (row: Row) => ({ ...row, inputs: "text" })],
      ["langsmith", "an id that is no UUID", (row: Row) => ({ ...row, id: "x" })],
      ["langfuse", "a field that it does not know", (row: Row) => ({ ...row, expected: {} })],
      ["langfuse", "no name of a dataset", (row: Row) => ({ ...row, datasetName: undefined })],
      ["braintrust", "a field that it does not know", (row: Row) => ({ ...row, output: {} })],
      ["braintrust", "tags that are no list", (row: Row) => ({ ...row, tags: "gold" })],
      ["phoenix", "an input that is no object", (row: Row) => ({ ...row, input: "text" })],
      ["mlflow", "a field that it does not know", (row: Row) => ({ ...row, expected: {} })],
    ] as const)(
      "the reader of %s refuses a row with %s",
      async (target, _, spoil) => {
        const folder = mkdtempSync(join(work, "spoilt-"));
        for (const name of Object.keys(bySplit(target))) {
          const rows = lines(join(work, target, `${name}.jsonl`));
          cpSync(join(work, target, "README.md"), join(folder, "README.md"));
          writeFileSync(join(folder, `${name}.jsonl`), rows.map((row) => `${JSON.stringify(spoil(row))}\n`).join(""));
        }
        await expect(read(target, folder)).rejects.toThrow(/Error|Exception/);
      },
      180_000,
    );

    // The package of each refuses what it does not know, and what it would send, or has kept, is the row: see read_back.py.
    test.each(SERVICES)(
      "the package of %s takes every row and changes nothing",
      async (target) => {
        const { rows } = await read(target);
        expect(rows).toEqual(bySplit(target));
        expect(Object.keys(rows).length).toBeGreaterThan(1);
      },
      180_000,
    );
  });
}
