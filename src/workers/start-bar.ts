import type { ResumeNode } from "../ledger/item.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { ItemBar } from "./dispatcher.ts";
import type { Tries } from "./other-tries.ts";

/** Why a grant must not be started. */
export interface StartBar {
  readonly why: string;
  /** Whether that never passes: the grant is being taken back. Else it is to be started later. */
  readonly lasts: boolean;
}

/**
 * Looks whether a grant may be started: not where its item must never run any more, which the clock may not have taken back yet, and not
 * beside another try of the same work. Of two tries that are granted and not started it is the later one that waits. Undoing what has run is always possible.
 */
export function startBar(lasting: readonly ItemBar[], { beside }: Tries): (view: StoredItemView, grant: ResumeNode) => StartBar | null {
  return (view, grant) => {
    if (grant.outcome === "roll_back") return null;
    for (const bar of lasting) {
      const why = bar(view);
      if (why !== null) return { why, lasts: true };
    }
    const other = beside(view.item, []).find(({ state, idleGrant }) => state === "open" && !(idleGrant !== null && idleGrant > grant.id));
    return other === undefined ? null : { why: other.why, lasts: false };
  };
}
