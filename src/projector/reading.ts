import type Database from "better-sqlite3";
import type { Item } from "../ledger/item.ts";
import type { Life } from "../ledger/life.ts";
import { OUTCOMES, type Outcome, STAGES, type Stage } from "../ledger/stages.ts";
import { itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";
import { blobTable } from "./rows.ts";
import { readState } from "./state.ts";
import type { Summary } from "./summary.ts";

/** An item as lists show it. */
export interface ListedItem {
  readonly itemId: string;
  readonly summary: Summary;
  readonly stage: Stage;
  readonly outcome: Outcome | null;
  readonly owner: string | null;
  /** When the time to decide is over, in milliseconds since the epoch. */
  readonly deadline: number | null;
  /** When it was proposed, by the proposal's id. */
  readonly proposedAt: number;
  readonly flagged: boolean;
}

/** An item with its folded state. */
export interface StoredItemView extends ListedItem {
  readonly item: Item;
  readonly life: Life;
}

/** A row of the table of items, with COLUMNS. */
export type Row = {
  n: number;
  id: Buffer;
  state: Buffer;
  stage: number;
  outcome: number | null;
  owner: string | null;
  deadline: number | null;
  proposed: number | null;
  flagged: number;
  risk: number | null;
};

/** The columns of a row. */
export const COLUMNS = "n, id, state, stage, outcome, owner, risk, deadline, proposed, flagged";

/** The number of an item by its id, inside a statement. */
export const OF = "(SELECT n FROM item WHERE id = ?)";

/** A statement before which the file is brought up to date. */
interface Fresh {
  readonly all: (...values: unknown[]) => unknown[];
  readonly get: (...values: unknown[]) => unknown;
  readonly pluck: () => Fresh;
}

/** A views file as queries read it. */
export interface Reading {
  readonly views: Database.Database;
  readonly db: { readonly prepare: (sql: string) => Fresh };
  readonly overlay: ReturnType<typeof overlayOf>;
  readonly blobs: ReturnType<typeof blobTable>;
  /** `summary`: that of the state, where it has been read already. */
  readonly listed: (row: Row, summary?: Summary) => ListedItem;
}

/** What all queries share: the file, what is folded and not in it yet, and how a row becomes an item. */
export function readingOf(views: Database.Database): Reading {
  const overlay = overlayOf(views);
  const blobs = blobTable(views);
  // Whoever asks for rows gets all that is folded: the file is brought up to date first.
  const db = {
    prepare(sql: string) {
      // Many are never asked for in the life of a process.
      let prepared: Database.Statement | undefined;
      let plucks = false;
      const statement = () => {
        prepared ??= plucks ? views.prepare(sql).pluck() : views.prepare(sql);
        return prepared;
      };
      const fresh: Fresh = {
        all: (...values: unknown[]) => {
          overlay.flush();
          return statement().all(...values);
        },
        get: (...values: unknown[]) => {
          overlay.flush();
          return statement().get(...values);
        },
        pluck: () => {
          plucks = true;
          return fresh;
        },
      };
      return fresh;
    },
  };

  function listed(row: Row, summary?: Summary): ListedItem {
    const { stage, outcome, owner, deadline, proposed, flagged } = row;
    const itemId = itemIdOfBytes(row.id);
    return {
      itemId,
      summary: summary ?? readState(itemId, row.state, blobs).summary,
      stage: STAGES[stage] as Stage,
      outcome: outcome === null ? null : (OUTCOMES[outcome] as Outcome),
      owner,
      deadline,
      proposedAt: proposed ?? 0,
      flagged: flagged === 1,
    };
  }

  return { views, db, overlay, blobs, listed };
}
