import type { EventOf } from "../../events/types.generated.ts";
import { type ActionTerms, type Item, nodeOf, type ProposalNode, type ReceiptNode, type ResumeNode } from "../../ledger/item.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { patchOf } from "./edit-view.ts";
import { jsonOf } from "./json.ts";
import { type ItemEvents, stateOf, type Told } from "./record-events.ts";
import type { RecordMask } from "./record-mask.ts";

type RecordedAction = ItemRecord["actions"][number];
type Executed = RecordedAction["executed"][number];
type Terms = Pick<ActionTerms, "actionId" | "tool" | "args" | "argsSha256">;

/** Proposed, approved and executed, side by side: every action of the proposal in the order of the plan, then what an edit took out. */
export function actionsOf(view: StoredItemView, events: ItemEvents, mask: RecordMask): RecordedAction[] {
  const { item } = view;
  const proposal = nodeOf(item, "proposals", item.proposal) as ProposalNode;
  const approved = approvedOf(view);
  const grants = [...item.nodes.values()].filter((n): n is ResumeNode => n.topic === "resumes" && isGrant(n.outcome));
  const order = approved ?? view.life.verdict?.actions ?? proposal.actions;
  const dropped = proposal.actions.filter((a) => !order.some((b) => b.actionId === a.actionId));
  const told = events.one("proposals", proposal.id)?.event;
  return [...order, ...dropped].map(({ actionId, tool }) => {
    const before = sideOf(proposal.actions, actionId, mask);
    const after = approved === null ? null : sideOf(approved, actionId, mask);
    const source = told?.actions.find((a) => a.actionId === actionId);
    return {
      actionId,
      tool,
      proposed: before,
      approved: after,
      executed: grants.flatMap((grant) => executionOf(item, grant, actionId, events, mask)),
      changed: changeOf(proposal, approved, actionId),
      patch: before === null || after === null ? null : patchOf(before.args, after.args),
      targetState: stateOf(source?.targetState ?? null),
      confidence: source?.confidence ?? null,
    };
  });
}

/** The actions that were approved; null where none were. */
function approvedOf({ item, life: { verdict, stage, resume } }: StoredItemView): readonly ActionTerms[] | null {
  if (verdict === null) return null;
  const granted = [...item.nodes.values()].some((n) => n.topic === "resumes" && isGrant(n.outcome));
  // What was approved and then withheld was approved all the same.
  return granted || stage === "settled" || resume?.outcome === "withheld" ? verdict.actions : null;
}

function changeOf(proposal: ProposalNode, approved: readonly Terms[] | null, actionId: string): RecordedAction["changed"] {
  if (approved === null) return "waiting";
  const after = approved.find((a) => a.actionId === actionId);
  if (after === undefined) return "dropped";
  return proposal.actions.find((a) => a.actionId === actionId)?.argsSha256 === after.argsSha256 ? "no" : "edited";
}

function sideOf(actions: readonly Terms[], actionId: string, mask: RecordMask): RecordedAction["proposed"] {
  const index = actions.findIndex((a) => a.actionId === actionId);
  const action = actions[index];
  if (action === undefined) return null;
  const args = jsonOf(action.args);
  return { step: index + 1, args: mask.args(action.tool, args), argsSha256: mask.hides(action.tool, args) ? null : action.argsSha256 };
}

const ENDS: ReadonlySet<string> = new Set(["succeeded", "failed", "compensated", "unknown"]);

function executionOf(item: Item, grant: ResumeNode, actionId: string, events: ItemEvents, mask: RecordMask): Executed[] {
  const granted = events.one("resumes", grant.id)?.event.actions.find((a) => a.actionId === actionId);
  if (granted === undefined) return [];
  const own = events.of("receipts").filter(({ event, entry }) => isOf(event, grant.id, actionId) && entry.status === "effective");
  const started = own.find(({ event }) => event.kind === "started");
  const ended = own.findLast(({ event }) => ENDS.has(event.kind));
  const used = [ended, started].find((told) => told?.event.argsSha256 != null)?.event.argsSha256 ?? null;
  const asGranted = used === null ? (started === undefined ? null : true) : used === granted.argsSha256;
  const args = jsonOf(granted.args);
  const { externalRef = null, result = null, error = null, stateAfter = null } = ended?.event ?? {};
  return [
    {
      grant: grant.id,
      outcome: grant.outcome as Executed["outcome"],
      progress: (ended?.event.kind as Executed["progress"] | undefined) ?? (started === undefined ? "not_started" : "running"),
      by: started === undefined ? null : `${started.event.actor.kind}:${started.event.actor.id}`,
      startedAt: started === undefined ? null : (started.event.startedAt ?? started.event.occurredAt),
      endedAt: ended === undefined ? null : (ended.event.finishedAt ?? ended.event.occurredAt),
      args: asGranted === true ? mask.args(granted.tool, args) : null,
      argsSha256: mask.hides(granted.tool, args) ? null : used,
      asGranted,
      receipt: ended?.event.eventId ?? null,
      externalRef,
      result: jsonOf(result),
      error,
      stateAfter: stateOf(stateAfter),
      settled: settledOf(item, ended, events),
    },
  ];
}

function isOf({ answers, actionId }: EventOf["receipts"], grant: string, of: string): boolean {
  return answers?.eventId === grant && actionId === of;
}

function settledOf(item: Item, ended: Told<"receipts"> | undefined, events: ItemEvents): Executed["settled"] {
  if (ended?.event.kind !== "unknown") return null;
  const receipt = nodeOf(item, "receipts", ended.event.eventId) as ReceiptNode | undefined;
  const settle = events.one("decisions", receipt?.settle ?? null)?.event;
  if (settle === undefined || settle.settlement === null) return null;
  const { outcome, externalRef } = settle.settlement;
  return { eventId: settle.eventId, by: `${settle.actor.kind}:${settle.actor.id}`, outcome, externalRef };
}
