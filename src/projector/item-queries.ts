import type { Topic } from "../events/topics.ts";
import { type Finding, keyOf, type NodeKey, type Status } from "../ledger/item.ts";
import { lifeOf } from "../ledger/life.ts";
import { type BadRecord, type BadRow, badRecord } from "./bad-records.ts";
import { type CachedItem, STATUSES } from "./item-cache.ts";
import { eventBytes, eventIdOfBytes, itemBytes, topicNumber, topicOfNumber } from "./keys.ts";
import { COLUMNS, OF, type Reading, type Row, type StoredItemView } from "./reading.ts";
import { deadlineOf, proposedAt, whatOf } from "./rows.ts";
import { readState } from "./state.ts";

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

/** Findings of what an executor said that had no effect. */
const UNHEARD: readonly Finding["code"][] = ["late_receipt", "receipt_without_start"];

/** What is asked about one item. */
export function itemQueries({ views, db, overlay, blobs, listed }: Reading) {
  const timeline = db.prepare(`SELECT * FROM event WHERE item = ${OF} ORDER BY appended, topic, off`);
  const badOf = db.prepare("SELECT * FROM bad WHERE item = ? ORDER BY topic, part, off");
  const findingsOf = db.prepare(`SELECT code, topic, id, off FROM finding WHERE item = ${OF} ORDER BY code, topic, off`);

  // These are asked for while items are in flight, so they look at what is in memory before they touch the file.
  const oneNow = views.prepare(`SELECT ${COLUMNS} FROM item WHERE id = ?`);
  const payloadNow = views.prepare(`SELECT value FROM payload WHERE item = ${OF} AND topic = ? AND id = ?`).pluck();
  const placeNow = views.prepare(`SELECT off FROM event WHERE item = ${OF} AND topic = ? AND id = ?`).pluck();
  const withdrawalNow = views
    .prepare(`SELECT MAX(at) FROM event WHERE item = ${OF} AND topic = ${topicNumber("decisions")} AND what = 'withdraw' AND status = ? AND actor = ?`)
    .pluck();
  const saidSucceededNow = views
    .prepare(
      `SELECT 1 FROM finding JOIN event USING (item, topic, id) WHERE finding.item = ${OF} AND what = 'succeeded' AND code IN (${UNHEARD.map((c) => `'${c}'`)})`,
    )
    .pluck();
  const rulingNow = views.prepare(`SELECT status, reason, what, actor, at, off FROM event WHERE item = ${OF} AND topic = ? AND id = ?`);

  return {
    /** An item with its state; undefined when the views know nothing of it. */
    item(itemId: string): StoredItemView | undefined {
      const cached = overlay.hold(itemId);
      if (cached !== undefined) return (cached.view ??= viewOf(cached));
      const row = oneNow.get(itemBytes(itemId)) as Row | undefined;
      if (row === undefined) return undefined;
      const { item, summary } = readState(itemId, row.state, blobs);
      return { ...listed(row, summary), item, life: lifeOf(item) };
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
    event(
      itemId: string,
      topic: Topic,
      eventId: string,
    ): { status: Status; reason: string | null; what: string; actor: string; occurredAt: number; offset: number } | undefined {
      const changed = overlay.peek(itemId)?.changed.get(keyOf(topic, eventId));
      if (changed !== undefined) {
        const { entry, status, reason } = changed;
        const { actor, occurredAt } = entry.event;
        return { status, reason, what: whatOf(topic, entry.event), actor: `${actor.kind}:${actor.id}`, occurredAt, offset: entry.offset };
      }
      const row = rulingNow.get(itemBytes(itemId), topicNumber(topic), eventBytes(eventId)) as
        | Pick<EventRow, "status" | "reason" | "what" | "actor" | "at" | "off">
        | undefined;
      if (row === undefined) return undefined;
      const { reason, what, actor, at: occurredAt, off: offset } = row;
      return { status: STATUSES[row.status] as Status, reason, what, actor, occurredAt, offset };
    },

    /**
     * When somebody (`<kind>:<id>`) last withdrew an item where another decision had come first; null where that never was. In milliseconds since
     * the epoch. Asked for every grant, so it is read without bringing the file up to date.
     */
    withdrawnTooLateAt(itemId: string, actor: string): number | null {
      let last = withdrawalNow.get(itemBytes(itemId), STATUSES.indexOf("superseded"), actor) as number | null;
      for (const { entry, status } of overlay.peek(itemId)?.changed.values() ?? []) {
        const { kind: by, id } = entry.event.actor;
        if (entry.topic === "decisions" && status === "superseded" && whatOf("decisions", entry.event) === "withdraw" && `${by}:${id}` === actor)
          last = Math.max(last ?? 0, entry.event.occurredAt);
      }
      return last;
    },

    /**
     * Whether an executor said that something of an item had succeeded, where that had no effect: its end came before, or no start did. Asked for
     * grants, so it is read without bringing the file up to date.
     */
    saidSucceeded(itemId: string): boolean {
      const { findings = [], changed } = overlay.peek(itemId) ?? {};
      const said = findings.some(({ code, topic, eventId }) => {
        const event = changed?.get(keyOf(topic, eventId))?.entry.event;
        return UNHEARD.includes(code) && event !== undefined && whatOf(topic, event) === "succeeded";
      });
      return said || saidSucceededNow.get(itemBytes(itemId)) !== undefined;
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
  };
}

/** A view of an item that is at hand. Nodes are copied: folding goes on and changes them in place. */
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
