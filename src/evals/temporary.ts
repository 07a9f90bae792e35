import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";

/** A folder for what memory does not hold, made when it is first needed. Only this user can read it. */
export class Temporary {
  private made: string | undefined;

  /** The folder. */
  path(): string {
    return (this.made ??= mkdtempSync(join(tmpdir(), "countersign-export-")));
  }

  /** Removes it with all that is in it. */
  close(): void {
    if (this.made !== undefined) rmSync(this.made, { recursive: true, force: true });
    this.made = undefined;
  }
}

const NO_ROOM: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EMFILE", "EIO"]);

/** Errors of the file system mean that there is no room for what memory does not hold; others stay what they are. */
export function asFault(error: unknown): unknown {
  if (!NO_ROOM.has((error as { code?: unknown } | null)?.code)) return error;
  return new CountersignError("file_unreadable", `Cannot keep what is read in ${tmpdir()}: ${messageOf(error)}`, {
    cause: error,
    fix: "make room there, or set TMPDIR to a folder that has it",
  });
}
