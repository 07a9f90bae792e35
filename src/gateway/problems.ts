import { randomUUID } from "node:crypto";
import { CountersignError, type ErrorCode, messageOf } from "../errors.ts";
import type { Problem } from "../producers/wire/answers.ts";

/** What a code is over HTTP. Codes that are not here are faults of the service. */
const STATUS: { readonly [C in ErrorCode]?: readonly [status: number, title: string] } = {
  json_syntax: [400, "The body is no JSON"],
  json_duplicate_key: [400, "A key is there twice"],
  json_number_lossy: [400, "A number does not survive"],
  json_lone_surrogate: [400, "The text is no valid Unicode"],
  json_too_deep: [400, "The body is nested too deeply"],
  json_too_large: [413, "Too large"],
  field_too_large: [413, "Too large"],
  event_too_large: [413, "Too large"],
  event_invalid: [422, "The event is not valid"],
  request_invalid: [422, "The request is not valid"],
  schema_invalid: [422, "The arguments break their schema"],
  unauthenticated: [401, "Not authenticated"],
  forbidden: [403, "The key has no right to do this"],
  not_allowed: [403, "The policy does not allow this"],
  not_entitled: [403, "Somebody else decides this"],
  not_found: [404, "Not found"],
  conflict: [409, "In conflict with what is there"],
  not_opened: [409, "A member has to be opened first"],
  not_judged_yet: [409, "Not judged yet"],
  stale: [409, "The item has changed since it was seen"],
  settled: [409, "Decided already"],
  claimed: [409, "Claimed by somebody else"],
  already_voted: [409, "Voted already"],
  already_started: [409, "Started already"],
  not_running: [409, "Not running"],
  no_grant: [409, "No grant"],
  flagged: [409, "The item is flagged"],
  halted: [409, "Halted"],
  late: [409, "Too late"],
  append_outcome_unknown: [503, "The log did not answer"],
  log_unavailable: [503, "The log is not available"],
  log_busy: [503, "The log is busy"],
  log_closed: [503, "The service is stopping"],
  registry_unreachable: [503, "The schema registry is not available"],
  unavailable: [503, "Not available just now"],
  timeout: [504, "The views have not caught up"],
};

/** Longest shown value, in characters. */
const MOST_SHOWN = 300;

/** A problem (RFC 9457) for whatever was thrown. What is not one of our errors is told to `report` under an id; the client gets the id alone. */
export function problemOf(error: unknown, report: (line: string, error: unknown) => void): Problem {
  const known = error instanceof CountersignError ? STATUS[error.code] : undefined;
  if (!(error instanceof CountersignError) || known === undefined) {
    const id = randomUUID();
    report(`request failed, id ${id}: ${messageOf(error)}`, error);
    return {
      type: typeOf("internal"),
      title: "Something went wrong here",
      status: 500,
      detail: `This is a fault of the service. It is in its log under ${id}.`,
      code: "internal",
      retryable: false,
      instance: `urn:uuid:${id}`,
    };
  }
  const [status, title] = known;
  const { code, field, value, fix, retryable, message: detail } = error;
  return {
    type: typeOf(code),
    title,
    status,
    detail,
    code,
    retryable: retryable || status >= 503,
    ...(field !== undefined && { field }),
    ...(value !== undefined && { value: shown(value) }),
    ...(fix !== undefined && { fix }),
  };
}

function typeOf(code: ErrorCode): string {
  return `urn:countersign:problem:${code.replaceAll("_", "-")}`;
}

function shown(value: unknown): unknown {
  const text = JSON.stringify(value) ?? "null";
  return text.length <= MOST_SHOWN ? value : `${text.slice(0, MOST_SHOWN)}…`;
}
