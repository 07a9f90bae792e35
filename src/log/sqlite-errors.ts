import { CountersignError, messageOf } from "../errors.ts";

/** How a failed SQLite call is told: which code, and whether trying again can help. */
export function sqliteError(error: unknown, dir: string): CountersignError {
  if (error instanceof CountersignError) return error;
  const code = codeOf(error);
  const tell = (sentence: string, retryable: boolean, fix: string) =>
    new CountersignError(code.startsWith("SQLITE_BUSY") ? "log_busy" : "log_unavailable", `${sentence} (${dir}: ${messageOf(error)})`, {
      cause: error,
      retryable,
      field: "log",
      fix,
    });
  if (code.startsWith("SQLITE_BUSY")) return tell("Another process holds the log", true, "try again; if it stays, look which process has log.db open");
  if (code === "SQLITE_FULL") return tell("The disk is full", true, "make room on the disk of the log, then try again");
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return tell("log.db is damaged or no log", false, "restore it from a backup");
  if (code.startsWith("SQLITE_READONLY") || code === "SQLITE_PERM")
    return tell("The log cannot be written", false, "give this user the right to write to the folder and its files");
  if (code.startsWith("SQLITE_CANTOPEN")) return tell("The log cannot be opened", false, "check that the folder exists and that this user may write to it");
  return tell("The log cannot be used", true, "look at the disk of the log, then try again");
}

/** SQLite's name for an error, or an empty string. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Whether another connection holds the lock just now. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}

/** Whether a failed COMMIT has certainly not happened: its last frame was never written. After a failed write or fsync nobody can tell. */
export function certainlyNotCommitted(error: unknown): boolean {
  return isBusy(error) || codeOf(error) === "SQLITE_FULL";
}

/** What is told once the disk has failed: what it has of the last records cannot be known. */
export function diskFailed(error: unknown): CountersignError {
  return new CountersignError("log_unavailable", `The disk could not take what was appended, so nothing more is appended (${messageOf(error)})`, {
    cause: error,
    field: "log",
    fix: "look at the disk of the log, then start again",
  });
}
