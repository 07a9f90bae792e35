import { CountersignError } from "../errors.ts";
import type { Json } from "../events/canonical.ts";

/** Puts a value at a JSON Pointer; `-` adds to the end of a list. Gives the changed document, which may be the same object. @throws CountersignError usage */
export function setAt(document: Json, path: string, value: Json): Json {
  if (path === "") return value;
  if (!path.startsWith("/")) throw wrong(path, "a path begins with /", `write it as ${JSON.stringify(`/${path}`)}`);
  const keys = path
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop() as string;
  let parent: Json = document;
  for (const key of keys) parent = childOf(parent, key, path);
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : indexOf(last, parent.length, path);
    parent[index] = value;
  } else if (typeof parent === "object" && parent !== null) {
    Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true });
  } else throw wrong(path, "nothing lies above it", "give the whole value of what lies above");
  return document;
}

function childOf(parent: Json, key: string, path: string): Json {
  const child = Array.isArray(parent)
    ? parent[indexOf(key, parent.length - 1, path)]
    : typeof parent === "object" && parent !== null && Object.hasOwn(parent, key)
      ? parent[key]
      : undefined;
  if (child === undefined) throw wrong(path, `the arguments have no ${key}`, "give the whole value of what lies above");
  return child;
}

function indexOf(key: string, most: number, path: string): number {
  const index = Number(key);
  if (!/^(0|[1-9]\d*)$/.test(key) || index > most) throw wrong(path, `${key} is no place in the list`, "use a number from 0, or - for the end");
  return index;
}

function wrong(path: string, why: string, fix: string): CountersignError {
  return new CountersignError("usage", `${JSON.stringify(path)} cannot be edited: ${why}`, { field: "--edit", fix });
}
