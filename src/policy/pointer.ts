import type { Json } from "../events/canonical.ts";

/** The keys of a JSON Pointer (RFC 6901), undefined where the text is not one. The empty pointer is the whole value. */
export function pointerKeys(text: string): string[] | undefined {
  if (text === "") return [];
  if (!text.startsWith("/") || /~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The value at a pointer; undefined where it is missing. Reads own properties only, so that "__proto__" or "length" is nothing special. */
export function valueAt(value: Json, keys: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const key of keys) {
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(key) ? at[Number(key)] : undefined;
    else if (typeof at === "object" && at !== null && Object.hasOwn(at, key)) at = at[key];
    else return undefined;
    if (at === undefined) return undefined;
  }
  return at;
}

/** `valueAt` for keys that are known beforehand: the plain case, one key of an object, is read at once. */
export function valueReader(keys: readonly string[]): (value: Json) => Json | undefined {
  const key = plainKeyOf(keys);
  if (key === undefined) return (value) => valueAt(value, keys);
  return (value) => (typeof value === "object" && value !== null ? (value as { [key: string]: Json })[key] : undefined);
}

/** The one key of a pointer that no object inherits and no list has, so that it needs no check whose property it is; undefined for all others. */
export function plainKeyOf(keys: readonly string[]): string | undefined {
  const [key, ...rest] = keys;
  const isPlain = key !== undefined && rest.length === 0 && !(key in Object.prototype) && !(key in Array.prototype) && !/^\d+$/.test(key);
  return isPlain ? key : undefined;
}
