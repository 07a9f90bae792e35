import { sha256 } from "../events/canonical.ts";
import { runBatchKey } from "../ledger/batch.ts";
import type { SealedBatch, Unsealed } from "../projector/batch-queries.ts";

/** A batch to be sealed: what its records say, and the verdicts that become members now. */
export interface Seal extends SealedBatch {
  readonly members: readonly Unsealed[];
}

/** What to seal now, and when to look again at the latest; null where nothing waits. */
export interface Plan {
  readonly seals: readonly Seal[];
  readonly next: number | null;
}

/**
 * Which batches are to be sealed now. A function of what waits and the time alone: two batchers that see the same make the same batches
 * under the same ids.
 */
export function planBatches(waiting: readonly Unsealed[], now: number): Plan {
  const seals: Seal[] = [];
  let next: number | null = null;
  for (const group of Map.groupBy(waiting, groupOf).values()) {
    const members = [...group].sort((a, b) => a.judgedAt - b.judgedAt || (a.verdictId < b.verdictId ? -1 : 1));
    const { take, at } = isRunReview(members[0] as Unsealed) ? takeReviews(members, now) : takePending(members, now);
    for (const { sealedBy, of } of take) seals.push(sealOf(of, sealedBy, now));
    if (at !== null && (next === null || at < next)) next = at;
  }
  return { seals, next };
}

interface Taken {
  readonly take: readonly { readonly sealedBy: string; readonly of: readonly Unsealed[] }[];
  /** When the rest is due. */
  readonly at: number | null;
}

/** What waits for a decision: full batches at once; the rest when a run ends, the window is over or a member's time runs out. */
function takePending(members: readonly Unsealed[], now: number): Taken {
  const max = mostOf(members);
  const full = Math.floor(members.length / max) * max;
  const take = chunks(members.slice(0, full), max).map((of) => ({ sealedBy: "size", of }));
  const rest = members.slice(full);
  if (rest.length === 0) return { take, at: null };
  const window = Math.min(...rest.map((m) => m.judgedAt + m.windowMs));
  const deadline = Math.min(...rest.map((m) => m.half ?? Number.POSITIVE_INFINITY));
  const sealedBy = now >= Math.min(window, deadline) ? (deadline < window ? "deadline" : "window") : runHasEnded(rest) ? "run_end" : null;
  return sealedBy === null ? { take, at: Math.min(window, deadline) } : { take: [...take, { sealedBy, of: rest }], at: null };
}

/**
 * A run that ends with two or more items in the group closes it. One that leaves a single item does not: it would be an interruption of its
 * own, which batches are there to spare, so it waits for company until its window is over.
 */
function runHasEnded(members: readonly Unsealed[]): boolean {
  const ended = members.filter((m) => m.run === "ended");
  return [...Map.groupBy(ended, (m) => m.threadId).values()].some((of) => of.length > 1);
}

/** What a run did and somebody reviews afterwards: together when the run ends, or is silent for a window, or a member's time runs out. */
function takeReviews(members: readonly Unsealed[], now: number): Taken {
  const max = mostOf(members);
  const silence = Math.max(...members.map((m) => m.judgedAt + m.windowMs));
  const deadline = Math.min(...members.map((m) => m.half ?? Number.POSITIVE_INFINITY));
  const sealedBy = members.every((m) => m.run === "ended") ? "run_end" : now >= deadline ? "deadline" : now >= silence ? "window" : null;
  if (sealedBy === null) return { take: [], at: Math.min(silence, deadline) };
  return { take: chunks(members, max).map((of) => ({ sealedBy, of })), at: null };
}

function isRunReview({ audit, threadId }: Unsealed): boolean {
  return audit && threadId !== null;
}

/** Owner, action and rule set; what a run did is reviewed by run and owner. */
function groupOf(member: Unsealed): string {
  return [member.workspace, member.owner, String(member.audit), keyOf(member)].join("\0");
}

/** The key that a batch with this member has. */
export function keyOf(member: Unsealed): string {
  return isRunReview(member) ? runBatchKey(member.workspace, member.threadId as string, member.owner) : member.key;
}

/**
 * Of what waits, the verdicts that a batch names which was sealed only in part: its writer was stopped, or is still at it. They become
 * members of that batch and of no other.
 */
export function namedBefore(waiting: readonly Unsealed[], batchesOf: (member: Unsealed) => readonly SealedBatch[]): ReadonlyMap<Unsealed, SealedBatch> {
  const named = new Map<Unsealed, SealedBatch>();
  for (const member of waiting) {
    const batch = batchesOf(member).find((b) => b.at >= member.judgedAt && b.owner === member.owner && b.named.includes(member.itemId));
    if (batch !== undefined) named.set(member, batch);
  }
  return named;
}

function mostOf(members: readonly Unsealed[]): number {
  return Math.min(...members.map((m) => m.max));
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function sealOf(members: readonly Unsealed[], sealedBy: string, now: number): Seal {
  const first = members[0] as Unsealed;
  const key = keyOf(first);
  const { workspace, owner } = first;
  return {
    batchId: `b${sha256([workspace, key, ...members.map((m) => m.verdictId).sort()].join("\0")).slice(0, 24)}`,
    workspace,
    key,
    owner,
    sealedBy,
    // Not before its members, however the clocks of two machines differ: what it names is told by that from what came later.
    at: Math.max(now, ...members.map((m) => m.judgedAt)),
    named: members.map((m) => m.itemId),
    members,
  };
}
