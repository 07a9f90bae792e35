import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { placeOf } from "../../src/log/layout.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { describeLogContract } from "./contract.ts";
import { lossyCommits } from "./faults.ts";

describeLogContract("sqlite", {
  create: async ({ partitions }) => {
    const dir = mkdtempSync(join(tmpdir(), "countersign-log-"));
    const faults = lossyCommits();
    const sql = (work: (db: Database.Database) => void) => {
      const db = new Database(join(dir, "log.db"));
      db.transaction(() => work(db)).immediate();
      db.close();
    };
    return {
      open: () => openSqliteLog({ dir, partitions, faults }),
      dispose: async () => rmSync(dir, { recursive: true }),
      loseNextAnswer: () => faults.lose("answer"),
      loseNextRequest: () => faults.lose("request"),
      appendForeign: async (records) =>
        sql((db) => {
          const next = db.prepare("SELECT ifnull(max(offset) + 1, 0) FROM record WHERE place = ?").pluck();
          const insert = db.prepare("INSERT INTO record (number, place, offset, at, key, value) SELECT max(number) + 1, ?, ?, max(at), ?, ? FROM record");
          for (const { topic, partition, key, value } of records) {
            const place = placeOf(topic, partition, partitions);
            insert.run(place, next.get(place), key && key[0]! < 0x80 ? Buffer.from(key).toString() : key, value);
          }
        }),
      dropBefore: async (topic, partition, offset) =>
        sql((db) => db.prepare("DELETE FROM record WHERE place = ? AND offset < ?").run(placeOf(topic, partition, partitions), offset)),
      recreate: async () => rmSync(dir, { recursive: true }),
    };
  },
});
