import { setTimeout as sleep } from "node:timers/promises";
import { CountersignError, messageOf } from "../errors.ts";
import { subjectOf, type Topic } from "../events/topics.ts";
import type { Compatibility, SchemaRegistry } from "./registry.ts";

/** How to reach a Confluent-compatible schema registry. */
export interface HttpRegistryOptions {
  /** Base URL of its API, such as `http://host:8081` or `http://host:8080/apis/ccompat/v7`. */
  readonly url: string;
  /** Put before every subject. Default none. */
  readonly prefix?: string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** How long one answer is waited for, in milliseconds. Default 5 s. */
  readonly timeoutMs?: number;
  /** How often a call is tried where the registry does not answer or fails. Default 4. */
  readonly tries?: number;
  /** Where SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD are looked for. Default: process.env. */
  readonly env?: NodeJS.ProcessEnv;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const LEVEL = "FULL_TRANSITIVE";
const NOT_FOUND = 404;
const CONFLICT = 409;

/**
 * A registry over HTTP. Plain fetch and not @kafkajs/confluent-schema-registry: that one gives back its own serialisation of a schema
 * (without enum defaults), where the text itself is wanted. Every call is safe to repeat: the same schema again has the same id.
 */
export function openHttpRegistry(options: HttpRegistryOptions): SchemaRegistry {
  const call = caller(options);
  const subject = (topic: Topic) => encodeURIComponent(subjectOf(topic, options.prefix));
  const closing = new AbortController();
  const ask = (method: string, path: string, body?: object) => call(method, path, body, closing.signal);

  /** Also for a subject that does not exist yet, where the registry lets us, so that no version slips in unchecked. */
  async function setLevel(topic: Topic): Promise<void> {
    const path = `/config/${subject(topic)}`;
    const now = await ask("GET", path);
    if (now.body.compatibilityLevel === LEVEL) return;
    if (now.status !== NOT_FOUND) expectOk(now, path);
    const set = await ask("PUT", path, { compatibility: LEVEL });
    if (set.status !== NOT_FOUND) expectOk(set, path);
  }

  return {
    async textOf(id) {
      const path = `/schemas/ids/${id}`;
      const answer = await ask("GET", path);
      if (answer.status === NOT_FOUND) return null;
      return field(expectOk(answer, path), "schema", "string", path);
    },
    async idOf(topic, text) {
      const path = `/subjects/${subject(topic)}`;
      const answer = await ask("POST", path, { schema: text });
      if (answer.status === NOT_FOUND) return null;
      return field(expectOk(answer, path), "id", "number", path);
    },
    async check(topic, text) {
      const path = `/compatibility/subjects/${subject(topic)}/versions?verbose=true`;
      const answer = await ask("POST", path, { schema: text });
      // A new subject has no versions to be compatible with.
      if (answer.status === NOT_FOUND) return { compatible: true, messages: [] };
      return compatibilityOf(expectOk(answer, path), path);
    },
    async register(topic, text) {
      const path = `/subjects/${subject(topic)}/versions`;
      await setLevel(topic);
      const answer = await ask("POST", path, { schema: text });
      if (answer.status === CONFLICT)
        throw new CountersignError("schema_incompatible", `The registry refuses the schema of ${topic}: ${sentenceOf(answer)}`, {
          field: topic,
          fix: "only add fields with a default, and symbols to enums that have one; never rename or remove what events already use",
        });
      const id = field(expectOk(answer, path), "id", "number", path);
      await setLevel(topic);
      return id;
    },
    async close() {
      closing.abort();
    },
  };
}

/** Calls that are tried again where that may help. */
function caller(options: HttpRegistryOptions) {
  const { url, fetch: fetchIt = fetch, timeoutMs = 5000, tries = 4, env = process.env } = options;
  const base = url.replace(/\/+$/, "");
  const headers: Record<string, string> = { accept: "application/vnd.schemaregistry.v1+json, application/json" };
  const { SCHEMA_REGISTRY_USERNAME: user, SCHEMA_REGISTRY_PASSWORD: password } = env;
  if (user) headers.authorization = `Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`;
  return async (method: string, path: string, body: object | undefined, closed: AbortSignal): Promise<Answer> => {
    for (let n = 1; ; n++) {
      if (closed.aborted) throw new CountersignError("log_closed", "The schema registry's client is closed");
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closed]);
      const request = body
        ? { method, signal, headers: { ...headers, "content-type": "application/vnd.schemaregistry.v1+json" }, body: JSON.stringify(body) }
        : { method, signal, headers };
      const why = await fetchIt(base + path, request).then(
        async (response) => (response.status >= 500 ? `it answered ${response.status}` : { status: response.status, body: bodyOf(await response.text()) }),
        // "fetch failed" says nothing; its cause does.
        (error: unknown) => reasonOf(error, timeoutMs),
      );
      if (typeof why === "object") return why;
      if (n >= tries)
        throw new CountersignError("registry_unreachable", `The schema registry at ${base} cannot be used: ${why}`, {
          retryable: true,
          field: "registry",
          fix: "check that it runs and that registry= in the log URL is the base of its Confluent-compatible API (countersign doctor)",
        });
      await sleep(100 * 3 ** (n - 1), undefined, { signal: closed }).catch(() => undefined);
    }
  };
}

function bodyOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : { message: text };
  } catch {
    return { message: text.slice(0, 300) };
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.message || cause?.code || messageOf(error);
}

function expectOk({ status, body }: Answer, path: string): Record<string, unknown> {
  if (status >= 200 && status < 300) return body;
  const hint =
    status === 401 || status === 403
      ? "set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD in the environment"
      : "check registry= in the log URL, and the registry's own log";
  throw new CountersignError("registry_refused", `The schema registry refuses ${path} with ${status}: ${sentenceOf({ status, body })}`, {
    field: "registry",
    fix: hint,
  });
}

function sentenceOf({ status, body }: Answer): string {
  return typeof body.message === "string" && body.message !== "" ? body.message : `HTTP ${status}`;
}

function field(body: Record<string, unknown>, name: string, type: "string", path: string): string;
function field(body: Record<string, unknown>, name: string, type: "number", path: string): number;
function field(body: Record<string, unknown>, name: string, type: "string" | "number", path: string): unknown {
  if (typeof body[name] === type) return body[name];
  throw new CountersignError("registry_refused", `The schema registry's answer to ${path} has no ${name}: is it a Confluent-compatible API?`, {
    field: "registry",
    fix: "check registry= in the log URL; Apicurio has that API at /apis/ccompat/v7",
  });
}

/** Confluent answers with `messages`, Apicurio with `reason`. */
function compatibilityOf(body: Record<string, unknown>, path: string): Compatibility {
  if (typeof body.is_compatible !== "boolean")
    throw new CountersignError("registry_refused", `The schema registry's answer to ${path} has no is_compatible`, { field: "registry" });
  const messages = Array.isArray(body.messages) ? body.messages.map(String) : typeof body.reason === "string" ? [body.reason] : [];
  const said = messages.length > 0 || body.is_compatible ? messages : ["the registry says no more than that it is incompatible"];
  return { compatible: body.is_compatible, messages: body.is_compatible ? [] : said };
}
