import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
