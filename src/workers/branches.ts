import { isOpen } from "../ledger/describe.ts";
import type { Branches, BranchRejection } from "../projector/branches.ts";
import { isBranchRejection } from "../projector/fold-batch.ts";
import type { ItemBar } from "./dispatcher.ts";
import { revoke, type SweepLedger, unwantedGrants } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

function wordsOf({ itemId, words }: BranchRejection): string {
  return `The branch was rejected with item ${itemId}${words === null ? "" : `: ${words}`}`;
}

/** What belongs to a rejected branch is not granted. */
export function branchBar(branches: Branches): ItemBar {
  return (view) => {
    const rejection = branches.reaching(view);
    return rejection === undefined ? null : wordsOf(rejection);
  };
}

/** The clock after the rejection of a branch: withdraws what is pending in the run, and takes back what is granted and not started. */
export function branchSweep(ledger: SweepLedger, branches: Branches): Sweep {
  const { queries } = ledger;

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      const view = queries.item(itemId);
      const rejection = view === undefined ? undefined : branches.reaching(view);
      if (view === undefined || rejection === undefined) continue;
      const { verdict } = view.life;
      if (verdict !== null && isOpen(verdict)) yield { key: `${itemId}/${verdict.id}`, itemId, run: () => withdraw(ledger, itemId, verdict.id, rejection) };
      for (const { id } of unwantedGrants(view))
        yield { key: `${itemId}/${id}`, itemId, run: () => revoke(ledger, itemId, id, { code: "branch_rejected", message: wordsOf(rejection) }) };
    }
  }

  const all = () => chores(new Set(branches.all().flatMap(({ threadId }) => queries.openInThread(threadId))));
  return {
    name: "timekeeper (branches)",
    all,
    after(batch) {
      if (batch.effective.some((e) => isBranchRejection(e.topic, e.event))) return all();
      if (branches.all().length === 0) return [];
      // What was being judged or granted when the branch was rejected; and a plan between two of its steps.
      return chores(new Set(batch.effective.filter((e) => e.topic === "verdicts" || e.topic === "resumes" || e.topic === "receipts").map((e) => e.itemId)));
    },
  };
}

async function withdraw({ queries, write, waitFor }: SweepLedger, itemId: string, verdictId: string, rejection: BranchRejection): Promise<void> {
  const view = queries.item(itemId);
  if (view === undefined || view.life.verdict?.id !== verdictId || !isOpen(view.life.verdict)) return;
  const { position } = await write("decisions", itemId, {
    workspace: view.item.workspace ?? "default",
    answers: { topic: "verdicts", eventId: verdictId },
    actor: { kind: "clock", id: "timekeeper" },
    kind: "withdraw",
    scope: "action",
    message: wordsOf(rejection),
  });
  await waitFor([position]);
}
