import type { EventOf } from "../events/types.generated.ts";
import { nodeOf } from "../ledger/item.ts";
import { reachedBy } from "../ledger/must-start.ts";
import { isGrant } from "../ledger/resumes.ts";
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
      const at = queries.withdrawnTooLateAt(itemId, agent);
      if (at === null) continue;
      for (const { id } of grants.filter((grant) => reachedBy(grant, at)))
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
    after(batch) {
      const withdrawn = batch.refused.filter((e) => e.topic === "decisions" && (e.event as EventOf["decisions"]).kind === "withdraw");
      // What was granted only afterwards (an edit had come first, or it is tried again), and a plan between two of its steps.
      const touched = batch.effective.filter((e) => e.topic === "receipts" || (e.topic === "resumes" && isGrant((e.event as EventOf["resumes"]).outcome)));
      return chores(new Set([...withdrawn, ...touched].map((e) => e.itemId)));
    },
  };
}
