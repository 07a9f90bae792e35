import type { EditablePath, VerdictStep } from "../../events/types.generated.ts";
import { EXECUTIONS, GATES, REVERSIBILITIES, ROUTES, TIERS, worst } from "../tiers.ts";
import type { Opinion, Reason } from "./opinion.ts";
import { joinOrders } from "./people.ts";

/**
 * Joins opinions to one: of each part the most severe, of timeouts the shortest, of allowed decisions the intersection; who decides comes
 * from the most severe opinion. Commutative, associative and idempotent up to the order of lists, which is made canonical here.
 */
export function joinOpinions(opinions: readonly Opinion[]): Opinion {
  const sorted = [...opinions].sort(mostSevereFirst);
  const [first, ...rest] = sorted;
  if (first === undefined) throw new Error("there is nothing to join");
  if (rest.length === 0) return first;
  const all = <T>(of: (opinion: Opinion) => readonly T[], key: (part: T) => string = (part) => JSON.stringify(part)): T[] => {
    const parts = new Map<string, T>();
    for (const opinion of sorted) for (const part of of(opinion)) if (!parts.has(key(part))) parts.set(key(part), part);
    return [...parts.values()];
  };
  const batches = sorted.flatMap((opinion) => opinion.batch ?? []);
  const order = joinOrders(sorted.map((o) => o.approvalOrder));
  return {
    ...first,
    route: sorted.reduce((route, o) => worst(ROUTES, route, o.route), first.route),
    risk: sorted.reduce((risk, o) => worst(TIERS, risk, o.risk), first.risk),
    score: Math.max(...sorted.map((o) => o.score)),
    contributions: all((o) => o.contributions),
    reversibility: sorted.reduce((value, o) => worst(REVERSIBILITIES, value, o.reversibility), first.reversibility),
    gate: sorted.reduce((gate, o) => worst(GATES, gate, o.gate), first.gate),
    matched: all((o) => o.matched),
    because: all<Reason>((o) => o.because),
    wouldPass: all((o) => o.wouldPass),
    error: sorted.find((o) => o.error !== null)?.error ?? null,
    // One vote for each place of the order.
    approvals: Math.max(order.length, ...sorted.map((o) => o.approvals)),
    approvalOrder: order,
    separation: all((o) => o.separation).sort(),
    decisions: first.decisions.filter((decision) => rest.every((o) => o.decisions.includes(decision))),
    timeoutMs: Math.min(...sorted.map((o) => o.timeoutMs)),
    onExpiry: sorted.every((o) => o.onExpiry === "hold") ? "hold" : "reject",
    batch:
      batches[0] === undefined
        ? null
        : { key: batches[0].key, max: Math.min(...batches.map((b) => b.max)), windowMs: Math.min(...batches.map((b) => b.windowMs)) },
    audit: joinAudits(sorted),
    budgets: all((o) => o.budgets).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    editable: joinEditable(sorted),
    step: joinSteps(sorted),
    grantTtlMs: Math.min(...sorted.map((o) => o.grantTtlMs)),
    unusual: new Set(sorted.flatMap((o) => [...o.unusual])),
  };
}

function mostSevereFirst(a: Opinion, b: Opinion): number {
  return (
    ROUTES.indexOf(b.route) - ROUTES.indexOf(a.route) ||
    TIERS.indexOf(b.risk) - TIERS.indexOf(a.risk) ||
    GATES.indexOf(b.gate) - GATES.indexOf(a.gate) ||
    b.approvals - a.approvals ||
    b.score - a.score ||
    (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)
  );
}

const keyOf = ({ name, key }: { name: string; key: string }): string => `${name}\0${key}`;

/** The audit that is due first. */
function joinAudits(opinions: readonly Opinion[]): Opinion["audit"] {
  return opinions.reduce<Opinion["audit"]>((first, { audit }) => (first === null || (audit !== null && audit.untilMs < first.untilMs) ? audit : first), null);
}

/** What every opinion on an action opens; of two paths where one covers the other, the narrower. */
function joinEditable(opinions: readonly Opinion[]): EditablePath[] {
  const out = new Map<string, EditablePath>();
  for (const actionId of new Set(opinions.flatMap((o) => o.step?.actionId ?? []))) {
    const lists = opinions.filter((o) => o.step?.actionId === actionId).map((o) => o.editable.filter((e) => e.actionId === actionId).map((e) => e.path));
    for (const path of lists.flat())
      if (lists.every((list) => list.some((wide) => `${path}/`.startsWith(`${wide}/`)))) out.set(`${actionId}\0${path}`, { actionId, path });
  }
  return [...out.values()].sort((a, b) => (a.actionId === b.actionId ? (a.path < b.path ? -1 : 1) : 0));
}

function joinSteps(opinions: readonly Opinion[]): VerdictStep | null {
  const steps = opinions.flatMap((o) => o.step ?? []);
  const [first, ...rest] = steps;
  if (first === undefined) return null;
  return rest.reduce<VerdictStep>(
    (joined, step) => ({
      actionId: joined.actionId,
      execution: worst(EXECUTIONS, joined.execution as (typeof EXECUTIONS)[number], step.execution as (typeof EXECUTIONS)[number]),
      leaseMs: Math.min(joined.leaseMs, step.leaseMs),
      reversibility: worst(REVERSIBILITIES, joined.reversibility as (typeof REVERSIBILITIES)[number], step.reversibility as (typeof REVERSIBILITIES)[number]),
      because: [...new Set([...joined.because, ...step.because])],
    }),
    first,
  );
}
