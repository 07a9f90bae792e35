import { z } from "zod";
import { compare, type Decimal, decimalOf } from "../../events/decimal.ts";
import { pointerKeys } from "../pointer.ts";
import { didYouMean, shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { actionNames } from "./shape-condition.ts";
import { count, custom, duration, identifier, oneOf, pointer, points, shape, text } from "./shape-parts.ts";

/** For whom a budget counts. `tenant` is the whole workspace. */
export const PER = ["tenant", "agent", "on_behalf_of", "run", "action"] as const;

/** One part of a key: one of PER, or a JSON Pointer into the arguments. */
export type PerPart = string;

const part = (value: unknown): PerPart | Error => {
  if (typeof value === "string" && ((PER as readonly string[]).includes(value) || (value.startsWith("/") && pointerKeys(value) !== undefined))) return value;
  return new Error(
    `must be ${PER.join(", ")}, a JSON Pointer such as /customer_email, or a list of these, not ${shown(value)}${typeof value === "string" ? didYouMean(value, PER) : ""}`,
  );
};

export const per = custom((value): readonly PerPart[] | Error => {
  const parts = (Array.isArray(value) ? value : [value]).map(part);
  const wrong = parts.find((p) => p instanceof Error);
  if (wrong !== undefined) return wrong;
  return parts.length > 0 ? (parts as PerPart[]) : new Error("is empty; name at least one, or leave it out to count for the whole workspace");
}).default(["tenant"]);

const decimal = custom((value): Decimal | Error => {
  const read = decimalOf(value);
  return read !== undefined && compare(read, { n: 0n, scale: 0 }) >= 0
    ? read
    : new Error(`must be a number, 0 or more (a decimal text such as "1250.50" is fine), not ${shown(value)}`);
});

const raise = shape({ risk: oneOf(TIERS).optional(), points: points.optional(), approvals: count.optional(), gate: oneOf(["hard"]).optional() });
const effect = { raise: raise.optional(), forbid: z.literal(true).optional() };

/** What a budget counts: one of sum, distinct and count. */
const measure = custom((value): Measure | Error => {
  const example = "such as { sum: /amount }, { distinct: /to } or { count: true }";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Error(`must be what is counted, ${example}, not ${shown(value)}`);
  const entries = Object.entries(value);
  const [kind, of] = entries[0] ?? [];
  const kinds = ["count", "sum", "distinct"] as const;
  for (const [name] of entries)
    if (!(kinds as readonly string[]).includes(name)) return new Error(`unknown measure ${shown(name)}${didYouMean(name, kinds) || `; use ${example}`}`);
  if (kind === undefined || entries.length > 1) return new Error(`takes one measure, not ${entries.length}; use ${example}`);
  if (kind === "count") return of === true ? { kind } : new Error(`count takes true, not ${shown(of)}`);
  const keys = typeof of === "string" && of !== "" ? pointerKeys(of) : undefined;
  return keys === undefined
    ? new Error(`${kind} takes a JSON Pointer such as /amount, not ${shown(of)}`)
    : { kind: kind as "sum" | "distinct", path: of as string };
});

/** What a budget counts. */
export type Measure = { readonly kind: "count" } | { readonly kind: "sum" | "distinct"; readonly path: string };

/** One budget: a limit on what many actions come to in a rolling window. */
export const budget = shape({
  id: identifier,
  action: actionNames,
  measure,
  per,
  window: duration,
  limits: z.array(shape({ above: decimal, because: text.optional(), ...effect })).min(1),
  because: text.optional(),
});

/** One rule on repetition: the same arguments (or the same values of some) again within a window. */
export const duplicate = shape({
  id: identifier,
  action: actionNames,
  by: z.array(pointer).min(1).optional(),
  per,
  window: duration,
  because: text.optional(),
  ...effect,
});

/** A budget as it stands in a document. */
export type BudgetContent = z.output<typeof budget>;

/** A rule on repetition as it stands in a document. */
export type DuplicateContent = z.output<typeof duplicate>;
