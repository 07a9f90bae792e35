import { CountersignError } from "../../errors.ts";
import type { OutcomeAnswer } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { findItem } from "./find.ts";
import { grantView } from "./grant-view.ts";
import type { Context } from "./ledger.ts";
import { verdictEvent } from "./verdict-view.ts";
import { waitForItem } from "./wait.ts";

/** Longest wait of one request, in milliseconds. */
export const MAX_WAIT_MS = 60_000;

/**
 * What may run now, or why nothing does. Waits for it up to `waitMs`; a wait that runs out or is aborted gives `pending`, never a grant.
 *
 * @throws CountersignError not_found
 */
export async function outcome(
  context: Context,
  itemId: string,
  { waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<OutcomeAnswer> {
  findItem(context, itemId);
  const resumed = () => {
    const view = findItem(context, itemId);
    return view.life.resume === null ? undefined : view;
  };
  const view = await waitForItem(context.ledger, itemId, resumed, { timeoutMs: Math.min(waitMs, MAX_WAIT_MS), signal });
  return view === undefined ? pending(context, findItem(context, itemId)) : resumedAnswer(context, view);
}

function pending({ ledger }: Context, view: StoredItemView): OutcomeAnswer {
  const { itemId, stage, outcome: finalOutcome, flagged } = view;
  const other = ledger.waitsFor(view);
  const message = other === null ? null : `It is approved, and granted once that has ended. ${other}.`;
  return { itemId, status: "pending", grant: null, message, error: null, run: null, stage, finalOutcome, flagged };
}

/** What to do about an error that made policy forbid. */
const MEND: Readonly<Record<string, string>> = {
  schema_invalid: "propose again, under another idempotency key, with arguments that the policy's schema of this action allows",
};

async function faultOf(context: Context, { itemId, life }: StoredItemView): Promise<OutcomeAnswer["error"]> {
  const event = life.verdict === null ? undefined : await verdictEvent(context, itemId, life.verdict);
  if (event === undefined || event.error === null) return null;
  const { code, message } = event.error;
  return { code, message, fix: MEND[code] ?? "mend what the message names and propose again, under another idempotency key" };
}

async function resumedAnswer(context: Context, view: StoredItemView): Promise<OutcomeAnswer> {
  const { ledger } = context;
  const { itemId, life, stage, outcome: finalOutcome, flagged } = view;
  const resume = life.resume as NonNullable<typeof life.resume>;
  const event = await ledger.events.get(itemId, "resumes", resume.id);
  if (event === undefined)
    throw new CountersignError("unavailable", `The resume of ${itemId} cannot be read from the log just now`, {
      retryable: true,
      fix: "try again in a moment",
    });
  const { closedBy } = resume.group;
  // A grant that was taken back says why: the run that has waited must not take it for a permission.
  const ended = closedBy === null || closedBy.kind === "done" ? undefined : await ledger.events.get(itemId, "receipts", closedBy.id);
  const message = closedBy?.kind === "revoked" && ended?.error ? ended.error.message : event.message;
  const error = event.outcome === "forbidden" ? await faultOf(context, view) : null;
  return {
    itemId,
    status: event.outcome,
    grant: closedBy === null ? grantView(resume, event) : null,
    message,
    error,
    run: event.run,
    stage,
    finalOutcome,
    flagged,
  };
}
