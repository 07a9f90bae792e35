import { type CollectOptions, collect } from "../../src/evals/collect.ts";
import type { Operation, ReviewedExample } from "../../src/evals/reviewed-example.ts";

/** Key of pseudonyms in tests. */
export const TEST_KEY = "a key that only tests know";

/** A whole collection in lists. */
export async function collected(options: Omit<CollectOptions, "key"> & { key?: string }) {
  const collection = await collect({ key: TEST_KEY, ...options });
  try {
    const rows = [...collection.rows()];
    const examples: ReviewedExample[] = rows.map((row) => row.example);
    const operations: Operation[] = [...collection.operations()];
    return { ...collection, rows, examples, operations };
  } finally {
    collection.close();
  }
}
