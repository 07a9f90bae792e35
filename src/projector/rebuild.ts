import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { openProjector, type ProjectorOptions } from "./projector.ts";
import { removeViews } from "./views.ts";

/** Makes a new views file beside the old one, folds the whole log into it, and swaps it in. Returns the number of records folded. */
export async function rebuildViews(options: ProjectorOptions, progress?: (folded: number) => void, signal?: AbortSignal): Promise<number> {
  const path = `${options.path}.new`;
  removeViews(path);
  const projector = await openProjector({ ...options, path, scratch: true });
  let count: number;
  let complete = false;
  try {
    count = await projector.catchUp(signal, progress);
    signal?.throwIfAborted();
    complete = true;
  } finally {
    projector.close();
    if (!complete) removeViews(path);
  }
  // The file must be on the disk, whole, before it takes the other one's place.
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
  removeViews(options.path);
  renameSync(path, options.path);
  return count;
}
