import type { ActionProposed } from "../events/types.generated.ts";
import { OPEN, replayUsage } from "./budgets/replay-usage.ts";
import type { CompiledPolicy } from "./compiled.ts";
import { countablesOf, type JudgedAction } from "./judgement/subjects.ts";
import { rulesOf } from "./testing/expect.ts";
import { judgeFully } from "./testing/run.ts";

/** Where an item goes: a route, `audit` where it runs at once and is reviewed afterwards, or `none` where nobody had judged it. */
export const WAYS = ["none", "allow", "audit", "batch", "interrupt", "forbid"] as const;
export type Way = (typeof WAYS)[number];

/** What became of the review of an item; `none` where nobody has decided. */
export const DECISIONS = ["approve", "edit", "reject", "respond", "acknowledge", "expire", "withdraw", "none"] as const;
export type Settled = (typeof DECISIONS)[number];

/** A proposal as it was recorded, what policy said of it then, and what people decided. */
export interface Recorded {
  readonly proposal: ActionProposed;
  readonly way: Way;
  readonly owner: string | null;
  /** When it was judged, in milliseconds since the epoch. */
  readonly at: number;
  /** How its review was settled. With a quorum it is the decision that settled it, not the first vote. */
  readonly decision: Settled;
  /** When that was; null where it is still open, or never was. */
  readonly settledAt: number | null;
  /** What counted toward budgets in the end: the approved actions. Empty where nothing ran. */
  readonly ran: readonly JudgedAction[];
  /** The other documents that judge it beside the one on trial. */
  readonly others: readonly CompiledPolicy[];
  /** False where it lies before the range: judged for the sake of budgets, and counted nowhere. */
  readonly counts: boolean;
}

/** An item that would run without being asked about first. */
export interface LetThrough {
  readonly itemId: string;
  readonly tool: string;
  readonly agent: string;
  readonly at: number;
  readonly before: Way;
  readonly after: Way;
  readonly decision: Settled;
}

/** What a policy would have meant. */
export interface Backtest {
  readonly proposals: number;
  /** Old way, new way and what people decided, most severe last. */
  readonly cells: readonly { readonly before: Way; readonly after: Way; readonly decision: Settled; readonly count: number }[];
  /** What no longer waits for a person: edited and rejected ones first, then by time. */
  readonly letThrough: { readonly count: number; readonly edited: number; readonly rejected: number; readonly items: readonly LetThrough[] };
  /** What ran without a person and would now wait, or never run. */
  readonly stopped: { readonly asked: number; readonly forbidden: number };
  /** Items that reach a person (before or after they run), by owner and UTC day of the judgement. */
  readonly reviews: readonly { readonly owner: string; readonly day: string; readonly before: number; readonly after: number }[];
  /** How often each budget or rule on repetition would have taken hold, and on what. */
  readonly budgetHits: readonly { readonly budget: string; readonly count: number; readonly items: readonly string[] }[];
  /** Judgements that ended in an error, by code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Where a verdict sends an item. */
export function wayOf({ route, gate }: { readonly route: string; readonly gate: string }): Way {
  if (gate === "audit" && route !== "forbid") return "audit";
  return WAYS.find((way) => way === route) ?? "none";
}

const flows = (way: Way): boolean => way === "allow" || way === "audit";
const asks = (way: Way): boolean => way === "batch" || way === "interrupt";
const isReviewed = (way: Way): boolean => asks(way) || way === "audit";

/** Called now and then with the number of proposals that are judged. */
export type Progress = (judged: number) => void;

/**
 * Judges recorded proposals under a policy, each at its recorded time and in that order. Budgets count what would have been used: what the
 * policy lets run counts from its judgement on; what waits for a person is reserved until that person's recorded decision and counts after it
 * as it was approved. What nobody was asked about counts as approved at once.
 */
export function backtest(policy: CompiledPolicy, recorded: readonly Recorded[], progress: Progress = () => {}): Backtest {
  const inOrder = [...recorded].sort((a, b) => a.at - b.at);
  const releases = inOrder.filter(({ settledAt }) => settledAt !== null).sort((a, b) => (a.settledAt as number) - (b.settledAt as number));
  const usage = replayUsage([...new Set([policy, ...inOrder.flatMap(({ others }) => others)])]);
  const waiting = new Set<Recorded>();
  const tables = tablesOf(policy);
  let released = 0;
  for (const [n, item] of inOrder.entries()) {
    if (n % 500 === 0) progress(n);
    const { proposal, at } = item;
    for (let next = releases[released]; next !== undefined && (next.settledAt as number) <= at; next = releases[++released])
      if (waiting.delete(next)) usage.put(next.proposal.itemId, countablesOf(next.proposal, next.ran), next.settledAt as number);
    const policies = [policy, ...item.others];
    const verdict = judgeFully(policies, { proposal, actions: proposal.actions, answers: "proposal", now: at, usage: usage.reader(policies) });
    const way = wayOf(verdict);
    if (item.counts) tables.count(item, way, verdict);
    if (way === "forbid") continue;
    const wasAsked = asks(item.way);
    if (asks(way) && wasAsked) waiting.add(item);
    const reserves = waiting.has(item) && (item.settledAt === null || item.settledAt > at);
    const actions = asks(way) && !reserves && wasAsked ? item.ran : proposal.actions;
    usage.put(proposal.itemId, countablesOf(proposal, actions, { flowed: flows(way) }), reserves ? OPEN : at);
    if (!reserves) waiting.delete(item);
  }
  return tables.result();
}

/** Where the counts are kept while the proposals go by. */
function tablesOf(policy: CompiledPolicy) {
  const cells = new Map<string, Backtest["cells"][number]>();
  const reviews = new Map<string, Backtest["reviews"][number]>();
  const hits = new Map<string, string[]>();
  const items: LetThrough[] = [];
  const errors: Record<string, number> = {};
  const budgets = new Set(policy.budgets.map(({ id }) => id));
  const stopped = { asked: 0, forbidden: 0 };
  let proposals = 0;
  const review = (owner: string | null, at: number, before: number, after: number) => {
    const of = { owner: owner ?? "nobody", day: new Date(at).toISOString().slice(0, 10) };
    const key = `${of.day} ${of.owner}`;
    const known = reviews.get(key) ?? { ...of, before: 0, after: 0 };
    reviews.set(key, { ...of, before: known.before + before, after: known.after + after });
  };
  return {
    count({ proposal, way: before, owner, at, decision }: Recorded, after: Way, verdict: ReturnType<typeof judgeFully>): void {
      proposals++;
      const key = `${before} ${after} ${decision}`;
      cells.set(key, { before, after, decision, count: (cells.get(key)?.count ?? 0) + 1 });
      const { itemId, actions, agent } = proposal;
      if (flows(after) && !flows(before))
        items.push({ itemId, tool: actions.map(({ tool }) => tool).join(", "), agent: agent.id, at, before, after, decision });
      if (flows(before) && asks(after)) stopped.asked++;
      if (flows(before) && after === "forbid") stopped.forbidden++;
      if (isReviewed(before)) review(owner, at, 1, 0);
      if (isReviewed(after)) review(verdict.owner, at, 0, 1);
      for (const rule of rulesOf(verdict)) {
        if (!budgets.has(rule)) continue;
        const known = hits.get(rule);
        if (known === undefined) hits.set(rule, [itemId]);
        else known.push(itemId);
      }
      if (verdict.error !== null) errors[verdict.error.code] = (errors[verdict.error.code] ?? 0) + 1;
    },
    result(): Backtest {
      const of = (decision: Settled) => items.filter((item) => item.decision === decision).length;
      const weight = ({ decision }: LetThrough) => (decision === "reject" ? 0 : decision === "edit" ? 1 : 2);
      return {
        proposals,
        cells: [...cells.values()].sort(
          (a, b) =>
            WAYS.indexOf(a.before) - WAYS.indexOf(b.before) ||
            WAYS.indexOf(a.after) - WAYS.indexOf(b.after) ||
            DECISIONS.indexOf(a.decision) - DECISIONS.indexOf(b.decision),
        ),
        letThrough: { count: items.length, edited: of("edit"), rejected: of("reject"), items: items.sort((a, b) => weight(a) - weight(b) || a.at - b.at) },
        stopped,
        reviews: [...reviews.values()].sort((a, b) => compareText(a.day, b.day) || compareText(a.owner, b.owner)),
        budgetHits: [...hits].map(([budget, of]) => ({ budget, count: of.length, items: of })).sort((a, b) => b.count - a.count),
        errors,
      };
    },
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
