import type { DecisionMade } from "../events/types.generated.ts";
import { editReason } from "./edits.ts";
import { type DecisionGroup, EFFECTIVE, illegal, type ProposalNode, type Ruling, superseded, type Terms, type VerdictNode } from "./item.ts";

/** Causal past of a decision on a verdict. */
export interface DecisionPast {
  readonly proposal: ProposalNode;
  readonly verdict: Omit<VerdictNode, "group">;
}

const REVIEWS = new Set(["approve", "edit", "reject", "respond", "acknowledge"]);
const BY_CLOCK = new Set(["escalate", "expire"]);

/** The decisions on a verdict before the first. */
export function noDecisions(owner: string | null): DecisionGroup {
  return { owner, step: 0, lease: null, leaseIds: [], votes: [], held: false, escalatedAt: null, withdrawn: false, withdrawnAt: null, closedBy: null };
}

/** Whether a person with these roles is the owner. Owners are roles (`role:x`, or bare) or persons (`person:id`). */
export function isOwner(owner: string | null, person: string, roles: readonly string[]): boolean {
  if (owner === null) return false;
  if (owner.startsWith("person:")) return owner.slice(7) === person;
  const role = owner.startsWith("role:") ? owner.slice(5) : owner;
  return roles.includes(role) || roles.includes(`role:${role}`);
}

/** Approvals that a verdict needs. */
export function approvalsNeeded(terms: Terms): number {
  return Math.max(1, terms.approvals);
}

/** Whether a verdict runs now and is reviewed afterwards. */
export function isAudit(terms: Terms): boolean {
  return terms.gate === "audit" && terms.route !== "forbid";
}

/** Why nothing is left to decide on a verdict, from the past alone; null where a person decides. */
export function nothingToDecide(verdict: Omit<VerdictNode, "group">): string | null {
  const { terms } = verdict;
  if (verdict.fallback) return null;
  if (terms.route === "forbid") return "forbidden: nothing is left to decide";
  if (terms.route === "allow" && !isAudit(terms)) return "allowed: nothing is left to decide";
  return null;
}

/** Whether the editor's vote alone satisfied the verdict. */
export function isSatisfied(verdict: VerdictNode): boolean {
  return (
    !isAudit(verdict.terms) &&
    nothingToDecide(verdict) === null &&
    verdict.group.closedBy === null &&
    verdict.group.votes.length >= approvalsNeeded(verdict.terms)
  );
}

/** The machine of decisions that answer a verdict. */
export function legalDecision(past: DecisionPast, group: DecisionGroup, event: DecisionMade): Ruling {
  const reason = pastReason(past, event);
  if (reason !== null) return illegal(reason);
  if (event.kind === "clear") return EFFECTIVE;
  if (event.kind === "withdraw" && grantsAtOnce(past, group)) return group.withdrawn ? superseded("withdrawn already") : EFFECTIVE;
  if (group.closedBy !== null) return superseded(`closed by ${group.closedBy.kind} ${group.closedBy.id}`);
  if (satisfiedGroup(past, group)) return illegal("satisfied by the editor's vote: nothing is left to decide");
  if (event.kind === "withdraw") return EFFECTIVE;
  if (BY_CLOCK.has(event.kind)) return clockRuling(group, event);
  if (event.kind === "release") return releaseRuling(group, event);
  return personRuling(past, group, event);
}

/** Whether the verdict calls for a grant without a further decision: a withdrawal then settles nothing. */
function grantsAtOnce(past: DecisionPast, group: DecisionGroup): boolean {
  return group.closedBy === null && (past.verdict.terms.route === "allow" || isAudit(past.verdict.terms) || satisfiedGroup(past, group));
}

function satisfiedGroup(past: DecisionPast, group: DecisionGroup): boolean {
  return nothingToDecide(past.verdict) === null && !isAudit(past.verdict.terms) && group.votes.length >= approvalsNeeded(past.verdict.terms);
}

/** What is wrong with a decision whatever its siblings did. */
function pastReason({ proposal, verdict }: DecisionPast, event: DecisionMade): string | null {
  const { terms } = verdict;
  const { kind, actor } = event;
  if (kind === "clear") return actor.kind !== "person" ? "wrong actor: a person clears" : event.cleared === null ? "missing field: cleared" : null;
  if (kind === "withdraw") {
    if (actor.kind !== "clock" && !(actor.kind === "agent" && actor.id === proposal.agentId)) return "wrong actor: the agent or the clock withdraws";
    return terms.route === "forbid" && !verdict.fallback ? "forbidden: nothing is left to withdraw" : null;
  }
  if (BY_CLOCK.has(kind) ? actor.kind !== "clock" : actor.kind !== "person" && !(kind === "release" && actor.kind === "clock"))
    return `wrong actor: ${actor.kind} cannot ${kind}`;
  const nothing = nothingToDecide(verdict);
  if (nothing !== null) return nothing;
  if (REVIEWS.has(kind)) return reviewReason({ proposal, verdict }, event);
  if (kind === "claim") return event.lease === null ? "missing field: lease" : null;
  if (kind === "release") return event.lease === null ? "missing field: lease" : null;
  if (kind === "escalate") {
    const step = terms.ladder.find((s) => s.step === event.escalation?.step);
    if (step === undefined) return "no such step on the ladder";
    return event.occurredAt < step.at ? "early: the step is not due" : null;
  }
  if (kind === "expire") {
    if (isAudit(terms)) return "an audit never expires";
    if (terms.expiresAt === null) return "the verdict never expires";
    return event.occurredAt < terms.expiresAt ? "early: the deadline is not reached" : null;
  }
  return `wrong kind: ${kind} does not answer a verdict`;
}

function reviewReason(past: DecisionPast, event: DecisionMade): string | null {
  const { terms } = past.verdict;
  const { kind } = event;
  if (isAudit(terms) && kind !== "approve" && kind !== "reject") return `not allowed: an audit admits no ${kind}`;
  if (past.proposal.ask === "question" && kind !== "respond") return "not allowed: a question admits only respond";
  if (past.proposal.ask === "notify" && kind !== "acknowledge") return "not allowed: a notice admits only acknowledge";
  if (!(terms.allowedDecisions as readonly string[]).includes(kind)) return `not allowed: the policy does not allow ${kind}`;
  if (event.seen === null) return "missing field: seen";
  if (event.seen.cardSha256 !== terms.cardSha256) return "stale: another card was seen";
  return null;
}

/** Separation of duties: why a person may not vote; null where it may. */
export function separationReason(proposal: ProposalNode, { separation }: Terms, earlierApprovers: readonly string[], person: string): string | null {
  if (separation.includes("agent_owner") && proposal.agentOwner === person) return "separation: the agent's owner does not approve";
  if (separation.includes("proposer") && proposal.onBehalfOf === person) return "separation: the proposer does not approve";
  if (separation.includes("earlier_approver") && earlierApprovers.includes(person)) return "separation: an earlier approver does not approve";
  return null;
}

function clockRuling(group: DecisionGroup, event: DecisionMade): Ruling {
  if (event.kind === "expire") return group.held ? superseded("held already") : EFFECTIVE;
  const step = event.escalation?.step ?? 0;
  if (step <= group.step) return superseded(`escalated to step ${group.step} already`);
  return step === group.step + 1 ? EFFECTIVE : illegal(`step ${group.step + 1} comes first`);
}

function releaseRuling(group: DecisionGroup, event: DecisionMade): Ruling {
  if (group.lease === null || group.lease.id !== event.lease?.id) return superseded("stale lease");
  if (event.actor.kind === "clock") return event.occurredAt < group.lease.endsAt ? illegal("early: the lease has not ended") : EFFECTIVE;
  return event.actor.id === group.lease.person ? EFFECTIVE : illegal("not the holder of the lease");
}

function personRuling(past: DecisionPast, group: DecisionGroup, event: DecisionMade): Ruling {
  const { verdict } = past;
  const { actor, kind } = event;
  if (!isOwner(group.owner, actor.id, actor.roles)) return illegal(`not entitled: ${group.owner} decides`);
  const foreign = group.lease !== null && group.lease.person !== actor.id;
  if (kind === "claim") {
    if (group.leaseIds.includes(event.lease?.id as string)) return illegal("stale lease: its id was used");
    return foreign && event.lease?.takenOver !== true ? illegal(`claimed by ${group.lease?.person}`) : EFFECTIVE;
  }
  if (foreign) return illegal(`claimed by ${group.lease?.person}`);
  if (kind !== "approve" && kind !== "edit") return EFFECTIVE;
  // Separation limits votes; somebody it excludes may still edit, but the edit then carries no vote.
  const reason = kind === "edit" ? editReason(past, event) : separationReason(past.proposal, verdict.terms, verdict.earlierApprovers, actor.id);
  if (reason !== null) return illegal(reason);
  if (kind === "edit") return EFFECTIVE;
  if (group.votes.includes(actor.id)) return superseded("voted already");
  const due = verdict.terms.approvalOrder[group.votes.length];
  return due !== undefined && !isOwner(due, actor.id, actor.roles) ? illegal(`out of order: ${due} approves next`) : EFFECTIVE;
}

/** The group after an effective decision. */
export function applyDecision(past: DecisionPast, group: DecisionGroup, event: DecisionMade): DecisionGroup {
  const { verdict } = past;
  const closed = { kind: event.kind, id: event.eventId };
  switch (event.kind) {
    case "claim": {
      const lease = event.lease as NonNullable<DecisionMade["lease"]>;
      return { ...group, lease: { id: lease.id, person: event.actor.id, endsAt: lease.endsAt }, leaseIds: [...group.leaseIds, lease.id] };
    }
    case "release":
      return { ...group, lease: null };
    case "escalate": {
      const step = verdict.terms.ladder.find((s) => s.step === event.escalation?.step);
      return { ...group, step: step?.step ?? group.step, owner: step?.to ?? group.owner, escalatedAt: event.occurredAt, lease: null };
    }
    case "approve": {
      const votes = [...group.votes, event.actor.id];
      return { ...group, votes, closedBy: votes.length >= approvalsNeeded(verdict.terms) ? closed : null };
    }
    case "expire":
      return verdict.terms.onExpiry === "hold" ? { ...group, held: true } : { ...group, closedBy: closed };
    case "withdraw":
      return grantsAtOnce(past, group) ? { ...group, withdrawn: true, withdrawnAt: event.occurredAt } : { ...group, closedBy: closed };
    case "clear":
      return group;
    default:
      return { ...group, closedBy: closed };
  }
}
