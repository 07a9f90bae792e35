import type { Json } from "./canonical.ts";

/** JSON Pointers of the topmost places where two values differ. A type is kept unless the place itself is editable. */
export function changedPaths(before: Json, after: Json, path = ""): string[] {
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => {
      const at = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      return Object.hasOwn(before, key) && Object.hasOwn(after, key) ? changedPaths(before[key] as Json, after[key] as Json, at) : [at];
    });
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((value, i) => changedPaths(value, after[i] as Json, `${path}/${i}`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
