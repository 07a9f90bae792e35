import { CountersignError, type ErrorCode, messageOf } from "../errors.ts";
import { canonicalArgs } from "../events/canonical.ts";
import type { Transport } from "./transport.ts";
import type { Problem } from "./wire/answers.ts";

/** How to reach a gateway. */
export interface HttpOptions {
  /** Such as http://127.0.0.1:4680. */
  readonly url: string;
  readonly apiKey: string;
  /** How long a request is tried again while nobody answers, in milliseconds. Default 30 s. */
  readonly patienceMs?: number;
  readonly fetch?: typeof fetch;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** How long one try may take beyond what it was asked to wait. */
const TRY_MS = 30_000;

/** The HTTP API. Every request may be sent again: a proposal has its idempotency key, decisions and receipts have their event id. */
export function httpTransport(options: HttpOptions): Transport {
  const { apiKey, patienceMs = 30_000, fetch: send = fetch } = options;
  if (!/^https?:\/\//.test(options.url) || !URL.canParse(options.url))
    throw new CountersignError("usage", `${JSON.stringify(options.url)} is no http URL`, {
      field: "url",
      value: options.url,
      fix: "give the address of a running countersign, such as http://127.0.0.1:4680",
    });
  if (!/^[\x21-\x7e]+$/.test(apiKey ?? ""))
    throw new CountersignError("usage", "The API key is empty, or no key", { field: "apiKey", fix: "give a key that `countersign keys create` printed" });
  const base = options.url.replace(/\/+$/, "");

  async function call<T>(method: "GET" | "POST", path: string, body: unknown, signal?: AbortSignal, waitMs = 0): Promise<T> {
    // Serialised once and strictly: what the gateway hashes is what the caller gave, or it is refused here.
    const sent = body === undefined ? undefined : canonicalArgs(body, { name: "The request" }).args;
    const started = performance.now();
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await once<T>(method, path, sent, waitMs, signal);
      } catch (error) {
        signal?.throwIfAborted();
        const again = error instanceof CountersignError && error.retryable && AGAIN.has(error.code);
        if (!again || performance.now() - started + pause > patienceMs) throw error;
        await sleep(pause * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  async function once<T>(method: string, path: string, body: string | undefined, waitMs: number, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(Math.ceil(TRY_MS + waitMs));
    const headers: Record<string, string> = { authorization: `Bearer ${apiKey}`, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (waitMs > 0) headers.prefer = `wait=${Math.ceil(waitMs / 1000)}`;
    let response: Response;
    let text: string;
    try {
      response = await send(`${base}${path}`, {
        method,
        headers,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        ...(body === undefined ? {} : { body }),
      });
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new CountersignError("unavailable", `Nobody answers at ${base}: ${reasonOf(cause)}`, {
        cause,
        retryable: true,
        field: "url",
        value: base,
        fix: "start `countersign up`, or give the address where it runs",
      });
    }
    const parsed = parsedOf(text);
    if (response.ok && parsed !== undefined) return parsed as T;
    throw errorOf(base, response.status, parsed);
  }

  const at = (itemId: string) => `/v1/items/${encodeURIComponent(itemId)}`;
  return {
    propose: (request, signal) => call("POST", "/v1/proposals", request, signal),
    item: (itemId, signal) => call("GET", at(itemId), undefined, signal),
    items: (request, signal) => call("GET", `/v1/items?${new URLSearchParams(request as Record<string, string>)}`, undefined, signal),
    outcome: (itemId, waitMs, signal) => call("GET", `${at(itemId)}/outcome`, undefined, signal, waitMs),
    decide: (itemId, request, signal) => call("POST", `${at(itemId)}/decisions`, request, signal),
    receipt: (itemId, request, signal) => call("POST", `${at(itemId)}/receipts`, request, signal),
  };
}

/** Codes after which the very same request may be sent again. `not_judged_yet` is for the caller to decide. */
const AGAIN: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "timeout",
  "log_unavailable",
  "log_busy",
  "log_closed",
  "append_outcome_unknown",
  "registry_unreachable",
]);

function parsedOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function errorOf(base: string, status: number, parsed: unknown): CountersignError {
  const problem = parsed as Partial<Problem> | undefined;
  if (typeof problem?.code !== "string")
    return new CountersignError("unavailable", `${base} answered ${status}, but not as countersign does`, {
      retryable: status >= 500,
      field: "url",
      value: base,
      fix: "check that the URL names a running `countersign up`",
    });
  return new CountersignError(problem.code as ErrorCode, problem.detail ?? problem.title ?? problem.code, {
    retryable: problem.retryable === true,
    ...(problem.field !== undefined && { field: problem.field }),
    ...(problem.value !== undefined && { value: problem.value }),
    ...(problem.fix !== undefined && { fix: problem.fix }),
  });
}

/** Node hides why a fetch failed in the cause of the error. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return code === "ECONNREFUSED" ? "the connection was refused" : messageOf(cause) || code || "no connection";
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}
