import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = process.env.COUNTERSIGN_SHARED_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));

/** Path of a file or folder of the shared data, or null (with the reason printed) where it is not there. */
export function sharedData(path: string): string | null {
  const full = `${root}/${path}`;
  if (existsSync(full)) return full;
  console.warn(`skipped: no shared data at ../shared/data/${path}; set COUNTERSIGN_SHARED_DATA to the folder that holds it`);
  return null;
}
