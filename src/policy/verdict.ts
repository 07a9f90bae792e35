import { canonicalize, sha256 } from "../events/canonical.ts";
import type { Draft } from "../events/draft.ts";
import type { BudgetUse, Card, ExternalRef, LadderStep, VerdictStep } from "../events/types.generated.ts";
import type { VerdictBody } from "./judge.ts";
import type { Opinion } from "./opinion.ts";

/** Version of the engine, in every verdict: the same inputs and the same version give the same verdict. */
export const ENGINE_VERSION = "1";

/** What a verdict needs beside the opinion. */
export interface Around {
  readonly now: number;
  readonly requestedTimeoutMs: number | null;
  readonly because: readonly string[];
  readonly steps: readonly VerdictStep[];
  readonly card: Card | null;
  readonly receiptTarget: ExternalRef | null;
  /** Every budget that applies, with what was used before. */
  readonly budgets?: readonly BudgetUse[];
}

/** An opinion as the fields of a verdict, with its times made absolute. */
export function verdictOf(opinion: Opinion, around: Around): Draft<VerdictBody> {
  const { card } = around;
  const people = opinion.route === "batch" || opinion.route === "interrupt";
  const forbidden = opinion.route === "forbid";
  // Policies that contradict each other leave no decision open: that is an error of theirs, and rejecting stays possible.
  const contradicted = people && opinion.decisions.length === 0;
  const error = contradicted ? { code: "policy_error", message: "The policies leave no decision that all of them allow" } : opinion.error;
  const { ladder, expiresAt } = people ? times(opinion, around) : { ladder: [], expiresAt: null };
  return {
    policy: opinion.policy,
    engineVersion: ENGINE_VERSION,
    route: contradicted ? "interrupt" : opinion.route,
    risk: opinion.risk,
    score: opinion.score,
    contributions: opinion.contributions,
    reversibility: opinion.reversibility,
    gate: contradicted ? "hard" : opinion.gate,
    matched: opinion.matched,
    because: around.because,
    wouldPass: people ? opinion.wouldPass : [],
    error,
    owner: opinion.owner,
    approvals: people ? opinion.approvals : 0,
    approvalOrder: people ? opinion.approvalOrder : [],
    separation: people ? opinion.separation : [],
    allowedDecisions: people ? (contradicted ? ["reject"] : opinion.decisions) : [],
    editablePaths: people && opinion.decisions.includes("edit") ? opinion.editable : [],
    ladder,
    expiresAt,
    onExpiry: opinion.onExpiry,
    batchKey: opinion.route === "batch" && !contradicted ? (opinion.batch?.key ?? null) : null,
    batchMax: opinion.route === "batch" && !contradicted ? (opinion.batch?.max ?? null) : null,
    batchWindowMs: opinion.route === "batch" && !contradicted ? (opinion.batch?.windowMs ?? null) : null,
    steps: around.steps,
    grantTtlMs: forbidden ? null : opinion.grantTtlMs,
    card,
    cardSha256: card === null ? null : cardHash(card),
    receiptTarget: around.receiptTarget,
    budgets: around.budgets ?? [],
    standing: null,
    shadow: [],
  };
}

/** SHA-256 over the card's canonical JSON: what a decision says it has seen. A card has no nulls to leave out. */
export function cardHash(card: Card): string {
  return sha256(canonicalize(card));
}

/** Each step is due when the time before it is over, and no step has more time than the one before. The agent may only shorten. */
function times(opinion: Opinion, { now, requestedTimeoutMs }: Around): { ladder: LadderStep[]; expiresAt: number } {
  let time = Math.min(opinion.timeoutMs, requestedTimeoutMs === null ? Number.POSITIVE_INFINITY : Math.max(0, requestedTimeoutMs));
  let at = now + time;
  const ladder = opinion.ladder.map(({ to, timeout, page }, i) => {
    const step = { step: i + 1, at, to, page };
    time = Math.min(time, timeout);
    at += time;
    return step;
  });
  return { ladder, expiresAt: at };
}
