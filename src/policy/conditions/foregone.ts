import type { Json } from "../../events/canonical.ts";
import { type Bounds, boundsOf, type Range } from "../document/schema-bounds.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Leaf } from "../document/shape-condition.ts";
import { pointerKeys } from "../pointer.ts";
import { shown } from "../problems.ts";
import { OPERATORS } from "./operators.ts";

/** Types of a schema that an operator can answer for; those that are not here take a value of any type. */
export const TYPES: Readonly<Record<string, readonly string[]>> = {
  above: ["number", "integer"],
  at_least: ["number", "integer"],
  below: ["number", "integer"],
  at_most: ["number", "integer"],
  between: ["number", "integer"],
  contains: ["string", "array"],
  prefix: ["string"],
  suffix: ["string"],
  glob: ["string"],
  matches: ["string"],
  domain_in: ["string", "array"],
  length_is: ["string", "array"],
  length_above: ["string", "array"],
  length_at_least: ["string", "array"],
  length_below: ["string", "array"],
  length_at_most: ["string", "array"],
};

/** A comparison of an argument, with where it stands. */
export interface Spot extends Leaf {
  readonly pointer: string;
  readonly path: readonly PropertyKey[];
  readonly negated: boolean;
  /** Actions of the catalogue that it is about. */
  readonly actions: readonly string[];
  /** Whether it is about tools that the catalogue does not name as well: nothing is known of their arguments. */
  readonly open: boolean;
}

/** What a comparison comes to for every value that the schema lets through, with the reason. */
export interface Foregone {
  /** Always, or never. */
  readonly holds: boolean;
  readonly reason: string;
  /** Whether the field may be missing: what is missing is unknown, which raises. */
  readonly optional: boolean;
}

/** undefined: it depends. */
export function foregone(content: PolicyContent, spot: Spot): Foregone | undefined {
  if (spot.open) return undefined;
  const verdicts = spot.actions.map((name) =>
    foregoneFor(boundsOf(content.actions[name]?.arguments as Json | undefined, pointerKeys(spot.pointer) ?? []), spot),
  );
  const [first] = verdicts;
  if (first === undefined || !verdicts.every((verdict) => verdict?.holds === first.holds)) return undefined;
  return { ...first, optional: verdicts.some((verdict) => verdict?.optional) };
}

function foregoneFor(bounds: Bounds, { operator, threshold }: Spot): Foregone | undefined {
  const { required, allowed } = bounds;
  if (operator === "exists") return required ? { holds: threshold === true, reason: "the schema requires it", optional: false } : undefined;
  const known = allowed === undefined ? byRange(bounds, operator, threshold) : byValues(allowed, operator, threshold);
  // Where the field is missing nobody knows, so it is not "always".
  return known === undefined || (known.holds && !required) ? undefined : { ...known, optional: !required };
}

type Known = Omit<Foregone, "optional">;

/** Each value that may be there is tried. */
function byValues(allowed: readonly Json[], operator: string, threshold: Json): Known | undefined {
  const test = OPERATORS[operator]?.compile(threshold);
  const results = allowed.map((value) => test?.(value, { left: 100_000 }));
  if (results.length > 0 && results.every((result) => result === false))
    return { holds: false, reason: `the schema allows only ${allowed.map(shown).join(", ")}` };
  return results.length > 0 && results.every((result) => result === true) ? { holds: true, reason: "the schema allows nothing else" } : undefined;
}

function byRange(bounds: Bounds, operator: string, threshold: Json): Known | undefined {
  const long = operator.startsWith("length_");
  const range = long ? lengths(bounds) : bounds.types?.every((type) => type === "number" || type === "integer") ? bounds.value : undefined;
  const wanted = rangeOf(long ? operator.slice("length_".length) : operator, threshold);
  if (range === undefined || wanted === undefined || range.low > range.high) return undefined;
  const least = `the schema asks for at least ${range.low}`;
  const most = `the schema allows at most ${range.high}`;
  if (wanted.low > range.high || (wanted.low === range.high && wanted.openLow)) return { holds: false, reason: most };
  if (wanted.high < range.low || (wanted.high === range.low && wanted.openHigh)) return { holds: false, reason: least };
  const above = range.low > wanted.low || (range.low === wanted.low && !wanted.openLow);
  const below = range.high < wanted.high || (range.high === wanted.high && !wanted.openHigh);
  return above && below
    ? { holds: true, reason: Number.isFinite(wanted.low) ? (Number.isFinite(wanted.high) ? `${least} and at most ${range.high}` : least) : most }
    : undefined;
}

/** How long the values are, where they are texts and lists only. */
function lengths({ types, length, items }: Bounds): Range | undefined {
  if (types === undefined || types.length === 0 || types.some((type) => type !== "string" && type !== "array")) return undefined;
  const ranges = types.map((type) => (type === "string" ? length : items));
  return { low: Math.min(...ranges.map(({ low }) => low)), high: Math.max(...ranges.map(({ high }) => high)) };
}

/** Numbers for which a comparison holds; undefined where they are no range. */
export interface OpenRange extends Range {
  readonly openLow: boolean;
  readonly openHigh: boolean;
}

/** The range of a comparison of numbers. */
export function rangeOf(operator: string, threshold: Json): OpenRange | undefined {
  const range = (low: Json | undefined, high: Json | undefined, openLow = false, openHigh = false) =>
    typeof low === "number" && typeof high === "number" ? { low, high, openLow, openHigh } : undefined;
  const [from, to] = Array.isArray(threshold) ? threshold : [];
  switch (operator) {
    case "above":
      return range(threshold, Number.POSITIVE_INFINITY, true);
    case "at_least":
      return range(threshold, Number.POSITIVE_INFINITY);
    case "below":
      return range(Number.NEGATIVE_INFINITY, threshold, false, true);
    case "at_most":
      return range(Number.NEGATIVE_INFINITY, threshold);
    case "is":
      return range(threshold, threshold);
    case "between":
      return range(from, to);
    default:
      return undefined;
  }
}
