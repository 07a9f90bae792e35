/** Deeper values, and circles, are left to a writer that needs no stack. */
const DEEPEST = 100;

/**
 * A copy of a JSON value whose keys stand in the order of RFC 8785, so that JSON.stringify, which is native, writes its canonical form.
 * Undefined where that cannot be had: JavaScript puts keys that are whole numbers first, and an object of a class, NaN or half of a surrogate
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
  const out: unknown[] = [];
  for (const value of list) {
    const part = sorted(value, depth);
    if (part === undefined) return undefined;
    out.push(part);
  }
  return out;
}

function sortedObject(object: object, depth: number): unknown {
  if (Object.getPrototypeOf(object) !== Object.prototype) return undefined;
  const keys = Object.keys(object).sort();
  const out: { [key: string]: unknown } = {};
  for (const key of keys) {
    const part = sorted((object as { [key: string]: unknown })[key], depth);
    if (part === undefined || isMoved(key) || !key.isWellFormed()) return undefined;
    out[key] = part;
  }
  return out;
}

/** Whether JavaScript would put the key elsewhere: a whole number goes first, `__proto__` is no key when it is assigned. */
function isMoved(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 48 && first <= 57) || key === "__proto__";
}
