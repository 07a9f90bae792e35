import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { uuidV7 } from "../events/ids.ts";

/** Requests older or newer than this are refused: whoever recorded one cannot send it again later. */
const WINDOW_S = 300;

/** What Slack sends with a request. */
export interface SlackHeaders {
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Why a request is not Slack's, or not of now; null where it is. `body` as it came, byte by byte. */
export function slackFault(secret: string, { timestamp, signature }: SlackHeaders, body: Uint8Array, now: number): string | null {
  if (timestamp === undefined || signature === undefined) return "it is not signed";
  if (!/^\d{1,12}$/.test(timestamp)) return "its timestamp is no time";
  if (Math.abs(Math.floor(now / 1000) - Number(timestamp)) > WINDOW_S) return "it is older than five minutes, or from the future";
  const due = createHmac("sha256", secret).update(`v0:${timestamp}:`).update(body).digest();
  const given = /^v0=([0-9a-f]{64})$/.exec(signature)?.[1];
  return given !== undefined && timingSafeEqual(Buffer.from(given, "hex"), due) ? null : "its signature is wrong";
}

const payload = z.object({
  type: z.string(),
  user: z.object({ id: z.string().min(1).max(100) }),
  response_url: z.string().max(2000).optional(),
  message: z.object({ blocks: z.array(z.object({ type: z.string(), block_id: z.string().optional() }).loose()) }).optional(),
  actions: z
    .array(z.object({ action_id: z.string(), block_id: z.string().optional(), value: z.string().optional(), action_ts: z.string().optional() }))
    .default([]),
});

/** A button that was pressed. */
export type Interaction = z.output<typeof payload>;

/** Reads the form that Slack posts; undefined where it is none. */
export function readInteraction(body: string): Interaction | undefined {
  const text = new URLSearchParams(body).get("payload");
  if (text === null) return undefined;
  try {
    return payload.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** What the button of a message names: the item, and the verdict and card that are rejected. */
export function readTarget(value: string | undefined): { itemId: string; verdict: string; cardSha256: string } | undefined {
  const [itemId = "", verdict = "", cardSha256 = "", more] = (value ?? "").split("/");
  const known = /^[0-9a-f]{32}$/.test(itemId) && /^[0-9a-f-]{36}$/.test(verdict) && /^[0-9a-f]{64}$/.test(cardSha256) && more === undefined;
  return known ? { itemId, verdict, cardSha256 } : undefined;
}

/** An event id for one press of a button: sent again, the press is the same event. `at` in milliseconds since the epoch. */
export function pressId(at: number, ...parts: readonly string[]): string {
  const random = createHash("sha256").update(parts.join("\0")).digest().subarray(0, 16);
  return uuidV7(random, Math.max(0, Math.floor(at)));
}
