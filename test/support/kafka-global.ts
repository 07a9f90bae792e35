import { beginRun } from "./kafka.ts";

/** Vitest calls it once per run, and what it returns at the end. */
export function setup(): Promise<() => Promise<void>> {
  return beginRun();
}
