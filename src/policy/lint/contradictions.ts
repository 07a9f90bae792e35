import type { Json } from "../../events/canonical.ts";
import { type OpenRange, rangeOf, TYPES } from "../conditions/foregone.ts";
import { OPERATORS } from "../conditions/operators.ts";
import { reaches } from "../conditions/places.ts";
import { isGlob } from "../conditions/regex.ts";
import { type Bounds, boundsOf } from "../document/schema-bounds.ts";
import { declares } from "../document/schema-fields.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Condition, Leaf } from "../document/shape-condition.ts";
import { pointerKeys } from "../pointer.ts";
import { shown } from "../problems.ts";
import type { Found } from "./finding.ts";

/** Comparisons of one field that are all asked for and that no value passes: above 10 and below 5, or two different values. */
export function contradictions(content: PolicyContent, when: Condition, path: readonly PropertyKey[], name: string): Found[] {
  const parts = together(when);
  const actions = Object.entries(content.actions).filter(([action]) => parts.every((part) => reaches(part, action)));
  const open = parts.every((part) => (part.action ?? ["*"]).some(isGlob));
  const asked = new Map<string, Leaf[]>();
  for (const part of parts) for (const [pointer, leaf] of Object.entries(part.args ?? {})) asked.set(pointer, [...(asked.get(pointer) ?? []), leaf]);
  return [...asked].flatMap(([pointer, all]): Found[] => {
    const leaves = all.filter(({ operator }) => operator !== "exists");
    const keys = pointerKeys(pointer) ?? [];
    const schemas = [...actions.map(([, action]) => action.arguments as Json | undefined), ...(open ? [undefined] : [])];
    const bounds = schemas.filter((schema) => declares(schema, keys) !== "no").map((schema) => boundsOf(schema, keys));
    if (leaves.length < 2 || bounds.length === 0 || !bounds.every((one) => isEmpty(one, leaves))) return [];
    const text = leaves.map(({ operator, threshold }) => `${operator} ${shown(threshold)}`).join(" and ");
    const there = all.some(({ operator, threshold }) => operator === "exists" && threshold === true);
    const found = {
      code: "never-true",
      path,
      message: `${name} asks for ${pointer} ${text} at once: it never matches`,
      fix: "use any, or correct the thresholds",
    };
    if (bounds.every((one) => (one.required || there) && isAnswered(one, leaves))) return [found];
    // What is missing or of another type is unknown, and unknown raises: such a rule is not idle.
    return [
      {
        ...found,
        message: `${name} asks for ${pointer} ${text} at once: no value is both, so it matches only where ${pointer} is missing or of another type, which nobody knows`,
        fix: `use any, or correct the thresholds; if a missing ${pointer} is meant, say exists: false`,
      },
    ];
  });
}

/** A condition with everything that has to hold beside it. */
function together(when: Condition): Condition[] {
  return [when, ...(when.all ?? []).flatMap(together)];
}

/** Whether the comparisons together leave nothing, though each of them leaves something. */
function isEmpty({ allowed }: Bounds, leaves: readonly Leaf[]): boolean {
  if (allowed !== undefined) return refuse(leaves, allowed) && !leaves.some((leaf) => refuse([leaf], allowed));
  const exact = leaves.find(({ operator }) => operator === "is" || operator === "in");
  if (exact !== undefined) return refuse(leaves, valuesOf(exact));
  return [leaves.filter(isLength), leaves.filter((leaf) => !isLength(leaf))].some((some) => {
    const ranges = some.flatMap(({ operator, threshold }) => rangeOf(operator.replace(/^length_/, ""), threshold) ?? []);
    return ranges.some((range) => ranges.some((other) => isAbove(range, other)));
  });
}

function refuse(leaves: readonly Leaf[], values: readonly Json[]): boolean {
  const tests = leaves.map(({ operator, threshold }) => OPERATORS[operator]?.compile(threshold));
  return values.every((value) => tests.some((test) => test?.(value, { left: 100_000 }) === false));
}

const isLength = ({ operator }: Leaf): boolean => operator.startsWith("length_");

function isAbove(range: OpenRange, other: OpenRange): boolean {
  return range.low > other.high || (range.low === other.high && (range.openLow || other.openHigh));
}

function valuesOf({ operator, threshold }: Leaf): readonly Json[] {
  return (operator === "in" || operator === "not_in") && Array.isArray(threshold) ? threshold : [threshold];
}

/** Whether every value that the schema lets through has a type that each comparison can answer for. */
function isAnswered({ allowed, types }: Bounds, leaves: readonly Leaf[]): boolean {
  if (allowed !== undefined) return true;
  return types?.every((type) => leaves.every((leaf) => (TYPES[leaf.operator] ?? valuesOf(leaf).flatMap(typesOf)).includes(type))) === true;
}

function typesOf(value: Json): readonly string[] {
  if (value === null) return ["null"];
  return Array.isArray(value) ? ["array"] : typeof value === "number" ? ["number", "integer"] : [typeof value];
}
