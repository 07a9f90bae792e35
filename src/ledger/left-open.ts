import { isAudit } from "./decisions.ts";
import type { Finding, Item, ResumeNode, VerdictNode } from "./item.ts";
import { isRetry } from "./must-start.ts";
import type { ResumePast } from "./resumes.ts";

/** What an end leaves open in the world outside, which nothing in the item can bring to an end any more: a person has to look. */
type Left = Extract<Finding["code"], "left_in_doubt" | "not_rolled_back" | "plan_cut_short"> | null;

/** Whether steps of a grant come after the one that it stands at. */
export function leavesSteps({ actions, group }: ResumeNode): boolean {
  return group.done + 1 < actions.length;
}

/** What a receipt leaves open that has just taken effect on a grant. */
export function leftByReceipt(item: Item, verdict: VerdictNode, grant: ResumeNode, kind: string): Left {
  const takenBack = kind === "lapsed" || kind === "revoked";
  if (grant.outcome === "roll_back") return takenBack || kind === "failed" ? "not_rolled_back" : null;
  if (!takenBack) return null;
  if (grant.group.done > 0) return "plan_cut_short";
  // What its review refuses is rolled back, also where nobody knows whether it ran.
  return isRetry(item, grant) && !isAudit(verdict.terms) ? "left_in_doubt" : null;
}

/** What a person leaves open who settles an unknown outcome of a grant: as it ended, no step after it runs any more. */
export function leftBySettle(grant: ResumeNode, settlement: string | undefined): Left {
  const isWhole = settlement === "succeeded" && !leavesSteps(grant);
  if (settlement === "retry" || isWhole) return null;
  if (grant.outcome === "roll_back") return "not_rolled_back";
  return settlement === "succeeded" ? "plan_cut_short" : null;
}

/** What is left open by a resume that withholds a grant. */
export function leftByWithheld(past: ResumePast): Left {
  if (past.cause === "settle") return past.grant.outcome === "roll_back" ? "not_rolled_back" : isAudit(past.verdict.terms) ? null : "left_in_doubt";
  return past.cause === "decision" && past.decision.kind === "reject" ? "not_rolled_back" : null;
}
