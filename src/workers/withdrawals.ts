import type { EventOf } from "../events/types.generated.ts";
import { nodeOf } from "../ledger/item.ts";
import { revoke, type SweepLedger, unstartedGrants } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

/**
 * The clock after a withdrawal that came too late for the decision: what the agent no longer wants is taken back, where nobody has
 * started it.
 */
export function withdrawalSweep(ledger: SweepLedger): Sweep {
  const { queries } = ledger;

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      const view = queries.item(itemId);
      const grants = view === undefined ? [] : unstartedGrants(view);
      if (view === undefined || grants.length === 0) continue;
      const agent = `agent:${nodeOf(view.item, "proposals", view.item.proposal)?.agentId}`;
      const asked = queries.timeline(itemId).some((e) => e.topic === "decisions" && e.what === "withdraw" && e.status === "superseded" && e.actor === agent);
      if (!asked) continue;
      for (const { id } of grants)
        yield {
          key: `${itemId}/${id}`,
          itemId,
          run: () => revoke(ledger, itemId, id, { code: "withdrawn", message: "The agent withdrew it before it was started." }),
        };
    }
  }

  return {
    name: "timekeeper (withdrawals)",
    all: () => chores(queries.running()),
    after: (batch) =>
      chores(new Set(batch.refused.filter((e) => e.topic === "decisions" && (e.event as EventOf["decisions"]).kind === "withdraw").map((e) => e.itemId))),
  };
}
