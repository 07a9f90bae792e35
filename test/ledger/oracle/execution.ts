import { firstOf, illegal, isText, isTime, type Judgement, type Loose, list, type Node, superseded } from "./model.ts";
import { type Action, grantsAtOnce, isAudit, isForbiddenEdit, reviewOf, termsOf } from "./terms.ts";

const GRANTS = ["proceed", "proceed_edited", "roll_back"];

export const isGrant = (resume: Node): boolean => GRANTS.includes(resume.event.outcome);

const OUTCOME: Record<string, string> = { reject: "refused", respond: "responded", acknowledge: "acknowledged", withdraw: "withdrawn", expire: "expired" };

/** What a cause calls for, and the actions that it may name; null when it calls for nothing. */
export function calledFor(cause: Node): { outcome: string; actions: readonly Loose[] } | null {
  if (cause.topic === "verdicts") {
    if (cause.event.route === "forbid") return isForbiddenEdit(cause) ? null : { outcome: "forbidden", actions: [] };
    return grantsAtOnce(cause) ? approved(cause) : null;
  }
  if (cause.topic !== "decisions") return null;
  const { kind } = cause.event;
  if (kind === "settle") {
    if (cause.event.settlement.outcome !== "retry") return null;
    const unknown = cause.cause as Node;
    const grant = unknown.cause as Node;
    const from = list(grant.event.actions).findIndex((a) => a.actionId === unknown.event.actionId);
    return { outcome: grant.event.outcome, actions: list(grant.event.actions).slice(from) };
  }
  if (cause.cause?.topic !== "verdicts") return null;
  const verdict = cause.cause;
  const settles = reviewOf(verdict, [...cause.before, cause]).closedBy === cause;
  if (!settles || kind === "edit") return null;
  if (isAudit(verdict.event)) return kind === "reject" ? { outcome: "roll_back", actions: termsOf(verdict).actions } : null;
  if (kind === "approve") return approved(verdict);
  return { outcome: OUTCOME[kind as string] as string, actions: [] };
}

function approved(verdict: Node): { outcome: string; actions: readonly Action[] } {
  const terms = termsOf(verdict);
  const { actions } = terms.proposal;
  // An edit that leads back to what was proposed is no edit for the agent.
  const asProposed =
    actions.length === terms.actions.length && terms.actions.every((a, i) => a.actionId === actions[i].actionId && a.argsSha256 === actions[i].argsSha256);
  return { outcome: asProposed ? "proceed" : "proceed_edited", actions: terms.actions };
}

const same = (a: Loose, b: Loose) => a.actionId === b.actionId && a.tool === b.tool && a.argsSha256 === b.argsSha256 && a.args === b.args;

export function judgeResume(cause: Node, before: readonly Node[], event: Loose): Judgement {
  if (event.actor?.kind !== "dispatcher") return illegal("not the dispatcher");
  const due = calledFor(cause);
  if (!due) return illegal("its cause calls for nothing");
  const named = list(event.actions);
  return firstOf(
    () => {
      if (event.outcome === "withheld" && GRANTS.includes(due.outcome)) return named.length === 0 ? null : illegal("withheld grants nothing");
      if (event.outcome !== due.outcome) return illegal(`must be ${due.outcome}`);
      if (due.outcome === "roll_back" && cause.event.kind === "reject")
        return named.length > 0 && new Set(named.map((a) => a.actionId)).size === named.length && named.every((a) => due.actions.some((b) => same(a, b)))
          ? null
          : illegal("rolls back what was not approved");
      return named.length === due.actions.length && named.every((a, i) => same(a, due.actions[i])) ? null : illegal("not the approved actions");
    },
    () => (before.length > 0 ? superseded("its cause has its resume") : null),
  );
}

export interface Execution {
  readonly actions: readonly Loose[];
  readonly done: number;
  readonly running: string | null;
  readonly lease: Loose | null;
  readonly closedBy: string | null;
}

const good = (grant: Node) => (grant.event.outcome === "roll_back" ? "compensated" : "succeeded");

/** Where a grant stands after these effective receipts, read from the whole list. */
export function executionOf(grant: Node, receipts: readonly Node[]): Execution {
  const actions = list(grant.event.actions);
  const of = (...kinds: string[]) => receipts.filter((r) => kinds.includes(r.event.kind));
  const done = of(good(grant)).length;
  const last = of("started", "succeeded", "compensated", "failed", "unknown").at(-1);
  const running = last?.event.kind === "started" ? last.event.actionId : null;
  const closing = of("failed", "unknown", "lapsed", "revoked")[0];
  const end = closing ? `${closing.event.kind} ${closing.id}` : done === actions.length && done > 0 ? `done ${receipts.at(-1)?.id}` : null;
  return { actions, done, running, lease: running === null ? null : (of("started", "renewed").at(-1)?.event.lease ?? null), closedBy: end };
}

const ACTORS: Record<string, string> = { unknown: "clock", lapsed: "clock", revoked: "clock" };
const NAMES_ACTION = ["started", "renewed", "succeeded", "failed", "unknown", "compensated"];

export function judgeReceipt(grant: Node, before: readonly Node[], event: Loose): Judgement {
  const { kind } = event;
  const state = executionOf(grant, before);
  const rollBack = grant.event.outcome === "roll_back";
  const index = state.actions.findIndex((a) => a.actionId === event.actionId);
  return firstOf(
    () => (event.actor?.kind === (ACTORS[kind as string] ?? "executor") ? null : illegal("not its writer")),
    () => (GRANTS.includes(grant.event.outcome) ? null : illegal("no grant")),
    () => (kind !== "lapsed" && kind !== "revoked" && index < 0 ? illegal("an action without a grant") : null),
    () => (["started", "succeeded", "failed"].includes(kind) && !isText(event.argsSha256) ? illegal("without a hash") : null),
    () => (["started", "renewed"].includes(kind) && !(isText(event.lease?.id) && isTime(event.lease?.endsAt)) ? illegal("without a lease") : null),
    () => (kind === "unknown" && !isText(event.lease?.id) ? illegal("without a lease") : null),
    () => (kind === "compensated" && !rollBack ? illegal("not a roll-back") : null),
    () => (kind === "succeeded" && rollBack ? illegal("a roll-back is compensated") : null),
    () => (kind === "lapsed" && !(isTime(grant.event.notAfter) && event.occurredAt >= grant.event.notAfter) ? illegal("before notAfter") : null),
    () => (state.closedBy ? superseded(`closed by ${state.closedBy}`) : null),
    () => (NAMES_ACTION.includes(kind) || kind in ACTORS ? null : illegal("no such receipt")),
    () => judgeNow(state, before, event, index),
  );
}

function judgeNow(state: Execution, before: readonly Node[], event: Loose, index: number): Judgement {
  const { kind } = event;
  if (kind === "lapsed" || kind === "revoked") return state.running === null ? null : superseded("is running");
  if (kind === "started") {
    if (before.some((r) => r.event.kind === "started" && r.event.actionId === event.actionId)) return superseded("was started");
    return index === state.done && state.running === null ? null : illegal("not its turn");
  }
  if (kind === "unknown" && event.lease.id !== state.lease?.id) return superseded("not the current lease");
  if (state.running !== event.actionId) return illegal("is not running");
  if (kind === "renewed") return before.some((r) => r.event.lease?.id === event.lease.id) ? superseded("the lease id was used") : null;
  if (kind === "unknown") return event.occurredAt >= state.lease.endsAt ? null : illegal("before the lease ends");
  return null;
}
