import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it where they are missing. Node's own `recursive` never comes back from a file system that makes no
 * folders (such as /proc): it tries again for as long as the parent is there.
 *
 * @throws the error of the operating system: EACCES, ENOTDIR, EEXIST (a file has that name), ENOENT (no folders can be made there)
 */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder && found === undefined) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Somebody else was quicker.
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
