import type { Grant, OutcomeAnswer } from "./wire/answers.ts";

interface Told {
  readonly itemId: string;
  /** Words for the model. */
  readonly message: string | null;
  /** What was wrong with the proposal, where policy forbade it for that. */
  readonly error: OutcomeAnswer["error"];
  /** Where the run goes on. */
  readonly run: OutcomeAnswer["run"];
  readonly stage: OutcomeAnswer["stage"];
  /** How the item ended, once it has. */
  readonly finalOutcome: OutcomeAnswer["finalOutcome"];
}

/**
 * How a run goes on. Only `proceed`, `proceed_edited` and `roll_back` ever carry a grant, and only while something may still run under it;
 * everything else, and above all `pending`, lets nothing run.
 */
export type Outcome =
  /** `stage` is null where nobody answered in time. */
  | { readonly status: "pending"; readonly itemId: string; readonly stage: OutcomeAnswer["stage"] | null }
  | (Told & { readonly status: "proceed" | "proceed_edited" | "roll_back"; readonly grant: Grant | null })
  | (Told & { readonly status: "refused" | "responded" | "acknowledged" | "expired" | "forbidden" | "withdrawn" | "withheld" });

const GRANTS: ReadonlySet<string> = new Set(["proceed", "proceed_edited", "roll_back"]);
const REFUSALS: ReadonlySet<string> = new Set(["refused", "responded", "acknowledged", "expired", "forbidden", "withdrawn", "withheld"]);

/** The outcome of an answer. What this version does not know lets nothing run: it is pending. */
export function outcomeOf(answer: OutcomeAnswer): Outcome {
  const { itemId, status, grant, message, error = null, run, stage, finalOutcome } = answer;
  const told = { itemId, message, error, run, stage, finalOutcome };
  if (GRANTS.has(status)) return { ...told, status: status as "proceed", grant };
  if (REFUSALS.has(status)) return { ...told, status: status as "refused" };
  return { status: "pending", itemId, stage };
}
