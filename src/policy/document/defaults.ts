const MINUTE = 60_000;

/** Time to decide where a document names none, in milliseconds. */
export const DEFAULT_TIMEOUT = 5 * MINUTE;

/** A reviewer's lease. */
export const DEFAULT_CLAIM = 10 * MINUTE;

/** An executor's lease. */
export const DEFAULT_LEASE = 2 * MINUTE;

/** How long a grant may be started. */
export const DEFAULT_GRANT_TTL = 60 * MINUTE;

/** Most members of a batch, and how long it stays open. */
export const DEFAULT_BATCH = { max: 20, window: 30 * MINUTE };

/** Confidence raises the base risk once: medium below 0.7 becomes high, low below 0.85 becomes medium. */
export const DEFAULT_CONFIDENCE = [
  { below: 0.7, from: "medium", to: "high", or_missing: false },
  { below: 0.85, from: "low", to: "medium", or_missing: false },
] as const;

/** Who decides where there is no policy at all. */
export const LAST_OWNER = "role:owner";
