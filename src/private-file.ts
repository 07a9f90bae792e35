import { closeSync, openSync } from "node:fs";

/**
 * Makes an empty file that only its owner may read, where there is none yet: arguments, transcripts and keys are nobody else's business.
 * SQLite gives its -wal and -shm files the mode of the file itself. One that is there keeps the mode that an operator gave it.
 */
export function makePrivateFile(path: string): void {
  try {
    // Not made and then changed: in between, others could open it.
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It is there already; or it cannot be made, which opening it tells.
  }
}
