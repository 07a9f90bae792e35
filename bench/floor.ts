import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";

/** Bytes of one record of a recorded chain: topic number, item, event id, value. */
export interface FloorRecord {
  readonly topic: number;
  readonly item: Buffer;
  readonly id: Buffer;
  readonly value: Buffer;
}

function database(dir: string, name: string, synchronous: "FULL" | "NORMAL"): Database.Database {
  const db = new Database(join(dir, name));
  db.pragma("journal_mode = WAL");
  db.pragma(`synchronous = ${synchronous}`);
  return db;
}

const LOG = "CREATE TABLE record (seq INTEGER PRIMARY KEY, topic INTEGER, item BLOB, value BLOB)";
const EVENT = "CREATE TABLE event (item BLOB, topic INTEGER, id BLOB, at INTEGER, PRIMARY KEY (item, topic, id)) WITHOUT ROWID";
const ITEM = "CREATE TABLE item (item BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID";

/**
 * What bare better-sqlite3 does with the same bytes: per step of the chain one transaction on the log (synchronous FULL) and one on the
 * views (NORMAL: a row per event, an upsert per item), as many chains side by side as `inFlight`. Returns the seconds for all chains.
 */
export function chainFloor(chains: readonly (readonly FloorRecord[])[], inFlight: number, stateBytes: number): number {
  const dir = mkdtempSync(join(tmpdir(), "countersign-floor-"));
  const log = database(dir, "log.db", "FULL");
  const views = database(dir, "views.db", "NORMAL");
  log.exec(LOG);
  views.exec(`${EVENT};${ITEM}`);
  const append = log.prepare("INSERT INTO record (topic, item, value) VALUES (?,?,?)");
  const event = views.prepare("INSERT INTO event VALUES (?,?,?,?) ON CONFLICT DO NOTHING");
  const item = views.prepare("INSERT INTO item VALUES (?,?) ON CONFLICT (item) DO UPDATE SET state = excluded.state");
  const state = Buffer.alloc(stateBytes, 7);
  const appendAll = log.transaction((records: FloorRecord[]) => {
    for (const r of records) append.run(r.topic, r.item, r.value);
  });
  const upsertAll = views.transaction((records: FloorRecord[]) => {
    for (const r of records) {
      event.run(r.item, r.topic, r.id, Date.now());
      item.run(r.item, state);
    }
  });
  const started = performance.now();
  for (let first = 0; first < chains.length; first += inFlight) {
    const side = chains.slice(first, first + inFlight);
    const steps = Math.max(...side.map((c) => c.length));
    for (let step = 0; step < steps; step++) {
      const records = side.map((c) => c[step]).filter((r) => r !== undefined);
      appendAll(records);
      upsertAll(records);
    }
  }
  const seconds = (performance.now() - started) / 1000;
  log.close();
  views.close();
  rmSync(dir, { recursive: true });
  return seconds;
}

/** What bare better-sqlite3 needs to read a log table and upsert a row per event and one per item, 1000 records a transaction. Returns records per second. */
export function rebuildFloor(records: readonly FloorRecord[], stateBytes: number): number {
  const dir = mkdtempSync(join(tmpdir(), "countersign-floor-"));
  const log = database(dir, "log.db", "NORMAL");
  const views = database(dir, "views.db", "NORMAL");
  log.exec(LOG);
  views.exec(`${EVENT};${ITEM}`);
  const append = log.prepare("INSERT INTO record (topic, item, value) VALUES (?,?,?)");
  log.transaction(() => {
    for (const r of records) append.run(r.topic, r.item, r.value);
  })();
  const read = log.prepare("SELECT seq, topic, item, value FROM record WHERE seq > ? ORDER BY seq LIMIT 1000").raw();
  const event = views.prepare("INSERT INTO event VALUES (?,?,?,?) ON CONFLICT DO NOTHING");
  const item = views.prepare("INSERT INTO item VALUES (?,?) ON CONFLICT (item) DO UPDATE SET state = excluded.state");
  const state = Buffer.alloc(stateBytes, 7);
  const started = performance.now();
  let last = 0;
  for (;;) {
    const rows = read.all(last) as [number, number, Buffer, Buffer][];
    if (rows.length === 0) break;
    views.transaction(() => {
      const items = new Map<string, Buffer>();
      for (const [seq, topic, itemId] of rows) {
        event.run(itemId, topic, records[seq - 1]?.id, seq);
        items.set(itemId.toString("latin1"), itemId);
      }
      for (const itemId of items.values()) item.run(itemId, state);
    })();
    last = rows.at(-1)?.[0] as number;
  }
  const rate = records.length / ((performance.now() - started) / 1000);
  log.close();
  views.close();
  rmSync(dir, { recursive: true });
  return rate;
}
