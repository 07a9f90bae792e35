import type { Json } from "../../events/canonical.ts";

/** A place where an edit makes of an argument what it was not. */
export interface TypeFault {
  readonly keys: readonly (string | number)[];
  readonly value: Json | undefined;
  readonly rule: string;
}

/** Whether a schema says which values a place may have; it binds then, and judges the edit by itself. */
export type SaysType = (keys: readonly string[]) => boolean;

/**
 * The first place where an edit does not keep the type of an argument: a number that becomes a text, a value that becomes null or is left
 * out. Where no schema says more than the arguments themselves, the type that the agent sent is all that the tool is known to take.
 * A null has no type to keep; what was not there may be added.
 */
export function typeFault(before: Json, after: Json, saysType: SaysType, keys: readonly (string | number)[] = []): TypeFault | null {
  const isTold = (at: readonly (string | number)[]) => saysType(at.map(String));
  if (before === null) return null;
  if (typeOf(before) !== typeOf(after)) return isTold(keys) ? null : { keys, value: after, rule: `is ${typeOf(after)}, and was ${typeOf(before)}` };
  if (Array.isArray(before) && Array.isArray(after)) {
    const types = new Set(before.map(typeOf));
    const other = types.size === 0 || types.has("null") ? -1 : after.findIndex((value) => !types.has(typeOf(value)));
    if (other < 0 || isTold([...keys, other])) return null;
    return { keys: [...keys, other], value: after[other], rule: `is ${typeOf(after[other])}, and its list held ${[...types].sort().join(" and ")}` };
  }
  if (!isObject(before) || !isObject(after)) return null;
  for (const [key, value] of Object.entries(before)) {
    const at = [...keys, key];
    if (!Object.hasOwn(after, key)) {
      if (!isTold(at)) return { keys: at, value: undefined, rule: `is left out, and was ${typeOf(value)}` };
      continue;
    }
    const fault = typeFault(value, after[key] as Json, saysType, at);
    if (fault !== null) return fault;
  }
  return null;
}

function typeOf(value: Json | undefined): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
