import { canonicalize, type Json } from "../../events/canonical.ts";
import type { Draft } from "../../events/draft.ts";
import type { ActionProposed, VerdictReached } from "../../events/types.generated.ts";
import type { UsageReader } from "../budgets/usage.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { judge } from "./judge.ts";
import type { JudgedAction } from "./subjects.ts";
import type { VerdictBody } from "./verdict.ts";

/** A field in which a verdict differs from what is recomputed. */
export interface VerdictDifference {
  readonly field: string;
  readonly recorded: Json;
  readonly recomputed: Json;
}

/** A recorded verdict with all that it was reached from. */
export interface RecordedVerdict {
  readonly verdict: VerdictReached;
  readonly proposal: ActionProposed;
  readonly actions: readonly JudgedAction[];
  /** The documents that the verdict names, compiled. */
  readonly policies: readonly CompiledPolicy[];
  /** A person had to look at it, whatever policy said. */
  readonly alone?: boolean;
  /** What was done to the judgement afterwards: a halt. */
  readonly after?: (body: Draft<VerdictBody>) => Draft<VerdictBody>;
}

/** What the envelope says, and what is taken from the record to recompute the rest. */
const GIVEN = new Set(["eventId", "itemId", "workspace", "answers", "occurredAt", "actor", "traceparent", "policies", "standing"]);

/** Recomputes a verdict from what it records (its documents, time and budgets) and lists the fields that differ. */
export function recheckVerdict(
  { verdict, proposal, actions, policies, alone = false, after = (body) => body }: RecordedVerdict,
  fill: (body: Draft<VerdictBody>) => VerdictReached,
): VerdictDifference[] {
  const answers = verdict.answers?.topic === "decisions" ? "edit" : "proposal";
  const again = fill(after(judge(policies, { proposal, actions, answers, now: verdict.occurredAt, usage: recordedUsage(verdict.budgets), alone })));
  return (Object.keys(verdict) as (keyof VerdictReached)[]).flatMap((field) => {
    if (GIVEN.has(field)) return [];
    const [recorded, recomputed] = [verdict[field] as unknown as Json, again[field] as unknown as Json];
    return canonicalize(recorded) === canonicalize(recomputed) ? [] : [{ field, recorded, recomputed }];
  });
}

/** Usage as a verdict recorded it: what it was judged by, whatever has happened since. What it does not record was not asked. */
function recordedUsage(budgets: VerdictReached["budgets"]): UsageReader {
  return ({ id, key, windowMs }) => {
    const use = budgets.find((budget) => budget.name === id && budget.key === key && budget.windowMs === windowMs);
    if (use === undefined) throw new Error(`the verdict records no usage of ${id} for ${key}`);
    return { count: Number(use.used), sum: use.used };
  };
}
