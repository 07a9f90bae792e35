import type { Draft } from "./build-example.ts";
import type { ReviewedExample, Tier } from "./reviewed-example.ts";

/** Active time below this is taken for a rubber stamp. */
const GLANCE_MS = 1000;

/** Active time from this on is taken for a look at the card. */
const LOOK_MS = 3000;

/** Severity from which an incident turns a positive into a negative; below it the example is disputed. */
const NEGATIVE_FROM = new Set(["high", "critical"]);

/** Whether an incident says that what ran should not have run. */
export function isNegativeByIncident(example: Pick<ReviewedExample, "outcome">): boolean {
  return example.outcome.incidents.some(({ severity }) => NEGATIVE_FROM.has(severity));
}

/**
 * The tier of an example, by rule. The first rule that fits counts:
 * - disputed: people contradict each other on the same call in the same context; policy forbade the edit, or somebody edited it again; a minor
 *   incident was reported
 * - gold: an incident found out; an edit that was executed; a rejection with a reason; an approval that was looked at, or given by two, and executed
 * - bronze: decided at a glance or in a batch without a look; approved and then not executed, or failed
 * - silver: the rest
 */
export function qualityOf(example: Draft, contradicted: boolean): ReviewedExample["quality"] {
  const { decision, review, outcome, rejudged } = example;
  const tier = (tier: Tier, why: string) => ({ tier, why: [why] });
  if (contradicted) return tier("disputed", "others_decided_otherwise");
  if (decision.kind === "edit" && rejudged?.route === "forbid") return tier("disputed", "edit_forbidden");
  if (example.overtaken) return tier("disputed", "edited_again");
  if (outcome.incidents.length > 0) return isNegativeByIncident(example) ? tier("gold", "incident") : tier("disputed", "incident");
  if (decision.kind !== "reject" && outcome.outcome === "refused") return tier("disputed", "refused_later");
  const glance = review.activeMs !== null && review.activeMs < GLANCE_MS;
  const looked = review.activeMs !== null && review.activeMs >= LOOK_MS;
  if (glance) return tier("bronze", "decided_at_a_glance");
  if (review.batch !== null && !looked && decision.kind !== "edit") return tier("bronze", "in_a_batch");
  if (decision.kind === "reject")
    return decision.reasonCodes.length > 0 || decision.message !== null ? tier("gold", "rejected_with_reason") : tier("silver", "rejected_without_reason");
  if (decision.kind === "respond" || decision.kind === "acknowledge") return tier("silver", "answered");
  if (["failed", "not_executed", "unknown", "rolled_back"].includes(outcome.class)) return tier("bronze", outcome.class);
  if (outcome.class === "open") return tier("silver", "not_executed_yet");
  if (decision.kind === "edit") return tier("gold", "edited_and_executed");
  if (looked) return tier("gold", "looked_at_and_executed");
  return review.others.some((o) => o.kind === "approve") ? tier("gold", "approved_by_two_and_executed") : tier("silver", "executed");
}
