import { existsSync, renameSync } from "node:fs";
import { openProjector, type ProjectorOptions } from "./projector.ts";
import { removeViews } from "./views.ts";

/** Makes a new views file beside the old one, folds the whole log into it, and swaps it in. Returns the number of records folded. */
export async function rebuildViews(options: ProjectorOptions, progress?: (folded: number) => void, signal?: AbortSignal): Promise<number> {
  const path = `${options.path}.new`;
  removeViews(path);
  const projector = await openProjector({ ...options, path });
  let count: number;
  let complete = false;
  try {
    count = await projector.catchUp(signal, progress);
    signal?.throwIfAborted();
    // The file alone must be complete before it takes the other one's place.
    projector.views.db.pragma("wal_checkpoint(TRUNCATE)");
    projector.views.db.pragma("journal_mode = DELETE");
    complete = true;
  } finally {
    projector.close();
    if (!complete) removeViews(path);
  }
  removeViews(options.path);
  renameSync(path, options.path);
  if (existsSync(`${path}-wal`)) removeViews(path);
  return count;
}
