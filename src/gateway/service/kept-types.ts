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
    if (other >= 0 && !isTold([...keys, other]))
      return { keys: [...keys, other], value: after[other], rule: `is ${typeOf(after[other])}, and its list held ${[...types].sort().join(" and ")}` };
    return memberFault(before, after, saysType, keys);
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

/** A member of a list is as one of the members there were: the one in its place, or any other. */
function memberFault(before: readonly Json[], after: readonly Json[], saysType: SaysType, keys: readonly (string | number)[]): TypeFault | null {
  const shapes = new Map(before.filter((value) => typeof value === "object" && value !== null).map((value) => [shapeOf(value), value]));
  for (const [i, value] of after.entries()) {
    if (typeof value !== "object" || value === null || shapes.has(shapeOf(value))) continue;
    const likes = [before[i], ...shapes.values()].filter((like): like is Json => like !== undefined && like !== null && typeOf(like) === typeOf(value));
    const faults = likes.map((like) => typeFault(like, value, saysType, [...keys, i]));
    if (faults.length > 0 && !faults.includes(null)) return faults[0] as TypeFault;
  }
  return null;
}

/** What a value is made of, without what it says. */
function shapeOf(value: Json): string {
  if (Array.isArray(value)) return `[${[...new Set(value.map(shapeOf))].sort().join()}]`;
  if (!isObject(value)) return typeOf(value);
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${shapeOf(value[key] as Json)}`)
    .join()}}`;
}

function typeOf(value: Json | undefined): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
