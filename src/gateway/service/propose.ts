import type { z } from "zod";
import { CountersignError, messageOf } from "../../errors.ts";
import { itemIdOf } from "../../events/ids.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { nodeOf } from "../../ledger/item.ts";
import { proposalContentSha256 } from "../../ledger/proposals.ts";
import type { ProposalAnswer } from "../../producers/wire/answers.ts";
import type { proposalRequest } from "../../producers/wire/requests.ts";
import { decide } from "./decide.ts";
import type { DecideRequest } from "./decision-event.ts";
import { findItem } from "./find.ts";
import { mustBe } from "./identity.ts";
import { itemView } from "./item-view.ts";
import type { Context } from "./ledger.ts";
import { proposalEvent } from "./proposal-event.ts";
import { hasStarted } from "./withdraw.ts";

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
  if (request.replaces && request.retryOf !== undefined) await withdrawReplaced(context, request.retryOf);
  const { eventId, position } = await ledger.write("proposals", itemId, event as Omit<EventOf["proposals"], "eventId" | "occurredAt" | "itemId">);
  await ledger.waitFor([position]);
  const answer = await answerOf(context, itemId, content);
  if (answer !== undefined) return { ...answer, position, duplicate: answer.eventId !== eventId };
  const ruled = ledger.queries.event(itemId, "proposals", eventId);
  throw new CountersignError("internal", `The proposal ${eventId} has no effect: ${ruled?.reason ?? "it was not folded"}`);
}

/** What is replaced is withdrawn first, so that never both run. @throws CountersignError conflict */
async function withdrawReplaced(context: Context, retryOf: string): Promise<void> {
  const refused = (why: string, cause?: unknown) =>
    new CountersignError("conflict", `/replaces: ${retryOf} cannot be replaced: ${why}`, {
      cause,
      field: "/replaces",
      value: true,
      fix: "wait for its outcome; what has run already is not replaced",
    });
  const view = findItem(context, retryOf);
  const { stage, outcome, life } = view;
  if (stage === "done") {
    if (outcome === "succeeded" || outcome === "failed" || outcome === "compensated") throw refused(`it ended as ${outcome}`);
    return;
  }
  if (life.verdict?.group.withdrawn === true && !hasStarted(view)) return;
  if (stage === "executing" || stage === "in_doubt") throw refused(`it is ${stage}`);
  try {
    await decide(context, retryOf, WITHDRAW);
  } catch (cause) {
    if (cause instanceof CountersignError && cause.retryable) throw cause;
    throw refused(messageOf(cause), cause);
  }
}

const WITHDRAW: DecideRequest = {
  ...{ kind: "withdraw", message: "Replaced by another proposal of the agent.", scope: "action" },
  ...{ edits: [], dropped: [], order: [], steps: [], reasonCodes: [], scores: [] },
};

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
