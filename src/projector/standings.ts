import type Database from "better-sqlite3";
import type { EventOf } from "../events/types.generated.ts";
import type { FoldedBatch } from "./fold-batch.ts";
import { eventIdOfBytes, itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";

/** A standing approval: "this and alike", as a reviewer gave it with an approval. */
export interface Standing {
  /** Id of the approval. */
  readonly eventId: string;
  readonly itemId: string;
  readonly workspace: string;
  /** Who gave it, with the roles of then. */
  readonly by: string;
  readonly roles: readonly string[];
  readonly at: number;
  /** Canonical JSON. */
  readonly scope: string;
  readonly max: number;
  readonly amount: string | null;
  readonly until: number;
  readonly revoked: { readonly by: string; readonly at: number; readonly reason: string | null } | null;
  /** The items that it let run, the first one first. */
  readonly uses: readonly { readonly itemId: string; readonly verdict: string }[];
}

/** The standing approvals of a ledger. */
export interface Standings {
  all(): readonly Standing[];
  /** The one that let an item run. */
  usedBy(itemId: string): Standing | undefined;
}

/** Follows the standing approvals in a views file. */
export function openStandings(views: Database.Database, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): Standings {
  const given = views.prepare("SELECT standing.*, item.id AS itemId FROM standing JOIN item ON item.n = standing.item ORDER BY at, standing.id");
  const ended = views.prepare("SELECT workspace, ends, actor, at, reason FROM document WHERE kind = 'standing_revoked' AND ends IS NOT NULL ORDER BY at DESC");
  const used = views.prepare("SELECT standing_use.id AS verdict, standing, item.id AS itemId FROM standing_use JOIN item ON item.n = standing_use.item");
  let known: { all: readonly Standing[]; byItem: ReadonlyMap<string, Standing> } | undefined;
  onFolded((batch) => {
    if (batch.rebuilt || batch.effective.some(concernsStanding)) known = undefined;
  });

  function load(): NonNullable<typeof known> {
    overlayOf(views).flush();
    const uses = Map.groupBy(used.all() as UseRow[], (row) => eventIdOfBytes(row.standing));
    const revoked = new Map(
      (ended.all() as EndRow[]).map((row) => [`${row.workspace}/${eventIdOfBytes(row.ends)}`, { by: row.actor, at: row.at, reason: row.reason }]),
    );
    const all = (given.all() as StandingRow[]).map((row): Standing => {
      const { id, itemId, roles, item: _item, ...rest } = row;
      const eventId = eventIdOfBytes(id);
      const own = (uses.get(eventId) ?? []).map((use) => ({ itemId: itemIdOfBytes(use.itemId), verdict: eventIdOfBytes(use.verdict) }));
      return {
        ...rest,
        eventId,
        itemId: itemIdOfBytes(itemId),
        roles: JSON.parse(roles) as string[],
        revoked: revoked.get(`${row.workspace}/${eventId}`) ?? null,
        // By the time in their ids, so that everybody counts in the same order.
        uses: own.sort((a, b) => (a.verdict < b.verdict ? -1 : 1)),
      };
    });
    return { all, byItem: new Map(all.flatMap((standing) => standing.uses.map((use) => [use.itemId, standing] as const))) };
  }

  const current = () => (known ??= load());
  return { all: () => current().all, usedBy: (itemId) => current().byItem.get(itemId) };
}

/** Whether an effective event gives, uses or revokes a standing approval. */
export function concernsStanding({ topic, event }: FoldedBatch["effective"][number]): boolean {
  if (topic === "decisions") return (event as EventOf["decisions"]).standing !== null;
  if (topic === "verdicts") return (event as EventOf["verdicts"]).standing !== null;
  return topic === "policies" && (event as EventOf["policies"]).kind === "standing_revoked";
}

interface StandingRow {
  item: number;
  id: Buffer;
  itemId: Buffer;
  workspace: string;
  by: string;
  roles: string;
  at: number;
  scope: string;
  max: number;
  amount: string | null;
  until: number;
}

interface UseRow {
  verdict: Buffer;
  standing: Buffer;
  itemId: Buffer;
}

interface EndRow {
  workspace: string;
  ends: Buffer;
  actor: string;
  at: number;
  reason: string | null;
}
