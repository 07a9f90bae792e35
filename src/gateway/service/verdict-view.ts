import type { EventOf } from "../../events/types.generated.ts";
import { approvalsNeeded, isAudit, nothingToDecide } from "../../ledger/decisions.ts";
import { isOpen } from "../../ledger/describe.ts";
import type { ProposalNode, VerdictNode } from "../../ledger/item.ts";
import type { ListedItem } from "../../producers/wire/answers.ts";
import type { Context } from "./ledger.ts";

/** Whether people can decide on a verdict now. */
export function canDecide(verdict: VerdictNode): boolean {
  return isOpen(verdict) || (isAudit(verdict.terms) && verdict.group.closedBy === null && nothingToDecide(verdict) === null);
}

/** What may be decided now: what the policy allows, within what the proposal asks for. */
export function allowedNow(proposal: ProposalNode, verdict: VerdictNode | null): string[] {
  if (verdict === null || !canDecide(verdict)) return [];
  const { terms } = verdict;
  return terms.allowedDecisions.filter((kind) => {
    if (kind === "unrecognized") return false;
    if (isAudit(terms)) return kind === "approve" || kind === "reject";
    if (proposal.ask === "question") return kind === "respond";
    return proposal.ask === "notify" ? kind === "acknowledge" : true;
  });
}

/** Whether an audit's window has passed unreviewed, and its ladder with it: its last owner holds it, and no time is left to run out. */
function isMissed({ terms, group }: VerdictNode): boolean {
  return isAudit(terms) && group.closedBy === null && group.step > 0 && !terms.ladder.some((s) => s.step > group.step);
}

/** How the decisions on a verdict stand. */
export function groupView(
  proposal: ProposalNode,
  verdict: VerdictNode | null,
): Pick<ListedItem, "allowedDecisions" | "approvals" | "votes" | "claim" | "held"> {
  if (verdict === null) return { allowedDecisions: [], approvals: 0, votes: [], claim: null, held: false };
  const { group, terms } = verdict;
  const claim = group.lease === null || !canDecide(verdict) ? null : { person: group.lease.person, endsAt: group.lease.endsAt };
  return {
    allowedDecisions: allowedNow(proposal, verdict),
    approvals: approvalsNeeded(terms),
    votes: [...group.votes],
    claim,
    held: group.held || isMissed(verdict),
  };
}

/** Policy's words for a verdict, most severe first. */
export function reasonsOf(event: EventOf["verdicts"] | undefined): string[] {
  if (event === undefined) return [];
  return event.error === null ? event.because : [event.error.message, ...event.because.filter((b) => b !== event.error?.message)];
}

/** Policy's words as one text: each is a sentence, and what an error says already is not said again. */
export function reasonText(event: EventOf["verdicts"]): string {
  const said: string[] = [];
  for (const reason of reasonsOf(event)) {
    const sentence = /[.!?…]$/.test(reason) ? reason : `${reason}.`;
    // The words about broken arguments hold the error's own.
    if (!said.some((before) => before.includes(reason) || reason.includes(before.slice(0, -1)))) said.push(sentence);
  }
  return said.join(" ");
}

/** A verdict's event, wherever it lies. */
export function verdictEvent({ ledger }: Context, itemId: string, verdict: VerdictNode): Promise<EventOf["verdicts"] | undefined> {
  return ledger.events.get(itemId, "verdicts", verdict.id);
}
