import { isAudit, isSatisfied, nothingToDecide } from "./decisions.ts";
import type { Item, VerdictNode } from "./item.ts";
import { isGrant } from "./resumes.ts";

/** The folded state in the words of the shared histories: what an independent reading of the rules must agree with. */
export interface Description {
  readonly verdicts: readonly {
    verdict: string;
    open: boolean;
    owner: string | null;
    step: number;
    votes: readonly string[];
    held: boolean;
    lease: string | null;
    closedBy: string | null;
  }[];
  readonly grants: readonly { grant: string; outcome: string; actions: readonly string[]; done: number; running: string | null; closedBy: string | null }[];
  readonly resumes: readonly string[];
}

/** Whether the run waits for a decision on a verdict. An audit does not make it wait. */
export function isOpen(verdict: VerdictNode): boolean {
  return verdict.group.closedBy === null && nothingToDecide(verdict) === null && !isSatisfied(verdict) && !isAudit(verdict.terms);
}

/** Describes an item. Lists are in the order of their ids. */
export function describeItem(item: Item): Description {
  const nodes = [...item.nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const closed = (by: { kind: string; id: string } | null) => (by === null ? null : `${by.kind} ${by.id}`);
  return {
    verdicts: nodes
      .filter((n) => n.topic === "verdicts")
      .map((v) => ({
        verdict: v.id,
        open: isOpen(v),
        owner: v.group.owner,
        step: v.group.step,
        votes: v.group.votes,
        held: v.group.held,
        lease: v.group.lease?.id ?? null,
        closedBy: closed(v.group.closedBy),
      })),
    grants: nodes
      .filter((n) => n.topic === "resumes")
      .filter((g) => isGrant(g.outcome))
      .map((g) => ({
        grant: g.id,
        outcome: g.outcome,
        actions: g.actions.map((a) => `${a.actionId}:${a.argsSha256}`),
        done: g.group.done,
        running: g.group.running?.actionId ?? null,
        closedBy: closed(g.group.closedBy),
      })),
    resumes: nodes.filter((n) => n.topic === "resumes").map((r) => r.outcome),
  };
}
