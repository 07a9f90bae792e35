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
  const fraction = Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48;
  return fraction < 0.8 ? "train" : fraction < 0.9 ? "validation" : "test";
}

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** The key of an HMAC, ready for texts. */
interface Pads {
  readonly seed: string;
  /** The inner pad with room for a text behind it, and the outer one with room for a digest. */
  inner: Buffer;
  readonly outer: Buffer;
}

let lastPads: Pads | undefined;

/** What the key of an HMAC comes to, before any text: worked out once for all rows. */
function padsOf(seed: string): Pads {
  if (lastPads?.seed === seed) return lastPads;
  const given = Buffer.from(seed);
  const key = Buffer.alloc(BLOCK_BYTES);
  key.set(given.length > BLOCK_BYTES ? hash("sha256", given, "buffer") : given);
  const [inner, outer] = [Buffer.alloc(1024), Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES)];
  for (const [i, byte] of key.entries()) {
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  lastPads = { seed, inner, outer };
  return lastPads;
}

/** HMAC-SHA256 (RFC 2104) in two hashes, as hex digits: Node's own costs twenty times as much where each text is short, and bytes three times as much as digits. */
function hmac(pads: Pads, text: string): string {
  const most = BLOCK_BYTES + 3 * text.length;
  if (pads.inner.length < most) pads.inner = Buffer.concat([pads.inner.subarray(0, BLOCK_BYTES)], most);
  const { inner, outer } = pads;
  const length = inner.write(text, BLOCK_BYTES);
  outer.write(hash("sha256", inner.subarray(0, BLOCK_BYTES + length), "hex"), BLOCK_BYTES, "hex");
  return hash("sha256", outer, "hex");
}
