/** Deeper values, and circles, are left to a writer that needs no stack. */
const DEEPEST = 100;

/**
 * A JSON value whose keys stand in the order of RFC 8785, so that JSON.stringify, which is native, writes its canonical form: the value itself
 * where they do so already, else a copy. Undefined where that cannot be had: JavaScript puts keys that are whole numbers first, and an object of a class, NaN or half of a surrogate
 * pair has another form or none.
 */
export function sorted(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? value : undefined;
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "boolean":
      return value;
    case "object":
      if (value === null) return null;
      if (depth >= DEEPEST) return undefined;
      return Array.isArray(value) ? sortedList(value, depth + 1) : sortedObject(value, depth + 1);
    default:
      return undefined;
  }
}

function sortedList(list: readonly unknown[], depth: number): unknown {
  const parts = list.map((value) => sorted(value, depth));
  if (parts.includes(undefined)) return undefined;
  return parts.every((part, i) => part === list[i]) ? list : parts;
}

function sortedObject(object: object, depth: number): unknown {
  if (Object.getPrototypeOf(object) !== Object.prototype) return undefined;
  const from = object as { [key: string]: unknown };
  const keys = Object.keys(from);
  let copy: { [key: string]: unknown } | undefined;
  if (!isInOrder(keys)) {
    keys.sort();
    copy = {};
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const part = sorted(from[key], depth);
    if (part === undefined || isMoved(key) || !key.isWellFormed()) return undefined;
    if (copy === undefined && part !== from[key]) copy = Object.fromEntries(keys.slice(0, i).map((before) => [before, from[before]]));
    if (copy !== undefined) copy[key] = part;
  }
  return copy ?? object;
}

function isInOrder(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if ((keys[i - 1] as string) > (keys[i] as string)) return false;
  return true;
}

/** Whether JavaScript would put the key elsewhere: a whole number goes first, `__proto__` is no key when it is assigned. */
function isMoved(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 48 && first <= 57) || key === "__proto__";
}
