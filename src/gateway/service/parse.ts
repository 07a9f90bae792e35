import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { type Json, parseStrict, pointer } from "../../events/canonical.ts";

/** Largest request body in bytes. An event holds at most 900 KiB. */
export const MAX_BODY = 1024 * 1024;

/** Reads a body: JSON that can mean only one value, then its shape. @throws CountersignError json_*, request_invalid */
export function parseBody<T extends z.ZodType>(shape: T, text: string): z.output<T> {
  return parseShape(shape, parseStrict(text, { name: "The body", maxBytes: MAX_BODY }));
}

/** Reads a value that a caller in this process gives, as if it had come over HTTP. @throws CountersignError json_*, request_invalid */
export function parseValue<T extends z.ZodType>(shape: T, value: z.input<T>): z.output<T> {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new CountersignError("json_syntax", "The request has no JSON form", { cause });
  }
  return parseBody(shape, text ?? "null");
}

/** Checks a shape. All that is wrong is in the message; `field` and `value` are those of the first. @throws CountersignError request_invalid */
export function parseShape<T extends z.ZodType>(shape: T, value: unknown): z.output<T> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(faultsOf);
  const [first] = faults as [Fault, ...Fault[]];
  const shown = faults.slice(0, 5).map(({ field, rule }) => `${field || "the body"} ${rule}`);
  throw new CountersignError("request_invalid", `${shown.join("; ")}${faults.length > 5 ? `; and ${faults.length - 5} more` : ""}`, {
    field: first.field,
    value: valueAt(value as Json, first.path),
    fix: first.fix ?? "see /openapi.json for the shape of a request",
  });
}

interface Fault {
  readonly path: readonly PropertyKey[];
  readonly field: string;
  readonly rule: string;
  readonly fix?: string;
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const at = (path: readonly PropertyKey[]) => path.reduce<string>((p, key) => pointer(p, String(key)), "");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { path, field: at(path), rule: "is not known here", fix: "leave it out" };
    });
  return [{ path: issue.path, field: at(issue.path), rule: ruleOf(issue) }];
}

function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return issue.input === undefined && issue.message.includes("undefined") ? "is missing" : `must be ${issue.expected}`;
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "too_big")
    return `must have at most ${issue.maximum}${issue.origin === "string" ? " characters" : issue.origin === "array" ? " entries" : ""}`.replace(
      "have at",
      issue.origin === "number" ? "be at" : "have at",
    );
  if (issue.code === "too_small") return issue.origin === "string" ? "must not be empty" : `must be at least ${issue.minimum}`;
  return issue.message;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    root,
  );
}
