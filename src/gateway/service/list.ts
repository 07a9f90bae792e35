import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { nodeOf, type ProposalNode } from "../../ledger/item.ts";
import { executionOf } from "../../ledger/life.ts";
import type { ListAnswer, ListedItem } from "../../producers/wire/answers.ts";
import type { listRequest } from "../../producers/wire/requests.ts";
import { type QueuePlace, queuePlace } from "../../projector/list-queries.ts";
import type { ListedItem as Row } from "../../projector/reading.ts";
import { isVisible } from "./find.ts";
import { startView } from "./grant-view.ts";
import type { Identity } from "./identity.ts";
import type { Context } from "./ledger.ts";
import { groupView } from "./verdict-view.ts";

const PAGE = 200;
/** Rows looked at for one answer: the rest comes with the next page. */
const MOST_ROWS = 5000;

/** Executors see what they can work on. */
const FOR_EXECUTORS = new Set(["granted", "executing", "in_doubt"]);

/** Lists items: an agent's own; what runs or may run for an executor; the workspace's for a reviewer. @throws CountersignError request_invalid */
export function listItems(context: Context, request: z.output<typeof listRequest>): ListAnswer {
  const { ledger, identity } = context;
  const limit = Number(request.limit ?? 50);
  const owners = ownersOf(request, identity);
  const inQueue = request.queue === "true";
  if (inQueue && (request.stage !== undefined || request.outcome !== undefined))
    throw new CountersignError("request_invalid", "queue: it takes no stage and no outcome", { field: "queue", fix: "leave stage and outcome out" });
  const items: ListedItem[] = [];
  let after = cursorOf(request.after, inQueue);
  for (let looked = 0; looked < MOST_ROWS; looked += PAGE) {
    const rows = inQueue
      ? ledger.queries.queue({ limit: PAGE, now: ledger.now(), ...(owners && { owners }), ...(after && { after: after as QueuePlace }) })
      : ledger.queries.list({ limit: PAGE, ...(owners && { owners }), ...filterOf(request, identity), ...(after && { after: after as string }) });
    for (const row of rows) {
      after = inQueue ? queuePlace(row) : row.itemId;
      const item = listed(context, row, request.idPrefix);
      if (item !== undefined) items.push(item);
      if (items.length === limit) return { items, next: cursorText(after, inQueue) };
    }
    if (rows.length < PAGE) return { items, next: null };
  }
  return { items, next: after === undefined ? null : cursorText(after, inQueue) };
}

function filterOf({ stage, outcome, idPrefix }: z.output<typeof listRequest>, identity: Identity) {
  return { ...(stage && { stage }), ...(outcome && { outcome }), ...(idPrefix && { idPrefix }), ...(identity.kind === "agent" && { agent: identity.id }) };
}

/** Owners are written with and without `role:`. */
export function ownersOf({ owner, mine }: Pick<z.output<typeof listRequest>, "owner" | "mine">, { roles, id }: Identity): string[] | undefined {
  const both = (name: string) => (name.startsWith("person:") ? [name] : name.startsWith("role:") ? [name, name.slice(5)] : [`role:${name}`, name]);
  const own = mine === "true" ? [...roles.flatMap(both), `person:${id}`] : undefined;
  if (owner === undefined) return own;
  const asked = both(owner);
  return own === undefined ? asked : asked.filter((name) => own.includes(name));
}

function listed({ ledger, identity }: Context, row: Row, idPrefix = ""): ListedItem | undefined {
  if (!row.itemId.startsWith(idPrefix)) return undefined;
  const view = ledger.queries.item(row.itemId);
  if (view === undefined || !isVisible(identity, view)) return undefined;
  const { itemId, stage, outcome, owner, deadline, proposedAt, flagged } = row;
  const { review } = view.life;
  const base = {
    itemId,
    stage,
    outcome,
    owner,
    deadline,
    proposedAt,
    flagged,
    review,
    execution: executionOf(view.life),
    awaitsStart: startView(view, ledger.now()),
  };
  if (identity.kind !== "executor") {
    const { card: _card, ...summary } = row.summary;
    return { ...base, summary, ...groupView(nodeOf(view.item, "proposals", view.item.proposal) as ProposalNode, view.life.verdict) };
  }
  if (!FOR_EXECUTORS.has(stage)) return undefined;
  const { workspace, tools, agent } = row.summary;
  return { ...base, summary: { workspace, tools, agent }, allowedDecisions: [], approvals: 0, votes: [], claim: null, held: false };
}

function cursorText(after: QueuePlace | string, inQueue: boolean): string {
  return Buffer.from(JSON.stringify([inQueue ? "q" : "l", after])).toString("base64url");
}

function cursorOf(text: string | undefined, inQueue: boolean): QueuePlace | string | undefined {
  if (text === undefined) return undefined;
  try {
    const [kind, after] = JSON.parse(Buffer.from(text, "base64url").toString()) as [string, unknown];
    if (kind === "l" && !inQueue && typeof after === "string" && /^[0-9a-f]{32}$/.test(after)) return after;
    if (kind === "q" && inQueue && Array.isArray(after) && after.length === 4 && after.slice(0, 3).every(Number.isFinite) && /^[0-9a-f]{32}$/.test(after[3]))
      return after as unknown as QueuePlace;
  } catch {
    // Not one of ours.
  }
  throw new CountersignError("request_invalid", "after: this is no place in this list", {
    field: "after",
    value: text,
    fix: "send `next` of the page before, with the same filters",
  });
}
