import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { Checkpoint, MutableCheckpoint } from "../log/log.ts";
import { type Batches, openBatches } from "./batch-queries.ts";
import { topicOfNumber } from "./keys.ts";
import { openQueries, type Queries } from "./queries.ts";
import { openRetries, type Retries } from "./retries.ts";
import { FOLD_VERSION } from "./schema.ts";

/** A views file opened beside the process that writes it: nothing here changes it. */
export interface ReadViews {
  readonly queries: Queries;
  readonly batches: Batches;
  readonly retries: Retries;
  readonly checkpoint: Checkpoint;
  /** Id of the log that it was made from. */
  readonly logId: string;
  close(): void;
}

/** Opens a views file for reading. Gives a sentence instead where there is none, or where it is of another version. */
export function readViews(path: string): ReadViews | string {
  if (!existsSync(path)) return "there is no views file yet";
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: 5000 });
    const meta = new Map((db.prepare("SELECT key, value FROM meta").all() as { key: string; value: string }[]).map((r) => [r.key, r.value]));
    if (meta.get("fold") !== String(FOLD_VERSION)) {
      db.close();
      return `the views file is of fold ${meta.get("fold") ?? "unknown"}, this version's is ${FOLD_VERSION}`;
    }
    const checkpoint: MutableCheckpoint = {};
    for (const row of db.prepare("SELECT topic, part, next FROM checkpoint").all() as { topic: number; part: number; next: number }[]) {
      const topic = topicOfNumber(row.topic);
      checkpoint[topic] = { ...checkpoint[topic], [row.part]: row.next };
    }
    const opened = db;
    const queries = openQueries(opened);
    // A file that is read is never behind itself.
    const retries = openRetries(opened, () => () => {});
    return { queries, batches: openBatches(opened, queries), retries, checkpoint, logId: meta.get("log") ?? "", close: () => opened.close() };
  } catch (error) {
    db?.close();
    return `the views file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
