import { shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";

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

/** A change at a path; `to` undefined takes the part out. */
export interface Change {
  readonly path: readonly PropertyKey[];
  readonly to: unknown;
  readonly what: string;
  readonly test: string;
}

/** One value taken for another. */
export function change(path: readonly PropertyKey[], from: unknown, to: unknown, test: string): Change {
  return { path, to, what: `${String(path.at(-1))}: ${shown(from)} became ${shown(to)}`, test };
}

/** The next lower tier. */
export function lowered(tier: unknown, path: readonly PropertyKey[], test: string): Change[] {
  const rank = TIERS.indexOf(tier as (typeof TIERS)[number]);
  return rank > 0 ? [change(path, tier, TIERS[rank - 1], test)] : [];
}

/** A number that is written as one, moved by its smallest step and by a hundredth, both ways. `whole`: to the next whole number at least. */
export function shifted(value: unknown, path: readonly PropertyKey[], test: string, whole = false): Change[] {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return [];
  const decimals = whole ? 0 : (/\.(\d+)/.exec(String(number))?.[1]?.length ?? 0);
  const step = 10 ** -decimals;
  const places = Math.max(decimals, whole ? 0 : 4);
  const hundredth = whole ? Math.max(1, Math.round(Math.abs(number) / 100)) : Math.abs(number) / 100;
  const moved = [number + step, number - step, number + hundredth, number - hundredth].map((to) => Number(to.toFixed(places)));
  return [...new Set(moved)].filter((to) => to !== number).map((to) => change(path, value, typeof value === "string" ? String(to) : to, test));
}

/** An ISO 8601 duration, or a number of business hours, with twice its first number. */
export function longer(duration: string): string {
  return duration.replace(/\d+/, (digits) => String(2 * Number(digits)));
}

/** A list of objects; empty where there is none. */
export function list(value: unknown): Raw[] {
  return Array.isArray(value) ? (value as Raw[]) : [];
}

/** One approval less. */
export function fewerApprovals(approvals: unknown, path: readonly PropertyKey[], test: string): Change[] {
  return typeof approvals === "number" && approvals > 1 ? [change(path, approvals, approvals - 1, test)] : [];
}
