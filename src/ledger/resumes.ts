import type { RunResumed } from "../events/types.generated.ts";
import { isAudit, isSatisfied, nothingToDecide } from "./decisions.ts";
import { sameActions } from "./edits.ts";
import {
  type ActionTerms,
  type DecisionNode,
  EFFECTIVE,
  illegal,
  type ProposalNode,
  type ReceiptNode,
  type ResumeNode,
  type Ruling,
  superseded,
  type VerdictNode,
} from "./item.ts";

type Outcome = RunResumed["outcome"];

/** Causal past of a resume: what called for it. */
export type ResumePast =
  | { readonly cause: "verdict"; readonly proposal: ProposalNode; readonly verdict: VerdictNode }
  | { readonly cause: "decision"; readonly proposal: ProposalNode; readonly verdict: VerdictNode; readonly decision: DecisionNode }
  | { readonly cause: "settle"; readonly verdict: VerdictNode; readonly decision: DecisionNode; readonly receipt: ReceiptNode; readonly grant: ResumeNode };

/** What a cause calls for: an outcome, and the actions that a grant must name. */
export interface Called {
  readonly outcome: Outcome;
  readonly actions: readonly ActionTerms[];
}

const BY_DECISION: { readonly [kind: string]: Outcome } = {
  reject: "refused",
  respond: "responded",
  acknowledge: "acknowledged",
  withdraw: "withdrawn",
  expire: "expired",
};

/** What a cause calls for; null where it calls for nothing. */
export function calledFor(past: ResumePast): Called | null {
  if (past.cause === "settle") {
    if (past.decision.settlement !== "retry") return null;
    const from = past.grant.actions.findIndex((a) => a.actionId === past.receipt.actionId);
    const again = past.grant.actions.slice(from).map((a) => past.verdict.actions.find((v) => v.actionId === a.actionId && v.argsSha256 === a.argsSha256));
    return { outcome: past.grant.outcome, actions: again.filter((a) => a !== undefined) };
  }
  const { proposal, verdict } = past;
  if (past.cause === "verdict") {
    if (verdict.terms.route === "forbid" && !verdict.fallback) return { outcome: "forbidden", actions: [] };
    if (verdict.fallback) return null;
    if (nothingToDecide(verdict) !== null || isAudit(verdict.terms) || isSatisfied(verdict)) return granting(proposal, verdict.actions);
    return null;
  }
  if (!past.decision.calls) return null;
  if (past.decision.kind === "approve") return granting(proposal, verdict.actions);
  if (past.decision.kind === "reject" && isAudit(verdict.terms)) return { outcome: "roll_back", actions: verdict.actions };
  return { outcome: BY_DECISION[past.decision.kind] as Outcome, actions: [] };
}

function granting(proposal: ProposalNode, actions: readonly ActionTerms[]): Called {
  return { outcome: sameActions(actions, proposal.actions) ? "proceed" : "proceed_edited", actions };
}

/** Whether an outcome lets something run. */
export function isGrant(outcome: Outcome): boolean {
  return outcome === "proceed" || outcome === "proceed_edited" || outcome === "roll_back";
}

/** The machine of resumes: the first legal one that answers its cause. */
export function legalResume(past: ResumePast, first: string | null, event: RunResumed): Ruling {
  if (event.actor.kind !== "dispatcher") return illegal("wrong actor: the dispatcher resumes");
  const called = calledFor(past);
  if (called === null) return illegal("its cause calls for no resume");
  const reason = contentReason(called, event, past.cause === "decision");
  if (reason !== null) return illegal(reason);
  return first === null ? EFFECTIVE : superseded(`resumed by ${first}`);
}

/** `anyOf`: a roll_back that an audit's rejection calls for may name some of the actions, in any order; one that is tried again may not. */
function contentReason(called: Called, event: RunResumed, anyOf: boolean): string | null {
  const mayGrant = isGrant(called.outcome);
  if (event.outcome === "withheld")
    return !mayGrant ? "withheld stands in place of a grant, and none was due" : event.actions.length > 0 ? "withheld grants nothing" : null;
  if (event.outcome !== called.outcome) return `wrong outcome: ${called.outcome} is due`;
  // The executor runs the tool and the arguments that the grant spells out, so these must be the approved ones, not only the hash.
  const isApproved = (a: RunResumed["actions"][number]) =>
    called.actions.some((c) => c.actionId === a.actionId && c.argsSha256 === a.argsSha256 && c.tool === a.tool && c.args === a.args);
  if (mayGrant && !event.actions.every(isApproved)) return "it spells out an action, a tool or arguments that nobody approved";
  if (event.outcome === "roll_back" && anyOf) {
    if (event.actions.length === 0) return "a roll_back names approved actions";
    // Named twice, it could be undone twice.
    return new Set(event.actions.map((a) => a.actionId)).size === event.actions.length ? null : "a roll_back names an action twice";
  }
  return sameActions(event.actions, called.actions) ? null : mayGrant ? "it does not name exactly the approved actions" : "it grants what nobody approved";
}
