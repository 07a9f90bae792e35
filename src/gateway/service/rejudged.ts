import { keyOf, type VerdictNode } from "../../ledger/item.ts";
import type { DecisionAnswer } from "../../producers/wire/answers.ts";
import type { Context } from "./ledger.ts";
import { canDecide, reasonsOf, verdictEvent } from "./verdict-view.ts";
import { waitForItem } from "./wait.ts";

/** How long the answer to an edit waits for policy, in milliseconds. */
const REJUDGE_WAIT_MS = 2000;

/** What policy says of an edit, when it says so soon. */
export async function afterEdit(context: Context, itemId: string, editId: string): Promise<NonNullable<DecisionAnswer["rejudged"]>> {
  const { ledger } = context;
  const judged = (): VerdictNode | undefined => {
    const item = ledger.queries.item(itemId)?.item;
    const edit = item?.nodes.get(keyOf("decisions", editId));
    if (edit?.topic !== "decisions" || edit.verdict === null) return undefined;
    return item?.nodes.get(keyOf("verdicts", edit.verdict)) as VerdictNode;
  };
  const verdict = await waitForItem(ledger, itemId, judged, { timeoutMs: REJUDGE_WAIT_MS });
  if (verdict === undefined) return { state: "waiting", verdict: null, because: [] };
  const because = reasonsOf(await verdictEvent(context, itemId, verdict));
  return { state: verdict.fallback ? "fell_back" : canDecide(verdict) ? "pending" : "settled", verdict: verdict.id, because };
}
