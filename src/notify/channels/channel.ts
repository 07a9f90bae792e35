import { CountersignError } from "../../errors.ts";
import type { Message } from "../notice.ts";
import type { Words } from "../words.ts";

/** A way out of the house. */
export interface Channel {
  readonly name: string;
  readonly type: string;
  /** Sends a message and gives what came back, in a line. @throws SendFailed, or whatever the connection throws: it is tried again */
  send(message: Message, words: Words, signal: AbortSignal): Promise<string>;
  /** Values that must not be kept or shown, whatever an answer or an error says. */
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
}

/** Where a channel does not say how long it waits for an answer. */
export const DEFAULT_TIMEOUT_MS = 10_000;

/** The receiver did not take a message. */
export class SendFailed extends CountersignError {
  /** Milliseconds that the receiver asks to be left alone for. */
  readonly retryAfterMs: number | undefined;
  /** The receiver wants nothing of the kind ever again. */
  readonly final: boolean;

  constructor(message: string, options: { retryAfterMs?: number | undefined; final?: boolean } = {}) {
    super("unavailable", message, { retryable: options.final !== true });
    this.retryAfterMs = options.retryAfterMs;
    this.final = options.final ?? false;
  }
}

/** Longest answer or error that is kept, in characters. */
const MOST_KEPT = 300;

/** A text in one line without secrets: a receiver may repeat what it was sent. */
export function safeText(text: string, secrets: readonly string[]): string {
  let out = text;
  for (const secret of secrets) if (secret.length > 0) out = out.replaceAll(secret, "***");
  out = out.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  return out.length > MOST_KEPT ? `${out.slice(0, MOST_KEPT - 1)}…` : out;
}
