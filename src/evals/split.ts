import { hash } from "node:crypto";

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
  const digest = hmac(padsOf(seed), `${workspace}\0${thread}`);
  const fraction = digest.readUIntBE(0, 6) / 2 ** 48;
  return fraction < 0.8 ? "train" : fraction < 0.9 ? "validation" : "test";
}

const BLOCK_BYTES = 64;

interface Pads {
  readonly seed: string;
  readonly inner: Buffer;
  readonly outer: Buffer;
}

let lastPads: Pads | undefined;

/** What the key of an HMAC comes to, before any text: worked out once for all rows. */
function padsOf(seed: string): Pads {
  if (lastPads?.seed === seed) return lastPads;
  const given = Buffer.from(seed);
  const key = Buffer.alloc(BLOCK_BYTES);
  key.set(given.length > BLOCK_BYTES ? hash("sha256", given, "buffer") : given);
  lastPads = { seed, inner: key.map((byte) => byte ^ 0x36) as Buffer, outer: key.map((byte) => byte ^ 0x5c) as Buffer };
  return lastPads;
}

/** HMAC-SHA256 (RFC 2104) in two hashes: Node's own costs twenty times as much where each text is short. */
function hmac({ inner, outer }: Pads, text: string): Buffer {
  const within = hash("sha256", Buffer.concat([inner, Buffer.from(text)]), "buffer");
  return hash("sha256", Buffer.concat([outer, within]), "buffer");
}
