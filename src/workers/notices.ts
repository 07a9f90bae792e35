import { isAudit } from "../ledger/decisions.ts";
import type { VerdictNode } from "../ledger/item.ts";
import type { Notice, Risk } from "../notify/notice.ts";
import { type Queries, type QueuePlace, queuePlace, type StoredItemView } from "../projector/queries.ts";

/** What is to be noticed, as the views say. */
export interface Notices {
  /** Everything that asks for somebody now. */
  all(): Generator<Notice>;
  /** What one item asks for now: nothing, itself, or the batch that it is in. */
  of(itemId: string): readonly Notice[];
  /** Whether a notice of before still asks for something. */
  stands(notice: Notice): boolean;
}

/** The batches of the views, as far as notices read them. */
export interface Batches {
  /** The batch that an item is in now, with its members that still wait; undefined where it is in none. */
  batchOf(itemId: string): WaitingBatch | undefined;
}

/** A batch of which something waits. */
export interface WaitingBatch {
  readonly batchId: string;
  readonly owner: string | null;
  /** The members that still wait in it. */
  readonly members: readonly string[];
}

const PAGE = 200;

/** Reads what is to be noticed from the views. */
export function noticesFrom(queries: Pick<Queries, "item" | "queue">, batches: Batches = { batchOf: () => undefined }): Notices {
  function of(itemId: string): readonly Notice[] {
    const view = queries.item(itemId);
    if (view === undefined || view.life.verdict === null) return [];
    return [...waiting(view), ...inDoubt(view)];
  }

  function waiting(view: StoredItemView): readonly Notice[] {
    if (view.stage !== "pending" && view.life.review !== "open") return [];
    if (!isBatched(view)) return [itemNotice(view)];
    const batch = batches.batchOf(view.itemId);
    return batch === undefined ? [] : [batchNotice(batch)];
  }

  function batchNotice({ batchId, owner, members }: WaitingBatch): Notice {
    const views = members.flatMap((itemId) => queries.item(itemId) ?? []);
    const base = noticeOf(views[0] as StoredItemView, "batch", `batch/${batchId}`);
    const deadlines = views.flatMap(({ deadline }) => deadline ?? []);
    return {
      ...base,
      batchId,
      owner,
      items: members,
      risk: views.some(({ summary }) => summary.risk === "medium") ? "medium" : base.risk,
      tools: [...new Set(views.flatMap(({ summary }) => summary.tools ?? []))],
      agent: null,
      deadline: deadlines.length === 0 ? null : Math.min(...deadlines),
      seen: null,
    };
  }

  return {
    of,
    *all() {
      for (let after: QueuePlace | undefined; ; ) {
        const rows = queries.queue({ limit: PAGE, ...(after && { after }) });
        for (const row of rows) {
          after = queuePlace(row);
          yield* of(row.itemId);
        }
        if (rows.length < PAGE) return;
      }
    },
    stands: ({ key, items, page }) => items.some((itemId) => of(itemId).some((now) => now.key === key || (page && verdictOf(now.key) === verdictOf(key)))),
  };
}

/** A page stands until its verdict is decided, also when the ladder has gone on: nobody is told that something is over which is not. */
function verdictOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}

/** Waits for a batch, or waits in one: it interrupts nobody by itself. What was escalated or held has left its batch. */
function isBatched({ life, item }: StoredItemView): boolean {
  const { group, terms } = life.verdict as VerdictNode;
  if (group.step > 0 || group.held) return false;
  return life.review === "open" ? hasRun(item) : terms.route === "batch";
}

/** What ran under an audit is reviewed with the rest of its run; without a run it is reviewed alone. */
function hasRun(item: StoredItemView["item"]): boolean {
  const proposal = item.proposal === null ? undefined : item.nodes.get(`proposals/${item.proposal}`);
  return proposal?.topic === "proposals" && proposal.threadId !== null;
}

function itemNotice(view: StoredItemView): Notice {
  const { id, group, terms } = view.life.verdict as VerdictNode;
  const kind = group.held ? "held" : isAudit(terms) ? "review" : "decide";
  return noticeOf(view, kind, `item/${view.itemId}/${id}/${group.held ? "held" : group.step}`);
}

function inDoubt(view: StoredItemView): readonly Notice[] {
  const unknown = view.stage === "in_doubt" ? view.life.resume?.group.closedBy : null;
  return unknown == null ? [] : [noticeOf(view, "doubt", `item/${view.itemId}/${unknown.id}/doubt`)];
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
    deadline: kind === "doubt" ? null : deadline,
    step,
    page:
      step > 0 && (kind === "decide" || kind === "review") && (verdict.terms.ladder.find((rung) => rung.step === step)?.page === true || risk === "critical"),
    seen:
      decides && verdict.terms.allowedDecisions.includes("reject") && verdict.terms.cardSha256 !== null
        ? { verdict: verdict.id, cardSha256: verdict.terms.cardSha256 }
        : null,
  };
}
