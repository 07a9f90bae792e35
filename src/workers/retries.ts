import type { EventOf } from "../events/types.generated.ts";
import { settlePast, verdictOfGrant } from "../ledger/fold.ts";
import { type Item, nodeOf, type ReceiptNode, type ResumeNode } from "../ledger/item.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { ItemBar } from "./dispatcher.ts";
import type { SweepLedger } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

/** How often the clock tries an idempotent action again, as the policies in force say. */
export type RetriesOf = (workspace: string, tool: string) => number;

/**
 * What will never be granted is not tried again. Null where nothing speaks against it, as nothing does against undoing. A withdrawal does not:
 * what is in doubt has been started, and whoever withdrew it was told that this came too late.
 */
export function retryBar(lasting: readonly ItemBar[]): ItemBar {
  return (view) => {
    if (view.life.resume?.outcome === "roll_back") return null;
    for (const bar of lasting) {
      const why = bar(view);
      if (why !== null) return why;
    }
    return null;
  };
}

/** What the clock goes by: the time, and when the next halt ends by itself. */
export interface RetryTimes {
  readonly now: () => number;
  readonly nextEnd: () => number | null;
}

/**
 * The clock after an execution whose end nobody knows: an idempotent action is tried again, as often as policy says. Before each try it waits
 * for as long as the action may take once more: an unknown outcome is settled once, and until then its owner can still say how it ended, and
 * an executor that was restarted is back to start what is granted. Where an executor said meanwhile that it had succeeded, the clock leaves it to its
 * owner, who can settle it as that: the executor may only have been slower than its lease.
 */
export function retrySweep(ledger: SweepLedger, retriesOf: RetriesOf, bars: readonly ItemBar[], { now, nextEnd }: RetryTimes): Sweep {
  const { queries, write, waitFor } = ledger;
  /** Items in doubt by when they are looked at again. */
  const waiting = new Map<string, number>();

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      waiting.delete(itemId);
      const view = queries.item(itemId);
      const receipt = view === undefined || queries.saidSucceeded(itemId) ? undefined : retryable(view, retriesOf);
      if (view === undefined || receipt === undefined) continue;
      const barred = bars.some((bar) => bar(view) !== null);
      // What stands in the way may be a halt that ends by itself; a lift, or another policy, is heard of.
      const at = barred ? nextEnd() : dueAt(view.item, receipt);
      if (at !== null && at > now()) waiting.set(itemId, at);
      else if (!barred) yield { key: `${itemId}/${receipt.id}`, itemId, run: () => retry(itemId, receipt.id) };
    }
  }

  function dueAt(item: Item, { id, actionId, cause }: ReceiptNode): number {
    const { terms } = verdictOfGrant(item, item.nodes.get(cause) as ResumeNode);
    return (queries.event(item.id, "receipts", id)?.occurredAt ?? 0) + (terms.steps.find((s) => s.actionId === actionId)?.leaseMs ?? 0);
  }

  async function retry(itemId: string, receiptId: string): Promise<void> {
    const view = queries.item(itemId);
    if (view === undefined || nodeOf(view.item, "receipts", receiptId)?.settle !== null || queries.saidSucceeded(itemId)) return;
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
    waits: {
      now,
      until: () => [...waiting.values()].reduce<number | null>((first, at) => (first === null ? at : Math.min(first, at)), null),
      due: () => chores([...waiting].flatMap(([itemId, at]) => (at <= now() ? [itemId] : []))),
    },
    all: () => chores(queries.running()),
    after(batch) {
      // What waited for a lift, or for a policy that names more retries.
      if (batch.effective.some((e) => e.topic === "policies")) return chores(queries.running());
      return chores(new Set(batch.effective.filter((e) => e.topic === "receipts" && (e.event as EventOf["receipts"]).kind === "unknown").map((e) => e.itemId)));
    },
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
