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
    return heldFault(before, after, saysType, keys) ?? memberFault(before, after, saysType, keys);
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

/** The first place in the members of a list that is of no type that one of them held there. Where all of them held null nobody knows its type. */
function heldFault(before: readonly Json[], after: readonly Json[], saysType: SaysType, keys: readonly (string | number)[]): TypeFault | null {
  for (const [i, value] of after.entries()) {
    const fault = placeFault(before, value, saysType, [...keys, i]);
    if (fault !== null) return fault;
  }
  return null;
}

function placeFault(held: readonly Json[], value: Json, saysType: SaysType, keys: readonly (string | number)[]): TypeFault | null {
  const types = new Set(held.map(typeOf));
  const isKnown = [...types].some((type) => type !== "null");
  if (isKnown && !types.has(typeOf(value)))
    return saysType(keys.map(String)) ? null : { keys, value, rule: `is ${typeOf(value)}, and its list held ${[...types].sort().join(" and ")}` };
  if (Array.isArray(value)) return heldFault(held.filter(Array.isArray).flat(), value, saysType, keys);
  if (!isObject(value)) return null;
  const objects = held.filter(isObject);
  for (const [key, part] of Object.entries(value)) {
    const there = objects.flatMap((like) => (Object.hasOwn(like, key) ? [like[key] as Json] : []));
    const fault = placeFault(there, part, saysType, [...keys, key]);
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
