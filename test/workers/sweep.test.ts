import { expect, test } from "vitest";
import type { FoldedBatch } from "../../src/projector/fold-batch.ts";
import { type Chore, runSweep } from "../../src/workers/sweep.ts";

const BATCH: FoldedBatch = { items: new Set(), owed: new Map(), effective: [], refused: [] };

test("a chore that comes while the same one is under way is done once more: the first may have looked too early", async () => {
  let hear = (_batch: FoldedBatch) => {};
  let runs = 0;
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const chore: Chore = { key: "item/grant", itemId: "item", run: () => (++runs === 1 ? first.promise : Promise.resolve(second.resolve())) };
  const sweep = runSweep(
    { name: "test", all: () => [], after: () => [chore] },
    {
      onFolded: (listener) => {
        hear = listener;
        return () => {};
      },
      onError: () => {},
    },
  );
  hear(BATCH);
  // A step of a plan has ended meanwhile, so there is something to take back that there was not.
  hear(BATCH);
  hear(BATCH);
  expect(runs).toBe(1);
  first.resolve();
  await second.promise;
  await sweep.stop();
  expect(runs).toBe(2);
});
