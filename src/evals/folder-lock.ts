import { existsSync, linkSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";

/** Name of the lock. A dot file: an export passes over those that it finds in a folder. */
const LOCK_FILE = ".countersign-export.lock";

/** A lock that says nothing yet is being written; after this long nobody is writing it any more. Milliseconds. */
const UNSAID_MS = 10_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
}

/** The locks of this process: its own id in a lock that is not among them was left by an earlier process of the same id. */
const held = new Set<string>();

/**
 * Takes a folder for one export: two at once would mix their files. The lock of a process that is gone is taken over.
 *
 * @returns lets go of it, and of the folder too where it was made for the lock and is still empty
 * @throws CountersignError conflict when somebody holds it; file_unreadable when the folder cannot be written
 */
export function lockFolder(directory: string): () => void {
  const path = join(resolve(directory), LOCK_FILE);
  const isNew = !existsSync(directory);
  try {
    makeFolder(directory);
    for (let tries = 0; !isTaken(path); tries++) {
      const stale = read(path);
      if (tries === 3 || (stale !== undefined && isAlive(path, stale))) throw conflict(directory, path, holderIn(stale));
      if (stale !== undefined) removeDead(path, stale);
    }
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_unreadable", `Cannot write the export to ${directory}: ${messageOf(cause)}`, {
      cause,
      field: "--out",
      fix: "name a folder that can be written with --out",
    });
  }
  held.add(path);
  return () => {
    held.delete(path);
    rmSync(path, { force: true });
    if (isNew) removeEmpty(directory);
  };
}

function isTaken(path: string): boolean {
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function holderIn(text: string | undefined): Holder | undefined {
  try {
    const { pid, host } = JSON.parse(text ?? "") as Holder;
    return Number.isInteger(pid) && pid > 0 && typeof host === "string" ? { pid, host } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(path: string, text: string): boolean {
  const holder = holderIn(text);
  if (holder === undefined) return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < UNSAID_MS;
  // Nothing is known of the processes of another machine.
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return held.has(path);
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the lock of a process that is gone, and only that: whoever else came upon it may have a lock of his own there by now. */
function removeDead(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, "utf8") !== stale) linkSync(aside, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function conflict(directory: string, path: string, holder: Holder | undefined): CountersignError {
  const who = holder === undefined ? "Another process" : `The process ${holder.pid} on ${holder.host}`;
  return new CountersignError("conflict", `${who} is exporting into ${directory}`, {
    field: "--out",
    value: directory,
    fix: `wait until it has ended, or name another folder; where no such process runs any more, remove ${path}`,
  });
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody has put something there.
  }
}
