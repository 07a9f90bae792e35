import { canonicalize, sha256 } from "../../events/canonical.ts";
import type { Draft } from "../../events/draft.ts";
import type { BudgetUse, Card, ExternalRef, LadderStep, ShadowVerdict, VerdictReached, VerdictStep } from "../../events/types.generated.ts";
import { spanEnd } from "../span.ts";
import type { Opinion } from "./opinion.ts";

/** Version of the engine, in every verdict: the same inputs and the same version give the same verdict. */
export const ENGINE_VERSION = "3";

/** What a verdict says, without the envelope that the policy worker adds. */
export type VerdictBody = Omit<VerdictReached, "eventId" | "itemId" | "workspace" | "answers" | "occurredAt" | "actor" | "traceparent">;

/** What a verdict needs beside the opinion. */
export interface Around {
  readonly now: number;
  readonly requestedTimeoutMs: number | null;
  /** As in what is judged: a person decides whatever the route. */
  readonly alone?: boolean;
  readonly because: readonly string[];
  readonly steps: readonly VerdictStep[];
  readonly card: Card | null;
  readonly receiptTarget: ExternalRef | null;
  /** Every budget that applies, with what was used before. */
  readonly budgets?: readonly BudgetUse[];
  /** What policies that only watch would have said. */
  readonly shadow?: readonly ShadowVerdict[];
}

/** An opinion as the fields of a verdict, with its times made absolute. */
export function verdictOf(opinion: Opinion, around: Around): Draft<VerdictBody> {
  const { card } = around;
  const audited = opinion.gate === "audit" && opinion.route !== "forbid";
  const people = audited || opinion.route === "batch" || opinion.route === "interrupt";
  const votes = people || (around.alone === true && opinion.route !== "forbid");
  // What has run can be approved or rolled back, nothing else, whatever the action allows beforehand.
  const decisions = audited ? (["approve", "reject"] as const) : opinion.decisions;
  const forbidden = opinion.route === "forbid";
  // Policies that contradict each other leave no decision open: that is an error of theirs, and rejecting stays possible.
  const contradicted = people && decisions.length === 0;
  const error = contradicted ? { code: "policy_error", message: "The policies leave no decision that all of them allow" } : opinion.error;
  const { ladder, expiresAt } = audited ? auditTimes(opinion, around.now) : people ? times(opinion, around) : { ladder: [], expiresAt: null };
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
    approvals: votes ? opinion.approvals : 0,
    approvalOrder: votes ? opinion.approvalOrder : [],
    separation: votes ? opinion.separation : [],
    allowedDecisions: people ? (contradicted ? ["reject"] : decisions) : [],
    editablePaths: people && !audited && decisions.includes("edit") ? opinion.editable : [],
    ladder,
    expiresAt,
    onExpiry: audited ? "hold" : opinion.onExpiry,
    batchKey: opinion.route === "batch" && !contradicted ? (opinion.batch?.key ?? null) : null,
    batchMax: opinion.route === "batch" && !contradicted ? (opinion.batch?.max ?? null) : null,
    batchWindowMs: opinion.route === "batch" && !contradicted ? (opinion.batch?.windowMs ?? null) : null,
    steps: around.steps,
    grantTtlMs: forbidden ? null : opinion.grantTtlMs,
    card,
    cardSha256: card === null ? null : cardHash(card),
    receiptTarget: around.receiptTarget,
    budgets: [...(around.budgets ?? []), ...opinion.budgets],
    standing: null,
    shadow: around.shadow ?? [],
  };
}

/** SHA-256 over the card's canonical JSON: what a decision says it has seen. A card has no nulls to leave out. */
export function cardHash(card: Card): string {
  return sha256(canonicalize(card));
}

/**
 * Each step is due when the time before it is over, and no step has more time than the one before. The agent may end it sooner, and
 * nothing else: steps that come later than its wish are gone. Were they only brought forward, an agent could pick its reviewer, and
 * page people, by asking for a millisecond; and what policy holds for somebody further up, no wish keeps from there.
 */
function times(opinion: Opinion, { now, requestedTimeoutMs }: Around): { ladder: LadderStep[]; expiresAt: number } {
  const { ladder, expiresAt } = rungs(opinion, opinion.ladder, now + opinion.timeoutMs, opinion.timeoutMs);
  const wish = now + Math.max(0, requestedTimeoutMs ?? Number.POSITIVE_INFINITY);
  const before = ladder.filter(({ at }) => at < wish);
  if (wish >= expiresAt || (opinion.onExpiry === "hold" && before.length < ladder.length)) return { ladder, expiresAt };
  return { ladder: before, expiresAt: wish };
}

/** A window that closes unreviewed goes up the ladder, and the last step holds it: what has run is never expired. */
function auditTimes({ audit, calendar }: Opinion, now: number): { ladder: LadderStep[]; expiresAt: null } {
  if (audit === null) throw new Error("an audit without a window");
  const { ladder } = rungs({ calendar }, audit.ladder, now + audit.untilMs, Number.POSITIVE_INFINITY);
  return { ladder, expiresAt: null };
}

/** `most`: no step of fixed time has more than this. Working time is never cut: four hours from the morning on must not become four hours of the night. */
function rungs({ calendar }: Pick<Opinion, "calendar">, steps: Opinion["ladder"], start: number, most: number) {
  let time = most;
  let at = start;
  const ladder = steps.map(({ to, timeout, page }, i): LadderStep => {
    const step = { step: i + 1, at, to, page };
    if (typeof timeout === "number") time = Math.min(time, timeout);
    at = typeof timeout === "number" ? at + time : spanEnd(at, timeout, calendar);
    return step;
  });
  return { ladder, expiresAt: at };
}
