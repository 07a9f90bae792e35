import type Database from "better-sqlite3";
import type { CachedItem } from "./item-cache.ts";

/** What is folded already and not in the file yet: queries look here first. */
export interface Overlay {
  /** An item that is at hand, whether the file has it as it is now or not; undefined where only the file has it. */
  hold(id: string): CachedItem | undefined;
  /** An item that the file does not have as it is now; undefined where the file is right. */
  peek(id: string): CachedItem | undefined;
  /** Brings the file up to date. */
  flush(): void;
}

const overlays = new WeakMap<Database.Database, Overlay>();

/** Says that a file's latest state is partly in memory. */
export function setOverlay(db: Database.Database, overlay: Overlay): void {
  overlays.set(db, overlay);
}

/** What lies over a file; nothing over one that only is read. */
export function overlayOf(db: Database.Database): Overlay {
  return overlays.get(db) ?? NOTHING;
}

const NOTHING: Overlay = { hold: () => undefined, peek: () => undefined, flush: () => {} };
