import type Database from "better-sqlite3";
import { type MemberState, memberState, runBatchKey } from "../ledger/batch.ts";
import { isAudit } from "../ledger/decisions.ts";
import { nodeOf, type VerdictNode } from "../ledger/item.ts";
import { halfTime, isUnsealed } from "../ledger/owed.ts";
import { eventIdOfBytes, itemBytes, itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";
import type { Queries } from "./queries.ts";
import type { StoredItemView } from "./reading.ts";

/** A sealed batch, as its records describe it. */
export interface SealedBatch {
  readonly batchId: string;
  readonly workspace: string;
  /** What its members share. */
  readonly key: string;
  readonly owner: string;
  readonly sealedBy: string;
  /** When it was sealed, in milliseconds since the epoch. */
  readonly at: number;
  /** Items that it names, in its order. */
  readonly named: readonly string[];
}

/** An item that a batch names, and whether it is in it now. */
export interface BatchMember {
  readonly itemId: string;
  /** Verdict with which it became a member; null where it never did. */
  readonly verdict: string | null;
  /** `missed`: it never became a member, as it was decided, or sealed in another batch, before. */
  readonly standing: MemberState | { readonly state: "out"; readonly why: "missed"; readonly decision: null };
}

/** A batch with all members, in its order. */
export interface BatchView extends SealedBatch {
  readonly members: readonly BatchMember[];
}

/** A verdict that waits for its place in a batch. */
export interface Unsealed {
  readonly itemId: string;
  readonly verdictId: string;
  readonly workspace: string;
  readonly owner: string;
  readonly key: string;
  readonly max: number;
  readonly judgedAt: number;
  readonly windowMs: number;
  /** When half of the time to decide is over; null where there is no end to it. */
  readonly half: number | null;
  /** What is reviewed after it ran. */
  readonly audit: boolean;
  readonly threadId: string | null;
  /** `judging`: the agent has said that the run ends, and something of it is not judged yet. */
  readonly run: "none" | "open" | "judging" | "ended";
}

/** Which batches to list. */
export interface BatchFilter {
  readonly workspace: string;
  readonly owners?: readonly string[];
  /** Only those of which a member still waits. */
  readonly open?: boolean;
  readonly limit?: number;
  /** Continue behind this batch of the same list. */
  readonly after?: { readonly at: number; readonly batchId: string };
}

/** The batches in a views file. */
export type Batches = ReturnType<typeof openBatches>;

type Row = { id: string; workspace: string; key: string; owner: string; sealed_by: string; at: number; members: string };
type MemberRow = { item: Buffer | string; verdict: Buffer | string };

const COLUMNS = "id, workspace, key, owner, sealed_by, at, members";

/** Reads the batches of a views file. */
export function openBatches(views: Database.Database, queries: Queries) {
  const overlay = overlayOf(views);
  const one = views.prepare(`SELECT ${COLUMNS} FROM batch WHERE id = ? ORDER BY at, hash`);
  const membersOf = views.prepare(
    "SELECT item.id AS item, verdict FROM batch_member JOIN item ON item.n = batch_member.item WHERE batch = ? ORDER BY item.id, batch_member.id",
  );
  const ofItem = views.prepare("SELECT DISTINCT batch FROM batch_member WHERE item = (SELECT n FROM item WHERE id = ?)").pluck();
  const sealsOf = views.prepare(
    "SELECT batch_member.batch AS batch, verdict, owner, min(at) AS at FROM batch_member JOIN batch ON batch.id = batch_member.batch WHERE item = (SELECT n FROM item WHERE id = ?) GROUP BY batch_member.batch, verdict",
  );
  const byKey = views.prepare(`SELECT ${COLUMNS} FROM batch WHERE workspace = ? AND key = ? AND at >= ? ORDER BY at, id LIMIT 200`);
  const ended = views.prepare("SELECT max(at) FROM run_end WHERE thread = ? AND workspace = ?").pluck();
  const unjudged = views.prepare("SELECT 1 FROM item WHERE thread = ? AND stage < 8 AND stage = 1 LIMIT 1").pluck();
  // Whoever asks gets all that is folded.
  const fresh = <T>(read: () => T): T => {
    overlay.flush();
    return read();
  };

  function batch(batchId: string): BatchView | undefined {
    const rows = fresh(() => one.all(batchId)) as Row[];
    const [first] = rows;
    if (first === undefined) return undefined;
    const effective = new Map((membersOf.all(batchId) as MemberRow[]).map((row) => [itemIdOfBytes(row.item), eventIdOfBytes(row.verdict)]));
    const named = [...new Set([...rows.flatMap(namedIn), ...effective.keys()])];
    return {
      ...sealed(first),
      named,
      members: named.map((itemId) => {
        const verdict = effective.get(itemId) ?? null;
        return { itemId, verdict, standing: standingOf(itemId, verdict) };
      }),
    };
  }

  function standingOf(itemId: string, verdict: string | null): BatchMember["standing"] {
    if (verdict === null) return { state: "out", why: "missed", decision: null };
    const view = queries.item(itemId);
    return view === undefined ? { state: "in" } : memberState(view.item, verdict);
  }

  function runOf(workspace: string, threadId: string | null, proposedAt: number): Unsealed["run"] {
    if (threadId === null) return "none";
    const at = ended.get(threadId, workspace) as number | null;
    // A thread may go on after a run in it has ended: only what was proposed until then belongs to that run.
    if (at === null || at < proposedAt) return "open";
    return unjudged.get(threadId) === undefined ? "ended" : "judging";
  }

  return {
    batch,

    /** Verdicts that wait for a place in a batch, the most urgent first. */
    unsealed(limit = 5000): Unsealed[] {
      const found: Unsealed[] = [];
      const runs = new Map<string, Unsealed["run"]>();
      for (const { itemId, cause } of queries.todos("batcher", Number.MAX_SAFE_INTEGER, limit)) {
        const view = queries.item(itemId);
        const verdict = view?.item.nodes.get(cause);
        if (view === undefined || verdict?.topic !== "verdicts" || !isUnsealed(verdict)) continue;
        const workspace = view.item.workspace ?? "default";
        const threadId = nodeOf(view.item, "proposals", view.item.proposal)?.threadId ?? null;
        const run = runs.get(`${workspace}\0${threadId}\0${view.proposedAt}`) ?? runOf(workspace, threadId, view.proposedAt);
        runs.set(`${workspace}\0${threadId}\0${view.proposedAt}`, run);
        found.push({ itemId, workspace, threadId, run, ...unsealedTerms(verdict) });
      }
      return found;
    },

    /** Batches with a key that were sealed at a time or later, the first one first. */
    withKey(workspace: string, key: string, since: number): SealedBatch[] {
      return (fresh(() => byKey.all(workspace, key, since)) as Row[]).map(sealed);
    },

    /** Ids of the batches of which an item is, or was, a member. */
    idsOf(itemId: string): string[] {
      return fresh(() => ofItem.all(itemBytes(itemId))) as string[];
    },

    /** The batches of which an item is, or was, a member: the verdict with which, for whom and when it was sealed. */
    sealsOf(itemId: string): { batchId: string; verdict: string; owner: string; at: number }[] {
      const rows = fresh(() => sealsOf.all(itemBytes(itemId))) as { batch: string; verdict: Buffer | string; owner: string; at: number }[];
      return rows.map(({ batch, verdict, owner, at }) => ({ batchId: batch, verdict: eventIdOfBytes(verdict), owner, at }));
    },

    /** The batches in which an item is, or was, a member, the first one first. */
    ofItem(itemId: string): BatchView[] {
      return (fresh(() => ofItem.all(itemBytes(itemId))) as string[])
        .map((id) => batch(id) as BatchView)
        .sort((a, b) => a.at - b.at || (a.batchId < b.batchId ? -1 : 1));
    },

    /** Batches that name an item which never became a member of them: it was decided, or sealed in another one, before. */
    missing({ itemId, item, summary }: StoredItemView): SealedBatch[] {
      const was = this.idsOf(itemId);
      const found = new Map<string, SealedBatch>();
      for (const node of item.nodes.values()) {
        if (node.topic !== "verdicts" || node.terms.batch === null || node.fallback) continue;
        const workspace = item.workspace ?? "default";
        const run = summary.threadId === undefined ? [] : [runBatchKey(workspace, summary.threadId, node.terms.owner ?? "")];
        for (const key of [node.terms.batch.key, ...run])
          for (const batch of this.withKey(workspace, key, node.judgedAt))
            if (batch.named.includes(itemId) && !was.includes(batch.batchId)) found.set(batch.batchId, batch);
      }
      return [...found.values()];
    },

    /** Batches, newest first. */
    list(filter: BatchFilter): SealedBatch[] {
      const { workspace, owners, open = false, limit = 50, after } = filter;
      const where = ["workspace = ?"];
      const values: (string | number)[] = [workspace];
      if (owners !== undefined) {
        where.push(`owner IN (${owners.map(() => "?").join(",")})`);
        values.push(...owners);
      }
      if (open)
        where.push(
          "id IN (SELECT batch FROM item INDEXED BY item_queue JOIN batch_member ON batch_member.item = item.n WHERE item.waits = 1 AND item.owner IS NOT NULL)",
        );
      if (after !== undefined) {
        where.push("(at, id) < (?, ?)");
        values.push(after.at, after.batchId);
      }
      const rows = fresh(() =>
        views.prepare(`SELECT ${COLUMNS} FROM batch WHERE ${where.join(" AND ")} GROUP BY id ORDER BY at DESC, id DESC LIMIT ?`).all(...values, limit),
      ) as Row[];
      return rows.map(sealed);
    },

    /** Batches of a workspace whose id begins so. */
    withPrefix(workspace: string, prefix: string, limit = 2): string[] {
      return fresh(() =>
        views
          .prepare("SELECT DISTINCT id FROM batch WHERE workspace = ? AND id >= ? AND id < ? ORDER BY id LIMIT ?")
          .pluck()
          .all(workspace, prefix, `${prefix}\uffff`, limit),
      ) as string[];
    },
  };
}

function sealed({ id, workspace, key, owner, sealed_by, at, ...row }: Row): SealedBatch {
  return { batchId: id, workspace, key, owner, sealedBy: sealed_by, at, named: namedIn({ id, workspace, key, owner, sealed_by, at, ...row }) };
}

function namedIn({ members }: Row): string[] {
  return members.split(" ").filter((id) => id !== "");
}

function unsealedTerms(verdict: VerdictNode) {
  const { key, max, windowMs } = verdict.terms.batch as NonNullable<VerdictNode["terms"]["batch"]>;
  const { id: verdictId, judgedAt, terms, group } = verdict;
  return { verdictId, owner: group.owner ?? "", key, max, judgedAt, windowMs, half: halfTime(verdict), audit: isAudit(terms) };
}
