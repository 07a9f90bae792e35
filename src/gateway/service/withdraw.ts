import { CountersignError } from "../../errors.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { isOpen } from "../../ledger/describe.ts";
import type { Item, ResumeNode } from "../../ledger/item.ts";
import { mustBeStarted, reachedBy } from "../../ledger/must-start.ts";
import { type Owed, owedTo } from "../../ledger/owed.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { findItem } from "./find.ts";
import type { Context } from "./ledger.ts";
import { waitForItem } from "./wait.ts";

/** How long a withdrawal waits: for a verdict that it can answer, and for a grant to be taken back. In milliseconds. */
const WAIT_MS = 5000;

/** The item once it is judged, and not between a decision and what that leads to; as it stands when that takes too long. */
export async function judgedItem(context: Context, itemId: string): Promise<StoredItemView> {
  const settled = () => {
    const view = findItem(context, itemId);
    const between = view.life.verdict === null || view.stage === "rejudging" || (view.stage === "settled" && !awaitsGrant(view));
    return between ? undefined : view;
  };
  return (await waitForItem(context.ledger, itemId, settled, { timeoutMs: WAIT_MS })) ?? findItem(context, itemId);
}

/**
 * Whether a withdrawal comes too late for the decision, and still early enough for its grant: the dispatcher then withholds it, which may wait for
 * long, and the clock takes back what nobody runs.
 */
export function asksForRevocation(view: StoredItemView, { kind }: Pick<EventOf["decisions"], "kind">): boolean {
  const { resume } = view.life;
  return kind === "withdraw" && (resume === null ? awaitsGrant(view) : isUnstarted(view.item, resume));
}

/** Whether something is approved and was never granted. */
function awaitsGrant({ item, stage, life: { resume } }: StoredItemView): boolean {
  const owesGrant = ({ duty, names }: Owed) => duty === "resume" && isGrant(names as EventOf["resumes"]["outcome"]);
  return stage === "settled" && resume === null && owedTo(item).some(owesGrant);
}

/**
 * Whether something of an item runs, or may have run: then nothing of what has begun is taken back, nor the retry that clears it up. Between
 * two steps of a plan nothing runs.
 */
export function hasStarted({ item, stage, life: { resume } }: StoredItemView): boolean {
  if (stage === "granted") return resume !== null && mustBeStarted(item, resume);
  return (stage === "executing" || stage === "in_doubt") && !(resume !== null && isUnstarted(item, resume));
}

function isUnstarted(item: Item, grant: ResumeNode): boolean {
  return isGrant(grant.outcome) && grant.group.closedBy === null && grant.group.running === null && !mustBeStarted(item, grant);
}

/**
 * What a withdrawal that settles nothing by itself comes to: `over` where nothing runs any more, `started` where a start came first, `open` where
 * an edit did and what it led to waits for a decision, else `decided`.
 */
type Fate = "over" | "started" | "open" | "decided";

/**
 * What became of a withdrawal that did not settle the item: it raced a decision or a start, so its answer waits until that race is over.
 * Nobody who was told that it is withdrawn may find it running, and nobody who was told that it has no effect may find it stopped by it.
 *
 * @param at when it was withdrawn
 * @throws CountersignError timeout where nobody has taken the grant back yet
 */
export async function fateOf(context: Context, itemId: string, at: number): Promise<Fate> {
  const fate = await waitForItem(context.ledger, itemId, () => fateNow(findItem(context, itemId), at), { timeoutMs: WAIT_MS });
  if (fate !== undefined) return fate;
  throw new CountersignError("timeout", "The withdrawal is written, but what it came to is not known yet: the item may still be started", {
    retryable: true,
    fix: "ask for the outcome of the item, which says whether it was taken back or started, or withdraw it again",
  });
}

function fateNow(view: StoredItemView, at: number): Fate | undefined {
  const { stage, outcome, life } = view;
  if (life.verdict !== null && isOpen(life.verdict)) return "open";
  // What is undone had run.
  if (hasStarted(view) || life.resume?.outcome === "roll_back") return "started";
  // Between two steps of a plan: the withdrawal came while the one before ran.
  if (stage === "executing" && life.resume !== null && !reachedBy(life.resume, at)) return "started";
  if (stage === "granted" || stage === "executing" || stage === "settled" || stage === "rejudging") return undefined;
  const closed = life.resume !== null && isGrant(life.resume.outcome) ? life.resume.group.closedBy?.kind : undefined;
  if (closed !== undefined) return closed === "revoked" || closed === "lapsed" ? "over" : "started";
  return outcome === "withheld" || outcome === "withdrawn" ? "over" : "decided";
}
