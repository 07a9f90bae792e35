import type { z } from "zod";
import { CountersignError } from "../errors.ts";
import type { Scope } from "../local/keys.ts";
import { decisionAnswer, itemView as itemViewShape, listAnswer, outcomeAnswer, proposalAnswer, receiptAnswer } from "../producers/wire/answers.ts";
import { batchDecisionAnswer, batchDecisionRequest, batchesAnswer, batchesRequest, batchView as batchShape } from "../producers/wire/batches.ts";
import { haltAnswer, haltRequest, haltsAnswer, liftAnswer, liftRequest } from "../producers/wire/halts.ts";
import { notificationsAnswer, notificationsRequest } from "../producers/wire/notifications.ts";
import { recordRequest, itemRecord as recordShape } from "../producers/wire/record.ts";
import { decisionRequest, listRequest, proposalRequest, receiptRequest } from "../producers/wire/requests.ts";
import { standingRevokeRequest, standingsAnswer, standingsRequest, standingView } from "../producers/wire/standing.ts";
import { decideBatch } from "./service/batch-decide.ts";
import { batchView, listBatches } from "./service/batches.ts";
import { decide } from "./service/decide.ts";
import { halt, halts, lift } from "./service/halt.ts";
import { itemView } from "./service/item-view.ts";
import type { Context } from "./service/ledger.ts";
import { listItems } from "./service/list.ts";
import { notifications } from "./service/notifications.ts";
import { MAX_WAIT_MS, outcome } from "./service/outcome.ts";
import { parseBody, parseShape } from "./service/parse.ts";
import { propose } from "./service/propose.ts";
import { receipt } from "./service/receipt.ts";
import { itemRecord } from "./service/record.ts";
import { revokeStanding, standings } from "./service/standing.ts";

/** A request, as far as routes read it. */
export interface Incoming {
  readonly itemId: string;
  /** A name in the path, as `haltId`. */
  param(name: string): string;
  readonly query: Readonly<Record<string, string>>;
  header(name: string): string | undefined;
  text(): Promise<string>;
  /** Given when the client has gone, or the service stops. */
  readonly signal: AbortSignal;
}

/** What a route answers. */
export interface Outgoing {
  readonly status: 200 | 201;
  readonly body: unknown;
  /** A page instead of the body. */
  readonly html?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One route of the API: what the OpenAPI document says of it, who may use it, and what it does. */
export interface Route {
  readonly method: "get" | "post";
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** Scopes that may use it at all. The use case decides the rest (a withdrawal is the agent's, everything else a reviewer's). */
  readonly scopes: readonly Scope[];
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly headers?: readonly { readonly name: string; readonly description: string }[];
  readonly answers: { readonly [status: number]: { readonly description: string; readonly shape: z.ZodType } };
  /** Whether it can answer with a page as well. */
  readonly page?: boolean;
  readonly handle: (context: Context, incoming: Incoming) => Promise<Outgoing>;
}

const ok = (description: string, shape: z.ZodType) => ({ 200: { description, shape } });

/** Where Slack reports the buttons of messages. It is none of the routes: Slack signs its requests, and has no key. */
export const SLACK_PATH = "/v1/slack/interactions";

/** Every route that needs a key. */
export const ROUTES: readonly Route[] = [
  {
    method: "post",
    path: "/v1/proposals",
    id: "propose",
    summary: "Propose actions, ask a question or give notice",
    scopes: ["agent"],
    body: proposalRequest,
    answers: {
      201: { description: "Proposed, and read back", shape: proposalAnswer },
      200: { description: "The same proposal is there already", shape: proposalAnswer },
    },
    async handle(context, incoming) {
      const body = await propose(context, parseBody(proposalRequest, await incoming.text()));
      return { status: body.duplicate ? 200 : 201, body, headers: { location: `/v1/items/${body.itemId}` } };
    },
  },
  {
    method: "get",
    path: "/v1/items",
    id: "listItems",
    summary: "List items: an agent's own, what an executor can work on, or a reviewer's workspace",
    scopes: ["agent", "executor", "reviewer"],
    query: listRequest,
    answers: ok("A page of items", listAnswer),
    async handle(context, incoming) {
      return { status: 200, body: listItems(context, parseShape(listRequest, incoming.query)) };
    },
  },
  {
    method: "get",
    path: "/v1/items/{itemId}",
    id: "getItem",
    summary: "Everything about one item",
    scopes: ["agent", "reviewer"],
    answers: ok("The item", itemViewShape),
    async handle(context, incoming) {
      return { status: 200, body: await itemView(context, incoming.itemId) };
    },
  },
  {
    method: "get",
    path: "/v1/items/{itemId}/record",
    id: "getRecord",
    summary: "The record of an item: proposed, approved and executed side by side, who decided on what, every event with its place in the log",
    scopes: ["reviewer"],
    query: recordRequest,
    answers: ok("The record, as JSON or as a page to print", recordShape),
    page: true,
    async handle(context, incoming) {
      const { profile, format } = parseShape(recordRequest, incoming.query);
      const body = await itemRecord(context, incoming.itemId, profile);
      if (!wantsPage(format, incoming.header("accept"))) return { status: 200, body };
      const { recordPage } = await import("./record-page/page.ts");
      return { status: 200, body, html: recordPage(body) };
    },
  },
  {
    method: "get",
    path: "/v1/items/{itemId}/outcome",
    id: "getOutcome",
    summary: "What may run now, or why nothing does",
    scopes: ["agent", "executor", "reviewer"],
    headers: [{ name: "Prefer", description: `wait=N: wait up to N seconds (at most ${MAX_WAIT_MS / 1000}) for it` }],
    answers: ok("The outcome; pending while there is none", outcomeAnswer),
    async handle(context, incoming) {
      const waitMs = waitOf(incoming.header("prefer"));
      return { status: 200, body: await outcome(context, incoming.itemId, { waitMs, signal: incoming.signal }) };
    },
  },
  {
    method: "post",
    path: "/v1/items/{itemId}/decisions",
    id: "decide",
    summary: "Decide on an item (reviewer), or withdraw it (agent)",
    scopes: ["agent", "reviewer"],
    body: decisionRequest,
    answers: ok("The decision is effective, and read back", decisionAnswer),
    async handle(context, incoming) {
      return { status: 200, body: await decide(context, incoming.itemId, parseBody(decisionRequest, await incoming.text())) };
    },
  },
  {
    method: "post",
    path: "/v1/items/{itemId}/receipts",
    id: "receipt",
    summary: "Say what an executor does with a grant",
    scopes: ["executor"],
    body: receiptRequest,
    answers: ok("The receipt is effective, and read back. Only after this may an executor act on `started`", receiptAnswer),
    async handle(context, incoming) {
      return { status: 200, body: await receipt(context, incoming.itemId, parseBody(receiptRequest, await incoming.text())) };
    },
  },
  {
    method: "get",
    path: "/v1/batches",
    id: "listBatches",
    summary: "List sealed batches, newest first: those of which something waits, unless all are asked for",
    scopes: ["reviewer"],
    query: batchesRequest,
    answers: ok("A page of batches", batchesAnswer),
    async handle(context, incoming) {
      return { status: 200, body: listBatches(context, parseShape(batchesRequest, incoming.query)) };
    },
  },
  {
    method: "get",
    path: "/v1/batches/{batchId}",
    id: "getBatch",
    summary: "A batch with its members: unlike ones first, and the one that this reviewer must open",
    scopes: ["reviewer"],
    answers: ok("The batch", batchShape),
    async handle(context, incoming) {
      return { status: 200, body: await batchView(context, incoming.param("batchId")) };
    },
  },
  {
    method: "post",
    path: "/v1/batches/{batchId}/decisions",
    id: "decideBatch",
    summary: "Decide the members of a batch: one decision each, with exceptions",
    scopes: ["reviewer"],
    body: batchDecisionRequest,
    answers: ok("What became of each member; some may have been refused", batchDecisionAnswer),
    async handle(context, incoming) {
      return { status: 200, body: await decideBatch(context, incoming.param("batchId"), parseBody(batchDecisionRequest, await incoming.text())) };
    },
  },
  {
    method: "post",
    path: "/v1/halts",
    id: "halt",
    summary: "Halt everything, an agent, or an action (a reviewer with the role halt or authority)",
    scopes: ["reviewer"],
    body: haltRequest,
    answers: { 201: { description: "It is in force: nothing that it covers can begin any more", shape: haltAnswer } },
    async handle(context, incoming) {
      return { status: 201, body: await halt(context, parseBody(haltRequest, await incoming.text())) };
    },
  },
  {
    method: "get",
    path: "/v1/halts",
    id: "listHalts",
    summary: "The halts in force",
    scopes: ["agent", "executor", "reviewer"],
    answers: ok("The halts in force in the key's workspace", haltsAnswer),
    async handle(context) {
      return { status: 200, body: halts(context) };
    },
  },
  {
    method: "post",
    path: "/v1/halts/{haltId}/lift",
    id: "lift",
    summary: "Lift a halt (a reviewer with the role halt or authority)",
    scopes: ["reviewer"],
    body: liftRequest,
    answers: ok("It is lifted", liftAnswer),
    async handle(context, incoming) {
      return { status: 200, body: await lift(context, incoming.param("haltId"), parseBody(liftRequest, await incoming.text())) };
    },
  },
  {
    method: "get",
    path: "/v1/standing",
    id: "listStanding",
    summary: "Standing approvals, with what has been used of them",
    scopes: ["reviewer"],
    query: standingsRequest,
    answers: ok("The standing approvals of the key's workspace", standingsAnswer),
    async handle(context, incoming) {
      return { status: 200, body: standings(context, parseShape(standingsRequest, incoming.query)) };
    },
  },
  {
    method: "post",
    path: "/v1/standing/{standingId}/revoke",
    id: "revokeStanding",
    summary: "End a standing approval (who gave it, or a reviewer with the role halt or authority)",
    scopes: ["reviewer"],
    body: standingRevokeRequest,
    answers: ok("It is over", standingView),
    async handle(context, incoming) {
      return { status: 200, body: await revokeStanding(context, incoming.param("standingId"), parseBody(standingRevokeRequest, await incoming.text())) };
    },
  },
  {
    method: "get",
    path: "/v1/notifications",
    id: "listNotifications",
    summary: "What became of the notices to owners: sent, tried again, failed",
    scopes: ["reviewer"],
    query: notificationsRequest,
    answers: ok("Deliveries of the key's workspace, newest first", notificationsAnswer),
    async handle(context, incoming) {
      return { status: 200, body: notifications(context, parseShape(notificationsRequest, incoming.query)) };
    },
  },
];

/** A browser names text/html first; a program that takes anything gets JSON. */
function wantsPage(format: "json" | "html" | undefined, accept = ""): boolean {
  if (format !== undefined) return format === "html";
  const [html, json] = [accept.indexOf("text/html"), accept.indexOf("application/json")];
  return html >= 0 && (json < 0 || html < json);
}

/** Milliseconds of `Prefer: wait=20` (RFC 7240). */
function waitOf(prefer: string | undefined): number {
  const wait = /(?:^|[,;\s])wait\s*=\s*"?([^",;\s]*)/i.exec(prefer ?? "")?.[1];
  if (wait === undefined) return 0;
  if (!/^\d{1,6}$/.test(wait))
    throw new CountersignError("request_invalid", "prefer: wait is a number of seconds", {
      field: "prefer",
      value: prefer,
      fix: "send for example Prefer: wait=20",
    });
  return Math.min(Number(wait) * 1000, MAX_WAIT_MS);
}
