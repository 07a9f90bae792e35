import { Hono } from "hono";
import { z } from "zod";
import { CountersignError } from "../errors.ts";
import type { Keys } from "../local/keys.ts";
import type { SlackReviewers } from "../notify/config.ts";
import { authenticate } from "./auth.ts";
import { health } from "./health.ts";
import { problemOf } from "./problems.ts";
import { type Incoming, ROUTES, SLACK_PATH } from "./routes.ts";
import { mustBe } from "./service/identity.ts";
import type { GatewayLedger, Notifications } from "./service/ledger.ts";
import { MAX_BODY, parseShape } from "./service/parse.ts";

/** What the app works with. */
export interface AppOptions {
  readonly keys: Pick<Keys, "verifyKey" | "listKeys">;
  /** Ends requests that wait. */
  readonly stopping: AbortSignal;
  /** What became of notices, for who asks. */
  readonly notifications?: Notifications | undefined;
  /** Who may reject in Slack; nobody where it is absent. */
  readonly slack?: SlackReviewers | undefined;
  /** Whether following the log has ended. */
  readonly stopped: () => boolean;
  /** Hears of faults, with their stack; clients never do. */
  readonly report: (line: string, error: unknown) => void;
}

const KIND = { agent: "agent", executor: "executor", reviewer: "person" } as const;

/** The HTTP API over a ledger. */
export function gatewayApp(ledger: GatewayLedger, options: AppOptions): Hono {
  const app = new Hono();
  let openApi: object | undefined;
  app.use(async (c, next) => {
    await next();
    c.header("x-content-type-options", "nosniff");
    c.header("cache-control", "no-store");
  });
  app.get("/healthz", async (c) => {
    const body = await health(ledger, options.stopped());
    return c.json(body, body.status === "ok" ? 200 : 503);
  });
  app.get("/openapi.json", async (c) => {
    // Loaded for who asks: nothing else needs the library that describes the shapes.
    openApi ??= (await import("./openapi.ts")).openApiDocument();
    return c.json(openApi);
  });
  for (const route of ROUTES) {
    app.on(route.method.toUpperCase(), pathPattern(route.path), async (c) => {
      const identity = authenticate(options.keys, c.req.header("authorization"));
      mustBe(
        identity,
        route.scopes.map((s) => KIND[s]),
        `use ${route.method.toUpperCase()} ${route.path}`,
      );
      const incoming: Incoming = {
        itemId: c.req.param("itemId") ?? "",
        param: (name) => c.req.param(name) ?? "",
        query: queryOf(new URL(c.req.url).searchParams),
        header: (name) => c.req.header(name),
        text: () => bodyOf(c.req.raw),
        signal: AbortSignal.any([c.req.raw.signal, options.stopping]),
      };
      // A parameter that nobody reads would be taken for one that was obeyed.
      if (route.query === undefined) parseShape(NO_QUERY, incoming.query);
      const { status, body, html, headers = {} } = await route.handle({ ledger, identity, notifications: options.notifications }, incoming);
      if (html !== undefined) return c.html(html, status, { ...headers, "content-security-policy": PAGE_POLICY });
      return c.json(body as object, status, { ...headers });
    });
    app.all(pathPattern(route.path), (c, next) => {
      const here = ROUTES.filter((r) => r.path === route.path).map((r) => r.method.toUpperCase());
      if (here.includes(c.req.method) || c.req.method === "HEAD") return next();
      return problem(405, { title: "Not this way", detail: `${route.path} takes ${here.join(", ")}`, code: "request_invalid" }, { allow: here.join(", ") });
    });
  }
  const { slack, keys, report } = options;
  if (slack !== undefined) {
    app.post(SLACK_PATH, async (c) => {
      // The signature is over the bytes as they came.
      const body = await bytesOf(c.req.raw);
      const { slackInteraction } = await import("./slack.ts");
      await slackInteraction(ledger, { ...slack, keys, report }, { headers: c.req.raw.headers, body });
      return c.body(null, 200);
    });
    app.all(SLACK_PATH, () => problem(405, { title: "Not this way", detail: `${SLACK_PATH} takes POST`, code: "request_invalid" }, { allow: "POST" }));
  }
  app.notFound((c) => problem(404, { title: "Not found", detail: `There is nothing at ${new URL(c.req.url).pathname}`, code: "not_found" }));
  app.onError((error) => {
    const body = problemOf(error, options.report);
    return problem(body.status, body, body.status === 401 ? { "www-authenticate": "Bearer" } : {});
  });
  return app;
}

/** A page of ours runs no script and fetches nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NO_QUERY = z.strictObject({});

/** `/v1/items/{itemId}` as the router writes it. */
function pathPattern(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

function problem(status: number, body: { title: string; detail: string; code: string }, headers: Record<string, string> = {}): Response {
  const type = `urn:countersign:problem:${body.code.replaceAll("_", "-")}`;
  return new Response(JSON.stringify({ type, status, retryable: false, ...body }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

/** @throws CountersignError request_invalid where a name is given twice: one of two meanings would win silently */
function queryOf(params: URLSearchParams): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of params) {
    if (Object.hasOwn(query, name)) throw new CountersignError("request_invalid", `${name} is given twice`, { field: name, fix: "give it once" });
    Object.defineProperty(query, name, { value, enumerable: true });
  }
  return query;
}

/** Reads a body as UTF-8, never more of it than is allowed. @throws CountersignError request_invalid, json_too_large, json_syntax */
async function bodyOf(request: Request): Promise<string> {
  const type = request.headers.get("content-type");
  if (type !== null && !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type))
    throw new CountersignError("request_invalid", `The body must be application/json, not ${type.slice(0, 100)}`, {
      field: "content-type",
      value: type,
      fix: "send Content-Type: application/json",
    });
  const bytes = await bytesOf(request);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CountersignError("json_syntax", "The body is not valid UTF-8", { cause, fix: "send UTF-8" });
  }
}

/** Reads a body, never more of it than is allowed. @throws CountersignError json_too_large */
async function bytesOf(request: Request): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.length;
    if (size > MAX_BODY)
      throw new CountersignError("json_too_large", `The body has more than ${MAX_BODY} bytes`, {
        field: "",
        fix: "keep large content elsewhere and pass its hash and uri",
      });
    parts.push(part);
  }
  return Buffer.concat(parts);
}
