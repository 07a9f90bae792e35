import type Database from "better-sqlite3";
import { itemIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";

/** Every row of the views as text, sorted, with item ids in place of the file's own numbers: two views of one log have the same dump. */
export function* dumpViews(db: Database.Database): Generator<string> {
  // What is folded and not written yet belongs to the views.
  overlayOf(db).flush();
  const ids = new Map((db.prepare("SELECT n, id FROM item").all() as { n: number; id: Buffer }[]).map((r) => [r.n, itemIdOfBytes(r.id)]));
  const shown = (value: unknown) => (value instanceof Uint8Array ? `x${Buffer.from(value).toString("hex")}` : value);
  for (const table of [
    "checkpoint",
    "item",
    "event",
    "payload",
    "blob",
    "todo",
    "parked",
    "bad",
    "finding",
    "counter",
    "document",
    "branch",
    "standing",
    "standing_use",
    "batch",
    "batch_member",
    "run_end",
    "retry",
  ]) {
    const rows = db.prepare(`SELECT * FROM ${table}`).all() as Record<string, unknown>[];
    const lines = rows
      .filter((row) => table !== "counter" || row.n !== 0)
      .map(({ n, item, ...row }) => {
        const of = table === "bad" ? { item } : table === "item" ? {} : item === undefined ? {} : { item: ids.get(item as number) };
        const counted = table === "counter" ? { n } : {};
        return `${table} ${JSON.stringify(Object.entries({ ...of, ...counted, ...row }).map(([key, value]) => [key, shown(value)]))}`;
      });
    yield* lines.sort();
  }
}

/** The first difference between two views as a sentence; null when they are equal row for row. */
export function viewsDifference(a: Database.Database, b: Database.Database): string | null {
  const left = dumpViews(a);
  const right = dumpViews(b);
  for (;;) {
    const [x, y] = [left.next(), right.next()];
    if (x.done && y.done) return null;
    if (x.value !== y.value) return `${x.done ? "(nothing)" : x.value}\n  is not\n${y.done ? "(nothing)" : y.value}`;
  }
}
