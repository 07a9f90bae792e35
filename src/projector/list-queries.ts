import { CountersignError } from "../errors.ts";
import type { Item, NodeKey } from "../ledger/item.ts";
import type { Duty, WorkerName } from "../ledger/owed.ts";
import { OUTCOMES, type Outcome, STAGES, type Stage } from "../ledger/stages.ts";
import { itemBytes, itemIdOfBytes } from "./keys.ts";
import { COLUMNS, type ListedItem, type Reading, type Row } from "./reading.ts";
import { NEVER, QUEUE_ORDER } from "./schema.ts";
import { readState } from "./state.ts";
import { riskRank } from "./summary.ts";

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
  /** With it what executors are late with is in the queue too: a retry or a roll_back that nobody has started by then. In milliseconds since the epoch. */
  readonly now?: number;
}

/** A place in the order of the queue: rank of the risk, deadline, when it was proposed, item. */
export type QueuePlace = readonly [risk: number, deadline: number, proposedAt: number, itemId: string];

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

/** What an executor should have started by a time, and what does not wait for a person anyway. */
const LATE = "waits = 0 AND n IN (SELECT item FROM todo WHERE worker = 'executor' AND due <= ?)";

/** What is asked about many items: the queue, lists, and what workers owe. */
export function listQueries({ views, db, blobs, listed }: Reading) {
  const one = db.prepare(`SELECT ${COLUMNS} FROM item WHERE id = ?`);
  const todos = db.prepare(
    "SELECT id, duty, cause, due, names FROM todo JOIN item ON item.n = todo.item WHERE worker = ? AND due <= ? ORDER BY due, item LIMIT ?",
  );
  const nextDue = db.prepare("SELECT MIN(due) FROM todo WHERE worker = ?").pluck();
  const byNumber = views.prepare("SELECT id, state FROM item WHERE n = ?");

  return {
    /** What waits for a person: by risk, highest first, then by deadline, then by age. */
    queue(filter: QueueFilter = {}): ListedItem[] {
      const { owners, limit = 100, offset = 0, after, now } = filter;
      const place = after === undefined ? [] : [-after[0], after[1], after[2], itemBytes(after[3])];
      const rest = `${place.length === 0 ? "" : `AND (${QUEUE_ORDER}) > (?, ?, ?, ?)`} ORDER BY ${QUEUE_ORDER} LIMIT`;
      const isLate = now !== undefined && ((nextDue.get("executor") as number | null) ?? NEVER) <= now;
      if (owners === undefined && !isLate)
        return (db.prepare(`SELECT ${COLUMNS} FROM item WHERE waits = 1 ${rest} ? OFFSET ?`).all(...place, limit, offset) as Row[]).map((row) => listed(row));
      if (owners?.length === 0) return [];
      // Each owner's are in order already, and a page takes no more than a page of each: else all that waits would be sorted for every page.
      const parts = [...new Set(owners ?? [null])].flatMap((owner) => {
        const of = owner === null ? { sql: "", values: [] } : { sql: "AND owner = ?", values: [owner] };
        const waiting = { sql: `SELECT ${COLUMNS} FROM item WHERE waits = 1 ${of.sql} ${rest} ?`, values: [...of.values, ...place, limit + offset] };
        const late = { sql: `SELECT ${COLUMNS} FROM item WHERE ${LATE} ${of.sql} ${rest} ?`, values: [now, ...of.values, ...place, limit + offset] };
        return isLate ? [waiting, late] : [waiting];
      });
      const all = parts.map(({ sql }) => `SELECT * FROM (${sql})`).join(" UNION ALL ");
      const rows = db.prepare(`SELECT * FROM (${all}) ORDER BY ${QUEUE_ORDER} LIMIT ? OFFSET ?`).all(...parts.flatMap(({ values }) => values), limit, offset);
      return (rows as Row[]).map((row) => listed(row));
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
      return (rows as Row[]).map((row) => listed(row));
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

    /** When a worker's next event is due; null when none is. */
    nextDue(worker: WorkerName): number | null {
      return nextDue.get(worker) as number | null;
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

    /** An agent's items among the newest so many of the ledger, the newest first. There is no index on agents: nobody reads all items for a name. */
    newestOfAgent(agent: string, among: number): string[] {
      const rows = db.prepare("SELECT id FROM item WHERE n > (SELECT max(n) FROM item) - ? AND agent = ? ORDER BY n DESC").pluck();
      return (rows.all(among, agent) as Buffer[]).map(itemIdOfBytes);
    },

    /** Items of which something counts toward budgets: what is reserved, and what began at a time or later. */
    *spent(since: number): Generator<Item> {
      // One after the other: with the states of a long window all at once, a ledger would start with gigabytes.
      for (const n of db.prepare("SELECT n FROM item WHERE spent >= ? ORDER BY spent, n").pluck().all(since) as number[]) {
        const row = byNumber.get(n) as Pick<Row, "id" | "state"> | undefined;
        if (row !== undefined) yield readState(itemIdOfBytes(row.id), row.state, blobs).item;
      }
    },
  };
}
