import type Database from "better-sqlite3";
import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { Entry, Item } from "../ledger/item.ts";
import { type Life, lifeOf } from "../ledger/life.ts";
import { type Owed, owedTo, stepEnds } from "../ledger/owed.ts";
import { isGrant } from "../ledger/resumes.ts";
import { spendsOf } from "../ledger/spend.ts";
import { OUTCOMES, STAGES } from "../ledger/stages.ts";
import { type CachedItem, STATUSES, todoKey } from "./item-cache.ts";
import { eventBytes, topicNumber } from "./keys.ts";
import { type Blobs, writeState } from "./state.ts";
import { riskRank } from "./summary.ts";

/** An entry with its place in the log and its bytes. */
export interface Placed extends Entry {
  readonly appendedAt: number;
  readonly value: Uint8Array;
}

/** Payloads beyond this are read from the log when they are asked for. */
const MOST_PAYLOAD = 64 * 1024;
const KEPT: ReadonlySet<Topic> = new Set(["proposals", "verdicts", "resumes"]);

/** What happened, in one word, for timelines. */
export function whatOf(topic: Topic, event: AnyEvent): string {
  const e = event as Partial<EventOf["decisions"] & EventOf["resumes"] & EventOf["verdicts"]>;
  if (topic === "decisions" || topic === "receipts" || topic === "policies") return String(e.kind);
  if (topic === "resumes") return String(e.outcome);
  if (topic === "verdicts") return String(e.route);
  return topic === "proposals" ? (event as EventOf["proposals"]).ask : "sealed";
}

/**
 * Writes what a batch changed: item by item, then what they come to in the counters. All statements are prepared once; the caller holds
 * the transaction, and says `forget` when it was undone.
 */
export function itemWriter(db: Database.Database, blobs: Blobs): { write(cached: CachedItem): Life; writeCounts(): void; forget(): void } {
  const event = db.prepare(
    `INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (item, topic, id) DO UPDATE SET status = excluded.status, reason = excluded.reason`,
  );
  const item = db.prepare(
    `INSERT INTO item VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (n) DO UPDATE SET state = excluded.state, stage = excluded.stage,
     outcome = excluded.outcome, owner = excluded.owner, agent = excluded.agent, risk = excluded.risk, deadline = excluded.deadline, proposed = excluded.proposed, flagged = excluded.flagged,
     spent = excluded.spent, waits = excluded.waits, thread = excluded.thread`,
  );
  const addTodo = db.prepare("INSERT INTO todo (worker, due, item, duty, cause, names) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const endTodo = db.prepare("DELETE FROM todo WHERE worker = ? AND due = ? AND item = ? AND duty = ? AND cause = ? AND names = ?");
  const addPayload = db.prepare("INSERT INTO payload VALUES (?,?,?,?) ON CONFLICT DO NOTHING");
  const endPayloads = db.prepare("DELETE FROM payload WHERE item = ?");
  const addParked = db.prepare("INSERT INTO parked VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING");
  const endParked = db.prepare("DELETE FROM parked WHERE item = ? AND cause = ?");
  const finding = db.prepare("INSERT INTO finding VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING");
  const count = db.prepare("INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n");
  /** By how much the counters are behind: most items of a batch move the same two. */
  const counted = new Map<string, number>();
  const add = (name: string, n: number) => counted.set(name, (counted.get(name) ?? 0) + n);

  function writeTodos(cached: CachedItem, owed: readonly Owed[]): void {
    if (owed.length === 0 && cached.storedTodos.size === 0) return;
    const now = new Set<string>();
    for (const o of owed) {
      const key = todoKey(o);
      now.add(key);
      if (!cached.storedTodos.has(key)) addTodo.run(o.worker, o.due, cached.n, o.duty, o.cause, o.names ?? "");
    }
    for (const key of cached.storedTodos) {
      if (now.has(key)) continue;
      const [worker, due, duty, cause, names] = JSON.parse(key) as [string, number, string, string, string];
      endTodo.run(worker, due, cached.n, duty, cause, names);
    }
    cached.storedTodos = now;
  }

  function writePayloads(cached: CachedItem, atRest: boolean): void {
    if (atRest) {
      if (cached.storedPayloads.size > 0) endPayloads.run(cached.n);
      cached.storedPayloads.clear();
      return;
    }
    for (const [key, { entry, value }] of cached.payloads) {
      if (!KEPT.has(entry.topic) || value.length > MOST_PAYLOAD || cached.storedPayloads.has(key)) continue;
      addPayload.run(cached.n, topicNumber(entry.topic), eventBytes(entry.event.eventId), value);
      cached.storedPayloads.add(key);
    }
  }

  function write(cached: CachedItem): Life {
    const state = cached.item;
    for (const { entry, status, reason } of cached.changed.values()) writeEvent(event, cached, entry, status, reason);
    for (const cause of cached.released) endParked.run(cached.n, cause);
    for (const { cause, entry } of cached.newlyParked)
      if (!cached.released.includes(cause)) addParked.run(cached.n, cause, topicNumber(entry.topic), entry.offset, entry.value);
    for (const f of cached.findings) finding.run(cached.n, f.code, topicNumber(f.topic), eventBytes(f.eventId), f.offset ?? -1);
    const life = lifeOf(state);
    const owed = owedBy(cached);
    writeTodos(cached, owed);
    writePayloads(cached, life.stage === "done" && owed.length === 0 && isOver(state, life));
    const stage = STAGES.indexOf(life.stage);
    const outcome = life.outcome === null ? null : OUTCOMES.indexOf(life.outcome);
    const proposal = state.proposal === null ? null : cached.summary;
    const deadline = deadlineOf(life);
    const owner = life.verdict?.group.owner ?? null;
    item.run(
      cached.n,
      cached.bytes,
      writeState(state, cached.summary, blobs),
      stage,
      outcome,
      owner,
      cached.summary.agent ?? null,
      riskRank(cached.summary.risk),
      deadline,
      proposal === null ? null : proposedAt(state.proposal as string),
      cached.flagged() ? 1 : 0,
      spentAt(state),
      waitsForPerson(life) ? 1 : 0,
      cached.summary.threadId ?? null,
    );
    const name = `${stage}/${outcome}`;
    if (proposal !== null && cached.storedStage !== name) {
      if (cached.storedStage !== null && !cached.storedStage.startsWith("0/")) add(cached.storedStage, -1);
      add(name, 1);
    }
    cached.storedStage = name;
    cached.stored = true;
    cached.settle();
    return life;
  }

  return {
    write,
    writeCounts() {
      for (const [name, n] of counted) count.run(name, n);
      counted.clear();
    },
    forget: () => counted.clear(),
  };
}

/** Whether nothing can be owed again: whether a batch ended at a time of rest in between must not show in the payloads that are kept. */
function isOver(item: Item, life: Life): boolean {
  if (life.review === "none") return true;
  if (life.review === "open") return false;
  for (const node of item.nodes.values()) {
    if (node.topic === "resumes" && isGrant(node.outcome) && node.group.closedBy === null) return false;
    if (node.topic === "receipts" && node.kind === "unknown" && node.settle === null) return false;
  }
  return true;
}

/** The latest time from which on something of an item counts toward budgets; null where nothing does. */
function spentAt(item: Item): number | null {
  let latest: number | null = null;
  for (const { at } of spendsOf(item)) if (latest === null || at > latest) latest = at;
  return latest;
}

/** What an item is owed as the todo list has it. A flagged item gets no grant: that todo stays, but is never due, so that it does not stand in the way of others. */
export function owedBy(cached: CachedItem): readonly Owed[] {
  const owed = owedTo(cached.item);
  if (!cached.flagged()) return owed;
  return owed.map((o) =>
    o.duty === "resume" && isGrant(o.names as EventOf["resumes"]["outcome"]) && !isWithdrawn(cached.item, o) ? { ...o, due: Number.MAX_SAFE_INTEGER } : o,
  );
}

/** A verdict that was withdrawn, or that its review refused, is answered by `withheld`, which lets nothing run. */
function isWithdrawn(item: Item, { cause }: Owed): boolean {
  const node = item.nodes.get(cause);
  return node?.topic === "verdicts" && (node.group.withdrawn || node.group.closedBy?.kind === "reject");
}

function writeEvent(statement: Database.Statement, cached: CachedItem, entry: Placed, status: (typeof STATUSES)[number], reason: string | null): void {
  const { event, topic } = entry;
  statement.run(
    cached.n,
    topicNumber(topic),
    eventBytes(event.eventId),
    STATUSES.indexOf(status),
    whatOf(topic, event),
    reason,
    event.answers === null ? null : topicIndex(event.answers.topic),
    event.answers === null ? null : eventBytes(event.answers.eventId),
    `${event.actor.kind}:${event.actor.id}`,
    event.occurredAt,
    entry.offset,
    entry.appendedAt,
    Buffer.from(entry.contentSha256, "hex"),
  );
}

function topicIndex(topic: string): number {
  return topic === "unrecognized" ? -1 : topicNumber(topic as Topic);
}

/** Whether a person has something to do: decide, review what runs already, or settle what nobody knows the end of. */
export function waitsForPerson({ stage, review }: Life): boolean {
  return stage === "pending" || stage === "in_doubt" || review === "open";
}

/** When the time to decide is over at this step: the next step of the ladder, or the expiry. Null where nobody decides. */
export function deadlineOf({ verdict, stage, review }: Life): number | null {
  if (verdict === null || verdict.group.held || (stage !== "pending" && review !== "open")) return null;
  return stepEnds(verdict);
}

/** Milliseconds of a UUIDv7: an order for lists that needs no clock of ours. 0 for other ids. */
export function proposedAt(eventId: string): number {
  return Number.parseInt(eventId.replaceAll("-", "").slice(0, 12), 16) || 0;
}

/** Blobs in their table, with a memory of those that were written. */
export function blobTable(db: Database.Database): Blobs & { forget(): void } {
  const put = db.prepare("INSERT INTO blob VALUES (?, ?) ON CONFLICT DO NOTHING");
  const get = db.prepare("SELECT text FROM blob WHERE sha256 = ?").pluck();
  const known = new Map<string, string>();
  return {
    put(sha256, text) {
      if (known.has(sha256)) return;
      put.run(Buffer.from(sha256, "hex"), text);
      if (known.size > 2000) known.clear();
      known.set(sha256, text);
    },
    // After a transaction that was undone: what it wrote is not there, and must be written again.
    forget: () => known.clear(),
    get(sha256) {
      return known.get(sha256) ?? (get.get(Buffer.from(sha256, "hex")) as string);
    },
  };
}
