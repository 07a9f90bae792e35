import type { EventOf } from "../../events/types.generated.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { findItem } from "./find.ts";
import type { Context } from "./ledger.ts";
import { waitForItem } from "./wait.ts";

/** How long a withdrawal waits: for a verdict that it can answer, and for a grant to be taken back. In milliseconds. */
const WAIT_MS = 5000;

/** The item once it is judged, and not between its approval and its grant; as it stands when that takes too long. */
export async function judgedItem(context: Context, itemId: string): Promise<StoredItemView> {
  const settled = () => {
    const view = findItem(context, itemId);
    const between = view.life.verdict === null || view.stage === "rejudging" || view.stage === "settled";
    return between ? undefined : view;
  };
  return (await waitForItem(context.ledger, itemId, settled, { timeoutMs: WAIT_MS })) ?? findItem(context, itemId);
}

/** Whether a withdrawal comes too late for the decision, and still early enough for what was granted: the clock then takes the grant back. */
export function asksForRevocation({ stage, life }: StoredItemView, { kind }: Pick<EventOf["decisions"], "kind">): boolean {
  return kind === "withdraw" && stage === "granted" && life.resume?.group.running === null;
}

/** Whether the grant was taken back. */
export async function wasRevoked(context: Context, itemId: string): Promise<boolean> {
  const ended = () => {
    const view = findItem(context, itemId);
    return view.stage === "granted" ? undefined : view;
  };
  return (await waitForItem(context.ledger, itemId, ended, { timeoutMs: WAIT_MS }))?.outcome === "revoked";
}
