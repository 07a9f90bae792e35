import type Database from "better-sqlite3";
import { CountersignError } from "../errors.ts";
import type { Topic } from "../events/topics.ts";
import type { Item, NodeKey, Status } from "../ledger/item.ts";
import { keyOf } from "../ledger/item.ts";
import { type Life, lifeOf } from "../ledger/life.ts";
import type { Duty, WorkerName } from "../ledger/owed.ts";
import { OUTCOMES, type Outcome, STAGES, type Stage } from "../ledger/stages.ts";
import { type BadRecord, type BadRow, badRecord } from "./bad-records.ts";
import { type CachedItem, STATUSES } from "./item-cache.ts";
import { eventBytes, eventIdOfBytes, itemBytes, itemIdOfBytes, topicNumber, topicOfNumber } from "./keys.ts";
import { overlayOf } from "./overlay.ts";
import { blobTable, deadlineOf, proposedAt, whatOf } from "./rows.ts";
import { readState } from "./state.ts";
import { riskRank, type Summary } from "./summary.ts";

/** An item as lists show it. */
export interface ListedItem {
  readonly itemId: string;
  readonly summary: Summary;
  readonly stage: Stage;
  readonly outcome: Outcome | null;
  readonly owner: string | null;
  /** When the time to decide is over, in milliseconds since the epoch. */
  readonly deadline: number | null;
  /** When it was proposed, by the proposal's id. */
  readonly proposedAt: number;
  readonly flagged: boolean;
}

/** An item with its folded state. */
export interface StoredItemView extends ListedItem {
  readonly item: Item;
  readonly life: Life;
}

/** One line of an item's timeline. */
export interface TimelineEntry {
  readonly topic: Topic;
  readonly eventId: string;
  readonly what: string;
  readonly status: Status;
  readonly reason: string | null;
  readonly answers: NodeKey | null;
  readonly actor: string;
  readonly occurredAt: number;
  readonly offset: number;
  readonly appendedAt: number;
}

/** An event that a worker owes. */
export interface Todo {
  readonly itemId: string;
  readonly duty: Duty;
  readonly cause: NodeKey;
  readonly due: number;
  readonly names: string | null;
}

/** What to take of the queue. */
export interface QueueFilter {
  readonly owners?: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
  /** Continue behind this place, which `queuePlace` gave; it holds also when the item there has left the queue. */
  readonly after?: QueuePlace;
}

/** A place in the order of the queue: rank of the risk, deadline, when it was proposed, item. */
export type QueuePlace = readonly [risk: number, deadline: number, proposedAt: number, itemId: string];

/** Stands for "no deadline" in the order of the queue. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The place of a listed item in the queue. */
export function queuePlace(item: ListedItem): QueuePlace {
  return [riskRank(item.summary.risk) ?? -1, item.deadline ?? NEVER, item.proposedAt, item.itemId];
}

/** What to list. */
export interface ListFilter {
  /** First hex digits of the item ids. */
  readonly idPrefix?: string;
  readonly stage?: Stage;
  readonly outcome?: Outcome;
  readonly owners?: readonly string[];
  readonly agent?: string;
  readonly limit?: number;
  /** Continue after this item of the same list. */
  readonly after?: string;
}

type Row = {
  n: number;
  id: Buffer;
  state: Buffer;
  stage: number;
  outcome: number | null;
  owner: string | null;
  deadline: number | null;
  proposed: number | null;
  flagged: number;
  risk: number | null;
};

/** The queries that everything else reads through. */
export type Queries = ReturnType<typeof openQueries>;

const COLUMNS = "n, id, state, stage, outcome, owner, risk, deadline, proposed, flagged";
const OF = "(SELECT n FROM item WHERE id = ?)";

/** Reads a views file. */
export function openQueries(views: Database.Database) {
  const overlay = overlayOf(views);
  const blobs = blobTable(views);
  // Whoever asks for rows gets all that is folded: the file is brought up to date first.
  const db = {
    prepare(sql: string) {
      const statement = views.prepare(sql);
      const fresh = {
        all: (...values: unknown[]) => {
          overlay.flush();
          return statement.all(...values);
        },
        get: (...values: unknown[]) => {
          overlay.flush();
          return statement.get(...values);
        },
        pluck: () => {
          statement.pluck();
          return fresh;
        },
      };
      return fresh;
    },
  };
  const one = db.prepare(`SELECT ${COLUMNS} FROM item WHERE id = ?`);
  const timeline = db.prepare(`SELECT * FROM event WHERE item = ${OF} ORDER BY appended, topic, off`);
  const todos = db.prepare(
    "SELECT id, duty, cause, due, names FROM todo JOIN item ON item.n = todo.item WHERE worker = ? AND due <= ? ORDER BY due, item LIMIT ?",
  );
  const nextDue = db.prepare("SELECT MIN(due) FROM todo WHERE worker = ?").pluck();
  const badOf = db.prepare("SELECT * FROM bad WHERE item = ? ORDER BY topic, part, off");
  const findingsOf = db.prepare(`SELECT code, topic, id, off FROM finding WHERE item = ${OF} ORDER BY code, topic, off`);

  function listed(row: Row): ListedItem {
    const { stage, outcome, owner, deadline, proposed, flagged } = row;
    const itemId = itemIdOfBytes(row.id);
    return {
      itemId,
      summary: readState(itemId, row.state, blobs).summary,
      stage: STAGES[stage] as Stage,
      outcome: outcome === null ? null : (OUTCOMES[outcome] as Outcome),
      owner,
      deadline,
      proposedAt: proposed ?? 0,
      flagged: flagged === 1,
    };
  }

  // These are asked for while items are in flight, so they look at what is in memory before they touch the file.
  const oneNow = views.prepare(`SELECT ${COLUMNS} FROM item WHERE id = ?`);
  const byNumber = views.prepare("SELECT id, state FROM item WHERE n = ?");
  const payloadNow = views.prepare(`SELECT value FROM payload WHERE item = ${OF} AND topic = ? AND id = ?`).pluck();
  const placeNow = views.prepare(`SELECT off FROM event WHERE item = ${OF} AND topic = ? AND id = ?`).pluck();
  const withdrawalNow = views
    .prepare(`SELECT 1 FROM event WHERE item = ${OF} AND topic = ${topicNumber("decisions")} AND what = 'withdraw' AND status = ? AND actor = ? LIMIT 1`)
    .pluck();
  const rulingNow = views.prepare(`SELECT status, reason, what, actor, off FROM event WHERE item = ${OF} AND topic = ? AND id = ?`);

  return {
    /** An item with its state; undefined when the views know nothing of it. */
    item(itemId: string): StoredItemView | undefined {
      const cached = overlay.peek(itemId);
      if (cached !== undefined) return viewOf(cached);
      const row = oneNow.get(itemBytes(itemId)) as Row | undefined;
      if (row === undefined) return undefined;
      const { item } = readState(itemId, row.state, blobs);
      return { ...listed(row), item, life: lifeOf(item) };
    },

    /** Every event of an item with its place, by append time. */
    timeline(itemId: string): TimelineEntry[] {
      return (timeline.all(itemBytes(itemId)) as EventRow[]).map((e) => ({
        topic: topicOfNumber(e.topic),
        eventId: eventIdOfBytes(e.id),
        what: e.what,
        status: STATUSES[e.status] as Status,
        reason: e.reason,
        answers: e.cause === null || e.cause_topic === null ? null : `${topicOfNumber(e.cause_topic)}/${eventIdOfBytes(e.cause)}`,
        actor: e.actor,
        occurredAt: e.at,
        offset: e.off,
        appendedAt: e.appended,
      }));
    },

    /** What became of one event; undefined when it is not folded yet. */
    event(itemId: string, topic: Topic, eventId: string): { status: Status; reason: string | null; what: string; actor: string; offset: number } | undefined {
      const changed = overlay.peek(itemId)?.changed.get(keyOf(topic, eventId));
      if (changed !== undefined) {
        const { entry, status, reason } = changed;
        return { status, reason, what: whatOf(topic, entry.event), actor: `${entry.event.actor.kind}:${entry.event.actor.id}`, offset: entry.offset };
      }
      const row = rulingNow.get(itemBytes(itemId), topicNumber(topic), eventBytes(eventId)) as
        | Pick<EventRow, "status" | "reason" | "what" | "actor" | "off">
        | undefined;
      return row === undefined ? undefined : { status: STATUSES[row.status] as Status, reason: row.reason, what: row.what, actor: row.actor, offset: row.off };
    },

    /** Whether somebody (`<kind>:<id>`) withdrew an item and something else had come first. Asked for every grant, so it is read without bringing the file up to date. */
    withdrawnTooLate(itemId: string, actor: string): boolean {
      for (const { entry, status } of overlay.peek(itemId)?.changed.values() ?? []) {
        const { kind: by, id } = entry.event.actor;
        if (entry.topic === "decisions" && status === "superseded" && whatOf("decisions", entry.event) === "withdraw" && `${by}:${id}` === actor) return true;
      }
      return withdrawalNow.get(itemBytes(itemId), STATUSES.indexOf("superseded"), actor) !== undefined;
    },

    /** What waits for a person: by risk, highest first, then by deadline, then by age. */
    queue(filter: QueueFilter = {}): ListedItem[] {
      const { owners, limit = 100, offset = 0, after } = filter;
      const where = ["waits = 1"];
      const values: (string | number | Buffer)[] = [];
      const add = (sql: string, ...v: (string | number | Buffer)[]) => {
        where.push(sql);
        values.push(...v);
      };
      if (owners !== undefined) add(`owner IN (${owners.map(() => "?").join(",")})`, ...owners);
      if (after !== undefined) {
        const [risk, deadline, proposed, itemId] = after;
        add(`(-COALESCE(risk, -1), COALESCE(deadline, ${NEVER}), proposed, id) > (?, ?, ?, ?)`, -risk, deadline, proposed, itemBytes(itemId));
      }
      const rows = db
        .prepare(`SELECT ${COLUMNS} FROM item WHERE ${where.join(" AND ")} ORDER BY risk DESC, deadline IS NULL, deadline, proposed, id LIMIT ? OFFSET ?`)
        .all(...values, limit, offset);
      return (rows as Row[]).map(listed);
    },

    /** Items, newest first. */
    list(filter: ListFilter = {}): ListedItem[] {
      const where = ["proposed IS NOT NULL"];
      const values: (string | number | Buffer)[] = [];
      const add = (sql: string, ...v: (string | number | Buffer)[]) => {
        where.push(sql);
        values.push(...v);
      };
      if (filter.idPrefix !== undefined) add("id BETWEEN ? AND ?", itemBytes(filter.idPrefix.padEnd(32, "0")), itemBytes(filter.idPrefix.padEnd(32, "f")));
      if (filter.stage !== undefined) add("stage = ?", STAGES.indexOf(filter.stage));
      if (filter.outcome !== undefined) add("outcome = ?", OUTCOMES.indexOf(filter.outcome));
      if (filter.owners !== undefined) add(`owner IN (${filter.owners.map(() => "?").join(",")})`, ...filter.owners);
      if (filter.agent !== undefined) add("agent = ?", filter.agent);
      if (filter.after !== undefined) {
        const last = one.get(itemBytes(filter.after)) as Row | undefined;
        // From the beginning again would be an endless loop for whoever pages.
        if (last === undefined)
          throw new CountersignError("request_invalid", `The list cannot go on after ${filter.after}: there is no such item`, {
            field: "after",
            value: filter.after,
          });
        add("(proposed, id) < (?, ?)", last.proposed ?? 0, last.id);
      }
      const rows = db
        .prepare(`SELECT ${COLUMNS} FROM item WHERE ${where.join(" AND ")} ORDER BY proposed DESC, id DESC LIMIT ?`)
        .all(...values, filter.limit ?? 100);
      return (rows as Row[]).map(listed);
    },

    /** What a worker owes now. */
    todos(worker: WorkerName, now: number, limit = 500): Todo[] {
      return (todos.all(worker, now, limit) as { id: Buffer; duty: Duty; cause: NodeKey; due: number; names: string }[]).map((t) => ({
        itemId: itemIdOfBytes(t.id),
        duty: t.duty,
        cause: t.cause,
        due: t.due,
        names: t.names === "" ? null : t.names,
      }));
    },

    /** Items of which something may run, runs, or ended nobody knows how. */
    running(): string[] {
      return (db.prepare("SELECT id FROM item WHERE stage IN (5, 6, 7)").pluck().all() as Buffer[]).map(itemIdOfBytes);
    },

    /** Items that were proposed before a time, the first one first. */
    *proposedBefore(time: number): Generator<string> {
      const page = db.prepare(
        "SELECT n, id, proposed FROM item WHERE proposed IS NOT NULL AND (proposed, n) > (?, ?) AND proposed < ? ORDER BY proposed, n LIMIT 1000",
      );
      for (let [proposed, n] = [-1, -1]; ; ) {
        const rows = page.all(proposed, n, time) as Pick<Row, "n" | "id" | "proposed">[];
        for (const row of rows) yield itemIdOfBytes(row.id);
        const last = rows.at(-1);
        if (last === undefined) return;
        [proposed, n] = [last.proposed ?? 0, last.n];
      }
    },

    /** Items of a run that are not done. */
    openInThread(threadId: string): string[] {
      return (db.prepare("SELECT id FROM item WHERE thread = ? AND stage < 8").pluck().all(threadId) as Buffer[]).map(itemIdOfBytes);
    },

    /** When a worker's next event is due; null when none is. */
    nextDue(worker: WorkerName): number | null {
      return nextDue.get(worker) as number | null;
    },

    /** Bytes of an event that the views keep, or undefined: then it is in the log at `offsetOf`. */
    payload(itemId: string, topic: Topic, eventId: string): Buffer | undefined {
      return (
        (overlay.peek(itemId)?.payloads.get(keyOf(topic, eventId))?.value as Buffer | undefined) ??
        (payloadNow.get(itemBytes(itemId), topicNumber(topic), eventBytes(eventId)) as Buffer | undefined)
      );
    },

    /** Offset of an event, or undefined. */
    offsetOf(itemId: string, topic: Topic, eventId: string): number | undefined {
      return (
        overlay.peek(itemId)?.changed.get(keyOf(topic, eventId))?.entry.offset ??
        (placeNow.get(itemBytes(itemId), topicNumber(topic), eventBytes(eventId)) as number | undefined)
      );
    },

    /** Records of an item that could not be folded. */
    badOf(itemId: string): BadRecord[] {
      return (badOf.all(itemBytes(itemId)) as BadRow[]).map(badRecord);
    },

    /** Findings of an item. */
    findingsOf(itemId: string): { code: string; topic: Topic; eventId: string; offset: number | null }[] {
      return (findingsOf.all(itemBytes(itemId)) as { code: string; topic: number; id: Buffer; off: number }[]).map((f) => ({
        code: f.code,
        topic: topicOfNumber(f.topic),
        eventId: eventIdOfBytes(f.id),
        offset: f.off < 0 ? null : f.off,
      }));
    },

    /** All records that could not be folded, newest last. */
    bad(limit = 100): BadRecord[] {
      return (db.prepare("SELECT * FROM bad ORDER BY topic, part, off LIMIT ?").all(limit) as BadRow[]).map(badRecord);
    },

    /** Findings of all items. */
    findings(limit = 100): { itemId: string; code: string; topic: Topic; eventId: string; offset: number | null }[] {
      const rows = db
        .prepare(
          "SELECT item.id AS itemId, code, topic, finding.id AS id, off FROM finding JOIN item ON item.n = finding.item ORDER BY item.id, code, topic, off LIMIT ?",
        )
        .all(limit) as { itemId: Buffer; code: string; topic: number; id: Buffer; off: number }[];
      return rows.map((f) => ({
        itemId: itemIdOfBytes(f.itemId),
        code: f.code,
        topic: topicOfNumber(f.topic),
        eventId: eventIdOfBytes(f.id),
        offset: f.off < 0 ? null : f.off,
      }));
    },

    /** Items that a bad record flags and nobody has cleared. */
    /** Proposals that the rules refuse, where no legal one has made the item since: whoever wrote them would wait for ever. */
    proposalsOfNoItem(limit = 100): { itemId: string; eventId: string; offset: number; actor: string; reason: string }[] {
      const rows = db
        .prepare(
          "SELECT item.id AS itemId, event.id AS id, off, actor, reason FROM item JOIN event ON event.item = item.n AND event.topic = ? WHERE item.proposed IS NULL AND event.status = ? ORDER BY at LIMIT ?",
        )
        .all(topicNumber("proposals"), STATUSES.indexOf("illegal"), limit) as { itemId: Buffer; id: Buffer; off: number; actor: string; reason: string }[];
      return rows.map(({ itemId, id, off, actor, reason }) => ({ itemId: itemIdOfBytes(itemId), eventId: eventIdOfBytes(id), offset: off, actor, reason }));
    },

    flagged(limit = 100): string[] {
      return (db.prepare("SELECT id FROM item WHERE flagged = 1 ORDER BY id LIMIT ?").pluck().all(limit) as Buffer[]).map(itemIdOfBytes);
    },

    /** Parked events by item and cause. */
    parked(limit = 100): { itemId: string; cause: string; topic: Topic; offset: number }[] {
      const rows = db
        .prepare("SELECT id, cause, topic, off FROM parked JOIN item ON item.n = parked.item ORDER BY id, cause, topic, off LIMIT ?")
        .all(limit) as { id: Buffer; cause: string; topic: number; off: number }[];
      return rows.map((p) => ({ itemId: itemIdOfBytes(p.id), cause: p.cause, topic: topicOfNumber(p.topic), offset: p.off }));
    },

    /** How many items are in each stage, and of the done ones how they ended. */
    counts(): { stages: { [stage: string]: number }; outcomes: { [outcome: string]: number } } {
      const stages: { [stage: string]: number } = {};
      const outcomes: { [outcome: string]: number } = {};
      for (const { name, n } of db.prepare("SELECT name, n FROM counter WHERE n <> 0").all() as { name: string; n: number }[]) {
        const [stage, outcome] = name.split("/") as [string, string];
        const key = STAGES[Number(stage)] as string;
        stages[key] = (stages[key] ?? 0) + n;
        if (outcome !== "null") outcomes[OUTCOMES[Number(outcome)] as string] = n;
      }
      return { stages, outcomes };
    },

    /** Numbers of rows, for doctor. */
    totals(): { items: number; events: number; parked: number; bad: number; findings: number; todos: number } {
      const n = (sql: string) => db.prepare(sql).pluck().get() as number;
      return {
        items: n("SELECT count(*) FROM item WHERE proposed IS NOT NULL"),
        events: n("SELECT count(*) FROM event"),
        parked: n("SELECT count(*) FROM parked"),
        bad: n("SELECT count(*) FROM bad"),
        findings: n("SELECT count(*) FROM finding"),
        todos: n("SELECT count(*) FROM todo WHERE due = 0"),
      };
    },

    /** Items of which something counts toward budgets: what is reserved, and what began at a time or later. */
    *spent(since: number): Generator<Item> {
      // One after the other: with the states of a long window all at once, a ledger would start with gigabytes.
      for (const n of db.prepare("SELECT n FROM item WHERE spent >= ? ORDER BY spent, n").pluck().all(since) as number[]) {
        const row = byNumber.get(n) as Pick<Row, "id" | "state"> | undefined;
        if (row !== undefined) yield readState(itemIdOfBytes(row.id), row.state, blobs).item;
      }
    },

    /** A policy document that is or was in force; undefined where there is none of this hash. */
    document(sha256: string): { policyId: string; version: string; document: string } | undefined {
      return db.prepare("SELECT policy_id AS policyId, version, document FROM document WHERE kind = 'policy' AND sha256 = ? LIMIT 1").get(sha256) as
        | { policyId: string; version: string; document: string }
        | undefined;
    },

    /** The policy documents in force: of each policy item the last one published. */
    policies(): { workspace: string; policyId: string; version: string; sha256: string; document: string; eventId: string }[] {
      const rows = db
        .prepare(
          "SELECT workspace, policy_id AS policyId, version, sha256, document, id, max(off) FROM document WHERE kind = 'policy' GROUP BY item ORDER BY workspace, policy_id",
        )
        .all() as { workspace: string; policyId: string; version: string; sha256: string; document: string; id: Buffer }[];
      return rows.map(({ id, workspace, policyId, version, sha256, document }) => ({
        workspace,
        policyId,
        version,
        sha256,
        document,
        eventId: eventIdOfBytes(id),
      }));
    },
  };
}

interface EventRow {
  topic: number;
  id: Buffer;
  status: number;
  what: string;
  reason: string | null;
  cause_topic: number | null;
  cause: Buffer | string | null;
  actor: string;
  at: number;
  off: number;
  appended: number;
}

/** A view of an item that the file does not have as it is now. Nodes are copied: folding goes on and changes them in place. */
function viewOf({ id, item, summary, ...cached }: CachedItem): StoredItemView {
  const copy = { ...item, nodes: new Map([...item.nodes].map(([key, node]) => [key, { ...node }])) };
  const life = lifeOf(copy);
  return {
    itemId: id,
    summary,
    stage: life.stage,
    outcome: life.outcome,
    owner: life.verdict?.group.owner ?? null,
    deadline: deadlineOf(life),
    proposedAt: item.proposal === null ? 0 : proposedAt(item.proposal),
    flagged: [...cached.badSha256].some((sha) => !item.cleared.includes(sha)),
    item: copy,
    life,
  };
}
