import type { ActionProposed } from "../events/types.generated.ts";
import type { CompiledPolicy } from "./compile.ts";
import { rulesOf } from "./testing/expect.ts";
import { judgeFully } from "./testing/run.ts";

/** A proposal as it was recorded, what policy said of it then, and what people decided. */
export interface Recorded {
  readonly proposal: ActionProposed;
  readonly route: string;
  readonly owner: string | null;
  /** When it was judged, in milliseconds since the epoch. */
  readonly at: number;
  /** The first decision of a person that settled it: approve, edit, reject, respond; none where nobody decided. */
  readonly decision: string;
}

/** What a policy would have meant. */
export interface Backtest {
  readonly proposals: number;
  /** Old route, new route and what people decided. */
  readonly cells: readonly { readonly before: string; readonly after: string; readonly decision: string; readonly count: number }[];
  /** Items that would have run unseen although a person edited or rejected them. */
  readonly letThrough: readonly { readonly itemId: string; readonly decision: string; readonly tool: string }[];
  /** Items that reach a person, by owner and UTC day. */
  readonly reviews: readonly { readonly owner: string; readonly day: string; readonly before: number; readonly after: number }[];
  /** How often each budget or rule on repetition would have taken hold. */
  readonly budgetHits: Readonly<Record<string, number>>;
}

const asks = (route: string): boolean => route === "batch" || route === "interrupt";

/** Judges recorded proposals under a policy, each at its recorded time. Budgets start empty for each of them: what others would have used is not counted. */
export function backtest(policy: CompiledPolicy, recorded: readonly Recorded[]): Backtest {
  const cells = new Map<string, Backtest["cells"][number]>();
  const reviews = new Map<string, Backtest["reviews"][number]>();
  const letThrough: Backtest["letThrough"][number][] = [];
  const budgetHits: Record<string, number> = {};
  const names = new Set(policy.budgets.map(({ id }) => id));
  const review = (owner: string, at: number, before: number, after: number) => {
    const day = new Date(at).toISOString().slice(0, 10);
    const known = reviews.get(`${day} ${owner}`) ?? { owner, day, before: 0, after: 0 };
    reviews.set(`${day} ${owner}`, { ...known, before: known.before + before, after: known.after + after });
  };
  for (const { proposal, route, owner, at, decision } of recorded) {
    const verdict = judgeFully([policy], { proposal, actions: proposal.actions, answers: "proposal", now: at });
    const key = `${route} ${verdict.route} ${decision}`;
    const count = (cells.get(key)?.count ?? 0) + 1;
    cells.set(key, { before: route, after: verdict.route, decision, count });
    if (verdict.route === "allow" && (decision === "edit" || decision === "reject"))
      letThrough.push({ itemId: proposal.itemId, decision, tool: proposal.actions[0]?.tool ?? "" });
    if (asks(route)) review(owner ?? "nobody", at, 1, 0);
    if (asks(verdict.route)) review(verdict.owner ?? "nobody", at, 0, 1);
    for (const rule of rulesOf(verdict)) if (names.has(rule)) budgetHits[rule] = (budgetHits[rule] ?? 0) + 1;
  }
  return { proposals: recorded.length, cells: [...cells.values()], letThrough, reviews: [...reviews.values()], budgetHits };
}
