import { randomUUID } from "node:crypto";
import type Database from "better-sqlite3";
import { CountersignError } from "../errors.ts";
import { FORMAT, KEY_TEXT, TABLES } from "./layout.ts";

// Measured at 16 in flight with events of 680 bytes: 8 KiB pages append 5 % faster and take 3 % more room, 32 KiB the other way round. A
// checkpoint of 4 MiB holds up an append for 2 to 10 ms.
const PAGE_BYTES = 16 * 1024;
const CHECKPOINT_PAGES = 256;

/** Makes the tables, or checks that they are ours. @throws CountersignError log_format, partitions_mismatch */
export function prepareFile(db: Database.Database, partitions: number | undefined): { id: string; partitions: number } {
  db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma("journal_mode = WAL");
  // Whoever commits brings it to the disk before it counts: see wal-sync.ts.
  db.pragma("synchronous = NORMAL");
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  const meta = db.transaction(() => {
    if (!db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get()) {
      db.exec(TABLES);
      const set = db.prepare("INSERT INTO meta (name, value) VALUES (?, ?)");
      set.run("format", FORMAT);
      set.run("partitions", partitions ?? 12);
      set.run("id", randomUUID());
    }
    return Object.fromEntries(db.prepare("SELECT name, value FROM meta").raw().all() as [string, number | string][]);
  });
  const found = meta.immediate();
  if (Number(found.format) > FORMAT)
    throw new CountersignError("log_format", `log.db has format ${found.format}, this version of countersign knows formats up to ${FORMAT}`, {
      field: "format",
      fix: "use the version of countersign that wrote it, or a newer one",
    });
  if (partitions !== undefined && partitions !== found.partitions)
    throw new CountersignError("partitions_mismatch", `The log has ${found.partitions} partitions, not ${partitions}, and their number can never change`, {
      field: "partitions",
      fix: `leave the number of partitions out, or give ${found.partitions}`,
    });
  // From here on a lock is waited for in the event loop, not inside SQLite.
  db.pragma("busy_timeout = 0");
  return { id: String(found.id), partitions: Number(found.partitions) };
}

/** The prepared statements of a log file. */
export type Statements = Readonly<
  Record<
    "begin" | "commit" | "rollback" | "insert" | "addMark" | "after" | "places" | "time" | "mark" | "lastMark" | "version" | "schemas" | "addSchema",
    Database.Statement
  >
>;

/** Prepares all statements of a log file. */
export function statements(db: Database.Database): Statements {
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    insert: db.prepare("INSERT INTO record (number, place, offset, at, key, value) VALUES (?, ?, ?, ?, ?, ?)"),
    addMark: db.prepare("INSERT INTO mark (number, heads) VALUES (?, ?)"),
    after: db.prepare(`SELECT number, place, offset, at, ${KEY_TEXT}, value FROM record WHERE number > ? ORDER BY number LIMIT ?`).raw(),
    places: db.prepare("SELECT number, place, offset, at FROM record WHERE number > ? AND number <= ? ORDER BY number").raw(),
    time: db.prepare("SELECT at FROM record WHERE number = ?").pluck(),
    mark: db.prepare("SELECT heads FROM mark WHERE number = ?").pluck(),
    lastMark: db.prepare("SELECT number, heads FROM mark WHERE number <= ? ORDER BY number DESC LIMIT 1").raw(),
    version: db.prepare("PRAGMA data_version").pluck(),
    schemas: db.prepare("SELECT id, topic, text FROM schema ORDER BY id"),
    addSchema: db.prepare("INSERT INTO schema (topic, text) VALUES (?, ?)"),
  };
}
