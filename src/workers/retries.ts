import type { EventOf } from "../events/types.generated.ts";
import { settlePast } from "../ledger/fold.ts";
import { type Item, nodeOf, type ReceiptNode } from "../ledger/item.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { SweepLedger } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

/** How often the clock tries an idempotent action again, as the policies in force say. */
export type RetriesOf = (workspace: string, tool: string) => number;

/** The clock after an execution whose end nobody knows: an idempotent action is tried again, as often as policy says. */
export function retrySweep(ledger: SweepLedger, retriesOf: RetriesOf, isBarred: (view: StoredItemView) => boolean): Sweep {
  const { queries, write, waitFor } = ledger;

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      const view = queries.item(itemId);
      const receipt = view === undefined ? undefined : retryable(view, retriesOf);
      if (view === undefined || receipt === undefined || isBarred(view)) continue;
      yield { key: `${itemId}/${receipt.id}`, itemId, run: () => retry(itemId, receipt.id) };
    }
  }

  async function retry(itemId: string, receiptId: string): Promise<void> {
    const view = queries.item(itemId);
    if (view === undefined || nodeOf(view.item, "receipts", receiptId)?.settle !== null) return;
    const { position } = await write("decisions", itemId, {
      workspace: view.item.workspace ?? "default",
      answers: { topic: "receipts", eventId: receiptId },
      actor: { kind: "clock", id: "timekeeper" },
      kind: "settle",
      scope: "action",
      settlement: { outcome: "retry" },
      message: "Nobody knows how it ended. It is idempotent, so it is tried again.",
    });
    await waitFor([position]);
  }

  return {
    name: "timekeeper (retries)",
    all: () => chores(queries.running()),
    after: (batch) =>
      chores(new Set(batch.effective.filter((e) => e.topic === "receipts" && (e.event as EventOf["receipts"]).kind === "unknown").map((e) => e.itemId))),
  };
}

function retryable({ item, stage }: StoredItemView, retriesOf: RetriesOf): ReceiptNode | undefined {
  if (stage !== "in_doubt") return undefined;
  for (const node of item.nodes.values()) {
    if (node.topic !== "receipts" || node.kind !== "unknown" || node.settle !== null) continue;
    if (settlePast(item, node).execution !== "idempotent") continue;
    const tool = nodeOf(item, "proposals", item.proposal)?.actions.find((a) => a.actionId === node.actionId)?.tool ?? "";
    if (triedAgain(item, node) < retriesOf(item.workspace ?? "default", tool)) return node;
  }
  return undefined;
}

/** How often an action was tried again, by whomever. */
function triedAgain(item: Item, { actionId }: ReceiptNode): number {
  return [...item.nodes.values()].filter(
    (n) => n.topic === "receipts" && n.actionId === actionId && nodeOf(item, "decisions", n.settle)?.settlement === "retry",
  ).length;
}
