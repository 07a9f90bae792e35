import type { Json } from "../events/canonical.ts";
import type { AgentRef, ExternalRef, RunRef } from "../events/types.generated.ts";
import type { Tier } from "./tiers.ts";

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
