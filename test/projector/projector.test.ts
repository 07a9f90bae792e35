import { renameSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { openProjector, type Projector } from "../../src/projector/projector.ts";
import { rebuildViews } from "../../src/projector/rebuild.ts";
import { createRng } from "../ledger/generator.ts";
import { historyRecords } from "../support/loose-events.ts";
import { appendAll, appendRaw, differences, dumpFile, dumpOf, foldAll, inBatches, newStage, projectorOptions, type Stage, tempDir } from "../support/views.ts";

const range = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);

async function stageWith(histories: number, seed = 1): Promise<Stage> {
  const stage = await newStage();
  await appendAll(stage.log, historyRecords(range(seed * 1000, histories), "basic", stage.schemaId, createRng(seed)));
  return stage;
}

describe("a crash", () => {
  test("inside a batch's transaction leaves nothing of it, and the same projector and the next one fold on", async () => {
    const dir = tempDir();
    const stage = await stageWith(20);
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    const path = join(dir, "v.db");
    const projector = await openProjector(projectorOptions({ ...stage, log: inBatches(stage.log, 9) }, path));
    const { db } = projector.views;
    let failures = 0;
    for (const [table, when] of [
      ["blob", "1"],
      ["event", "NEW.off % 7 = 3"],
      ["item", "NEW.stage > 1"],
      ["checkpoint", "NEW.topic = 3"],
    ]) {
      db.exec(`CREATE TEMP TRIGGER fail BEFORE INSERT ON main.${table} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
      const before = dumpOf(projector);
      const checkpoint = JSON.stringify(projector.folded);
      let folded = 0;
      await projector
        .catchUp(undefined, () => void folded++)
        .then(
          () => expect.unreachable(`${table} did not fail`),
          (error: CountersignError) => {
            expect(error).toMatchObject({ code: "file_unreadable", message: expect.stringContaining("disk full") });
            failures++;
          },
        );
      if (folded === 0) {
        expect(dumpOf(projector)).toEqual(before);
        expect(JSON.stringify(projector.folded)).toBe(checkpoint);
      }
      db.exec("DROP TRIGGER fail");
      // One good batch in between, so that each failure meets another state.
      const stop = new AbortController();
      await projector.catchUp(stop.signal, () => stop.abort());
    }
    expect(failures).toBe(4);
    await projector.catchUp();
    projector.close();
    expect(differences(dumpFile(join(dir, "straight.db")), dumpFile(path))).toEqual([]);
    // Read back from the file alone, nothing is missing either.
    const again = await openProjector(projectorOptions(stage, path));
    await appendAll(stage.log, historyRecords(range(500, 3), "basic", stage.schemaId, createRng(9)));
    await again.catchUp();
    again.close();
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    expect(differences(dumpFile(join(dir, "straight.db")), dumpFile(path))).toEqual([]);
  });
});

describe("another log", () => {
  const refused = async (stage: Stage, path: string, code: string) => {
    const before = dumpFile(path);
    await expect(foldAll(projectorOptions(stage, path))).rejects.toMatchObject({ code, fix: expect.any(String) });
    expect(dumpFile(path)).toEqual(before);
  };

  test("a log that ends before the checkpoint is refused, by one record as by many", async () => {
    const dir = tempDir();
    const path = join(dir, "v.db");
    const stage = await stageWith(10);
    await foldAll(projectorOptions(stage, path));
    const { records, next } = stage.store;
    const last = records.pop()!;
    next[last.topic][last.partition]!--;
    await refused(stage, path, "log_recreated");
    await refused(await newStage(), path, "log_recreated");
  });

  test("a recreated topic is refused although it has as many records", async () => {
    const dir = tempDir();
    const path = join(dir, "v.db");
    const stage = await stageWith(10);
    await foldAll(projectorOptions(stage, path));
    const other = await newStage();
    const last = stage.store.records.findLast((r) => r.topic === "decisions")!;
    for (const r of stage.store.records) appendRaw(other.store, r.topic, r.partition, r.key, r === last ? Buffer.from("something else") : r.value);
    await refused(other, path, "log_recreated");
  });

  test("a gap is refused, and what lies before it is folded", async () => {
    const dir = tempDir();
    const stage = await stageWith(10);
    const path = join(dir, "v.db");
    const projector = await openProjector(projectorOptions(stage, path));
    await projector.catchUp();
    const folded = JSON.stringify(projector.folded);
    const { records, next } = stage.store;
    const template = records.at(-1)!;
    next[template.topic][template.partition]! += 2;
    appendRaw(stage.store, template.topic, template.partition, template.key, template.value);
    await expect(projector.follow(new AbortController().signal)).rejects.toMatchObject({ code: "log_gap", fix: expect.any(String) });
    expect(JSON.stringify(projector.folded)).toBe(folded);
    projector.close();
  });

  test("an embedded log in place of another one, by its id, starts new views", async () => {
    const dir = tempDir();
    const path = join(dir, "v.db");
    const stage = await stageWith(5);
    await foldAll(projectorOptions(stage, path));
    const other = await stageWith(3, 2);
    await foldAll(projectorOptions(other, path, { logId: "another" }));
    await foldAll(projectorOptions(other, join(dir, "fresh.db"), { logId: "another" }));
    expect(dumpFile(path)).toEqual(dumpFile(join(dir, "fresh.db")));
  });

  test("an older copy of an embedded log that grew again is refused", async () => {
    const dir = tempDir();
    const log = await openSqliteLog({ dir: join(dir, "log"), partitions: 1 });
    const stage = await newStage();
    const [old, lost, other] = [1, 2, 3].map((n) => historyRecords([n], "basic", stage.schemaId, createRng(n)));
    await log.append(old!);
    await log.close();
    const database = new Database(join(dir, "log", "log.db"));
    await database.backup(join(dir, "backup.db"));
    database.close();
    const path = join(dir, "v.db");
    const fold = async (records: readonly import("../../src/log/log.ts").NewRecord[]) => {
      const opened = await openSqliteLog({ dir: join(dir, "log") });
      try {
        await opened.append(records);
        await foldAll(projectorOptions({ ...stage, log: opened }, path));
      } finally {
        await opened.close();
      }
    };
    await fold(lost!);
    renameSync(join(dir, "backup.db"), join(dir, "log", "log.db"));
    await expect(fold([...other!, ...lost!])).rejects.toMatchObject({ code: "log_recreated" });
  });
});

describe("one writer for a views file", () => {
  test("a second projector takes over, and the first folds nothing more and says why", async () => {
    const dir = tempDir();
    const path = join(dir, "v.db");
    const stage = await stageWith(8);
    const first = await openProjector(projectorOptions(stage, path));
    await first.catchUp();
    const following = first.follow(new AbortController().signal).then(
      () => "ended",
      (error: CountersignError) => `${error.code}: ${error.message}`,
    );
    const second = await openProjector(projectorOptions(stage, path));
    await appendAll(stage.log, historyRecords(range(700, 5), "basic", stage.schemaId, createRng(4)));
    expect(await following).toBe("conflict: Another process has taken over the views file, or rebuilt it");
    await second.catchUp();
    first.close();
    second.close();
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    expect(differences(dumpFile(join(dir, "straight.db")), dumpFile(path))).toEqual([]);
  });

  test("a rebuild while a projector runs gives whole views, and the running one stops and says why", async () => {
    const dir = tempDir();
    const path = join(dir, "v.db");
    const stage = await stageWith(8);
    const running = await openProjector(projectorOptions(stage, path));
    await running.catchUp();
    const following = running.follow(new AbortController().signal).catch((error: CountersignError) => error.code);
    await rebuildViews(projectorOptions(stage, path));
    await appendAll(stage.log, historyRecords(range(700, 5), "basic", stage.schemaId, createRng(4)));
    expect(await following).toBe("conflict");
    running.close();
    await foldAll(projectorOptions(stage, path));
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    expect(differences(dumpFile(join(dir, "straight.db")), dumpFile(path))).toEqual([]);
  });
});

describe("the registry", () => {
  test("one that is down is waited for: nothing is called bad, and folding goes on when it is back", async () => {
    const dir = tempDir();
    const stage = await stageWith(5);
    const text = await stage.registry.textOf(stage.schemaId("proposals"));
    let down = true;
    let asked = 0;
    const registry = {
      ...stage.registry,
      textOf: async (id: number) => {
        asked++;
        if (down) throw new CountersignError("registry_unreachable", "connect ECONNREFUSED", { retryable: true });
        return id === 77 ? text : stage.registry.textOf(id);
      },
    };
    const [record] = historyRecords([90], "basic", () => 77, createRng(1)).filter((r) => r.topic === "proposals");
    await stage.log.append([record!]);
    const said: (string | null)[] = [];
    stage.log.onTrouble = (sentence) => said.push(sentence);
    const projector = await openProjector(projectorOptions({ ...stage, registry }, join(dir, "v.db")));
    const caughtUp = projector.catchUp();
    await vi.waitFor(() => expect(asked).toBeGreaterThan(2));
    expect(projector.views.db.prepare("SELECT count(*) FROM bad WHERE schema_id = 77").pluck().get()).toBe(0);
    down = false;
    await caughtUp;
    expect(projector.views.db.prepare("SELECT count(*) FROM bad WHERE schema_id = 77").pluck().get()).toBe(0);
    expect(said[0]).toContain("registry cannot be reached");
    expect(said.at(-1)).toBe(null);
    projector.close();
  });

  test("while it is down, following can be ended", async () => {
    const stage = await newStage();
    const registry = { ...stage.registry, textOf: () => Promise.reject(new CountersignError("registry_unreachable", "down", { retryable: true })) };
    appendRaw(stage.store, "proposals", 0, "k", Buffer.from([0, 0, 0, 0, 77, 1]));
    const projector = await openProjector(projectorOptions({ ...stage, registry }, join(tempDir(), "v.db")));
    const stop = new AbortController();
    const following = projector.follow(stop.signal);
    setTimeout(() => stop.abort(), 50);
    await following;
    expect(projector.folded).toEqual({});
    projector.close();
  });
});

describe("waiting for a position", () => {
  async function opened(): Promise<{ stage: Stage; projector: Projector }> {
    const stage = await stageWith(2);
    return { stage, projector: await openProjector(projectorOptions(stage, join(tempDir(), "v.db"))) };
  }

  test("resolves when it is folded, and at once when it was", async () => {
    const { stage, projector } = await opened();
    const position = stage.store.records.at(-1)!;
    let done = false;
    const waiting = projector.waitFor([position]).then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done).toBe(false);
    await projector.catchUp();
    await waiting;
    await projector.waitFor([position]);
    projector.close();
  });

  test("ends with code timeout when it takes too long", async () => {
    const { stage, projector } = await opened();
    await expect(projector.waitFor([stage.store.records.at(-1)!], { timeoutMs: 20 })).rejects.toMatchObject({ code: "timeout", retryable: true });
    projector.close();
  });

  test("ends when its signal aborts, also when that was before", async () => {
    const { stage, projector } = await opened();
    const stop = new AbortController();
    const waiting = projector.waitFor([stage.store.records.at(-1)!], { signal: stop.signal });
    stop.abort(new Error("the client went away"));
    await expect(waiting).rejects.toThrow("the client went away");
    await expect(projector.waitFor([stage.store.records.at(-1)!], { signal: stop.signal })).rejects.toThrow("the client went away");
    projector.close();
  });

  test("ends when the views are closed, or follow the log no more", async () => {
    const { stage, projector } = await opened();
    const waiting = projector.waitFor([stage.store.records.at(-1)!]);
    const failed = expect(waiting).rejects.toMatchObject({ code: "unavailable" });
    projector.close();
    await failed;
    const second = await openProjector(projectorOptions(stage, join(tempDir(), "v.db")));
    await second.catchUp();
    const last = stage.store.records.at(-1)!;
    const later = expect(second.waitFor([{ ...last, offset: last.offset + 5 }])).rejects.toMatchObject({ code: "unavailable", cause: { code: "log_gap" } });
    stage.store.next[last.topic][last.partition]! += 2;
    appendRaw(stage.store, last.topic, last.partition, last.key, last.value);
    await expect(second.follow(new AbortController().signal)).rejects.toMatchObject({ code: "log_gap" });
    await later;
    second.close();
  });
});
