import { CountersignError } from "../errors.ts";
import { canonicalArgs, pointer } from "../events/canonical.ts";

/**
 * A copy of a value as JSON carries it. What JSON would change without a word (NaN becomes null, a function disappears) is refused.
 *
 * @throws CountersignError json_number_lossy, json_syntax, json_too_deep, json_lone_surrogate
 */
export function frozen<T>(value: T, name: string): T {
  check(value, "", name, new Set());
  return JSON.parse(canonicalArgs(value, { name }).args) as T;
}

function check(value: unknown, path: string, name: string, above: Set<object>): void {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new CountersignError("json_number_lossy", `${name} holds ${value}, which JSON cannot carry`, {
      field: path,
      value: String(value),
      fix: "send it as a string, or leave it out",
    });
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
    throw new CountersignError("json_syntax", `${name} holds a ${typeof value}, which JSON cannot carry`, {
      field: path,
      value: String(value).slice(0, 60),
      fix: "send it as a string",
    });
  if (typeof value !== "object" || value === null) return;
  if (above.has(value)) throw new CountersignError("json_syntax", `${name} contains itself`, { field: path, fix: "send plain data" });
  above.add(value);
  if (Array.isArray(value))
    for (const [i, entry] of value.entries()) {
      if (entry === undefined)
        throw new CountersignError("json_syntax", `${name} holds a list with nothing in one place`, { field: `${path}/${i}`, fix: "send null there" });
      check(entry, `${path}/${i}`, name, above);
    }
  else if (!("toJSON" in value)) {
    if (value instanceof Map || value instanceof Set)
      throw new CountersignError("json_syntax", `${name} holds a ${value.constructor.name}, which JSON cannot carry`, {
        field: path,
        fix: "send an object or a list",
      });
    for (const [key, entry] of Object.entries(value)) check(entry, pointer(path, key), name, above);
  }
  above.delete(value);
}
