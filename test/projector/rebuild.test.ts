import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openProjector } from "../../src/projector/projector.ts";
import { rebuildViews } from "../../src/projector/rebuild.ts";
import { createRng } from "../ledger/generator.ts";
import { historyRecords, interleave } from "../support/loose-events.ts";
import { appendAll, differences, dumpFile, foldAll, inBatches, newStage, projectorOptions, tablesOf, tempDir } from "../support/views.ts";

const range = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);

describe.each(["basic", "full"] as const)("histories of kind %s", (kind) => {
  test("folding in batches of 1, of 7 and of all, and rebuilding, give the same views row for row", async () => {
    const dir = tempDir();
    const stage = await newStage();
    await appendAll(stage.log, historyRecords(range(1, 60), kind, stage.schemaId, createRng(1)));
    const at = (name: string) => join(dir, `${name}.db`);
    await foldAll(projectorOptions({ ...stage, log: inBatches(stage.log, 1) }, at("one")));
    await foldAll(projectorOptions({ ...stage, log: inBatches(stage.log, 7) }, at("seven")));
    await foldAll(projectorOptions({ ...stage, log: inBatches(stage.log, 100_000) }, at("all")));
    const expected = dumpFile(at("all"));
    expect(expected.length).toBeGreaterThan(800);
    expect(expected.some((l) => l.startsWith("parked"))).toBe(true);
    expect(expected.some((l) => l.startsWith("finding"))).toBe(true);
    expect(differences(expected, dumpFile(at("seven")))).toEqual([]);
    expect(differences(expected, dumpFile(at("one")))).toEqual([]);
    expect(await rebuildViews(projectorOptions(stage, at("one")))).toBe(stage.store.records.length);
    expect(differences(expected, dumpFile(at("one")))).toEqual([]);
  });

  test("views fed by another interleaving of the topics are equal but for append times", async () => {
    const dir = tempDir();
    const first = await newStage();
    await appendAll(first.log, historyRecords([...range(1000, 80), 1574], kind, first.schemaId, createRng(2)));
    await foldAll(projectorOptions(first, join(dir, "first.db")));
    const expected = dumpFile(join(dir, "first.db"), { appended: false });
    for (const [seed, batch] of [
      [3, 1],
      [4, 7],
      [5, 1000],
    ] as const) {
      const other = await newStage();
      // Order inside a topic stays, so partitions and offsets are the same.
      const lanes = Map.groupBy(first.store.records, (r) => r.topic);
      const records = interleave([...lanes.values()], createRng(seed)).map((r) => ({ topic: r.topic, key: r.key as string, value: r.value as Uint8Array }));
      await appendAll(other.log, records);
      const path = join(dir, `${seed}.db`);
      await foldAll(projectorOptions({ ...other, log: inBatches(other.log, batch) }, path));
      expect(differences(expected, dumpFile(path, { appended: false }))).toEqual([]);
    }
  });

  test("closing after any batch and opening again gives the same views", async () => {
    const dir = tempDir();
    const stage = await newStage();
    await appendAll(stage.log, historyRecords(range(2000, 25), kind, stage.schemaId, createRng(6)));
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    const path = join(dir, "broken.db");
    const rng = createRng(7);
    let opened = 0;
    for (let done = false; !done; opened++) {
      const projector = await openProjector(projectorOptions({ ...stage, log: inBatches(stage.log, 1 + rng.below(9)) }, path));
      const stop = new AbortController();
      let left = rng.below(4);
      // The last folded batch is committed, what was read behind it is lost with the process.
      await projector.catchUp(stop.signal, () => {
        if (left-- === 0) stop.abort();
      });
      done = !stop.signal.aborted;
      projector.close();
    }
    expect(opened).toBeGreaterThan(20);
    expect(differences(dumpFile(join(dir, "straight.db")), dumpFile(path))).toEqual([]);
  });
});

test("the dump of the views shows every table but meta", async () => {
  const dir = tempDir();
  const stage = await newStage();
  await appendAll(stage.log, historyRecords(range(1, 40), "full", stage.schemaId, createRng(1)));
  await foldAll(projectorOptions(stage, join(dir, "v.db")));
  const shown = new Set(dumpFile(join(dir, "v.db")).map((line) => line.slice(0, line.indexOf(" "))));
  const { "v.db": tables } = { "v.db": tablesOf(join(dir, "v.db")) };
  // No history publishes a policy, as queries.test.ts does, ends a run, as batcher.test.ts does, or tries an item again, as retry-of.test.ts does.
  const absent = ["branch", "standing", "standing_use", "document", "run_end", "retry"];
  expect(tables.filter((t) => !shown.has(t) && t !== "meta" && !absent.includes(t))).toEqual([]);
});
