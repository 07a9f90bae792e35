import type Database from "better-sqlite3";
import { nodeOf } from "../ledger/item.ts";
import { type FoldedBatch, isBranchRejection } from "./fold-batch.ts";
import { itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";
import type { StoredItemView } from "./reading.ts";

/** A rejection that reaches everything which was open in a run at its time. */
export interface BranchRejection {
  readonly itemId: string;
  readonly workspace: string;
  /** Whose run it is: agents choose the ids of their threads themselves, so two of them may choose the same. */
  readonly agent: string;
  readonly threadId: string;
  readonly at: number;
  /** What the rejecter said. */
  readonly words: string | null;
}

/** The rejected branches of runs. */
export interface Branches {
  all(): readonly BranchRejection[];
  /** The rejection that reaches an item: of its run, not itself, and later than its proposal. */
  reaching(view: StoredItemView): BranchRejection | undefined;
}

/** Follows the rejected branches in a views file. */
export function openBranches(views: Database.Database, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): Branches {
  const rows = views.prepare("SELECT item.id AS id, workspace, agent, branch.thread AS threadId, at, words FROM branch JOIN item ON item.n = branch.item");
  let known: Map<string, BranchRejection[]> | undefined;
  onFolded((batch) => {
    if (batch.rebuilt || batch.effective.some((e) => isBranchRejection(e.topic, e.event))) known = undefined;
  });
  const byThread = () => {
    if (known !== undefined) return known;
    overlayOf(views).flush();
    const found = (rows.all() as (Omit<BranchRejection, "itemId"> & { id: Buffer })[]).map(({ id, ...row }) => ({ ...row, itemId: itemIdOfBytes(id) }));
    known = Map.groupBy(found, (row) => row.threadId);
    return known;
  };
  return {
    all: () => [...byThread().values()].flat(),
    reaching({ itemId, item, proposedAt }) {
      const proposal = nodeOf(item, "proposals", item.proposal);
      const rejections = proposal?.threadId == null ? undefined : byThread().get(proposal.threadId);
      return rejections?.find((r) => r.itemId !== itemId && r.workspace === item.workspace && r.agent === proposal?.agentId && r.at >= proposedAt);
    },
  };
}
