import type { LoadedPolicy } from "../document/loaded.ts";

/** Something about a policy that its owner should know. */
export interface Finding {
  readonly severity: "error" | "warning" | "note";
  /** Stable name of the check. */
  readonly code: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to do about it; empty where the message says it. */
  readonly fix: string;
}

/** What a check finds, before it has a place. */
export interface Found {
  readonly severity?: Finding["severity"];
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly fix: string;
}

/** A look at one policy that loads. `now`: in milliseconds since the epoch; left out, nothing is said about what has ended. */
export type Check = (policy: LoadedPolicy, now: number | undefined) => readonly Found[];
