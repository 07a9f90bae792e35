import { messageOf } from "../../errors.ts";
import { SendFailed } from "./channel.ts";

/** What an endpoint answered. */
export interface Answered {
  readonly status: number;
  /** Its beginning: all of it, unless `cut`. */
  readonly text: string;
  readonly cut: boolean;
}

/** Bytes: an endpoint that answers without end must not fill the memory. */
const MOST_READ = 8 * 1024;
/** Longest pause that a receiver may ask for. */
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * Posts JSON. Only an answer of 2xx is a success; a redirect is not followed, since it would take what is signed for one address to another.
 * `most` is how many bytes of a success are read.
 *
 * @throws SendFailed
 */
export async function post(url: string, body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal, most = MOST_READ): Promise<Answered> {
  let response: Response;
  let read: { text: string; cut: boolean };
  try {
    response = await fetch(url, { method: "POST", body, redirect: "manual", signal, headers: { "content-type": "application/json", ...headers } });
    read = await firstOf(response, response.ok ? most : MOST_READ);
  } catch (error) {
    throw new SendFailed(`no answer: ${reasonOf(error)}`);
  }
  const { status } = response;
  if (response.ok) return { status, ...read };
  const said = read.text.trim() === "" ? "" : `: ${read.text}`;
  throw new SendFailed(`answered ${status}${said}`, { retryAfterMs: pauseOf(response.headers.get("retry-after")), final: status === 410 });
}

async function firstOf(response: Response, most: number): Promise<{ text: string; cut: boolean }> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > most) break;
  }
  return { text: Buffer.concat(parts).subarray(0, most).toString("utf8"), cut: size > most };
}

/** `Retry-After` as seconds; as a date it is left to the backoff. */
function pauseOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header.trim()) ? Math.min(Number(header) * 1000, LONGEST_PAUSE_MS) : undefined;
}

/** Node hides why a fetch failed in the cause. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) return "it took too long";
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ECONNREFUSED") return "the connection was refused";
  return messageOf(cause) || code || "no connection";
}
