import { nodeOf } from "../../ledger/item.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { DecisionAnswer } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import type { DecideRequest } from "./decision-event.ts";
import type { GatewayLedger } from "./ledger.ts";

type BranchReach = NonNullable<DecisionAnswer["branch"]>;

/** How long the answer waits for the items of a rejected branch to end, in milliseconds. What takes longer is counted as open. */
const WAIT_MS = 3000;

/** The other items of the run that are not done: whom the rejection of its branch will reach. Undefined where no branch is rejected. */
export function branchOf({ queries }: GatewayLedger, { itemId, item }: StoredItemView, { kind, scope }: DecideRequest): string[] | undefined {
  const proposal = nodeOf(item, "proposals", item.proposal);
  if (kind !== "reject" || scope !== "branch" || proposal?.threadId == null) return undefined;
  // Agents choose the ids of their threads themselves: another agent's thread of the same name is another run.
  return queries.openInThread(proposal.threadId).filter((id) => {
    const other = queries.item(id)?.item;
    return id !== itemId && other?.workspace === item.workspace && nodeOf(other, "proposals", other.proposal)?.agentId === proposal.agentId;
  });
}

/** Waits until the clock has ended what it can of a rejected branch, and says what became of each item. */
export async function branchReach({ queries, projector }: GatewayLedger, itemIds: readonly string[]): Promise<BranchReach> {
  const open = new Set(itemIds);
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const look = (changed: Iterable<string>) => {
      for (const id of changed) if (open.has(id) && fateOf(queries.item(id)) !== "open") open.delete(id);
      if (open.size === 0) end();
    };
    const timer = setTimeout(end, WAIT_MS);
    const unsubscribe = projector.onFolded((batch) => look(batch.items));
    look([...open]);
  });
  const ended = (fate: Fate) => itemIds.filter((id) => fateOf(queries.item(id)) === fate);
  return { withdrawn: ended("withdrawn"), revoked: ended("revoked"), withheld: ended("withheld"), running: ended("running"), open: ended("open") };
}

type Fate = "withdrawn" | "revoked" | "withheld" | "running" | "open" | "ended";

function fateOf(view: StoredItemView | undefined): Fate {
  if (view === undefined) return "open";
  const { stage, outcome, life } = view;
  if (outcome === "withdrawn" || outcome === "revoked" || outcome === "withheld") return outcome;
  if (stage === "done") return "ended";
  const { resume } = life;
  // What has begun goes on: a rejection takes back only what nobody has started.
  const begun = resume !== null && isGrant(resume.outcome) && (resume.group.running !== null || resume.group.done > 0);
  return begun || stage === "in_doubt" ? "running" : "open";
}
