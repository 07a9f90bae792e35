import type Database from "better-sqlite3";
import { sha256 } from "../events/canonical.ts";
import { dueItemId } from "../events/check.ts";
import { type Codec, FRAME_BYTES } from "../events/codec.ts";
import { isUuid } from "../events/ids.ts";
import { type AnyEvent, TOPICS, type Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import { foldEvent } from "../ledger/fold.ts";
import { keyOf, type NodeKey, nodeOf } from "../ledger/item.ts";
import type { Owed } from "../ledger/owed.ts";
import type { LogRecord } from "../log/log.ts";
import { batchWriter } from "./batch-rows.ts";
import { CachedItem, itemReader, todoKey } from "./item-cache.ts";
import { eventBytes, itemBytes, topicNumber } from "./keys.ts";
import type { Overlay } from "./overlay.ts";
import { blobTable, itemWriter, owedBy, type Placed } from "./rows.ts";
import { summarize } from "./summary.ts";

/** What a batch did, for those who wait for it. */
export interface FoldedBatch {
  /** Items that changed. */
  readonly items: ReadonlySet<string>;
  /** What each of them is owed, now and later. */
  readonly owed: ReadonlyMap<string, readonly Owed[]>;
  /** Effective events, in the order in which they took effect, with the length of their bytes. */
  readonly effective: readonly { topic: Topic; itemId: string; event: AnyEvent; bytes: number }[];
  /** Events without effect. */
  readonly refused: readonly { topic: Topic; itemId: string; event: AnyEvent; status: "superseded" | "illegal"; reason: string }[];
  /** True when the views were made again and replaced as a whole: `items` are then those that may have changed, and no event is named. */
  readonly rebuilt?: true;
}

/**
 * Folds batches of records into a views file: in memory at once, into the file a little later, when several batches go in one transaction.
 * A crash in between loses nothing: the file's checkpoint is behind, and the log is folded again from there.
 */
export interface BatchFolder extends Overlay {
  /** Folds in memory. Records below the checkpoint are passed over. */
  fold(records: readonly LogRecord[], partitions: (key: string) => number): FoldedBatch;
  /** Number of records that are folded, but not in the file yet. */
  readonly waiting: number;
  /** Forgets what is in memory: the file is now another. */
  reset(): void;
}

const MOST_CACHED = 4_000;
/** Done items with more events than this stay in memory for a while. */
const MANY_EVENTS = 200;

/** A folder for a views file. `mayWrite` throws inside the transaction when somebody else has taken over the file. */
export function batchFolder(db: Database.Database, codec: Codec, mayWrite: () => void = () => {}): BatchFolder {
  let anyBad = false;
  const read = itemReader(db, codec, () => anyBad);
  const blobs = blobTable(db);
  const writer = itemWriter(db, blobs);
  const addBad = db.prepare("INSERT INTO bad VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const moveOn = db.prepare("INSERT INTO checkpoint VALUES (?,?,?,?) ON CONFLICT (topic, part) DO UPDATE SET next = excluded.next, last = excluded.last");
  const addDocument = db.prepare("INSERT INTO document VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const addBranch = db.prepare("INSERT INTO branch VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const addStanding = db.prepare("INSERT INTO standing VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const addUse = db.prepare("INSERT INTO standing_use VALUES (?,?,?) ON CONFLICT DO NOTHING");
  const addRetry = db.prepare("INSERT INTO retry VALUES (?,?) ON CONFLICT DO NOTHING");
  const batches = batchWriter(db);
  const cache = new Map<string, CachedItem>();
  const hasBad = db.prepare("SELECT 1 FROM bad LIMIT 1");
  const highest = db.prepare("SELECT max(n) FROM item").pluck();
  let lastNumber = 0;
  /** Next offset, by partition and topic. */
  const next: number[] = [];
  // Folded, but not in the file yet.
  const dirty = new Set<CachedItem>();
  /** The last folded record of each partition and topic. */
  const moved: LogRecord[] = [];
  let rows: (() => void)[] = [];
  let waiting = 0;

  function at(id: string): CachedItem {
    let cached = cache.get(id);
    if (cached === undefined) {
      cached = new CachedItem(id);
      const stored = read(cached);
      cached.n = stored.row?.n ?? ++lastNumber;
      cached.restore(stored, blobs);
      // What is stored is what is owed: reading it back would mean to scan the whole list.
      if (cached.stored) for (const owed of owedBy(cached)) cached.storedTodos.add(todoKey(owed));
      cache.set(id, cached);
    }
    return cached;
  }

  function addBadRecord(record: LogRecord, { reason, message, schemaId, unread }: Bad, touched: Set<CachedItem>): void {
    const { topic, partition, offset, key } = record;
    const hash = sha256(record.value ?? new Uint8Array());
    const flags = unread === true && key !== null;
    anyBad = true;
    const item = key === null ? null : itemBytes(key);
    rows.push(() => addBad.run(topicNumber(topic), partition, offset, item, reason, message, schemaId ?? null, hash, flags ? 1 : 0));
    if (!flags) return;
    const cached = at(key);
    cached.badSha256.add(hash);
    touched.add(cached);
  }

  function foldRecord(record: LogRecord, partitionOf: (key: string) => number, touched: Set<CachedItem>, out: Mutable): void {
    const read = readRecord(record, codec, partitionOf);
    if ("reason" in read) {
      addBadRecord(record, read, touched);
      return;
    }
    const { event } = read;
    const value = record.value as Uint8Array;
    const cached = at(event.itemId);
    const entry: Placed = {
      topic: record.topic,
      offset: record.offset,
      event,
      contentSha256: sha256(value.subarray(FRAME_BYTES)).slice(0, 16),
      appendedAt: record.appendedAt,
      value,
    };
    for (const folded of foldEvent(cached.item, cached, entry)) {
      const placed = folded.entry as Placed;
      if (folded.status === "effective") {
        takeEffect(cached, placed, out);
        if (placed.topic === "policies") addPolicy(cached, record.partition, placed);
      } else if (folded.status !== "parked") {
        out.refused.push({ topic: placed.topic, itemId: cached.id, event: placed.event, status: folded.status, reason: folded.reason ?? "" });
      }
    }
    touched.add(cached);
  }

  function takeEffect(cached: CachedItem, placed: Placed, out: Mutable): void {
    const { topic, event } = placed;
    const fallback = topic === "verdicts" && nodeOf(cached.item, "verdicts", event.eventId)?.fallback === true;
    cached.summary = summarize(cached.summary, topic, event, fallback);
    cached.payloads.set(keyOf(topic, event.eventId) as NodeKey, { entry: placed, value: placed.value });
    out.effective.push({ topic, itemId: cached.id, event, bytes: placed.value.length });
    if (isBranchRejection(topic, event)) addBranchOf(cached, event as EventOf["decisions"]);
    if (topic === "batches") rows.push(() => batches.member(cached.n, event as EventOf["batches"]));
    if (topic === "proposals") addProposal(cached, event as EventOf["proposals"]);
    if (topic === "decisions" || topic === "verdicts") addStandingOf(cached, event as EventOf["decisions" | "verdicts"]);
  }

  function addProposal(cached: CachedItem, event: EventOf["proposals"]): void {
    const { run, retryOf } = event;
    if (run?.ended === true) rows.push(() => batches.runEnd(cached.n, event));
    if (retryOf !== null) rows.push(() => addRetry.run(cached.n, itemBytes(retryOf)));
  }

  function addBranchOf(cached: CachedItem, { eventId, occurredAt, message }: EventOf["decisions"]): void {
    const { threadId } = nodeOf(cached.item, "proposals", cached.item.proposal) ?? {};
    const { workspace } = cached.item;
    if (threadId == null || workspace === null) return;
    rows.push(() => addBranch.run(cached.n, eventBytes(eventId), workspace, threadId, occurredAt, message));
  }

  /** A standing approval that an approval gives, or that a verdict rests on. */
  function addStandingOf(cached: CachedItem, event: EventOf["decisions" | "verdicts"]): void {
    const { eventId, standing, actor, workspace, occurredAt } = event;
    if (standing === null) return;
    const id = eventBytes(eventId);
    if (typeof standing === "string") rows.push(() => addUse.run(cached.n, id, eventBytes(standing)));
    else if ((event as EventOf["decisions"]).kind === "approve" && nodeOf(cached.item, "decisions", eventId) !== undefined) {
      // Only the approval that settles: one vote of several is not enough to let others run.
      const { scope, max, amount, until } = standing;
      rows.push(() => addStanding.run(cached.n, id, workspace, actor.id, JSON.stringify(actor.roles), occurredAt, scope, max, amount, until));
    }
  }

  function addPolicy(cached: CachedItem, partition: number, { event: e, offset }: Placed): void {
    const event = e as EventOf["policies"];
    rows.push(() =>
      addDocument.run(
        cached.n,
        partition,
        offset,
        eventBytes(event.eventId),
        event.workspace,
        event.kind,
        event.policyId,
        event.version,
        event.sha256,
        event.document,
        event.occurredAt,
        event.scope,
        event.ends === null ? null : eventBytes(event.ends),
        event.expiresAt,
        event.reason,
        event.actor.id,
      ),
    );
  }

  function foldAll(records: readonly LogRecord[], partitionOf: (key: string) => number): FoldedBatch {
    const touched = new Set<CachedItem>();
    const out: Mutable = { effective: [], refused: [] };
    for (const record of records) {
      const place = record.partition * TOPICS.length + topicNumber(record.topic);
      if (record.offset < (next[place] ?? 0)) continue;
      foldRecord(record, partitionOf, touched, out);
      next[place] = record.offset + 1;
      moved[place] = record;
    }
    const owed = new Map<string, readonly Owed[]>();
    for (const cached of touched) {
      cached.view = undefined;
      dirty.add(cached);
      owed.set(cached.id, owedBy(cached));
    }
    waiting += records.length;
    return { items: new Set(owed.keys()), owed, ...out };
  }

  const store = db.transaction(() => {
    mayWrite();
    for (const row of rows) row();
    for (const cached of dirty) {
      const life = writer.write(cached);
      if (life.stage === "done" && cached.storedTodos.size === 0 && cached.known <= MANY_EVENTS) cache.delete(cached.id);
    }
    writer.writeCounts();
    for (const record of moved) if (record !== undefined) moveOn.run(topicNumber(record.topic), record.partition, record.offset + 1, mark(record));
  });

  function forget(): void {
    dirty.clear();
    moved.length = 0;
    rows = [];
    waiting = 0;
  }

  function reset(): void {
    forget();
    cache.clear();
    blobs.forget();
    writer.forget();
    next.length = 0;
    anyBad = hasBad.get() !== undefined;
    lastNumber = (highest.get() as number | null) ?? 0;
    for (const row of db.prepare("SELECT topic, part, next FROM checkpoint").all() as { topic: number; part: number; next: number }[])
      next[row.part * TOPICS.length + row.topic] = row.next;
  }
  reset();

  return {
    reset,
    get waiting() {
      return waiting;
    },
    fold(records, partitionOf) {
      try {
        return foldAll(records, partitionOf);
      } catch (error) {
        reset();
        throw error;
      }
    },
    hold: (id) => cache.get(id),
    peek(id) {
      const cached = cache.get(id);
      return cached !== undefined && dirty.has(cached) ? cached : undefined;
    },
    flush() {
      if (waiting === 0) return;
      try {
        store.immediate();
      } catch (error) {
        // The transaction is undone, so what was folded in memory must go as well.
        reset();
        throw error;
      }
      forget();
      if (cache.size > MOST_CACHED) for (const id of [...cache.keys()].slice(0, cache.size - MOST_CACHED / 2)) cache.delete(id);
    },
  };
}

/** Whether an effective event rejects a whole branch. */
export function isBranchRejection(topic: Topic, event: AnyEvent): boolean {
  const { kind, scope } = event as EventOf["decisions"];
  return topic === "decisions" && kind === "reject" && scope === "branch";
}

/** Why a record cannot be folded. */
interface Bad {
  readonly reason: string;
  readonly message: string;
  readonly schemaId?: number;
  /** Nobody knows what it says, so its item is flagged. */
  readonly unread?: true;
}

/** The event of a record, or why it cannot be folded. */
function readRecord({ topic, partition, key, value }: LogRecord, codec: Codec, partitionOf: (key: string) => number): { event: AnyEvent } | Bad {
  const decoded = codec.decode(topic, value);
  if (!decoded.ok) {
    const { reason } = decoded;
    if (reason === "undecodable") return { reason, message: decoded.message, unread: true };
    return { reason, message: `schema id ${decoded.schemaId} is not in the registry`, schemaId: decoded.schemaId, unread: true };
  }
  const event = decoded.event as AnyEvent;
  if (event.itemId !== key) return { reason: "wrong_key", message: `the event is of item ${event.itemId}, the record's key is ${key}` };
  if (partitionOf(key) !== partition) return { reason: "wrong_partition", message: `item ${key} belongs in partition ${partitionOf(key)}` };
  // Whatever answers it would have to name it, and no event of ours may: it would be owed for ever.
  if (!isUuid(event.eventId))
    return { reason: "wrong_event_id", message: `its event id ${JSON.stringify(event.eventId).slice(0, 80)} is not a UUID in lower case` };
  const due = dueItemId(topic, event);
  if (due !== undefined && due !== event.itemId) return { reason: "wrong_item_id", message: `workspace and key make item ${due}` };
  return { event };
}

interface Mutable {
  effective: { topic: Topic; itemId: string; event: AnyEvent; bytes: number }[];
  refused: { topic: Topic; itemId: string; event: AnyEvent; status: "superseded" | "illegal"; reason: string }[];
}

/** Tells a record from another one at the same offset: a recreated topic has other bytes there. */
export function mark(record: LogRecord): Buffer {
  return Buffer.from(sha256(record.value ?? new Uint8Array()), "hex").subarray(0, 8);
}
