import type { DecisionMade } from "../events/types.generated.ts";
import { isOwner } from "./decisions.ts";
import { EFFECTIVE, illegal, type Ruling, superseded } from "./item.ts";

/** Causal past of a settle: the owner of the decision that led to the grant, and what is known of the action. */
export interface SettlePast {
  readonly owner: string | null;
  readonly execution: "blind" | "queryable" | "idempotent" | "unrecognized";
}

/** The machine of settles on an unknown receipt: the first legal one. */
export function legalSettle(past: SettlePast, first: string | null, event: DecisionMade): Ruling {
  const reason = pastReason(past, event);
  if (reason !== null) return illegal(reason);
  return first === null ? EFFECTIVE : superseded(`settled by ${first}`);
}

function pastReason(past: SettlePast, { actor, settlement }: DecisionMade): string | null {
  if (settlement === null) return "missing field: settlement";
  if (actor.kind === "clock")
    return settlement.outcome === "retry" && past.execution === "idempotent" ? null : "wrong actor: the clock only retries idempotent actions";
  if (actor.kind !== "person") return "wrong actor: a person settles";
  if (!isOwner(past.owner, actor.id, actor.roles)) return `not entitled: ${past.owner} settles`;
  if (settlement.outcome === "retry")
    return past.execution === "idempotent" || past.execution === "queryable" ? null : "not allowed: a blind action is never tried again";
  if (settlement.outcome === "succeeded") return settlement.externalRef === null ? "missing field: externalRef" : null;
  return settlement.outcome === "failed" ? null : "wrong settlement";
}
