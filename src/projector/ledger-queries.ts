import type { Topic } from "../events/topics.ts";
import { OUTCOMES, STAGES } from "../ledger/stages.ts";
import { type BadRecord, type BadRow, badRecord } from "./bad-records.ts";
import { STATUSES } from "./item-cache.ts";
import { eventIdOfBytes, itemIdOfBytes, topicNumber, topicOfNumber } from "./keys.ts";
import type { Reading } from "./reading.ts";

/** What is asked about the ledger as a whole: what is wrong in it, how much there is, and the policies. */
export function ledgerQueries({ db }: Reading) {
  return {
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

    /** Proposals that the rules refuse, where no legal one has made the item since: whoever wrote them would wait for ever. */
    proposalsOfNoItem(limit = 100): { itemId: string; eventId: string; offset: number; actor: string; reason: string }[] {
      const rows = db
        .prepare(
          "SELECT item.id AS itemId, event.id AS id, off, actor, reason FROM item JOIN event ON event.item = item.n AND event.topic = ? WHERE item.proposed IS NULL AND event.status = ? ORDER BY at LIMIT ?",
        )
        .all(topicNumber("proposals"), STATUSES.indexOf("illegal"), limit) as { itemId: Buffer; id: Buffer; off: number; actor: string; reason: string }[];
      return rows.map(({ itemId, id, off, actor, reason }) => ({ itemId: itemIdOfBytes(itemId), eventId: eventIdOfBytes(id), offset: off, actor, reason }));
    },

    /** Items that a bad record flags and nobody has cleared. */
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
