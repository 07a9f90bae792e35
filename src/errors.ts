/** Every code that Countersign's own errors can carry. Stable: clients switch on them. */
export type ErrorCode =
  | "json_syntax"
  | "json_duplicate_key"
  | "json_number_lossy"
  | "json_lone_surrogate"
  | "json_too_deep"
  | "json_too_large"
  | "event_invalid"
  | "event_too_large"
  | "field_too_large"
  | "frame_invalid"
  | "schema_unknown"
  | "schema_incompatible"
  | "schema_missing"
  | "registry_unreachable"
  | "registry_refused"
  | "append_outcome_unknown"
  | "log_unavailable"
  | "log_gap"
  | "log_recreated"
  | "log_url_invalid"
  | "log_busy"
  | "log_closed"
  | "log_format"
  | "topics_missing"
  | "topics_mismatch"
  | "partitions_mismatch"
  | "policy_invalid"
  | "policy_missing"
  | "file_unreadable"
  | "file_invalid"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "request_invalid"
  | "usage"
  | "unknown_action"
  | "schema_invalid"
  | "conflict"
  | "not_judged_yet"
  | "not_allowed"
  | "not_entitled"
  | "stale"
  | "settled"
  | "claimed"
  | "already_voted"
  | "not_opened"
  | "already_started"
  | "not_running"
  | "no_grant"
  | "flagged"
  | "halted"
  | "late"
  | "timeout"
  | "unavailable"
  | "internal";

/** Base of every error that Countersign throws on purpose. `retryable` tells whether the same call may succeed later. */
export class CountersignError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** JSON Pointer or name of the field that is at fault, when one is. */
  readonly field: string | undefined;
  /** The value that is at fault, as a JSON value. */
  readonly value: unknown;
  /** What to do about it, as a sentence. */
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean; field?: string; value?: unknown; fix?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CountersignError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.field = options.field;
    this.value = options.value;
    this.fix = options.fix;
  }
}

/** The append may or may not have happened. Look for your own eventId before you try again with the same id. */
export class AppendOutcomeUnknown extends CountersignError {
  constructor(message: string, cause?: unknown) {
    super("append_outcome_unknown", message, { cause, retryable: true, fix: "look for the event by its eventId, then append it again with the same eventId" });
    this.name = "AppendOutcomeUnknown";
  }
}

/** A sentence for people, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
