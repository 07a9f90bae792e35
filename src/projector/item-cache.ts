import type Database from "better-sqlite3";
import type { Codec } from "../events/codec.ts";
import type { AnyEvent, Topic } from "../events/topics.ts";
import { createItem, type Entry, type Finding, type Item, keyOf, type Memory, type NodeKey, type Status } from "../ledger/item.ts";
import { eventBytes, eventIdOfBytes, itemBytes, topicOfNumber } from "./keys.ts";
import type { StoredItemView } from "./reading.ts";
import type { Placed } from "./rows.ts";
import { type Blobs, readState } from "./state.ts";
import type { Summary } from "./summary.ts";

/** An item at hand: its state, what the batch under way has changed, and what of it lies in tables. */
export class CachedItem implements Memory {
  readonly id: string;
  readonly bytes: Buffer | string;
  /** Number of the item in this file. */
  n = 0;
  item: Item;
  summary: Summary = {};
  /** What queries made of it, until the next batch that touches it. */
  view: StoredItemView | undefined;
  /** True when the item has a row. */
  stored = false;
  /** What the row says, to keep counters and todos by difference. */
  storedStage: string | null = null;
  storedTodos = new Set<string>();
  storedPayloads = new Set<NodeKey>();
  /** Payloads of this batch that are not stored yet. */
  readonly payloads = new Map<NodeKey, { entry: Entry; value: Uint8Array }>();
  /** Bad records that flag the item. */
  badSha256: Set<string> = new Set();
  private readonly statuses = new Map<NodeKey, { status: Status; contentSha256: string }>();
  private readonly waiting = new Map<NodeKey, Placed[]>();
  readonly changed = new Map<NodeKey, { entry: Placed; status: Status; reason: string | null }>();
  readonly newlyParked: { cause: NodeKey; entry: Placed }[] = [];
  readonly released: NodeKey[] = [];
  readonly findings: Finding[] = [];

  constructor(id: string) {
    this.id = id;
    this.bytes = itemBytes(id);
    this.item = createItem(id);
  }

  get(key: NodeKey): { status: Status; contentSha256: string } | undefined {
    return this.statuses.get(key);
  }

  set(entry: Entry, status: Status, reason: string | null): void {
    const key = keyOf(entry.topic, entry.event.eventId);
    this.statuses.set(key, { status, contentSha256: entry.contentSha256 });
    this.changed.set(key, { entry: entry as Placed, status, reason });
  }

  park(cause: NodeKey, entry: Entry): void {
    this.newlyParked.push({ cause, entry: entry as Placed });
    const waiting = this.waiting.get(cause);
    if (waiting) waiting.push(entry as Placed);
    else this.waiting.set(cause, [entry as Placed]);
  }

  release(cause: NodeKey): readonly Entry[] {
    const waiting = this.waiting.get(cause);
    if (waiting === undefined) return [];
    this.waiting.delete(cause);
    this.released.push(cause);
    return waiting;
  }

  find(finding: Finding): void {
    this.findings.push(finding);
  }

  /** Flags that no person has cleared. */
  flagged(): boolean {
    for (const sha of this.badSha256) if (!this.item.cleared.includes(sha)) return true;
    return false;
  }

  /** How many events and bad records of it are known: with many, reading them again for each new one would cost too much. */
  get known(): number {
    return this.statuses.size + this.badSha256.size;
  }

  /** Forgets what the batch changed, once it is stored. */
  settle(): void {
    this.changed.clear();
    this.payloads.clear();
    this.newlyParked.length = 0;
    this.released.length = 0;
    this.findings.length = 0;
  }

  /** Puts back what the tables say. */
  restore(rows: StoredItem, blobs: Blobs): void {
    if (rows.row !== undefined) {
      this.stored = true;
      ({ item: this.item, summary: this.summary } = readState(this.id, rows.row.state, blobs));
      this.storedStage = `${rows.row.stage}/${rows.row.outcome}`;
    }
    for (const e of rows.events)
      this.statuses.set(keyOf(topicOfNumber(e.topic), eventIdOfBytes(e.id)), { status: STATUSES[e.status] as Status, contentSha256: e.hash.toString("hex") });
    for (const p of rows.parked) {
      const waiting = this.waiting.get(p.cause) ?? [];
      waiting.push(p.entry);
      this.waiting.set(p.cause, waiting);
    }
    for (const p of rows.payloads) this.storedPayloads.add(p);
    this.badSha256 = new Set(rows.bad);
  }
}

/** Statuses by their number in the views. */
export const STATUSES: readonly Status[] = ["effective", "superseded", "illegal", "parked"];

/** What the tables hold of an item. */
export interface StoredItem {
  readonly row: { n: number; state: Buffer; stage: number; outcome: number | null } | undefined;
  readonly events: { topic: number; id: Buffer | string; status: number; hash: Buffer }[];
  readonly parked: { cause: NodeKey; entry: Placed }[];
  readonly payloads: NodeKey[];
  readonly bad: string[];
}

/** Reads items from the tables. `anyBad`: whether there are rows in `bad` at all; most ledgers have none, and looking costs as much as the item itself. */
export function itemReader(db: Database.Database, codec: Codec, anyBad: () => boolean): (cached: CachedItem) => StoredItem {
  const row = db.prepare("SELECT n, state, stage, outcome FROM item WHERE id = ?");
  const events = db.prepare("SELECT topic, id, status, hash FROM event WHERE item = ?");
  const parked = db.prepare("SELECT cause, topic, off, value FROM parked WHERE item = ? ORDER BY topic, off");
  const rest = db.prepare("SELECT appended, hash FROM event WHERE item = ? AND topic = ? AND id = ?");
  const payloads = db.prepare("SELECT topic, id FROM payload WHERE item = ?");
  const bad = db.prepare("SELECT sha256 FROM bad WHERE item = ? AND flags = 1");
  return ({ bytes }) => {
    const found = row.get(bytes) as StoredItem["row"];
    const flags = anyBad() ? (bad.all(bytes) as { sha256: string }[]).map((b) => b.sha256) : [];
    if (found === undefined) return { row: undefined, events: [], parked: [], payloads: [], bad: flags };
    const rows = events.all(found.n) as StoredItem["events"];
    return {
      row: found,
      events: rows,
      parked: rows.some((e) => e.status === 3) ? (parked.all(found.n) as ParkedRow[]).map((p) => parkedEntry(found.n, p, codec, rest)) : [],
      payloads: (payloads.all(found.n) as { topic: number; id: Buffer | string }[]).map((p) => keyOf(topicOfNumber(p.topic), eventIdOfBytes(p.id))),
      bad: flags,
    };
  };
}

interface ParkedRow {
  cause: string;
  topic: number;
  off: number;
  value: Buffer;
}

function parkedEntry(n: number, p: ParkedRow, codec: Codec, rest: Database.Statement): { cause: NodeKey; entry: Placed } {
  const topic: Topic = topicOfNumber(p.topic);
  const decoded = codec.decode(topic, p.value);
  if (!decoded.ok) throw new Error(`a parked event of ${topic} at offset ${p.off} no longer decodes`);
  const event = decoded.event as AnyEvent;
  const { appended, hash } = rest.get(n, p.topic, eventBytes(event.eventId)) as { appended: number; hash: Buffer };
  return { cause: p.cause as NodeKey, entry: { topic, offset: p.off, event, contentSha256: hash.toString("hex"), appendedAt: appended, value: p.value } };
}

/** One text for a todo, to compare what is owed with what is stored. */
export function todoKey(t: { worker: string; due: number; duty: string; cause: string; names: string | null }): string {
  return JSON.stringify([t.worker, t.due, t.duty, t.cause, t.names ?? ""]);
}
