import { chmodSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { CountersignError, messageOf } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { makePrivateFile } from "../private-file.ts";

/** local.db: keys, sessions, delivery state. Not the ledger: it is never rebuilt. */
export interface LocalDb {
  readonly db: Database.Database;
  close(): void;
}

/** Steps that bring the file from each version to the next. A step is never changed once it was released. */
const MIGRATIONS = [
  `CREATE TABLE key (
     key_id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, scope TEXT NOT NULL, id TEXT NOT NULL, roles TEXT NOT NULL, workspace TEXT NOT NULL,
     created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
   ) WITHOUT ROWID;`,
  "ALTER TABLE key ADD COLUMN owner TEXT;",
  // What was noticed, and what became of it on each channel. One row for each: that is what keeps a second notifier, a restart and a rebuild quiet.
  `CREATE TABLE notice (
     id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, workspace TEXT NOT NULL, owner TEXT, kind TEXT NOT NULL, body TEXT NOT NULL,
     at INTEGER NOT NULL, ended INTEGER
   );
   CREATE INDEX notice_open ON notice (id) WHERE ended IS NULL;
   CREATE TABLE delivery (
     notice INTEGER NOT NULL REFERENCES notice (id), channel TEXT NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL,
     way TEXT NOT NULL, zone TEXT NOT NULL, bundle TEXT, attempts INTEGER NOT NULL DEFAULT 0, lease INTEGER, answer TEXT, at INTEGER NOT NULL,
     PRIMARY KEY (notice, channel, action)
   ) WITHOUT ROWID;
   CREATE INDEX delivery_due ON delivery (due) WHERE state IN ('due', 'sending');
   CREATE INDEX delivery_at ON delivery (at);`,
];

/** In milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * Opens `local.db` in a folder (`:memory:` keeps it in memory) and brings it to this version.
 *
 * @param patienceMs how long a statement waits for another process that writes; nothing else runs in this process meanwhile
 * @throws CountersignError file_unreadable, file_invalid (made by a newer version)
 */
export function openLocalDb(data: string, patienceMs = PATIENCE_MS): LocalDb {
  const path = data === ":memory:" ? data : join(data, "local.db");
  let db: Database.Database | undefined;
  try {
    if (data !== ":memory:") makeFolder(data);
    if (data !== ":memory:") makePrivateFile(path);
    db = new Database(path);
    // Hashes of keys are nobody else's business.
    if (data !== ":memory:") chmodSync(path, 0o600);
    db.pragma("journal_mode = WAL");
    db.pragma(`busy_timeout = ${PATIENCE_MS}`);
    migrate(db, path);
    db.pragma(`busy_timeout = ${Math.floor(patienceMs)}`);
    const opened = db;
    return { db: opened, close: () => opened.close() };
  } catch (cause) {
    db?.close();
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_unreadable", `${path} cannot be opened: ${messageOf(cause)}`, {
      cause,
      field: "data",
      fix: "check the folder and its permissions",
    });
  }
}

function migrate(db: Database.Database, path: string): void {
  db.transaction(() => {
    const version = db.pragma("user_version", { simple: true }) as number;
    if (version > MIGRATIONS.length)
      throw new CountersignError("file_invalid", `${path} was made by a newer version of countersign`, {
        field: "data",
        fix: "use that version, or another --data folder",
      });
    for (const step of MIGRATIONS.slice(version)) db.exec(step);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}
