import type { LocalDb } from "./local-db.ts";

/** A notice as it is kept. */
export interface KeptNotice {
  /** Its identity: the same key is kept once. */
  readonly key: string;
  readonly workspace: string;
  readonly owner: string | null;
  readonly kind: string;
  /** All of it, as JSON. */
  readonly body: string;
}

/** once: by itself; gathered: together with others; page: by itself, and resolved when it is decided. */
export type DeliveryWay = "once" | "gathered" | "page";

/** One delivery that is to be made. Times are in milliseconds since the epoch. */
export interface Planned {
  readonly channel: string;
  readonly action: "notify" | "resolve";
  readonly due: number;
  readonly way: DeliveryWay;
  /** Zone that times are told in. */
  readonly zone: string;
}

/** due: to be sent, or tried again; sending: under way; dropped: it was decided before it went out. */
export const DELIVERY_STATES = ["due", "sending", "sent", "failed", "dropped"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** Deliveries that go out as one message. */
export interface Claimed {
  readonly channel: string;
  readonly action: "notify" | "resolve";
  readonly zone: string;
  /** Names what is sent: the same on every attempt. */
  readonly bundle: string;
  /** Bodies of the notices, oldest first. */
  readonly bodies: readonly string[];
  /** Which attempt this is, from 1. */
  readonly attempts: number;
}

/** A delivery, for whoever wants to see what became of a notice. */
export interface Delivery {
  readonly key: string;
  readonly workspace: string;
  readonly owner: string | null;
  readonly kind: string;
  readonly channel: string;
  readonly action: "notify" | "resolve";
  readonly state: DeliveryState;
  readonly due: number;
  readonly attempts: number;
  /** What came back last, or why it was not sent. */
  readonly answer: string | null;
  /** When the state last changed. */
  readonly at: number;
}

/** Which deliveries to list. */
export interface DeliveryFilter {
  readonly workspace?: string | undefined;
  /** Only those that failed, or whose last attempt did. */
  readonly failed?: boolean | undefined;
  readonly limit?: number | undefined;
}

/** What was noticed, and what became of it: in local.db, which is never rebuilt. */
export interface Deliveries {
  /** Several of these in one commit: all of them, or none where one throws. */
  atomically(work: () => void): void;
  /** Keeps a notice with its deliveries; false when it was known already, and then nothing changes. */
  record(notice: KeptNotice, planned: readonly Planned[], now: number): boolean;
  /** Notices that still ask for something. */
  open(): KeptNotice[];
  /** A notice asks for nothing any more: what was not sent is dropped, and pages that were sent are resolved. */
  end(key: string, now: number, why: string): void;
  /** Takes the next message that is due, for so long; undefined when none is. Nobody else gets it meanwhile. */
  claim(now: number, leaseMs: number, except: readonly string[]): Claimed | undefined;
  /** Says what became of a claimed message. `due` is when to try again. */
  settle(claimed: Claimed, result: { state: "sent" | "failed" | "due"; answer: string; due?: number }, now: number): void;
  /** What a process left behind that ended while it sent is due again at once. Only for whoever knows that nobody else is sending. */
  reclaim(now: number): void;
  /** Failed deliveries of these channels to open notices become due again. */
  revive(channels: readonly string[], now: number): number;
  /** When the next delivery is due; null when none is. */
  nextDue(): number | null;
  /** Deliveries, newest first. */
  list(filter?: DeliveryFilter): Delivery[];
  /** Forgets what ended before a moment. */
  forget(before: number): void;
}

/** Above this, messages to one owner that are due at the same time go out as one. */
const MOST_SINGLE = 3;
/** Most deliveries in one message. */
const MOST_TOGETHER = 100;

interface Row {
  notice: number;
  channel: string;
  action: "notify" | "resolve";
  zone: string;
  way: DeliveryWay;
  bundle: string | null;
  attempts: number;
  key: string;
  workspace: string;
  owner: string | null;
}

/** The deliveries in a local.db. `bundleOf` names a message by the deliveries in it. */
export function openDeliveries({ db }: LocalDb, bundleOf: (...parts: readonly string[]) => string): Deliveries {
  const keep = db.prepare("INSERT INTO notice (key, workspace, owner, kind, body, at) VALUES (?,?,?,?,?,?) ON CONFLICT (key) DO NOTHING");
  const plan = db.prepare("INSERT INTO delivery (notice, channel, action, state, due, way, zone, at) VALUES (?,?,?,'due',?,?,?,?) ON CONFLICT DO NOTHING");
  const open = db.prepare("SELECT key, workspace, owner, kind, body FROM notice WHERE ended IS NULL ORDER BY id");
  const find = db.prepare("SELECT id FROM notice WHERE key = ? AND ended IS NULL").pluck();
  const finish = db.prepare("UPDATE notice SET ended = ? WHERE id = ?");
  const drop = db.prepare("UPDATE delivery SET state = 'dropped', answer = ?, at = ? WHERE notice = ? AND action = 'notify' AND state = 'due'");
  const resolvePages = db.prepare(
    `INSERT INTO delivery (notice, channel, action, state, due, way, zone, at)
     SELECT notice, channel, 'resolve', 'due', ?, 'page', zone, ? FROM delivery WHERE notice = ? AND action = 'notify' AND way = 'page' AND (state IN ('sent', 'sending') OR attempts > 0)
     ON CONFLICT DO NOTHING`,
  );
  const COLUMNS = "notice, channel, action, zone, way, bundle, attempts, key, workspace, owner";
  const READY = "((state = 'due' AND due <= @now) OR (state = 'sending' AND lease <= @now))";
  const first = db.prepare(
    `SELECT ${COLUMNS} FROM delivery JOIN notice ON notice.id = delivery.notice
     WHERE state IN ('due', 'sending') AND ${READY} AND channel NOT IN (SELECT value FROM json_each(@except))
       -- What is resolved must have been paged before.
       AND NOT (action = 'resolve' AND EXISTS (SELECT 1 FROM delivery page WHERE page.notice = delivery.notice AND page.channel = delivery.channel AND page.action = 'notify' AND page.state IN ('due', 'sending')))
     ORDER BY due, notice LIMIT 1`,
  );
  const alike = db.prepare(
    `SELECT ${COLUMNS} FROM delivery JOIN notice ON notice.id = delivery.notice
     WHERE state IN ('due', 'sending') AND ${READY} AND channel = @channel AND action = 'notify' AND way = @way AND bundle IS NULL
       AND workspace = @workspace AND owner IS @owner ORDER BY notice LIMIT ${MOST_TOGETHER}`,
  );
  const bundled = db.prepare(
    `SELECT ${COLUMNS} FROM delivery JOIN notice ON notice.id = delivery.notice WHERE bundle = ? AND state IN ('due', 'sending') ORDER BY notice`,
  );
  const take = db.prepare(
    "UPDATE delivery SET state = 'sending', bundle = ?, lease = ?, attempts = attempts + 1, at = ? WHERE notice = ? AND channel = ? AND action = ?",
  );
  const bodyOf = db.prepare("SELECT body FROM notice WHERE id = ?").pluck();
  const settle = db.prepare("UPDATE delivery SET state = ?, answer = ?, due = COALESCE(?, due), lease = NULL, at = ? WHERE bundle = ? AND state = 'sending'");
  const dropEnded = db.prepare(
    `UPDATE delivery SET state = 'dropped' WHERE bundle = ? AND state = 'due' AND action = 'notify' AND (SELECT ended FROM notice WHERE id = delivery.notice) IS NOT NULL`,
  );
  const reclaim = db.prepare("UPDATE delivery SET state = 'due', due = ?, lease = NULL, answer = ? WHERE state = 'sending'");
  const revive = db.prepare(
    `UPDATE delivery SET state = 'due', due = ?, attempts = 0 WHERE state = 'failed' AND channel IN (SELECT value FROM json_each(?))
       AND (action = 'resolve' OR (SELECT ended FROM notice WHERE id = delivery.notice) IS NULL)`,
  );
  const dropLeft = db.prepare(
    `UPDATE delivery SET state = 'dropped' WHERE state = 'sending' AND lease <= ? AND action = 'notify' AND (SELECT ended FROM notice WHERE id = delivery.notice) IS NOT NULL`,
  );
  const nextDue = db.prepare("SELECT min(CASE state WHEN 'due' THEN due ELSE lease END) FROM delivery WHERE state IN ('due', 'sending')").pluck();
  const forgetDeliveries = db.prepare("DELETE FROM delivery WHERE notice IN (SELECT id FROM notice WHERE ended < ?) AND state NOT IN ('due', 'sending')");
  const forgetNotices = db.prepare("DELETE FROM notice WHERE ended < ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE notice = notice.id)");

  /** What goes out together with a row: what went together before, what was gathered, or more than a reader wants one by one. */
  function together(row: Row, now: number): Row[] {
    if (row.bundle !== null) return bundled.all(row.bundle) as Row[];
    if (row.way === "page") return [row];
    const { channel, workspace, owner, way } = row;
    const rows = alike.all({ now, channel, workspace, owner, way }) as Row[];
    return way === "gathered" || rows.length > MOST_SINGLE ? rows : [row];
  }

  return {
    atomically: (work) => db.transaction(work).immediate(),
    record: db.transaction((notice: KeptNotice, planned: readonly Planned[], now: number) => {
      const { key, workspace, owner, kind, body } = notice;
      const { changes, lastInsertRowid } = keep.run(key, workspace, owner, kind, body, now);
      if (changes === 0) return false;
      for (const { channel, action, due, way, zone } of planned) plan.run(lastInsertRowid, channel, action, due, way, zone, now);
      return true;
    }).immediate,
    open: () => open.all() as KeptNotice[],
    end: db.transaction((key: string, now: number, why: string) => {
      const id = find.get(key);
      if (id === undefined) return;
      finish.run(now, id);
      resolvePages.run(now, now, id);
      drop.run(why, now, id);
    }).immediate,
    claim: db.transaction((now: number, leaseMs: number, except: readonly string[]): Claimed | undefined => {
      // Left behind by a process that ended while it sent, and decided since.
      dropLeft.run(now);
      const row = first.get({ now, except: JSON.stringify(except) }) as Row | undefined;
      if (row === undefined) return undefined;
      const rows = together(row, now);
      const bundle = row.bundle ?? bundleOf(row.channel, row.action, ...rows.map(({ key }) => key));
      for (const { notice, channel, action } of rows) take.run(bundle, now + leaseMs, now, notice, channel, action);
      const bodies = rows.map(({ notice }) => bodyOf.get(notice) as string);
      return { channel: row.channel, action: row.action, zone: row.zone, bundle, bodies, attempts: row.attempts + 1 };
    }).immediate,
    settle: db.transaction(({ bundle }: Claimed, { state, answer, due }: { state: string; answer: string; due?: number }, now: number) => {
      settle.run(state, answer, due ?? null, now, bundle);
      // Decided while it was under way: there is nothing left to try again for.
      if (state === "due") dropEnded.run(bundle);
    }).immediate,
    reclaim: (now) => void reclaim.run(now, "interrupted: the process ended while it sent, so it may be there already"),
    revive: (channels, now) => revive.run(now, JSON.stringify(channels)).changes,
    nextDue: () => nextDue.get() as number | null,
    list({ workspace, failed = false, limit = 100 } = {}) {
      const where = ["1", ...(workspace === undefined ? [] : ["workspace = @workspace"])];
      if (failed) where.push("(state = 'failed' OR (state IN ('due', 'sending') AND answer IS NOT NULL))");
      const rows = db.prepare(
        `SELECT key, workspace, owner, kind, channel, action, state, due, attempts, answer, delivery.at AS at FROM delivery JOIN notice ON notice.id = delivery.notice
         WHERE ${where.join(" AND ")} ORDER BY delivery.at DESC, notice.id DESC, channel, action LIMIT @limit`,
      );
      return rows.all({ limit, ...(workspace === undefined ? {} : { workspace }) }) as Delivery[];
    },
    forget: db.transaction((before: number) => {
      forgetDeliveries.run(before);
      forgetNotices.run(before);
    }).immediate,
  };
}
