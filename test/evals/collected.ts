import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CollectOptions } from "../../src/evals/collect.ts";
import { exportDataset } from "../../src/evals/export.ts";
import type { Operation, ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { EXAMPLES_FILE } from "../../src/evals/targets/neutral.ts";

/** Key of pseudonyms in tests. */
export const TEST_KEY = "a key that only tests know";

/** The manifest of an export, with its neutral rows and its operations. */
export async function collected(options: Omit<CollectOptions, "key"> & { key?: string }) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-collected-"));
  try {
    const given = { key: TEST_KEY, ...options };
    const manifest = await exportDataset(join(folder, "examples"), "jsonl", given);
    await exportDataset(join(folder, "operations"), "operations", given);
    const examples = linesOf<ReviewedExample>(join(folder, "examples", EXAMPLES_FILE));
    return { ...manifest, examples, operations: linesOf<Operation>(join(folder, "operations", "operations.jsonl")) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function linesOf<T>(path: string): T[] {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as T);
}
