/** A JSON object of a document that has been read. */
export type Raw = { readonly [key: string]: unknown };

/** Whether a value is an object with keys. */
export function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined where nothing does. */
export function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined), value);
}

/** The same value with something else at a path; undefined takes it out. What does not change is shared, not copied. */
export function put(value: unknown, path: readonly PropertyKey[], change: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change;
  const next = put((value as Record<PropertyKey, unknown>)[key], rest, change);
  if (Array.isArray(value)) return next === undefined ? value.filter((_, i) => i !== key) : value.map((part, i) => (i === key ? next : part));
  const { [key as string]: _, ...others } = value as Record<string, unknown>;
  return next === undefined ? others : { ...(value as Raw), [key as string]: next };
}
