import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";

/** Brings SQLite's write-ahead log to the disk. */
export interface WalSync {
  /** Resolves when everything that was committed before the call is durable. Rejects when the disk says no: then nobody can tell what it has. */
  later(): Promise<void>;
  /** The same at once, holding up the thread. */
  now(): void;
  close(): void;
}

/**
 * With `synchronous = FULL` SQLite would wait for the disk inside COMMIT and hold up the whole process for that long, which is half of the
 * time of an append. With NORMAL a commit is only written, in order and with checksums, and SQLite still syncs around every checkpoint; so
 * one fdatasync of the write-ahead log afterwards makes it durable, with all that was committed before, while this process goes on.
 * Source: https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export function walSync(db: string): WalSync {
  let file: number | undefined;
  // SQLite makes the file at the first write, and keeps it for as long as a connection is open.
  const opened = () => (file ??= openSync(`${db}-wal`, "r+"));
  return {
    later: () =>
      new Promise((resolve, reject) => {
        fdatasync(opened(), (error) => (error ? reject(error) : resolve()));
      }),
    now: () => fdatasyncSync(opened()),
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
