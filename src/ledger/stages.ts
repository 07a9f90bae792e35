/** Where an item is in its life. `unproposed`: there are events, but no effective proposal yet. */
export const STAGES = ["unproposed", "proposed", "pending", "rejudging", "settled", "granted", "executing", "in_doubt", "done"] as const;
export type Stage = (typeof STAGES)[number];

/** How an item ended. */
export const OUTCOMES = [
  "succeeded",
  "failed",
  "compensated",
  "refused",
  "responded",
  "acknowledged",
  "expired",
  "forbidden",
  "withdrawn",
  "withheld",
  "lapsed",
  "revoked",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The side of execution, beside the review: an audited item runs and is reviewed at the same time. */
export const EXECUTIONS = ["none", "granted", "executing", "in_doubt", "succeeded", "failed", "compensated", "lapsed", "revoked"] as const;
