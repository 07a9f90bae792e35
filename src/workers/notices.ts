import { isAudit } from "../ledger/decisions.ts";
import { termsVerdict, type VerdictNode } from "../ledger/item.ts";
import { awaitedStart } from "../ledger/owed.ts";
import type { Notice, Risk } from "../notify/notice.ts";
import type { Batches, SealedBatch } from "../projector/batch-queries.ts";
import { type QueuePlace, queuePlace } from "../projector/list-queries.ts";
import type { Queries } from "../projector/queries.ts";
import type { StoredItemView } from "../projector/reading.ts";

/** What is to be noticed, as the views say. */
export interface Notices {
  /** Everything that asks for somebody now, item by item: a batch comes once for each member. */
  all(): Generator<readonly Notice[]>;
  /** Items that ask for somebody by themselves when a time has come, in milliseconds since the epoch: what executors owe. */
  coming(): Iterable<readonly [itemId: string, at: number]>;
  /** What one item asks for now: nothing, itself, or the batch that it is in. */
  of(itemId: string): readonly Notice[];
  /** Whether a notice of before still asks for something, or will, unless policy says otherwise of an edit. */
  stands(notice: Notice): boolean;
  /** What a notice of before says now; undefined where it asks for nothing any more. */
  now(notice: Notice): Notice | undefined;
}

const PAGE = 200;
const MOST_COMING = 100_000;

/** Reads what is to be noticed from the views. */
export function noticesFrom(queries: Pick<Queries, "item" | "queue" | "todos">, batches: Pick<Batches, "ofItem">, now: () => number): Notices {
  function of(itemId: string): readonly Notice[] {
    // While policy judges an edit nobody is asked: what was told before stands, and goes on where the edit is forbidden.
    return queries.item(itemId)?.stage === "rejudging" ? [] : asked(itemId);
  }

  /** What an item asks for, or asked for before the edit that policy judges now. */
  function asked(itemId: string): readonly Notice[] {
    const view = queries.item(itemId);
    if (view === undefined || view.life.verdict === null) return [];
    return [...(waits(view) || view.stage === "rejudging" ? waiting(view, view.life.verdict) : []), ...inDoubt(view), ...unstarted(view, now())];
  }

  function waiting(view: StoredItemView, verdict: VerdictNode): readonly Notice[] {
    if (!isBatched(verdict)) return isQuiet(view, verdict) ? [] : [itemNotice(view, verdict)];
    if (verdict.batch === null) return [];
    const batch = batches.ofItem(view.itemId).find(({ members }) => members.some((m) => m.itemId === view.itemId && m.verdict === verdict.id));
    return batch === undefined ? [] : [batchNotice(view, batch)];
  }

  /** Of all whom the batch names and who still wait: their records come one after the other, and the first one must not stand for a batch of one. */
  function batchNotice(view: StoredItemView, { batchId, owner, named }: SealedBatch): Notice {
    const members = named.flatMap((itemId) => queries.item(itemId) ?? []).filter((m) => waits(m) && m.life.verdict !== null && isBatched(m.life.verdict));
    const deadlines = members.flatMap(({ deadline }) => deadline ?? []);
    return {
      ...noticeOf(view, "batch", `batch/${batchId}`),
      batchId,
      owner,
      items: members.map(({ itemId }) => itemId),
      tools: [...new Set(members.flatMap(({ summary }) => summary.tools ?? []))],
      agent: null,
      deadline: deadlines.length === 0 ? null : Math.min(...deadlines),
    };
  }

  return {
    of,
    *all() {
      for (let after: QueuePlace | undefined; ; ) {
        const rows = queries.queue({ limit: PAGE, now: now(), ...(after && { after }) });
        for (const row of rows) {
          after = queuePlace(row);
          yield of(row.itemId);
        }
        if (rows.length < PAGE) return;
      }
    },
    coming: () => queries.todos("executor", Number.MAX_SAFE_INTEGER, MOST_COMING).map(({ itemId, due }) => [itemId, due] as const),
    stands: ({ key, items, page }) => items.some((itemId) => asked(itemId).some((now) => now.key === key || (page && verdictOf(now.key) === verdictOf(key)))),
    now({ key, items }) {
      for (const itemId of items) {
        const found = asked(itemId).find((now) => now.key === key);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** A page stands until its verdict is decided, also when the ladder has gone on: nobody is told that something is over which is not. */
function verdictOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}

function waits({ stage, life }: StoredItemView): boolean {
  return stage === "pending" || life.review === "open";
}

/** Waits for a batch, or in one: it interrupts nobody by itself. What was escalated or held has left its batch. */
function isBatched({ terms, group }: VerdictNode): boolean {
  return terms.batch !== null && group.step === 0 && !group.held;
}

/** What ran at low risk is to be looked at some time. Nobody is told of each; the ladder calls when its time is over. */
function isQuiet({ summary }: StoredItemView, { terms, group }: VerdictNode): boolean {
  return isAudit(terms) && summary.risk === "low" && group.step === 0;
}

function itemNotice(view: StoredItemView, verdict: VerdictNode): Notice {
  const { group, terms } = verdict;
  const kind = group.held ? "held" : isAudit(terms) ? "review" : "decide";
  // A forbidden edit restores the verdict before it under a new id: the matter is the same, and was told.
  const { id } = termsVerdict(view.item, verdict);
  return noticeOf(view, kind, `item/${view.itemId}/${id}/${group.held ? "held" : group.step}`);
}

function inDoubt(view: StoredItemView): readonly Notice[] {
  const unknown = view.stage === "in_doubt" ? view.life.resume?.group.closedBy : null;
  return unknown == null ? [] : [noticeOf(view, "doubt", `item/${view.itemId}/${unknown.id}/doubt`)];
}

/** What an executor should have started: nothing else brings it to an end. */
function unstarted(view: StoredItemView, now: number): readonly Notice[] {
  const { item, life } = view;
  const start = awaitedStart(item, life.resume);
  return start === null || start.due > now ? [] : [noticeOf(view, "unstarted", `item/${view.itemId}/${life.resume?.id}/unstarted`)];
}

function noticeOf(view: StoredItemView, kind: Notice["kind"], key: string): Notice {
  const { summary, life, itemId, owner, deadline } = view;
  const verdict = life.verdict as VerdictNode;
  const { step } = verdict.group;
  const risk = summary.risk === undefined || summary.risk === "unrecognized" ? null : (summary.risk as Risk);
  const decides = kind === "decide" || kind === "held";
  return {
    key,
    kind,
    workspace: view.item.workspace ?? "default",
    owner,
    items: [itemId],
    batchId: null,
    risk,
    tools: summary.tools ?? [],
    agent: summary.agent ?? null,
    deadline: kind === "doubt" || kind === "unstarted" ? null : deadline,
    step,
    page:
      step > 0 && (kind === "decide" || kind === "review") && (verdict.terms.ladder.find((rung) => rung.step === step)?.page === true || risk === "critical"),
    seen:
      decides && verdict.terms.allowedDecisions.includes("reject") && verdict.terms.cardSha256 !== null
        ? { verdict: verdict.id, cardSha256: verdict.terms.cardSha256 }
        : null,
  };
}
