import { z } from "zod";
import { durationMs, isCalendarDuration, MAX_DURATION } from "../duration.ts";
import { pointerKeys } from "../pointer.ts";
import { didYouMean, nearest, shown } from "../problems.ts";
import { readSpan, type Span } from "../span.ts";
import { parseTemplate } from "./template.ts";

/** A value that `read` accepts: it gives the value, or an Error (thrown or returned) with a sentence that says what is wrong. */
export function custom<T>(read: (value: unknown) => T | Error): z.ZodType<T> {
  return z.unknown().transform((value, ctx) => {
    let result: T | Error;
    try {
      result = value === undefined ? new Error("is missing") : read(value);
    } catch (error) {
      result = error as Error;
    }
    if (!(result instanceof Error)) return result;
    ctx.addIssue({ code: "custom", message: result.message });
    return z.NEVER;
  });
}

/** An object with exactly these keys. An unknown key is a problem of its own, with the known key that is nearest. */
export function shape<S extends z.ZodRawShape>(fields: S) {
  const known = Object.keys(fields);
  return z.strictObject(fields, {
    error: (issue) => {
      if (issue.code === "unrecognized_keys") return (issue.keys as string[]).map((key) => unknownKey(key, known)).join("\n");
      return issue.code === "invalid_type" ? `must be a set of keys (${known.join(", ")}), not ${shown(issue.input)}` : undefined;
    },
  });
}

/** A record of whatever keys fit. A key that zod would leave out without a word, as it does with `__proto__`, is a problem: what it says would not hold. */
export function record<K extends z.ZodType<string>, V extends z.ZodType>(key: K, value: V) {
  return z
    .unknown()
    .superRefine((from, ctx) => {
      if (typeof from === "object" && from !== null && Object.hasOwn(from, "__proto__"))
        ctx.addIssue({ code: "custom", path: ["__proto__"], message: "is a name that nothing can have here; take another one" });
    })
    .pipe(z.record(key, value));
}

function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key ${shown(key)}${didYouMean(key, known) || `; known are ${known.join(", ")}`}`;
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): z.ZodType<T> {
  return custom((value) => {
    const found = words.find((word) => word === value);
    return found ?? new Error(`must be one of ${words.join(", ")}, not ${shown(value)}${typeof value === "string" ? didYouMean(value, words) : ""}`);
  });
}

/** A text that is not empty. */
export const text = custom((value) => (typeof value === "string" && value.trim() !== "" ? value : new Error(`must be a text, not ${shown(value)}`)));

/** A whole number of people or members. */
export const count = custom((value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 1000
    ? value
    : new Error(`must be a whole number from 1 to 1000, not ${shown(value)}`),
);
/** Most members of a batch: more than twenty nobody looks at one by one. */
export const members = custom((value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 20
    ? value
    : new Error(`must be a whole number from 1 to 20, not ${shown(value)}`),
);
/** Points of risk. */
export const points = custom((value) =>
  typeof value === "number" && Number.isFinite(value) && value >= 0
    ? value
    : new Error(`must be a number of points, 0 or more, not ${shown(value)}${typeof value === "number" ? "; rules can only raise" : ""}`),
);

/** A name that ids and keys are made of. */
export const identifier = custom((value) =>
  typeof value === "string" && /^[A-Za-z0-9][\w.-]{0,99}$/.test(value) ? value : new Error(`must be a name of letters, digits, . _ and -, not ${shown(value)}`),
);

/** A JSON Pointer. */
export const pointer = custom((value) =>
  typeof value === "string" && pointerKeys(value) !== undefined
    ? value
    : new Error(`must be a JSON Pointer such as /amount, not ${shown(value)}${typeof value === "string" ? `; did you mean ${shown(`/${value}`)}?` : ""}`),
);

/** role:NAME, or the id of a person. */
export const owner = custom((value) => {
  if (typeof value !== "string" || !/^\S{1,200}$/.test(value)) return new Error(`must be role:NAME or the id of a person, not ${shown(value)}`);
  const [, prefix, rest] = /^([^:]*):(.*)$/.exec(value) ?? [];
  const wrong = prefix !== undefined && (prefix === "role" ? rest === "" : nearest(prefix, ["role"]) !== undefined);
  return wrong
    ? new Error(`must be role:NAME or the id of a person, not ${shown(value)}${rest === "" ? "" : `; did you mean ${shown(`role:${rest}`)}?`}`)
    : value;
});

/** An ISO 8601 duration, read as milliseconds. */
export const duration = custom((value) => {
  if (typeof value === "string" && /business/i.test(value))
    return new Error(`is a fixed time and cannot be business time (${shown(value)}); use an ISO 8601 duration such as PT4H`);
  const ms = typeof value === "string" ? durationMs(value) : undefined;
  if (ms === undefined) return new Error(`must be an ISO 8601 duration such as PT10M or P1D, not ${shown(value)}`);
  return ms > 0 && ms <= MAX_DURATION ? ms : new Error(`must be longer than nothing and at most 366 days, not ${shown(value)}`);
});

/** How long people have: an ISO 8601 duration, read as milliseconds, or working time by the calendar of the document. */
export const span = custom((value): Span | Error => {
  const read = typeof value === "string" ? readSpan(value) : undefined;
  if (read === undefined)
    return new Error(`must be an ISO 8601 duration such as PT10M or P1D, or working time such as "4 business hours" or "2 business days", not ${shown(value)}`);
  const fits = typeof read !== "number" || (read > 0 && read <= MAX_DURATION);
  return fits ? read : new Error(`must be longer than nothing and at most 366 days, not ${shown(value)}`);
});

/** How long a record is kept, as an ISO 8601 duration of years, months, weeks or days. */
export const retention = custom((value) =>
  typeof value === "string" && isCalendarDuration(value) ? value : new Error(`must be an ISO 8601 duration such as P7Y, not ${shown(value)}`),
);

/** A text with slots such as {/amount|money}. */
export const template = custom((value) => {
  if (typeof value !== "string" || value === "") return new Error(`must be a text, not ${shown(value)}`);
  parseTemplate(value);
  return value;
});
