import type { Json } from "../../events/canonical.ts";
import type { AgentRef, ExternalRef, RunRef } from "../../events/types.generated.ts";
import type { Tier } from "../tiers.ts";
import type { Steps } from "./regex.ts";

/**
 * Steps that everything in one judgement may take together, for patterns, CEL, long lists and schemas. Measured are up to 12 ns for each, so that
 * they end within 50 ms. They are counted by what is read, not by a clock: a judgement comes to the same everywhere. What they do not reach for
 * is unknown; arguments that they do not reach to hold against their schema break it.
 */
export const MAX_JUDGEMENT_STEPS = 4_000_000;

/** Everything that a condition may read of one action. */
export interface Facts {
  readonly tool: string;
  readonly args: Json;
  /** The state of the target, where the proposal brought one. */
  readonly target: Json | undefined;
  readonly agent: AgentRef;
  readonly origin: ExternalRef | null;
  readonly run: RunRef | null;
  readonly confidence: number | null;
  readonly confidenceSource: string | null;
  /** The time of the verdict, in milliseconds since the epoch. */
  readonly now: number;
  readonly baseRisk: Tier;
  /** The final tier; only routes read it. */
  readonly risk: Tier;
  /** What is left for the whole item: all its actions and policies. */
  readonly steps: Steps;
  /** What dear comparisons of this action came to, and those for which nothing was left. */
  readonly answers: Map<object, boolean | undefined>;
}

/** The run as conditions and CEL read it; what the proposal does not say is not there. */
export function runFacts(run: RunRef | null): { [key: string]: Json } | undefined {
  if (run === null) return undefined;
  const cost = run.costUsd === null ? Number.NaN : Number(run.costUsd);
  const { framework, frameworkVersion, threadId, step, ended } = run;
  return present({ framework, framework_version: frameworkVersion, thread: threadId, step, cost_usd: Number.isFinite(cost) ? cost : null, ended });
}

/** An object without its nulls. */
export function present(values: { readonly [key: string]: Json }): { [key: string]: Json } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
