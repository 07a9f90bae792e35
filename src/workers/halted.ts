import type { EventOf } from "../events/types.generated.ts";
import { nodeOf, type VerdictNode } from "../ledger/item.ts";
import { isGrant } from "../ledger/resumes.ts";
import { type Halts, haltWords } from "../projector/halts.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { ItemBar } from "./dispatcher.ts";
import { interrupting } from "./interrupt.ts";
import type { Judge } from "./policy-worker.ts";
import { revoke, type SweepLedger, unstartedGrants } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

/** The halt that covers an item, by its agent and the tools of its proposal. */
export function haltOn(halts: Halts, { item }: Pick<StoredItemView, "item">, now: number): ReturnType<Halts["covering"]> {
  const proposal = nodeOf(item, "proposals", item.proposal);
  if (proposal === undefined) return undefined;
  return halts.covering({ workspace: item.workspace ?? "default", agent: proposal.agentId, tools: proposal.actions.map((a) => a.tool) }, now);
}

/**
 * How long a halt has kept an item from being approved since its owner got it, in milliseconds: that long its deadlines wait, so that nothing
 * escalates or expires which nobody was allowed to approve.
 *
 * @param length how long a stretch of time counts; by default as long as it is
 */
export function haltedFor(
  halts: Halts,
  length?: (from: number, to: number) => number,
): (view: Pick<StoredItemView, "item">, verdict: VerdictNode, now: number) => number {
  return ({ item }, { group, judgedAt }, now) => {
    const proposal = nodeOf(item, "proposals", item.proposal);
    if (proposal === undefined) return 0;
    const concerned = { workspace: item.workspace ?? "default", agent: proposal.agentId, tools: proposal.actions.map((a) => a.tool) };
    return halts.coveredFor(concerned, Math.max(judgedAt, group.escalatedAt ?? 0), now, length);
  };
}

/** What is halted is not granted. */
export function haltBar(halts: Halts, now: () => number): ItemBar {
  return (view) => {
    const halt = haltOn(halts, view, now());
    return halt === undefined ? null : `${haltWords(halt)}. Nothing was run; propose it again once the halt is lifted.`;
  };
}

/** A judge under halts: what they cover waits for a person, whatever policy says of it; what is forbidden stays forbidden. */
export function haltingJudge(judge: Judge, halts: Halts): Judge {
  return (input) => {
    const { workspace, agent } = input.proposal;
    const halt = halts.covering({ workspace, agent: agent.id, tools: input.actions.map((a) => a.tool) }, input.now);
    return halt === undefined ? judge(input) : underHalt(judge({ ...input, alone: true }), haltWords(halt));
  };
}

/** A verdict as a halt leaves it. */
export function underHalt(verdict: ReturnType<Judge>, words: string): ReturnType<Judge> {
  return interrupting(verdict, "halted", words);
}

/** The clock under halts: takes back what is granted and has not begun. */
export function haltSweep(ledger: SweepLedger, halts: Halts, now: () => number): Sweep {
  const { queries } = ledger;

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      const view = queries.item(itemId);
      const halt = view === undefined ? undefined : haltOn(halts, view, now());
      if (view === undefined || halt === undefined) continue;
      for (const { id } of unstartedGrants(view))
        yield {
          key: `${itemId}/${id}`,
          itemId,
          // Lifted meanwhile, it takes nothing back.
          run: async () => {
            if (halts.inForce(now()).includes(halt)) await revoke(ledger, itemId, id, { code: "halted", message: haltWords(halt) });
          },
        };
    }
  }

  const all = () => (halts.inForce(now()).length === 0 ? [] : chores(queries.running()));
  return {
    name: "timekeeper (halts)",
    all,
    after(batch) {
      if (batch.effective.some((e) => e.topic === "policies" && (e.event as EventOf["policies"]).kind === "halt")) return all();
      if (halts.inForce(now()).length === 0) return [];
      // A grant that was on its way when the halt came; and a plan between two of its steps.
      const touched = batch.effective.filter((e) => e.topic === "receipts" || (e.topic === "resumes" && isGrant((e.event as EventOf["resumes"]).outcome)));
      return chores(new Set(touched.map((e) => e.itemId)));
    },
  };
}
