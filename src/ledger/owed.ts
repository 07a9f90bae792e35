import { isAudit } from "./decisions.ts";
import { effectsOf } from "./effects.ts";
import { calledBy, verdictOfGrant } from "./fold.ts";
import {
  type BatchTerms,
  type DecisionNode,
  type Item,
  keyOf,
  type Node,
  type NodeKey,
  nodeOf,
  type ResumeNode,
  type Terms,
  type VerdictNode,
} from "./item.ts";
import { mustBeStarted, reachedBy } from "./must-start.ts";
import { isGrant } from "./resumes.ts";

/** What a worker owes an item. `judge`: a verdict; `resume`: a resume; `seal`: its place in a batch; `start`: a receipt; the others are written by the clock. */
export type Duty = "judge" | "resume" | "seal" | "start" | "escalate" | "expire" | "release" | "unknown" | "lapsed" | "revoked";

/** Who looks at the todo lists. What executors owe, no worker can do for them: people are told of it once it is due. */
export type WorkerName = "policy" | "dispatcher" | "clock" | "batcher" | "executor";

/** An event that is owed: who looks for it, what it answers, and from when on. */
export interface Owed {
  readonly worker: WorkerName;
  readonly duty: Duty;
  readonly cause: NodeKey;
  /** Milliseconds since the epoch; 0 is at once. */
  readonly due: number;
  /** What the event names: the outcome, the step, the lease, or the action with its lease. Null where it names nothing. */
  readonly names: string | null;
}

/** How long a grant may wait for its start where no policy says so, in milliseconds. */
export const GRANT_TTL_MS = 60 * 60 * 1000;
/** What a `revoked` names that is owed because a plan went no further. */
export const STALLED = "stalled";

/** The events that an item is owed: a function of its state alone, so that a worker needs no memory of its own. */
export function owedTo(item: Item): readonly Owed[] {
  return [...item.nodes.values()].flatMap((node) => owedBy(item, node));
}

function owedBy(item: Item, node: Node): readonly Owed[] {
  const cause = keyOf(node.topic, node.id);
  switch (node.topic) {
    case "proposals":
      return node.verdict === null ? [{ worker: "policy", duty: "judge", cause, due: 0, names: null }] : [];
    case "verdicts":
      return [...resumeOwed(item, node, cause), ...deadlines(node, cause), ...sealOwed(item, node, cause)];
    case "decisions":
      if (node.kind === "edit") return node.verdict === null ? [{ worker: "policy", duty: "judge", cause, due: 0, names: null }] : [];
      return resumeOwed(item, node, cause);
    case "resumes":
      return isGrant(node.outcome) ? owedOnGrant(item, node) : [];
    default:
      return [];
  }
}

function resumeOwed(item: Item, node: VerdictNode | DecisionNode, cause: NodeKey): readonly Owed[] {
  if (node.resume !== null) return [];
  const called = calledBy(item, node);
  if (called === null) return [];
  if (called.outcome === "roll_back" && !(atRest(item, node) && hasEffects(item, node))) return [];
  return [{ worker: "dispatcher", duty: "resume", cause, due: 0, names: called.outcome }];
}

/** What was rejected before anything ran has nothing to undo. */
function hasEffects(item: Item, node: VerdictNode | DecisionNode): boolean {
  const verdict = node.topic === "verdicts" ? node : item.nodes.get(node.cause);
  // A retry of a roll_back, whose cause is a receipt, was begun already.
  return verdict?.topic !== "verdicts" || effectsOf(item, verdict).length > 0;
}

/** Whether nothing of an item can run any more: what a roll_back waits for, but for what calls for it (a retry of the roll_back itself). */
function atRest(item: Item, cause: VerdictNode | DecisionNode): boolean {
  for (const node of item.nodes.values()) {
    if (node.id === cause.id && node.topic === cause.topic) continue;
    if (node.topic === "resumes" && isGrant(node.outcome) && node.group.closedBy === null) return false;
    if (node.topic === "receipts" && node.kind === "unknown" && node.settle === null) return false;
    if (node.topic === "decisions" && node.settlement === "retry" && node.resume === null) return false;
    if (node.topic === "verdicts" && isAudit(node.terms) && node.resume === null) return false;
  }
  return true;
}

/** The time of the step in force as its verdict gives it, and by how much it was taken later, in milliseconds. `end` is null where nothing is due. */
export function stepTimes({ terms, group, judgedAt }: VerdictNode): { readonly from: number; readonly end: number | null; readonly late: number } {
  const end = terms.ladder.find((s) => s.step === group.step + 1)?.at ?? terms.expiresAt;
  const from = terms.ladder.find((s) => s.step === group.step)?.at ?? judgedAt;
  return { from, end, late: group.escalatedAt === null ? 0 : Math.max(0, group.escalatedAt - from) };
}

/**
 * When the time of the step in force is over: the next step of the ladder is due, or the expiry. A step that was taken late, after a time
 * without a clock, has as long as the verdict gives it: the times in the verdict are the earliest ones. Null where nothing is due.
 */
export function stepEnds(verdict: VerdictNode): number | null {
  const { end, late } = stepTimes(verdict);
  return end === null ? null : end + late;
}

function deadlines(verdict: VerdictNode, cause: NodeKey): readonly Owed[] {
  const { group, terms } = verdict;
  if (group.closedBy !== null || !(isAudit(terms) || isPending(verdict))) return [];
  const owed: Owed[] = [];
  const next = terms.ladder.find((s) => s.step === group.step + 1);
  const due = stepEnds(verdict);
  if (next !== undefined) owed.push({ worker: "clock", duty: "escalate", cause, due: due as number, names: String(next.step) });
  else if (due !== null && !group.held && !isAudit(terms)) owed.push({ worker: "clock", duty: "expire", cause, due, names: null });
  if (group.lease !== null) owed.push({ worker: "clock", duty: "release", cause, due: group.lease.endsAt, names: group.lease.id });
  return owed;
}

/**
 * A place in a batch: of what may be batched, as long as its owner has it for the first time and nobody has decided. Due is when the batch
 * must be sealed at the latest; it fills, or its run ends, before that.
 */
function sealOwed(item: Item, verdict: VerdictNode, cause: NodeKey): readonly Owed[] {
  return isUnsealed(verdict) ? [{ worker: "batcher", duty: "seal", cause, due: sealDue(item, verdict), names: null }] : [];
}

/** Whether a verdict may be batched, is not, and still waits for its first owner. */
export function isUnsealed(verdict: VerdictNode): boolean {
  const { terms, batch, group } = verdict;
  if (terms.batch === null || batch !== null || group.closedBy !== null || group.step > 0 || group.held) return false;
  return isAudit(terms) || isPending(verdict);
}

/** When a batch with this verdict must be sealed: its window is over, or half of the time to decide is, so that the other half is left to its owner. */
function sealDue(item: Item, verdict: VerdictNode): number {
  const half = halfTime(verdict);
  const { windowMs } = verdict.terms.batch as BatchTerms;
  // What runs at once is reviewed when the run ends; nobody waits for it before.
  if (isAudit(verdict.terms) && threadOf(item) !== null) return Math.max(half ?? 0, verdict.judgedAt + windowMs);
  return Math.min(half ?? Number.POSITIVE_INFINITY, verdict.judgedAt + windowMs);
}

/** When half of the time that its first owner has is over; null where there is no end to it. */
export function halfTime({ terms, judgedAt }: VerdictNode): number | null {
  const end = terms.ladder.find((s) => s.step === 1)?.at ?? terms.expiresAt;
  return end === null ? null : judgedAt + Math.max(0, Math.floor((end - judgedAt) / 2));
}

function threadOf(item: Item): string | null {
  return nodeOf(item, "proposals", item.proposal)?.threadId ?? null;
}

function isPending({ terms, fallback, group }: VerdictNode): boolean {
  const decides = fallback || (terms.route !== "allow" && terms.route !== "forbid");
  return decides && group.votes.length < Math.max(1, terms.approvals);
}

/** When a grant that only a start brings to an end has waited for it for as long as any other may: from then on a person sees to it. */
function startDue({ grantedAt, group }: ResumeNode, { grantTtlMs }: Terms): number {
  return (group.endedAt ?? grantedAt) + (grantTtlMs ?? GRANT_TTL_MS);
}

/** What waits for an executor and can end in no other way. Times are in milliseconds since the epoch. */
export interface AwaitedStart {
  readonly what: "retry" | "roll_back";
  /** Since when it may be started. */
  readonly since: number;
  /** From when on it is late. */
  readonly due: number;
}

/** The start that a grant waits for, where nothing but a start brings it to an end; null where it runs, is closed, or may be taken back. */
export function awaitedStart(item: Item, grant: ResumeNode | null): AwaitedStart | null {
  if (grant === null || !isGrant(grant.outcome)) return null;
  const owed = owedOnGrant(item, grant).find((o) => o.duty === "start");
  if (owed === undefined) return null;
  return { what: grant.outcome === "roll_back" ? "roll_back" : "retry", since: grant.group.endedAt ?? grant.grantedAt, due: owed.due };
}

function owedOnGrant(item: Item, grant: ResumeNode): readonly Owed[] {
  return grant.group.closedBy === null ? grantDeadlines(item, grant, keyOf("resumes", grant.id)) : [];
}

function grantDeadlines(item: Item, grant: ResumeNode, cause: NodeKey): readonly Owed[] {
  const { running } = grant.group;
  if (running !== null) return [{ worker: "clock", duty: "unknown", cause, due: running.endsAt, names: `${running.actionId}\0${running.leaseId}` }];
  const { group, terms } = verdictOfGrant(item, grant);
  const rejected = isAudit(terms) && group.closedBy?.kind === "reject" && grant.outcome !== "roll_back";
  if (rejected) return [{ worker: "clock", duty: "revoked", cause, due: 0, names: null }];
  if (mustBeStarted(item, grant)) return [{ worker: "executor", duty: "start", cause, due: startDue(grant, terms), names: null }];
  if (group.withdrawn && reachedBy(grant, group.withdrawnAt ?? 0)) return [{ worker: "clock", duty: "revoked", cause, due: 0, names: null }];
  const { done, endedAt } = grant.group;
  // What has begun does not lapse: each further step has the time of the first, from the end of the one before it.
  if (done > 0) return [{ worker: "clock", duty: "revoked", cause, due: (endedAt ?? 0) + (terms.grantTtlMs ?? GRANT_TTL_MS), names: STALLED }];
  return grant.notAfter === null ? [] : [{ worker: "clock", duty: "lapsed", cause, due: grant.notAfter, names: null }];
}
