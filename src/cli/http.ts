import { CountersignError, type ErrorCode, messageOf } from "../errors.ts";
import type { Io } from "./io.ts";

/** A problem that a server answered with, kept as it came. */
export class RemoteProblem extends CountersignError {
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, problem: Readonly<Record<string, unknown>>) {
    const text = (name: string) => (typeof problem[name] === "string" ? (problem[name] as string) : undefined);
    super(code, text("detail") ?? text("title") ?? code, {
      retryable: Number(problem.status) >= 500,
      ...(text("field") !== undefined && { field: text("field") as string }),
      ...(text("fix") !== undefined && { fix: text("fix") as string }),
      value: problem.value,
    });
    this.problem = problem;
  }
}

/** The HTTP API of a running `up`. */
export interface Api {
  readonly url: string;
  /** Sends a request with the key of the environment. @throws RemoteProblem; CountersignError unavailable when nobody answers */
  call<T>(method: "GET" | "POST", path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T>;
}

const DEFAULT_URL = "http://127.0.0.1:4680";

/** How long an answer may take beyond what `Prefer: wait` asks for, in milliseconds: a server whose log is away keeps trying. */
const PATIENCE_MS = 30_000;

/** The API that COUNTERSIGN_URL names, used with COUNTERSIGN_API_KEY. @throws CountersignError usage */
export function apiOf(io: Pick<Io, "env" | "signal">, patienceMs = PATIENCE_MS): Api {
  const url = (io.env.COUNTERSIGN_URL || DEFAULT_URL).replace(/\/+$/, "");
  const key = io.env.COUNTERSIGN_API_KEY;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new CountersignError("usage", `COUNTERSIGN_URL is ${JSON.stringify(url)}, which is no http URL`, {
      field: "COUNTERSIGN_URL",
      fix: `set it to the address of a running up, such as ${DEFAULT_URL}`,
    });
  if (!key)
    throw new CountersignError("usage", "COUNTERSIGN_API_KEY is not set", {
      field: "COUNTERSIGN_API_KEY",
      fix: "make a key with `countersign keys create --scope reviewer --id YOU --roles ROLE` (or agent, executor) and export it; up --demo prints its own",
    });
  return {
    url,
    async call<T>(method: "GET" | "POST", path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
      const waitMs = 1000 * Number(/^wait=(\d+)$/.exec(headers.prefer ?? "")?.[1] ?? 0);
      const patience = AbortSignal.timeout(patienceMs + waitMs);
      let response: Response;
      let text: string;
      try {
        response = await fetch(`${url}${path}`, {
          method,
          signal: AbortSignal.any([io.signal, patience]),
          headers: { authorization: `Bearer ${key}`, accept: "application/json", ...type, ...headers },
          ...sent,
        });
        text = await response.text();
      } catch (cause) {
        if (io.signal.aborted) throw cause;
        if (patience.aborted)
          throw new CountersignError("unavailable", `${url} has not answered for ${(patienceMs + waitMs) / 1000} s; what was sent may still take effect`, {
            cause,
            retryable: true,
            fix: "see `countersign doctor`; a proposal sent again with the same --key is the same one",
          });
        throw new CountersignError("unavailable", `Nobody answers at ${url}: ${reasonOf(cause)}`, {
          cause,
          retryable: true,
          field: "COUNTERSIGN_URL",
          fix: "start `countersign up`, or set COUNTERSIGN_URL to where it runs",
        });
      }
      const parsed = parsedOf(text);
      if (response.ok && typeof parsed === "object" && parsed !== null) return parsed as T;
      throw problemOf(url, response.status, parsed);
    },
  };
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(url: string, status: number, parsed: unknown): CountersignError {
  if (typeof parsed === "object" && parsed !== null && "code" in parsed && typeof parsed.code === "string")
    return new RemoteProblem(parsed.code as ErrorCode, parsed as Record<string, unknown>);
  return new CountersignError("unavailable", `${url} answered ${status}, but not as Countersign does`, {
    field: "COUNTERSIGN_URL",
    fix: "check that COUNTERSIGN_URL names a running `countersign up`",
  });
}

/** Node hides why a fetch failed in the cause of the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ECONNREFUSED") return "the connection was refused";
  return messageOf(cause) || code || "no connection";
}
