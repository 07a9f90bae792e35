import { sha256 } from "../../../src/events/canonical.ts";
import { type Loose, list, type Node } from "./model.ts";

/** One action under approval. */
export interface Action {
  actionId: string;
  tool: string;
  args: string;
  argsSha256: string;
  argsSchema: string | null;
}

/** What a verdict puts before its deciders, before any decision on it. */
export interface Terms {
  /** The verdict whose approvals, paths, ladder, deadlines and card hold: an older one after a forbidden edit. */
  readonly ruling: Loose;
  readonly proposal: Loose;
  readonly actions: readonly Action[];
  readonly owner: string | null;
  readonly step: number;
  readonly votes: readonly string[];
  readonly held: boolean;
  /** Who voted for what was edited since, and the editors. */
  readonly earlier: readonly string[];
  /** Whether the editor's vote satisfies it. */
  readonly satisfied: boolean;
}

export interface Review {
  readonly owner: string | null;
  readonly step: number;
  readonly votes: readonly string[];
  readonly held: boolean;
  readonly lease: Loose | null;
  readonly closedBy: Node | null;
}

const SETTLING = ["edit", "reject", "respond", "acknowledge"];

export const isAudit = (verdict: Loose): boolean => verdict.gate === "audit" && verdict.route !== "forbid";
export const needed = (verdict: Loose): number => Math.max(1, verdict.approvals ?? 1);
export const isForbiddenEdit = (verdict: Node): boolean => verdict.event.route === "forbid" && verdict.cause?.topic === "decisions";

/** The card hash that a person must have seen. */
export const cardOf = (terms: Terms): string | null => terms.ruling.cardSha256 ?? null;

const memo = new WeakMap<Node, Terms>();

/** What a verdict says, read upward from it. */
export function termsOf(verdict: Node): Terms {
  let terms = memo.get(verdict);
  if (!terms) {
    terms = verdict.cause?.topic === "decisions" ? termsAfterEdit(verdict, verdict.cause) : firstTerms(verdict);
    memo.set(verdict, terms);
  }
  return terms;
}

function firstTerms(verdict: Node): Terms {
  const proposal = (verdict.cause as Node).event;
  const v = verdict.event;
  return {
    ruling: v,
    proposal,
    actions: list(proposal.actions),
    owner: v.owner ?? null,
    step: 0,
    votes: [],
    held: false,
    earlier: [],
    satisfied: false,
  };
}

function termsAfterEdit(verdict: Node, edit: Node): Terms {
  const old = edit.cause as Node;
  const before = termsOf(old);
  const review = reviewOf(old, edit.before);
  if (verdict.event.route === "forbid") return { ...before, owner: review.owner, step: review.step, votes: review.votes, held: review.held, satisfied: false };
  const v = verdict.event;
  const editor = edit.event.actor;
  const earlier = [...before.earlier, ...review.votes];
  const counts = v.route !== "allow" && !isAudit(v) && mayVote(v, before.proposal, v.owner ?? null, [], earlier, editor);
  const votes = counts ? [editor.id] : [];
  return {
    ruling: v,
    proposal: before.proposal,
    actions: applyEdit(before.actions, edit.event),
    owner: v.owner ?? null,
    step: 0,
    votes,
    held: false,
    earlier: counts ? [...earlier, editor.id] : earlier,
    satisfied: counts && votes.length >= needed(v),
  };
}

export function entitled(owner: string | null, actor: Loose): boolean {
  if (actor?.kind !== "person" || owner === null) return false;
  const name = owner.startsWith("role:") ? owner.slice(5) : owner;
  return list(actor.roles).includes(name) || owner === `person:${actor.id}`;
}

export function separated(verdict: Loose, proposal: Loose, earlier: readonly string[], actor: Loose): boolean {
  const from = list(verdict.separation);
  if (from.includes("proposer") && (proposal.onBehalfOf?.id === actor.id || proposal.actor?.id === actor.id)) return false;
  if (from.includes("agent_owner") && proposal.agent?.owner === actor.id) return false;
  return !(from.includes("earlier_approver") && earlier.includes(actor.id));
}

function mayVote(verdict: Loose, proposal: Loose, owner: string | null, votes: readonly string[], earlier: readonly string[], actor: Loose): boolean {
  return (
    list(verdict.allowedDecisions).includes("approve") &&
    entitled(owner, actor) &&
    separated(verdict, proposal, earlier, actor) &&
    inOrder(verdict, votes, actor)
  );
}

/** Whether the next place of the approval order, if there is one, is this person's. */
export function inOrder(verdict: Loose, votes: readonly string[], actor: Loose): boolean {
  const role = list(verdict.approvalOrder)[votes.length];
  return role === undefined || entitled(role, actor);
}

export function applyEdit(actions: readonly Action[], edit: Loose): Action[] {
  const dropped = list(edit.dropped);
  const kept = actions
    .filter((a) => !dropped.includes(a.actionId))
    .map((a) => {
      const change = list(edit.edits).find((e) => e.actionId === a.actionId);
      return change ? { ...a, args: change.args, argsSha256: change.argsSha256 } : a;
    });
  const order = list(edit.order);
  return order.length === 0 ? kept : order.map((id) => kept.find((a) => a.actionId === id) as Action);
}

/** Where the review of a verdict stands after these effective decisions. Each part is read from the whole list for itself. */
export function reviewOf(verdict: Node, decisions: readonly Node[]): Review {
  const terms = termsOf(verdict);
  const of = (...kinds: string[]) => decisions.filter((d) => kinds.includes(d.event.kind));
  const escalation = of("escalate").at(-1);
  const step = escalation ? escalation.event.escalation.step : terms.step;
  const owner = escalation ? (list(terms.ruling.ladder).find((l) => l.step === step)?.to ?? null) : terms.owner;
  const votes = [...terms.votes, ...of("approve").map((d) => d.event.actor.id)];
  const closesLease = of("claim", "release", "escalate").at(-1);
  const lease = closesLease?.event.kind === "claim" ? { ...closesLease.event.lease, person: closesLease.event.actor.id } : null;
  const held = terms.held || (terms.ruling.onExpiry === "hold" && of("expire").length > 0);
  return { owner, step, votes, held, lease, closedBy: closing(verdict, terms, decisions) };
}

function closing(verdict: Node, terms: Terms, decisions: readonly Node[]): Node | null {
  const settling = decisions.find((d, i) => {
    const { kind } = d.event;
    if (SETTLING.includes(kind)) return true;
    if (kind === "expire") return terms.ruling.onExpiry === "reject";
    if (kind === "withdraw") return !grantsAtOnce(verdict);
    return kind === "approve" && terms.votes.length + decisions.slice(0, i + 1).filter((x) => x.event.kind === "approve").length >= needed(terms.ruling);
  });
  return settling ?? null;
}

/** allow, audit, or satisfied by the editor: the grant needs no further decision. */
export function grantsAtOnce(verdict: Node): boolean {
  const terms = termsOf(verdict);
  if (verdict.event.route === "forbid") return false;
  return verdict.event.route === "allow" || isAudit(verdict.event) || terms.satisfied;
}

/** Whether people have nothing to decide on it. */
export function nothingToDecide(verdict: Node): boolean {
  if (verdict.event.route === "forbid") return !isForbiddenEdit(verdict);
  return !isAudit(verdict.event) && (verdict.event.route === "allow" || termsOf(verdict).satisfied);
}

const hashes = new Map<string, string>();

/** SHA-256 of a text, remembered: histories use few different arguments. */
export function hashOf(text: string): string {
  let hash = hashes.get(text);
  if (!hash) hashes.set(text, (hash = sha256(text)));
  return hash;
}
