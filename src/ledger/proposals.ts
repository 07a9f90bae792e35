import { sha256 } from "../events/canonical.ts";
import type { ActionProposed } from "../events/types.generated.ts";

/** Hash of what a proposal says: all but eventId, occurredAt and traceparent. Two with the same key and the same hash are duplicates. */
export function proposalContentSha256(event: ActionProposed): string {
  const { eventId: _id, occurredAt: _at, traceparent: _trace, ...content } = event;
  return sha256(JSON.stringify(content));
}

/** What is wrong with a proposal; null when it is fine. */
export function proposalReason({ actor, agent, ask, actions }: ActionProposed): string | null {
  if (actor.kind !== "agent") return "wrong actor: an agent proposes";
  if (agent === undefined) return "missing field: agent";
  if (ask === "review" ? actions.length === 0 : actions.length > 0)
    return ask === "review" ? "a proposal for review names an action" : `a ${ask} names no action`;
  if (!ASKS.has(ask)) return `wrong ask: ${ask}`;
  if (new Set(actions.map((a) => a.actionId)).size !== actions.length) return "two actions have one id";
  const wrong = actions.find((a) => sha256(a.args) !== a.argsSha256);
  return wrong === undefined ? null : `the hash of ${wrong.actionId} is not that of its arguments`;
}

const ASKS: ReadonlySet<string> = new Set(["review", "question", "notify"]);
