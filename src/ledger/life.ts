import { isAudit, isSatisfied, nothingToDecide } from "./decisions.ts";
import { type DecisionNode, type Item, keyOf, nodeOf, type ReceiptNode, type ResumeNode, type VerdictNode } from "./item.ts";
import { leavesSteps } from "./left-open.ts";
import { isGrant } from "./resumes.ts";
import { EXECUTIONS, type Outcome, type Stage } from "./stages.ts";

/** The review of an audited item, beside its execution. */
export type Review = "none" | "open" | "passed" | "failed";

/** An item as people speak of it. */
export interface Life {
  readonly stage: Stage;
  readonly outcome: Outcome | null;
  /** The verdict in force; null before the first. */
  readonly verdict: VerdictNode | null;
  /** The decision that closed it; null while open. */
  readonly decision: DecisionNode | null;
  /** The resume in force: the last grant, or why nothing runs. */
  readonly resume: ResumeNode | null;
  readonly review: Review;
}

/** Reads an item's life from its nodes. */
export function lifeOf(item: Item): Life {
  const proposal = nodeOf(item, "proposals", item.proposal);
  const life = { stage: "unproposed" as Stage, outcome: null, verdict: null, decision: null, resume: null, review: "none" as Review };
  if (proposal === undefined) return life;
  let verdict = nodeOf(item, "verdicts", proposal.verdict);
  if (verdict === undefined) return { ...life, stage: "proposed" };
  let decision = closingDecision(item, verdict);
  while (decision?.kind === "edit") {
    const next = nodeOf(item, "verdicts", decision.verdict);
    if (next === undefined) return { ...life, stage: "rejudging", verdict, decision };
    verdict = next;
    decision = closingDecision(item, verdict);
  }
  const review: Review = !isAudit(verdict.terms)
    ? "none"
    : verdict.group.closedBy === null
      ? "open"
      : verdict.group.closedBy.kind === "approve"
        ? "passed"
        : "failed";
  const base = { ...life, verdict, decision: decision ?? null, review };
  const waits = verdict.group.closedBy === null && nothingToDecide(verdict) === null && !isAudit(verdict.terms) && !isSatisfied(verdict);
  if (waits) return { ...base, stage: "pending" };
  // An audit's rejection leads to a roll_back; until that is written, the grant that it is about is in force.
  const first = nodeOf(item, "resumes", decision?.resume ?? verdict.resume) ?? nodeOf(item, "resumes", verdict.resume);
  if (first === undefined)
    return verdict.terms.route === "forbid" && !verdict.fallback ? { ...base, stage: "done", outcome: "forbidden" } : { ...base, stage: "settled" };
  return { ...base, ...execution(item, first) };
}

/** How far the execution of an item is. */
export function executionOf({ stage, outcome, resume }: Life): (typeof EXECUTIONS)[number] {
  if (stage === "granted" || stage === "executing" || stage === "in_doubt") return stage;
  const ended = stage === "done" && resume !== null && isGrant(resume.outcome) ? EXECUTIONS.find((e) => e === outcome) : undefined;
  return ended ?? "none";
}

function closingDecision(item: Item, verdict: VerdictNode): DecisionNode | undefined {
  return verdict.group.closedBy === null ? undefined : nodeOf(item, "decisions", verdict.group.closedBy.id);
}

function execution(item: Item, first: ResumeNode): Pick<Life, "stage" | "outcome" | "resume"> {
  let resume = first;
  /** The grant whose end nobody knows, where `resume` is its retry. */
  let doubted: ResumeNode | null = null;
  for (;;) {
    if (!isGrant(resume.outcome))
      return doubted === null ? { stage: "done", outcome: resume.outcome as Outcome, resume } : { stage: "in_doubt", outcome: null, resume: doubted };
    const { closedBy, running, done } = resume.group;
    if (closedBy === null) return { stage: running !== null || done > 0 ? "executing" : "granted", outcome: null, resume };
    if (closedBy.kind === "done") return { stage: "done", outcome: resume.outcome === "roll_back" ? "compensated" : "succeeded", resume };
    if (closedBy.kind === "lapsed" || closedBy.kind === "revoked") {
      // A retry that nobody started has cleared up nothing.
      if (done === 0 && doubted !== null) return { stage: "in_doubt", outcome: null, resume: doubted };
      // What has run never ends as lapsed, nor as if it had been taken back: it was not brought to its end.
      const ran = resume.outcome === "roll_back" || (closedBy.kind === "lapsed" && done > 0);
      return { stage: "done", outcome: ran ? "failed" : closedBy.kind, resume };
    }
    if (closedBy.kind !== "unknown") return { stage: "done", outcome: closedBy.kind as Outcome, resume };
    const receipt = item.nodes.get(keyOf("receipts", closedBy.id)) as ReceiptNode;
    const settle = nodeOf(item, "decisions", receipt.settle);
    if (settle === undefined) return { stage: "in_doubt", outcome: null, resume };
    if (settle.settlement !== "retry") return { stage: "done", outcome: settledAs(settle, resume), resume };
    const next = nodeOf(item, "resumes", settle.resume);
    if (next === undefined) return { stage: "settled", outcome: null, resume };
    doubted = resume;
    resume = next;
  }
}

/** How an item ended whose unknown outcome a person settled: what is left of a plan can run no more, so that it did not succeed. */
function settledAs({ settlement }: DecisionNode, grant: ResumeNode): Outcome {
  if (settlement !== "succeeded" || leavesSteps(grant)) return "failed";
  return grant.outcome === "roll_back" ? "compensated" : "succeeded";
}
