import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { CountersignError, messageOf } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";

/** Who uses a data folder. For people: the lock itself is the operating system's. */
export interface Holder {
  readonly pid: number;
  /** What it does, as `up` or `rebuild`. */
  readonly what: string;
  readonly log: string;
  /** Where it answers; absent where it does not. */
  readonly url?: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** A held lock. */
export interface DataLock {
  /** Changes what others read about the holder. */
  tell(holder: Holder): void;
  release(): void;
}

const LOCK = "up.lock";
const WHO = "up.json";

/**
 * Takes the data folder for this process. The lock is a SQLite file in an open exclusive transaction: the operating system lets go of it
 * when the process ends, however it ends. A process id in a file would not tell a killed container from a running one.
 *
 * @param waitMs how long to wait for a holder to let go, in milliseconds
 * @throws CountersignError conflict (field `--data`) when another process holds it; file_unreadable
 */
export function lockData(data: string, holder: Holder, waitMs = 1000): DataLock {
  const db = tryLock(data, waitMs);
  if (db === null) {
    const other = holderOf(data);
    const who = other === null ? "Another process" : `A \`countersign ${other.what}\` (process ${other.pid}${other.url === undefined ? "" : `, ${other.url}`})`;
    throw new CountersignError("conflict", `${who} already uses the folder ${data}`, {
      field: "--data",
      value: data,
      fix: "stop it first, or give this one a folder of its own with --data",
    });
  }
  const tell = (now: Holder) => writeFileSync(join(data, WHO), `${JSON.stringify(now)}\n`);
  tell(holder);
  return {
    tell,
    release() {
      if (!db.open) return;
      rmSync(join(data, WHO), { force: true });
      db.close();
    },
  };
}

/** Whether a process holds the folder, and what it says of itself: null when nobody does. */
export function lockedBy(data: string): Holder | "unknown" | null {
  let db: Database.Database | null;
  try {
    db = tryLock(data, 0, true);
  } catch {
    return null;
  }
  if (db === null) return holderOf(data) ?? "unknown";
  db.close();
  return null;
}

function tryLock(data: string, waitMs: number, mustExist = false): Database.Database | null {
  let db: Database.Database | undefined;
  try {
    if (!mustExist) makeFolder(data);
    db = new Database(join(data, LOCK), { timeout: waitMs, fileMustExist: mustExist });
    db.exec("BEGIN EXCLUSIVE");
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY")) return null;
    throw new CountersignError("file_unreadable", `The folder ${data} cannot be used: ${messageOf(cause)}`, {
      cause,
      field: "--data",
      fix: "name a folder that this user may write to",
    });
  }
}

function holderOf(data: string): Holder | null {
  try {
    return JSON.parse(readFileSync(join(data, WHO), "utf8")) as Holder;
  } catch {
    return null;
  }
}
