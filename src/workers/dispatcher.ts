import { CountersignError } from "../errors.ts";
import type { Draft } from "../events/draft.ts";
import type { EventOf } from "../events/types.generated.ts";
import { effectsOf } from "../ledger/effects.ts";
import { calledBy, verdictOfGrant } from "../ledger/fold.ts";
import { type ActionTerms, type DecisionNode, type Item, type NodeKey, nodeOf, type ResumeNode, type VerdictNode } from "../ledger/item.ts";
import { GRANT_TTL_MS } from "../ledger/owed.ts";
import { type Called, isGrant } from "../ledger/resumes.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Todo } from "../projector/list-queries.ts";
import type { Queries } from "../projector/queries.ts";
import type { StoredItemView } from "../projector/reading.ts";
import { changesOf, refusedSteps, secretsIn } from "./changes.ts";
import { earlierFolded, effectKeys, type ProposalsFolded } from "./effect-keys.ts";
import { type OtherTry, type Tries, unsaid } from "./other-tries.ts";
import type { Write } from "./write.ts";

/** So many that are being granted are kept in mind before those that were are forgotten: more than a worker has under way. */
const MOST_GRANTING = 1_000;

/** Why a grant must not be given now, in words for the model; null where nothing is in its way. */
export type Bar = (view: StoredItemView, verdict: VerdictNode, outcome: EventOf["resumes"]["outcome"]) => string | null | Promise<string | null>;

/** A bar that only looks at the item. */
export type ItemBar = (view: StoredItemView) => string | null;

/**
 * Writes the resume that an item is owed: the grant of exactly the approved arguments, or why nothing runs. What is in the way of a first
 * grant ends the item as `withheld`; what has begun waits instead, unless it is in the way for good. While another try of the same work may
 * run, this one waits.
 *
 * @param tries finds the other tries of an item's work
 * @param bars what may pass: a halt, a document
 * @param lasting what never does: the rejection of a branch, the revocation of a standing approval
 * @param proposalsFolded waits for what `retryOf` names where the views are behind; by default nothing is ever behind
 */
export function dispatcher(
  queries: Queries,
  events: EventStore,
  write: Write,
  now: () => number,
  tries: Tries,
  bars: readonly Bar[] = [],
  lasting: readonly ItemBar[] = [],
  proposalsFolded: ProposalsFolded = async () => {},
): (todo: Todo) => Promise<"wait" | undefined> {
  /** What is being granted, and not folded yet: two tries of the same work must not be granted in the same breath. */
  const granting = new Map<string, NodeKey>();

  function isBeingGranted(itemId: string): boolean {
    const cause = granting.get(itemId);
    const node = cause === undefined ? undefined : queries.item(itemId)?.item.nodes.get(cause);
    return (node?.topic === "verdicts" || node?.topic === "decisions") && node.resume === null;
  }

  /** Whether no other try may run; then this one counts as being granted. */
  function takesTurn(itemId: string, cause: NodeKey, others: readonly OtherTry[]): boolean {
    if (others.some((other) => other.state === "open" || isBeingGranted(other.itemId))) return false;
    if (granting.size > MOST_GRANTING) for (const id of granting.keys()) if (!isBeingGranted(id)) granting.delete(id);
    granting.set(itemId, cause);
    return true;
  }

  return async (todo) => {
    // Before anything of the item is looked at: what may pass, or be taken back, while this waits must be seen.
    const followed = queries.item(todo.itemId)?.item;
    if (followed !== undefined && isGrant(todo.names as Called["outcome"])) await earlierFolded(queries, followed, proposalsFolded);
    const view = queries.item(todo.itemId);
    const node = view?.item.nodes.get(todo.cause);
    if (view === undefined || (node?.topic !== "verdicts" && node?.topic !== "decisions") || node.resume !== null) return undefined;
    const called = calledBy(view.item, node);
    if (called === null) return undefined;
    const verdict = verdictAbove(view.item, node);
    const takenBack = takenBackBefore(node, verdict, called.outcome, () => isWithdrawn(queries, view));
    const withdrawn = takenBack !== null;
    // A flag keeps everything from running until a person clears it; what does not run may go on.
    if (isGrant(called.outcome) && view.flagged && !withdrawn) return undefined;
    // Undoing what has run is not what was taken back: only what may pass keeps it waiting.
    const runs = isGrant(called.outcome) && called.outcome !== "roll_back";
    const others = () => tries.beside(view.item, verdict.actions);
    const said = runs && others().length > 0 ? await saidIn(events, view.item, node) : [];
    const triedSince = () => (runs ? unsaid(others(), said, hasBegun(node, called.outcome)) : null);
    const ended = runs ? ((await barredBy(lasting, view, verdict, called.outcome)) ?? triedSince()) : null;
    const barred =
      takenBack !== null
        ? await takenBack(events, todo.itemId)
        : isGrant(called.outcome)
          ? (ended ?? (await barredBy(bars, view, verdict, called.outcome)))
          : null;
    // What has begun must be brought to an end: a retry of what is in doubt and a roll_back wait until nothing is in their way.
    if (barred !== null && ended === null && !withdrawn && hasBegun(node, called.outcome)) return "wait";
    const { topic, id: eventId } = node;
    const proposal = await events.get(todo.itemId, "proposals", view.item.proposal as string);
    if (proposal === undefined) throw new CountersignError("unavailable", `The proposal of ${todo.itemId} cannot be read`, { retryable: true });
    const outcome = barred === null ? called.outcome : "withheld";
    const actions = barred === null ? await granted(queries, events, view.item, verdict, due(view.item, verdict, node, called)) : [];
    const message = barred ?? (await messageFor(events, view.item, node, called.outcome, verdict));
    // From here to the write nothing may be awaited.
    if (barred === null && runs && (triedSince() !== null || !takesTurn(todo.itemId, todo.cause, others()))) return "wait";
    await write("resumes", todo.itemId, {
      workspace: proposal.workspace,
      answers: { topic, eventId },
      actor: { kind: "dispatcher", id: "dispatcher" },
      traceparent: proposal.traceparent,
      outcome,
      actions,
      message,
      run: proposal.run,
      notAfter: isGrant(outcome) && !hasBegun(node, outcome) ? now() + (verdict.terms.grantTtlMs ?? GRANT_TTL_MS) : null,
    });
    return undefined;
  };
}

/**
 * What ran at once can be taken back by its agent, by the clock or by its review: it is not granted then. What its review refused is not
 * tried again either: it is rolled back. What was approved is not granted once its agent has withdrawn it. A withdrawal
 * does not take back a retry, which alone can clear up what may have run.
 */
function takenBackBefore(
  node: VerdictNode | DecisionNode,
  { group: { withdrawn, closedBy } }: VerdictNode,
  outcome: Called["outcome"],
  withdrawnSince: () => boolean,
): ((events: EventStore, itemId: string) => Promise<string>) | null {
  const again = node.topic === "decisions" && node.settlement === "retry";
  if (outcome === "roll_back") return null;
  if (node.topic !== "verdicts" && !again) return isGrant(outcome) && withdrawnSince() ? async () => "It was withdrawn before anything was granted." : null;
  const when = again ? "while it ran: it is not tried again" : "before anything was granted";
  if (closedBy?.kind === "reject")
    return async (events, itemId) => {
      const message = (await events.get(itemId, "decisions", closedBy.id))?.message ?? null;
      return `Its review refused it ${when}${message === null ? "." : `: ${message}`}`;
    };
  return withdrawn && !again ? async () => `It was withdrawn ${when}.` : null;
}

/** Whether its agent withdrew what was approved by then: that settles nothing, and keeps it from being granted. */
function isWithdrawn(queries: Queries, { itemId, item }: StoredItemView): boolean {
  return queries.withdrawnTooLateAt(itemId, `agent:${nodeOf(item, "proposals", item.proposal)?.agentId}`) !== null;
}

/** Why people were asked about an item, sentence by sentence: what they have decided about. The verdict that an edit alone satisfied nobody has read. */
async function saidIn(events: EventStore, { id, nodes }: Item, called: VerdictNode | DecisionNode): Promise<readonly string[]> {
  const verdicts = [...nodes.values()].filter((node) => node.topic === "verdicts" && node !== called);
  const read = await Promise.all(verdicts.map((verdict) => events.get(id, "verdicts", verdict.id)));
  return read.flatMap((verdict) => (verdict?.because ?? []).flatMap((because) => because.split(". ")));
}

/** What a grant names. Of what an audit refused only what has, or may have, had an effect is undone, the last step first. */
function due(item: Item, verdict: VerdictNode, node: VerdictNode | DecisionNode, { outcome, actions }: Called): Called["actions"] {
  return outcome === "roll_back" && node.topic === "decisions" && node.kind === "reject" ? effectsOf(item, verdict) : actions;
}

async function barredBy(bars: readonly Bar[], ...of: Parameters<Bar>): Promise<string | null> {
  for (const bar of bars) {
    const why = await bar(...of);
    if (why !== null) return why;
  }
  return null;
}

function hasBegun(node: VerdictNode | DecisionNode, outcome: string): boolean {
  return outcome === "roll_back" || (node.topic === "decisions" && node.settlement === "retry");
}

function verdictAbove(item: Item, node: VerdictNode | DecisionNode): VerdictNode {
  if (node.topic === "verdicts") return node;
  const above = item.nodes.get(node.cause);
  if (above?.topic === "verdicts") return above;
  if (above?.topic !== "receipts") throw new CountersignError("internal", `${node.id} hangs on nothing`);
  return verdictOfGrant(item, item.nodes.get(above.cause) as ResumeNode);
}

async function granted(
  queries: Queries,
  events: EventStore,
  item: Item,
  verdict: VerdictNode,
  actions: readonly { actionId: string; argsSha256: string }[],
): Promise<Draft<EventOf["resumes"]["actions"]>> {
  const keys = await effectKeys(queries, events, item, actions);
  return actions.map(({ actionId, argsSha256 }, i) => {
    const terms = verdict.actions.find((a) => a.actionId === actionId && a.argsSha256 === argsSha256) as ActionTerms;
    const step = verdict.terms.steps.find((s) => s.actionId === actionId);
    return {
      actionId,
      tool: terms.tool,
      args: terms.args,
      argsSha256,
      execution: step?.execution ?? "blind",
      leaseMs: step?.leaseMs ?? 120_000,
      effectKey: keys[i] as string,
    };
  });
}

/** Words for the model: what was decided, and what an edit changed. */
async function messageFor(events: EventStore, item: Item, node: VerdictNode | DecisionNode, outcome: string, verdict: VerdictNode): Promise<string | null> {
  const decision = node.topic === "decisions" ? await events.get(item.id, "decisions", node.id) : undefined;
  const words = decision?.message ?? null;
  switch (outcome) {
    case "proceed_edited": {
      const above = editsAbove(item, verdict);
      const verdicts = [...above.map((edit) => item.nodes.get(edit.cause)?.id ?? edit.cause), verdict.id];
      const isSecret = secretsIn(await Promise.all(verdicts.map((id) => events.get(item.id, "verdicts", id))));
      const changes = changesOf(nodeOf(item, "proposals", item.proposal)?.actions ?? [], verdict.actions, isSecret);
      const edits = await Promise.all(above.map((edit) => events.get(item.id, "decisions", edit.id)));
      const said = [...edits.map((edit) => edit?.message ?? null), words].filter((x) => x !== null);
      return [`Approved with changes: ${changes.join("; ")}.`, ...said].join(" ");
    }
    case "refused": {
      const steps = refusedSteps(verdict.actions, decision?.dropped ?? []);
      const codes = decision !== undefined && decision.reasonCodes.length > 0 ? ` (${decision.reasonCodes.join(", ")})` : "";
      return steps === null ? (words ?? `Refused${codes}.`) : [steps, words ?? codes.trim()].filter((x) => x !== "").join(" ");
    }
    case "expired":
      return "Nobody decided in time. This is not a refusal by a person.";
    case "forbidden": {
      const event = await events.get(item.id, "verdicts", verdict.id);
      return `Forbidden by policy: ${event?.error?.message ?? event?.because.join(" ") ?? "no reason given"}`;
    }
    default:
      return words;
  }
}

/** The edits that made the arguments of a verdict, the first one first. An edit that policy forbade made nothing. */
function editsAbove(item: Item, verdict: VerdictNode): DecisionNode[] {
  const edit = item.nodes.get(verdict.cause);
  if (edit?.topic !== "decisions") return [];
  const before = editsAbove(item, item.nodes.get(edit.cause) as VerdictNode);
  return verdict.fallback ? before : [...before, edit];
}
