import type { Execution, Gate, Reversibility, Risk, Route } from "../events/types.generated.ts";

/** A tier of risk that this version knows. */
export type Tier = Exclude<Risk, "unrecognized">;

/** Each scale from the mildest to the most severe. Joins take the most severe, so the order in which things are judged never matters. */
export const TIERS = ["low", "medium", "high", "critical"] as const satisfies readonly Risk[];
export const ROUTES = ["allow", "batch", "interrupt", "forbid"] as const satisfies readonly Route[];
export const GATES = ["none", "audit", "soft", "hard"] as const satisfies readonly Gate[];
export const REVERSIBILITIES = ["reversible", "partially", "irreversible"] as const satisfies readonly Reversibility[];
export const EXECUTIONS = ["idempotent", "queryable", "blind"] as const satisfies readonly Execution[];

/** Points at which each tier begins. */
export type Thresholds = Readonly<Record<Exclude<Tier, "low">, number>>;

/** Used where a document names none. */
export const DEFAULT_THRESHOLDS: Thresholds = { medium: 30, high: 60, critical: 90 };

/** The later of two values on a scale. */
export function worst<T extends string>(scale: readonly T[], a: T, b: T): T {
  return scale.indexOf(a) >= scale.indexOf(b) ? a : b;
}

/** Points at which a tier begins: what a tier that is set outright counts. */
export function pointsOf(tier: Tier, thresholds: Thresholds): number {
  return tier === "low" ? 0 : thresholds[tier];
}

/** The tier of a score. */
export function tierOf(points: number, thresholds: Thresholds): Tier {
  return points >= thresholds.critical ? "critical" : points >= thresholds.high ? "high" : points >= thresholds.medium ? "medium" : "low";
}
