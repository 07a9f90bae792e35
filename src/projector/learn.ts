import type Database from "better-sqlite3";
import { CountersignError, messageOf } from "../errors.ts";
import { type Codec, schemaIdOf } from "../events/codec.ts";
import type { EventLog, LogRecord } from "../log/log.ts";
import type { SchemaRegistry } from "../log/registry.ts";

/** What is needed to fetch schemas. */
export interface Learning {
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  readonly codec: Codec;
}

/**
 * Fetches the schemas of a batch before it is folded. A registry that cannot be reached is waited for, with backoff: a record must not be
 * called bad for that. Returns false when the signal ended the waiting: the batch must then not be folded.
 *
 * @throws CountersignError registry_refused
 */
export async function learnSchemas(records: readonly LogRecord[], { log, registry, codec }: Learning, signal: AbortSignal | undefined): Promise<boolean> {
  const unknown = new Set<number>();
  for (const record of records) {
    const id = record.value === null ? undefined : schemaIdOf(record.value);
    if (id !== undefined && !codec.knows(id)) unknown.add(id);
  }
  for (const id of unknown) {
    for (let pause = 100; ; pause = Math.min(pause * 2, 5000)) {
      if (signal?.aborted) return false;
      try {
        const text = await registry.textOf(id);
        if (text !== null) codec.learn(id, text);
        if (pause > 100) log.onTrouble?.(null);
        break;
      } catch (error) {
        if (!(error instanceof CountersignError) || !error.retryable)
          throw new CountersignError("registry_refused", `The registry cannot be asked for schema ${id}: ${messageOf(error)}`, { cause: error });
        log.onTrouble?.(`The schema registry cannot be reached, so folding waits at schema ${id}: ${messageOf(error)}`);
        await pauseFor(pause, signal);
      }
    }
  }
  return signal?.aborted !== true;
}

/** Most ids asked for at a time: whoever floods the log with made-up ids must not flood the registry. Chance brings every id to its turn. */
const MOST_ASKED = 100;

/** Whether the registry now has a schema of a record that could not be folded for want of it. False while it cannot be reached. */
export async function someBecameKnown(db: Database.Database, { registry, codec }: Learning): Promise<boolean> {
  // Most views have no bad record at all: then nothing has to be put in an order of chance.
  if (db.prepare("SELECT 1 FROM bad WHERE schema_id IS NOT NULL LIMIT 1").get() === undefined) return false;
  const ids = db
    .prepare("SELECT schema_id FROM bad WHERE schema_id IS NOT NULL GROUP BY schema_id ORDER BY random() LIMIT ?")
    .pluck()
    .all(MOST_ASKED) as number[];
  try {
    for (const id of ids) if (codec.knows(id) || (await registry.textOf(id)) !== null) return true;
  } catch {
    // Asked again later; new records that need it wait for it and say so.
  }
  return false;
}

/** A pause that ends early when the signal aborts. `ref: false`: it does not keep the process alive. */
export function pauseFor(ms: number, signal: AbortSignal | undefined, { ref = true } = {}): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (!ref) timer.unref();
    signal?.addEventListener("abort", done);
  });
}
