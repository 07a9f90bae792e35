import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import { z } from "zod";
import { healthAnswer, problem } from "../producers/wire/answers.ts";
import { ROUTES, type Route, SLACK_PATH } from "./routes.ts";

/** Version of the API that the document describes. */
const API_VERSION = "0.1.0";

/** The OpenAPI 3.1 document, from the shapes that requests are checked against. */
export function openApiDocument(): object {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  registry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key of scope agent, executor or reviewer (countersign keys create). A key can never do another scope's work.",
  });
  for (const route of ROUTES) registry.registerPath(pathOf(route));
  registry.registerPath({
    method: "get",
    path: "/healthz",
    operationId: "health",
    summary: "Whether the service does its work",
    responses: {
      200: { description: "It does", content: { "application/json": { schema: healthAnswer } } },
      503: { description: "It does not", content: { "application/json": { schema: healthAnswer } } },
    },
  });
  registry.registerPath({
    method: "post",
    path: SLACK_PATH,
    operationId: "slackInteraction",
    summary: "Rejects in Slack: the request URL of the Slack app's interactivity",
    description:
      "Only where the file of up --notify names a signing secret and reviewers. Slack signs the request, and it is refused when it is older than five minutes.",
    request: {
      headers: z.object({ "X-Slack-Signature": z.string(), "X-Slack-Request-Timestamp": z.string() }),
      body: {
        required: true,
        content: { "application/x-www-form-urlencoded": { schema: z.object({ payload: z.string().describe("An interaction, as JSON.") }) } },
      },
    },
    responses: {
      200: { description: "Taken. What became of it is told to the response URL that the interaction names" },
      default: { description: "A problem (RFC 9457)", content: { "application/problem+json": { schema: problem } } },
    },
  });
  return getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Countersign",
      version: API_VERSION,
      description: "The event-sourced approval ledger for AI agents",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
  });
}

const PARAMS: Readonly<Record<string, string>> = {
  itemId: "32 hex digits",
  batchId: "Id of the batch",
  haltId: "Event id of the halt",
  standingId: "Event id of the approval that it was given with",
};

function paramsOf({ path }: Route): { params?: z.ZodObject } {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  return names.length === 0 ? {} : { params: z.object(Object.fromEntries(names.map((n) => [n, z.string().describe(PARAMS[n] ?? n)]))) };
}

function pathOf(route: Route): RouteConfig {
  const request: NonNullable<RouteConfig["request"]> = {
    ...paramsOf(route),
    ...(route.query && { query: route.query }),
    ...(route.headers && { headers: z.object(Object.fromEntries(route.headers.map((h) => [h.name, z.string().optional().describe(h.description)]))) }),
    ...(route.body && { body: { required: true, content: { "application/json": { schema: route.body } } } }),
  };
  const answers = Object.entries(route.answers).map(([status, { description, shape }]) => [
    status,
    { description, content: { "application/json": { schema: shape }, ...(route.page && { "text/html": { schema: z.string() } }) } },
  ]);
  return {
    method: route.method,
    path: route.path,
    operationId: route.id,
    summary: route.summary,
    description: `For keys of scope ${route.scopes.join(", ")}.`,
    security: [{ key: [] }],
    request,
    responses: {
      ...Object.fromEntries(answers),
      default: { description: "A problem (RFC 9457)", content: { "application/problem+json": { schema: problem } } },
    },
  };
}
