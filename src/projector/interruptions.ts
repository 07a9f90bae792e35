import { isAudit, isSatisfied, nothingToDecide } from "../ledger/decisions.ts";
import { nodeOf, type VerdictNode } from "../ledger/item.ts";
import type { Batches } from "./batch-queries.ts";
import type { TimelineEntry } from "./item-queries.ts";
import type { Queries } from "./queries.ts";

/**
 * Why an owner is told of an item. `batch`: as one of several, of which one notice speaks; `alone`: by itself; `later`: an escalation, a
 * hold, or an outcome that nobody knows; `none`: it was to be batched, and decided before its batch was sealed, or is not sealed yet.
 */
type Way = "batch" | "alone" | "later" | "none";

/** One time that an owner was, or would have been, told. */
export interface Interruption {
  readonly owner: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly way: Way;
  readonly batchId: string | null;
}

/** What an owner was told in some time, and what it would have been with a notice for each item. */
export interface Counts {
  /** Notices: one for each batch, and one for each item that was put before somebody by itself or came back later. */
  readonly notices: number;
  readonly batches: number;
  readonly alone: number;
  readonly later: number;
  /** Members of the batches. */
  readonly members: number;
  /** Items that were decided before their batch was sealed, or wait for that. */
  readonly unsealed: number;
  /** Notices without batches: one for each of the items. */
  readonly without: number;
}

/** The counts of one owner on one day. */
export interface OwnerDay extends Counts {
  readonly owner: string;
  /** Such as 2026-11-21, in the time zone that was asked for. */
  readonly day: string;
}

/** What to count. */
export interface CountOptions {
  readonly workspace?: string;
  /** Milliseconds since the epoch, inclusive and exclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Time zone of the days, such as Europe/Zurich. Default UTC. @throws RangeError where nobody knows it */
  readonly zone?: string;
  /** Hears how many items were looked at. */
  readonly onItem?: (items: number) => void;
}

/** Counts what owners were told of, day by day: from the effective events, so it does not matter whether a notifier ran. */
export function countInterruptions({ queries, batches }: { queries: Queries; batches: Batches }, options: CountOptions = {}): OwnerDay[] {
  const { from = 0, to = Number.MAX_SAFE_INTEGER, zone = "UTC", workspace, onItem } = options;
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const days = new Map<string, Tally>();
  let looked = 0;
  for (const itemId of queries.proposedBefore(to)) {
    onItem?.(++looked);
    for (const one of interruptionsBy({ queries, batches }, itemId, workspace)) {
      if (one.at < from || one.at >= to) continue;
      const day = format.format(one.at);
      const key = JSON.stringify([one.owner, day]);
      const tally = days.get(key) ?? { owner: one.owner, day, alone: 0, later: 0, members: 0, unsealed: 0, ids: new Set() };
      days.set(key, tally);
      if (one.way === "batch") {
        tally.members++;
        tally.ids.add(one.batchId as string);
      } else if (one.way === "none") tally.unsealed++;
      else tally[one.way]++;
    }
  }
  return [...days.values()].map(countsOf).sort((a, b) => (a.owner === b.owner ? (a.day < b.day ? -1 : 1) : a.owner < b.owner ? -1 : 1));
}

/** The sum of several days. Each batch is told of on one day, so they add up. */
export function sumOf(days: readonly Counts[]): Counts {
  const sum = (of: (c: Counts) => number) => days.reduce((n, c) => n + of(c), 0);
  return {
    notices: sum((c) => c.notices),
    batches: sum((c) => c.batches),
    alone: sum((c) => c.alone),
    later: sum((c) => c.later),
    members: sum((c) => c.members),
    unsealed: sum((c) => c.unsealed),
    without: sum((c) => c.without),
  };
}

interface Tally {
  readonly owner: string;
  readonly day: string;
  alone: number;
  later: number;
  members: number;
  unsealed: number;
  readonly ids: Set<string>;
}

function countsOf({ owner, day, alone, later, members, unsealed, ids }: Tally): OwnerDay {
  const notices = ids.size + alone + later;
  return { owner, day, notices, batches: ids.size, alone, later, members, unsealed, without: members + unsealed + alone + later };
}

/** Every time that an item was, or would have been, put before an owner. */
export function interruptionsBy({ queries, batches }: { queries: Queries; batches: Batches }, itemId: string, workspace?: string): Interruption[] {
  const view = queries.item(itemId);
  if (view === undefined || (workspace !== undefined && view.item.workspace !== workspace)) return [];
  const seals = batches.sealsOf(itemId);
  const events = queries.timeline(itemId).filter((e) => e.status === "effective");
  const isLow = view.summary.risk === "low";
  return events.flatMap((event) => {
    const answered = event.answers?.startsWith("verdicts/") ? nodeOf(view.item, "verdicts", event.answers.slice("verdicts/".length)) : undefined;
    if (event.topic === "verdicts") return asked(nodeOf(view.item, "verdicts", event.eventId), event, isLow, seals);
    if (event.topic === "decisions" && event.what === "escalate" && answered !== undefined) return [escalated(answered, event, events)];
    if (event.topic === "decisions" && event.what === "expire" && answered?.group.held === true) return [later(answered.group.owner, event)];
    if (event.topic === "receipts" && event.what === "unknown") return [later(view.owner, event)];
    return [];
  });
}

function asked(verdict: VerdictNode | undefined, { occurredAt }: TimelineEntry, isLow: boolean, seals: ReturnType<Batches["sealsOf"]>): Interruption[] {
  if (verdict === undefined || nothingToDecide(verdict) !== null || isSatisfied(verdict)) return [];
  const { terms } = verdict;
  const owner = terms.owner ?? "nobody";
  if (terms.batch === null) {
    // What ran at low risk and is reviewed by itself is looked at some time: nobody is told of each.
    return isAudit(terms) && isLow ? [] : [{ owner, at: occurredAt, way: "alone", batchId: null }];
  }
  const seal = seals.find((s) => s.verdict === verdict.id);
  return [seal === undefined ? { owner, at: occurredAt, way: "none", batchId: null } : { owner: seal.owner, at: seal.at, way: "batch", batchId: seal.batchId }];
}

function escalated({ terms }: VerdictNode, event: TimelineEntry, events: readonly TimelineEntry[]): Interruption {
  const step = events.filter((e) => e.what === "escalate" && e.answers === event.answers).indexOf(event) + 1;
  return later(terms.ladder.find((rung) => rung.step === step)?.to ?? null, event);
}

function later(owner: string | null, { occurredAt }: TimelineEntry): Interruption {
  return { owner: owner ?? "nobody", at: occurredAt, way: "later", batchId: null };
}
