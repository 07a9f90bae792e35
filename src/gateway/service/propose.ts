import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { itemIdOf } from "../../events/ids.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { nodeOf } from "../../ledger/item.ts";
import { proposalContentSha256 } from "../../ledger/proposals.ts";
import type { ProposalAnswer } from "../../producers/wire/answers.ts";
import type { proposalRequest } from "../../producers/wire/requests.ts";
import { findItem } from "./find.ts";
import { mustBe } from "./identity.ts";
import { itemView } from "./item-view.ts";
import type { Context } from "./ledger.ts";
import { proposalEvent } from "./proposal-event.ts";

/**
 * An agent proposes. The same key with the same content gives the item that is there already; with other content it is refused.
 *
 * @throws CountersignError forbidden, request_invalid, schema_invalid, json_*, conflict, field_too_large, event_too_large, timeout
 */
export async function propose(context: Context, request: z.output<typeof proposalRequest>): Promise<ProposalAnswer> {
  const { ledger, identity } = context;
  mustBe(identity, ["agent"], "propose");
  const itemId = itemIdOf(identity.workspace, identity.id, request.idempotencyKey);
  checkRetry(context, request, itemId);
  const event = proposalEvent(request, identity, itemId);
  const content = proposalContentSha256({ ...event, eventId: "", occurredAt: 0 });
  const before = await answerOf(context, itemId, content);
  if (before !== undefined) return { ...before, position: null, duplicate: true };
  const { eventId, position } = await ledger.write("proposals", itemId, event as Omit<EventOf["proposals"], "eventId" | "occurredAt" | "itemId">);
  await ledger.waitFor([position]);
  const answer = await answerOf(context, itemId, content);
  if (answer !== undefined) return { ...answer, position, duplicate: answer.eventId !== eventId };
  const ruled = ledger.queries.event(itemId, "proposals", eventId);
  throw new CountersignError("internal", `The proposal ${eventId} has no effect: ${ruled?.reason ?? "it was not folded"}`);
}

/** The item of this key, when there is one with this content. @throws CountersignError conflict */
async function answerOf(context: Context, itemId: string, content: string): Promise<Omit<ProposalAnswer, "position" | "duplicate"> | undefined> {
  const view = context.ledger.queries.item(itemId);
  const first = view === undefined ? undefined : nodeOf(view.item, "proposals", view.item.proposal);
  if (view === undefined || first === undefined) return undefined;
  if (first.contentSha256 !== content)
    throw new CountersignError("conflict", "This idempotency key was used for a proposal with other content", {
      field: "/idempotencyKey",
      value: itemId,
      fix: "use a new key for a new proposal; the same key only repeats the same one",
    });
  return { itemId, eventId: first.id, item: await itemView(context, itemId) };
}

/** effectKeys follow retryOf, so that it must not lead to what belongs to somebody else. */
function checkRetry(context: Context, { retryOf, replaces }: z.output<typeof proposalRequest>, itemId: string): void {
  if (retryOf === undefined) {
    if (replaces)
      throw new CountersignError("request_invalid", "/replaces: it needs retryOf, the item that is replaced", {
        field: "/replaces",
        value: true,
        fix: "send retryOf",
      });
    return;
  }
  if (retryOf === itemId)
    throw new CountersignError("request_invalid", "/retryOf: an item cannot be a retry of itself", {
      field: "/retryOf",
      value: retryOf,
      fix: "use a new idempotency key",
    });
  try {
    findItem(context, retryOf);
  } catch (cause) {
    throw new CountersignError("request_invalid", `/retryOf: there is no item ${retryOf} of this agent`, {
      cause,
      field: "/retryOf",
      value: retryOf,
      fix: "name an item that this agent proposed",
    });
  }
}
