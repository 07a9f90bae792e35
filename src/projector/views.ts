import { existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { CountersignError, messageOf } from "../errors.ts";
import type { Checkpoint, MutableCheckpoint } from "../log/log.ts";
import { makeFolder } from "../make-folder.ts";
import { makePrivateFile } from "../private-file.ts";
import { topicOfNumber } from "./keys.ts";
import { FOLD_VERSION, VIEWS_SQL } from "./schema.ts";

/** A views file: the database, which is thrown away and rebuilt whenever its fold is of another version. */
export interface Views {
  readonly db: Database.Database;
  readonly path: string;
  /** Where folding continues. */
  checkpoint(): Checkpoint;
  close(): void;
}

const IN_MEMORY = ":memory:";
/** Views without anything in them: in memory, making the tables anew would cost more than everything else. */
let empty: Buffer | undefined;

function emptyViews(): Buffer {
  if (empty !== undefined) return empty;
  const db = new Database(IN_MEMORY);
  db.exec(VIEWS_SQL);
  empty = db.serialize();
  db.close();
  return empty;
}

/**
 * Opens a views file, or makes a new one where there is none, or where it is of another fold or of another log. `scratch`: a file that is
 * of no use until it is complete, so that nothing is spent on surviving a crash.
 */
export function openViews(path: string, logId: string, scratch = false): Views {
  if (path !== IN_MEMORY) makeFolder(dirname(path));
  const isNew = path === IN_MEMORY || !existsSync(path);
  // Without its file, what SQLite left beside it would be taken for part of the new one.
  if (isNew && path !== IN_MEMORY) removeViews(path);
  let db = open(path, scratch);
  if (isNew || !isCurrent(db, logId)) {
    if (!isNew) {
      db.close();
      removeViews(path);
      db = open(path, scratch);
    }
    if (path !== IN_MEMORY) db.exec(`BEGIN; ${VIEWS_SQL}; COMMIT`);
    db.prepare("INSERT INTO meta VALUES ('fold', ?), ('log', ?)").run(String(FOLD_VERSION), logId);
  }
  return {
    db,
    path,
    checkpoint() {
      const checkpoint: MutableCheckpoint = {};
      for (const row of db.prepare("SELECT topic, part, next FROM checkpoint").all() as { topic: number; part: number; next: number }[]) {
        const topic = topicOfNumber(row.topic);
        checkpoint[topic] = { ...checkpoint[topic], [row.part]: row.next };
      }
      return checkpoint;
    },
    close() {
      if (db.open) db.close();
    },
  };
}

/** Removes a views file with what SQLite keeps beside it. */
export function removeViews(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
}

/** What SQLite says of a views file, as our own error; everything else as it is. */
export function viewsError(cause: unknown, path: string): unknown {
  const code = (cause as { code?: unknown }).code;
  if (!(cause instanceof Error) || typeof code !== "string" || !code.startsWith("SQLITE_")) return cause;
  return new CountersignError("file_unreadable", `The views file ${path} cannot be written: ${cause.message}`, {
    cause,
    fix: "make room or mend the permissions and start again: folding goes on where it stopped. The file can also be removed: it is rebuilt from the log",
  });
}

function open(path: string, scratch: boolean): Database.Database {
  try {
    const fresh = path !== IN_MEMORY && !existsSync(path);
    if (path !== IN_MEMORY) makePrivateFile(path);
    const db = new Database(path === IN_MEMORY ? emptyViews() : path);
    if (fresh) db.pragma("page_size = 8192");
    db.pragma(`journal_mode = ${scratch ? "MEMORY" : "WAL"}`);
    db.pragma(`synchronous = ${scratch ? "OFF" : "NORMAL"}`);
    db.pragma("busy_timeout = 5000");
    db.pragma(`cache_size = -${scratch ? 65_536 : 16_384}`);
    // Else every read that is no part of a transaction takes and drops the file's lock and looks whether others have changed the file.
    if (scratch) db.pragma("locking_mode = EXCLUSIVE");
    return db;
  } catch (cause) {
    throw new CountersignError("file_unreadable", `The views file ${path} cannot be opened: ${messageOf(cause)}`, {
      cause,
      fix: "check the folder's permissions, or remove the file: it is rebuilt from the log",
    });
  }
}

function isCurrent(db: Database.Database, logId: string): boolean {
  try {
    const meta = new Map((db.prepare("SELECT key, value FROM meta").all() as { key: string; value: string }[]).map((r) => [r.key, r.value]));
    return meta.get("fold") === String(FOLD_VERSION) && meta.get("log") === logId;
  } catch {
    return false;
  }
}
