import type { VerdictReached } from "../events/types.generated.ts";
import { isAudit, isOwner, noDecisions, separationReason } from "./decisions.ts";
import { editedActions } from "./edits.ts";
import {
  type ActionTerms,
  type BatchTerms,
  type DecisionGroup,
  type DecisionNode,
  EFFECTIVE,
  illegal,
  keyOf,
  type ProposalNode,
  type Ruling,
  superseded,
  type Terms,
  type VerdictNode,
} from "./item.ts";

/** Causal past of a verdict: the proposal, and the edit that it judges again together with the verdict that the edit answers. */
export interface VerdictPast {
  readonly proposal: ProposalNode;
  readonly edit: { readonly decision: DecisionNode; readonly verdict: VerdictNode } | null;
}

const ROUTES: ReadonlySet<string> = new Set(["allow", "batch", "interrupt", "forbid"]);

/** The machine of verdicts: the first one by policy that answers a proposal or an effective edit. */
export function legalVerdict(_past: VerdictPast, first: string | null, event: VerdictReached): Ruling {
  if (event.actor.kind !== "policy") return illegal("wrong actor: policy judges");
  if (!ROUTES.has(event.route)) return illegal("wrong route: this version does not know it");
  return first === null ? EFFECTIVE : superseded(`judged by ${first}`);
}

/** The node of an effective verdict. */
export function verdictNode(past: VerdictPast, event: VerdictReached): VerdictNode {
  const base = { topic: "verdicts", id: event.eventId, batch: null, resume: null } as const;
  if (past.edit === null) {
    return {
      ...base,
      cause: keyOf("proposals", past.proposal.id),
      fallback: false,
      judgedAt: event.occurredAt,
      terms: termsOf(event),
      actions: past.proposal.actions,
      earlierApprovers: [],
      group: noDecisions(event.owner),
    };
  }
  const { decision, verdict: before } = past.edit;
  const cause = keyOf("decisions", decision.id);
  if (event.route === "forbid") {
    // The terms as they were, under a new id. The lease ends: its holder has decided.
    const group: DecisionGroup = { ...before.group, lease: null, closedBy: null };
    return {
      ...base,
      cause,
      fallback: true,
      judgedAt: before.judgedAt,
      terms: before.terms,
      actions: before.actions,
      earlierApprovers: before.earlierApprovers,
      group,
    };
  }
  const terms = termsOf(event);
  const actions = editedActions(before.actions, decision);
  const earlierApprovers = [...new Set([...before.earlierApprovers, ...before.group.votes])];
  const votes = mayVote(past.proposal, terms, earlierApprovers, decision) ? [decision.person] : [];
  return { ...base, cause, fallback: false, judgedAt: event.occurredAt, terms, actions, earlierApprovers, group: { ...noDecisions(event.owner), votes } };
}

/** Whether the editor's vote counts on the new arguments. */
function mayVote(proposal: ProposalNode, terms: Terms, earlier: readonly string[], editor: DecisionNode): boolean {
  if (terms.route === "allow" || isAudit(terms) || proposal.ask !== "review" || !terms.allowedDecisions.includes("approve")) return false;
  if (!isOwner(terms.owner, editor.person, editor.roles)) return false;
  if (separationReason(proposal, terms, earlier, editor.person) !== null) return false;
  const due = terms.approvalOrder[0];
  return due === undefined || isOwner(due, editor.person, editor.roles);
}

function termsOf(event: VerdictReached): Terms {
  const {
    route,
    gate,
    owner,
    approvals,
    approvalOrder,
    separation,
    allowedDecisions,
    editablePaths,
    ladder,
    expiresAt,
    onExpiry,
    cardSha256,
    steps,
    grantTtlMs,
  } = event;
  return {
    route,
    gate,
    owner,
    approvals,
    approvalOrder,
    separation,
    allowedDecisions,
    editablePaths,
    ladder,
    expiresAt,
    onExpiry,
    cardSha256,
    grantTtlMs,
    steps: steps.map(({ actionId, execution, leaseMs }) => ({ actionId, execution, leaseMs })),
    batch: batchTerms(event),
  };
}

/** Most members of a batch, whatever a policy says: more than this nobody looks at. */
const MOST_MEMBERS = 20;
/** How long a batch stays open where the verdict does not say. */
const BATCH_WINDOW_MS = 30 * 60_000;

/** Only what can be taken back, wholly or in part, and is of no more than medium risk, is ever batched: whoever wrote the verdict. */
function batchTerms({ route, risk, reversibility, owner, batchKey, batchMax, batchWindowMs }: VerdictReached): BatchTerms | null {
  if (route !== "batch" || batchKey === null || owner === null) return null;
  if ((risk !== "low" && risk !== "medium") || (reversibility !== "reversible" && reversibility !== "partially")) return null;
  return { key: batchKey, max: Math.min(MOST_MEMBERS, Math.max(1, batchMax ?? MOST_MEMBERS)), windowMs: Math.max(0, batchWindowMs ?? BATCH_WINDOW_MS) };
}

/** Terms of a proposed action. */
export function actionTerms(actions: readonly ActionTerms[]): readonly ActionTerms[] {
  return actions.map(({ actionId, tool, args, argsSha256, argsSchema }) => ({ actionId, tool, args, argsSha256, argsSchema }));
}
