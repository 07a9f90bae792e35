import type { Json } from "../events/canonical.ts";
import { type Decimal, decimalText, subtract, ZERO } from "../events/decimal.ts";
import { type Item, type NodeKey, nodeOf } from "../ledger/item.ts";
import { OPEN, type Spend, spendsOf } from "../ledger/spend.ts";
import { type Entry, Tally } from "../policy/budgets/tally.ts";
import type { Countable, Meter, UsageReader } from "../policy/budgets/usage.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Queries } from "../projector/queries.ts";

/** What counts toward budgets, live: what the views have folded, and what was judged since. */
export interface LiveUsage {
  /** Usage by all other items, for judging one. */
  judging(itemId: string, workspace: string): UsageReader;
  /**
   * Usage by what was judged before an item (its id decides a tie), for granting it: where two ledgers judged at the same moment without
   * seeing each other, the later one finds the earlier here, and not the other way round.
   */
  earlier(itemId: string, workspace: string): UsageReader;
  /** Usage by that, and by what is granted, whenever it was judged. */
  earlierOrGranted(itemId: string, workspace: string): UsageReader;
  /** Holds what a verdict reserves until it is folded. Call it in the same breath as the judgement: the next judgement must see it. */
  reserve(itemId: string, cause: NodeKey, judgedAt: number, actions: readonly Countable[]): void;
  /** What counts in the window that ends at a time, by meter and key; `itemId`: only where that item counts. */
  inWindow(
    asOf: number,
    itemId?: string,
  ): Iterable<{ readonly meter: Meter; readonly key: string; readonly total: Decimal; readonly entries: () => readonly Entry[] }>;
}

interface Counting {
  readonly meter: Meter;
  readonly tallies: Map<string, Tally>;
}

interface Counted {
  readonly counting: Counting;
  readonly key: string;
  readonly entry: Entry;
}

interface Reservation {
  readonly cause: NodeKey;
  readonly judgedAt: number;
  readonly actions: readonly Countable[];
}

/**
 * Usage of the meters in force. It is read from the views when a document changes, and kept up with every batch: nothing is written
 * anywhere, so a restart or a rebuild loses nothing.
 */
export function liveUsage(
  queries: Queries,
  onFolded: (listener: (batch: FoldedBatch) => void) => () => void,
  meters: () => readonly Meter[],
  now: () => number,
): LiveUsage {
  /** The meters that are counted; undefined: they must be counted anew. */
  let counted: readonly Meter[] | undefined;
  let countings = new Map<string, Counting>();
  let items = new Map<string, readonly Counted[]>();
  const reserved = new Map<string, Reservation>();

  onFolded((batch) => {
    for (const itemId of reserved.size === 0 ? [] : batch.rebuilt ? reserved.keys() : batch.items) dropFolded(itemId);
    if (counted === undefined || counted.length === 0) return;
    if (batch.rebuilt) counted = undefined;
    else for (const itemId of batch.items) refresh(itemId);
  });

  /** A reservation lasts until the verdict that made it (or another one in its place) is folded. */
  function dropFolded(itemId: string): void {
    const cause = reserved.get(itemId)?.cause;
    const node = cause === undefined ? undefined : queries.item(itemId)?.item.nodes.get(cause);
    if ((node?.topic === "proposals" || node?.topic === "decisions") && node.verdict !== null) reserved.delete(itemId);
  }

  function current(): Map<string, Counting> {
    const wanted = meters();
    if (counted === wanted) return countings;
    countings = new Map(wanted.map((meter) => [nameOf(meter.workspace, meter.id), { meter, tallies: new Map() }]));
    items = new Map();
    counted = wanted;
    if (wanted.length === 0) return countings;
    const longest = Math.max(...wanted.map((meter) => meter.windowMs));
    for (const item of queries.spent(now() - longest)) if (!reserved.has(item.id)) put(item.id, countedOf(item));
    for (const [itemId, reservation] of reserved) put(itemId, countedReservation(itemId, reservation));
    return countings;
  }

  function refresh(itemId: string): void {
    if (reserved.has(itemId)) return;
    const view = queries.item(itemId);
    put(itemId, view === undefined ? [] : countedOf(view.item));
  }

  function put(itemId: string, now: readonly Counted[]): void {
    const before = items.get(itemId) ?? [];
    if (before.length === now.length && before.every((b, i) => isSame(b, now[i] as Counted))) return;
    for (const { counting, key, entry } of before) {
      const tally = counting.tallies.get(key);
      tally?.remove(entry);
      if (tally?.isEmpty) counting.tallies.delete(key);
    }
    for (const { counting, key, entry } of now) {
      let tally = counting.tallies.get(key);
      if (tally === undefined) {
        tally = new Tally(counting.meter.windowMs);
        counting.tallies.set(key, tally);
      }
      tally.insert(entry);
    }
    if (now.length > 0) items.set(itemId, now);
    else items.delete(itemId);
  }

  function countedOf(item: Item): Counted[] {
    const proposal = nodeOf(item, "proposals", item.proposal);
    if (proposal === undefined) return [];
    return spendsOf(item).flatMap((spend) => {
      const { agentId: agent, onBehalfOf, threadId: thread } = proposal;
      const { at, judgedAt, granted, flowed, approvals } = spend;
      const how = { at, judgedAt, granted, flowed, approvals };
      return count(item.id, countable({ workspace: item.workspace ?? "", agent, onBehalfOf, thread }, spend), how);
    });
  }

  function countedReservation(itemId: string, { judgedAt, actions }: Reservation): Counted[] {
    return actions.flatMap((action) => count(itemId, action, { at: OPEN, judgedAt, granted: false, flowed: action.flowed, approvals: 0 }));
  }

  function count(itemId: string, action: Countable, how: Omit<Entry, "itemId" | "amount" | "values">): Counted[] {
    const out: Counted[] = [];
    for (const counting of countings.values()) {
      const read = counting.meter.read(action);
      if (read === undefined) continue;
      const { key, amount = ZERO, values } = read;
      out.push({ counting, key, entry: { itemId, ...how, amount, values } });
    }
    return out;
  }

  /** A reader that leaves out the item itself, and more of what is there. */
  function reader(itemId: string, workspace: string, leavesOut: (entry: Entry) => boolean): UsageReader {
    return ({ id, key, windowMs, asOf, without = [] }) => {
      const counting = current().get(nameOf(workspace, id));
      if (counting === undefined) throw new Error(`nothing counts ${id}`);
      const tally = counting.tallies.get(key);
      if (tally === undefined) return { count: 0, sum: "0" };
      tally.moveTo(asOf);
      const left = new Set<Entry>();
      for (const c of items.get(itemId) ?? []) if (c.counting === counting && c.key === key && c.entry.at > asOf - windowMs) left.add(c.entry);
      if (leavesOut !== NONE) for (const entry of tally.current()) if (leavesOut(entry)) left.add(entry);
      let { total } = tally;
      const values = new Map<string, number>();
      for (const entry of left) {
        total = subtract(total, entry.amount);
        for (const value of entry.values) values.set(value, (values.get(value) ?? 0) + 1);
      }
      if (counting.meter.kind !== "distinct") return { count: tally.count - left.size, sum: decimalText(total) };
      let distinct = tally.values.size;
      const own = new Set(without);
      for (const value of new Set([...own, ...values.keys()])) {
        const there = tally.values.get(value) ?? 0;
        if (there > 0 && (own.has(value) || there === values.get(value))) distinct--;
      }
      return { count: distinct, sum: decimalText(total) };
    };
  }

  function isLater(entry: Entry, itemId: string): boolean {
    const judgedAt = items.get(itemId)?.[0]?.entry.judgedAt ?? Number.MAX_SAFE_INTEGER;
    return entry.judgedAt > judgedAt || (entry.judgedAt === judgedAt && entry.itemId > itemId);
  }

  function* inWindow(asOf: number, itemId?: string) {
    const all = [...current().values()];
    const places =
      itemId === undefined
        ? all.flatMap(({ meter, tallies }) => [...tallies].map(([key, tally]) => ({ meter, key, tally })))
        : (items.get(itemId) ?? []).flatMap(({ counting: { meter, tallies }, key }) => ({ meter, key, tally: tallies.get(key) as Tally }));
    // A plan counts for a key once with each of its steps.
    const seen = new Set<Tally>();
    for (const { meter, key, tally } of places) {
      if (seen.has(tally)) continue;
      seen.add(tally);
      tally.moveTo(asOf);
      const total = meter.kind === "distinct" ? { n: BigInt(tally.values.size), scale: 0 } : tally.total;
      yield { meter, key, total, entries: () => [...tally.current()] };
    }
  }

  return {
    inWindow,
    judging: (itemId, workspace) => reader(itemId, workspace, NONE),
    earlier: (itemId, workspace) => reader(itemId, workspace, (entry) => isLater(entry, itemId)),
    earlierOrGranted: (itemId, workspace) => reader(itemId, workspace, (entry) => !entry.granted && isLater(entry, itemId)),
    reserve(itemId, cause, judgedAt, actions) {
      const reservation = { cause, judgedAt, actions };
      reserved.set(itemId, reservation);
      current();
      put(itemId, countedReservation(itemId, reservation));
    },
  };
}

const NONE = (): boolean => false;

function nameOf(workspace: string, id: string): string {
  return `${workspace}\0${id}`;
}

function isSame(a: Counted, b: Counted): boolean {
  return (
    a.counting === b.counting &&
    a.key === b.key &&
    a.entry.at === b.entry.at &&
    a.entry.judgedAt === b.entry.judgedAt &&
    a.entry.granted === b.entry.granted &&
    a.entry.flowed === b.entry.flowed &&
    a.entry.approvals === b.entry.approvals &&
    sameAmount(a.entry, b.entry)
  );
}

function sameAmount(a: Entry, b: Entry): boolean {
  return (
    a.amount.n === b.amount.n && a.amount.scale === b.amount.scale && a.values.length === b.values.length && a.values.every((value, i) => value === b.values[i])
  );
}

/** An action of a folded item. Its arguments are read only where a meter asks for them. */
function countable(of: Pick<Countable, "workspace" | "agent" | "onBehalfOf" | "thread">, { tool, args, argsSha256, flowed }: Spend): Countable {
  let read: { value: Json } | undefined;
  return {
    ...of,
    tool,
    argsSha256,
    flowed,
    get args() {
      read ??= { value: JSON.parse(args) as Json };
      return read.value;
    },
  };
}
