import { decision, proposal, resume, verdict } from "../build.ts";
import type { GrantState, Logs, VerdictState } from "../oracle.ts";

/** A history short enough for all its interleavings, and where it must end. */
export interface Case {
  readonly title: string;
  readonly logs: Logs;
  /** What each event must be: E effective, S superseded, I illegal, P parked. */
  readonly events: { readonly [key: string]: "E" | "S" | "I" | "P" };
  readonly verdicts?: { readonly [id: string]: Partial<VerdictState> };
  readonly grants?: { readonly [id: string]: Partial<GrantState> };
  readonly resumes?: readonly string[];
  readonly undecodable?: readonly string[];
}

export const P = proposal("p");
export const V = verdict("v", "proposals/p");
export const ALLOW = verdict("v", "proposals/p", { route: "allow", gate: "none" });
export const AUDIT = verdict("v", "proposals/p", { route: "allow", gate: "audit" });
export const GRANT = resume("proceed", "g", "verdicts/v", ["s1"]);
/** A decision on the verdict v. */
export const onV = (kind: string, id: string, who = "dee", rest = {}) => decision(kind, id, "verdicts/v", who, rest);
