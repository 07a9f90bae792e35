import type Database from "better-sqlite3";
import type { EventOf } from "../events/types.generated.ts";
import type { FoldedBatch } from "./fold-batch.ts";
import { itemBytes, itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";

/** Which items try others again, as `retryOf` of their proposals says. */
export interface Retries {
  /** Ids of the items that name this one, in the order in which they were first seen. */
  of(itemId: string): readonly string[];
}

/** Follows `retryOf` in a views file. */
export function openRetries(views: Database.Database, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): Retries {
  const naming = views.prepare('SELECT item.id FROM retry JOIN item ON item.n = retry.item WHERE retry."of" = ? ORDER BY retry.item').pluck();
  /** Whether one was folded that may not be in the file yet. This is asked for every grant, and bringing the file up to date costs a commit. */
  let isBehind = false;
  onFolded((batch) => {
    if (batch.effective.some(({ topic, event }) => topic === "proposals" && (event as EventOf["proposals"]).retryOf !== null)) isBehind = true;
  });
  return {
    of(itemId) {
      if (isBehind) overlayOf(views).flush();
      isBehind = false;
      return (naming.all(itemBytes(itemId)) as Buffer[]).map(itemIdOfBytes);
    },
  };
}
