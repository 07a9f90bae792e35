import { CountersignError, type ErrorCode } from "../errors.ts";

/** Exit codes of every command. */
export const EXIT = { done: 0, fault: 1, usage: 2, refused: 3, notFound: 4, unreachable: 5, pending: 6 } as const;

type Exit = keyof typeof EXIT;

const BY_CODE: { readonly [C in ErrorCode]?: Exit } = {
  usage: "usage",
  policy_missing: "refused",
  log_url_invalid: "usage",
  policy_invalid: "usage",
  file_invalid: "usage",
  json_syntax: "usage",
  json_duplicate_key: "usage",
  json_number_lossy: "usage",
  json_lone_surrogate: "usage",
  json_too_deep: "usage",
  json_too_large: "usage",
  request_invalid: "refused",
  unauthenticated: "refused",
  forbidden: "refused",
  unknown_action: "refused",
  schema_invalid: "refused",
  schema_incompatible: "refused",
  schema_missing: "refused",
  topics_missing: "refused",
  topics_mismatch: "refused",
  partitions_mismatch: "refused",
  field_too_large: "refused",
  event_too_large: "refused",
  event_invalid: "refused",
  conflict: "refused",
  not_judged_yet: "refused",
  not_allowed: "refused",
  not_entitled: "refused",
  stale: "refused",
  settled: "refused",
  claimed: "refused",
  already_voted: "refused",
  not_opened: "refused",
  already_started: "refused",
  not_running: "refused",
  no_grant: "refused",
  flagged: "refused",
  halted: "refused",
  late: "refused",
  not_found: "notFound",
  log_unavailable: "unreachable",
  log_busy: "unreachable",
  registry_unreachable: "unreachable",
  unavailable: "unreachable",
  timeout: "pending",
};

/** Exit code for an error. What nobody foresaw is a fault. */
export function exitCodeOf(error: unknown): number {
  return EXIT[(error instanceof CountersignError && BY_CODE[error.code]) || "fault"];
}
