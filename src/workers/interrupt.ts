import type { Card } from "../events/types.generated.ts";
import { whyOf } from "../policy/judgement/card.ts";
import { cardHash } from "../policy/judgement/verdict.ts";
import type { Judge } from "./policy-worker.ts";

type Verdict = ReturnType<Judge>;

/**
 * A verdict that waits for a person, whatever policy said of it, with the reason first, also on the card: who decides from it has seen the
 * reason. What is forbidden stays forbidden.
 */
export function interrupting(verdict: Verdict, code: string, why: string): Verdict {
  if (verdict.route === "forbid") return verdict;
  const card = verdict.card == null ? null : { ...(verdict.card as Card), why: whyOf([why, verdict.card.why]) };
  const told = {
    ...verdict,
    ...{ card, cardSha256: card === null ? null : cardHash(card) },
    ...{ standing: null, because: [why, ...(verdict.because ?? [])], error: verdict.error ?? { code, message: why } },
  };
  if (verdict.route === "interrupt" && verdict.gate !== "audit") return told;
  const decisions = (verdict.allowedDecisions ?? []).filter((kind) => kind === "approve" || kind === "reject" || kind === "edit");
  return {
    ...told,
    route: "interrupt",
    gate: "hard",
    approvals: Math.max(1, verdict.approvals ?? 1),
    allowedDecisions: decisions.length > 0 ? decisions : ["approve", "reject"],
    // What would have run at once has no time in which somebody must have decided. It waits until somebody does.
    ...(verdict.route === "batch" ? { batchKey: null, batchMax: null, batchWindowMs: null } : { ladder: [], expiresAt: null, onExpiry: "hold" as const }),
  };
}
