import { createHmac } from "node:crypto";

/** The splits of a dataset. `holdout` only where a time was given. */
export const SPLITS = ["train", "validation", "test", "holdout"] as const;
export type Split = (typeof SPLITS)[number];

/** Seed of the splits where none is given. It is no secret: it only has to stay the same. */
export const DEFAULT_SPLIT_SEED = "countersign";

/** Shares of train, validation and test. */
export const SPLIT_SHARES = [0.8, 0.1, 0.1] as const;

/**
 * The split of a run: decided by an HMAC of workspace and thread alone, so that a run never straddles splits and a row never changes its
 * split, whatever else the log holds.
 *
 * @param thread the run's thread, or the item where the proposal names no run
 */
export function splitOf(seed: string, workspace: string, thread: string): Split {
  const digest = createHmac("sha256", seed).update(`${workspace}\0${thread}`).digest();
  const fraction = digest.readUIntBE(0, 6) / 2 ** 48;
  return fraction < 0.8 ? "train" : fraction < 0.9 ? "validation" : "test";
}
