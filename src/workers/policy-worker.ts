import { CountersignError } from "../errors.ts";
import type { EventOf } from "../events/types.generated.ts";
import { editedActions } from "../ledger/edits.ts";
import type { VerdictNode } from "../ledger/item.ts";
import type { UsageReader } from "../policy/budgets/usage.ts";
import { countablesOf } from "../policy/judgement/subjects.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Todo } from "../projector/list-queries.ts";
import type { Queries } from "../projector/queries.ts";
import { interrupting } from "./interrupt.ts";
import type { Tries } from "./other-tries.ts";
import { followed } from "./replaced.ts";
import type { LiveUsage } from "./usage.ts";
import type { Body, Write } from "./write.ts";

/** What the worker needs of the policy engine: a verdict's body for a proposal and the arguments on the table. */
export type Judge = (input: {
  readonly proposal: EventOf["proposals"];
  readonly actions: readonly { actionId: string; tool: string; args: string; argsSha256: string }[];
  readonly answers: "proposal" | "edit";
  readonly now: number;
  readonly usage: UsageReader;
  /** On an edit: the verdict on what was edited. An edit is never judged more mildly because one of its documents has changed since. */
  readonly before?: Pick<EventOf["verdicts"], "policy" | "policies" | "matched">;
  /** A person has to look at it for a reason of its own: no standing approval stands in, and who may decide is said also of what would flow. */
  readonly alone?: boolean;
}) => Omit<Body<"verdicts">, "workspace" | "answers" | "actor">;

/**
 * Judges proposals and edits, and reserves what they count toward budgets. What replaces another item is judged once that one is out of the
 * way; what tries again something that runs, or may have run, waits for a person.
 */
export function policyWorker(
  queries: Queries,
  events: EventStore,
  write: Write,
  { judge, usage, tries }: { judge: Judge; usage: LiveUsage; tries: Tries },
  now: () => number,
): (todo: Todo) => Promise<"wait" | undefined> {
  return async (todo) => {
    const view = queries.item(todo.itemId);
    const node = view?.item.nodes.get(todo.cause);
    if (view === undefined || (node?.topic !== "proposals" && node?.topic !== "decisions") || node.verdict !== null) return undefined;
    const proposal = await events.get(todo.itemId, "proposals", view.item.proposal as string);
    if (proposal === undefined) throw new CountersignError("unavailable", `The proposal of ${todo.itemId} cannot be read`, { retryable: true });
    const edited = node.topic === "decisions";
    const actions = edited ? editedActions((view.item.nodes.get(node.cause) as VerdictNode).actions, node) : proposal.actions;
    const { workspace } = proposal;
    const occurredAt = now();
    const follows = followed(queries, tries, { ...proposal, actions });
    if (follows === "wait") return "wait";
    const reached = edited ? await events.get(todo.itemId, "verdicts", (view.item.nodes.get(node.cause) as VerdictNode).id) : undefined;
    if (edited && reached === undefined) throw new CountersignError("unavailable", `The verdict that ${node.id} edits cannot be read`, { retryable: true });
    // From here to the reservation nothing may be awaited: the next judgement must see what this one reserves.
    const judged = judge({
      proposal,
      actions,
      answers: edited ? "edit" : "proposal",
      now: occurredAt,
      usage: usage.judging(todo.itemId, workspace),
      ...(reached && { before: reached }),
      alone: follows !== null,
    });
    const body = follows === null ? judged : interrupting(judged, follows.code, follows.why);
    // A forbidden edit leaves reserved what was; a forbidden proposal reserves nothing.
    const flowed = body.route === "allow" || body.gate === "audit";
    if (body.route !== "forbid") usage.reserve(todo.itemId, todo.cause, occurredAt, countablesOf(proposal, actions, { flowed }));
    await write("verdicts", todo.itemId, {
      ...body,
      workspace,
      // The time that it was judged by: the verdict can be recomputed from what it records.
      occurredAt,
      answers: { topic: edited ? "decisions" : "proposals", eventId: node.id },
      actor: { kind: "policy", id: "policy-worker" },
      traceparent: proposal.traceparent,
    } as Body<"verdicts">);
    return undefined;
  };
}
