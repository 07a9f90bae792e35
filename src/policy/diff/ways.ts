import { canonicalize, type Json } from "../../events/canonical.ts";
import { OPERATORS } from "../conditions/operators.ts";
import { reaches } from "../conditions/places.ts";
import { MAX_REGEX_STEPS } from "../conditions/regex.ts";
import { compileCalendar, compileTimeWindow } from "../conditions/time-window.ts";
import type { LoadedPolicy } from "../document/loaded.ts";
import type { PolicyContent } from "../document/shape.ts";
import { type Condition, type Leaf, RUN_FIELDS } from "../document/shape-condition.ts";
import type { TimeContent } from "../document/shape-time.ts";
import { pointerKeys } from "../pointer.ts";
import { DEFAULT_AT } from "../testing/input.ts";
import { partsOf } from "./tools.ts";
import { leafValues, type Values } from "./values.ts";

/** A part of a proposal: a path into what a case describes. */
export interface Dimension {
  readonly path: readonly string[];
  readonly values: Values;
}

/** One value for each dimension. */
export type Choice = readonly (Json | undefined)[];

/** One comparison, and whether it is to hold. */
interface Literal {
  readonly holds: boolean;
  readonly path: readonly string[];
  readonly of: { readonly leaf: Leaf } | { readonly time: TimeContent };
}

/** Comparisons that together make a condition hold. */
type Way = readonly Literal[];

/** Most ways of one condition, and most rules of which every selection is tried together. */
const MOST_WAYS = 32;
const MOST_TOGETHER = 5;

/** Conditions on a tool, each with the text of what it belongs to and the points that it adds. */
export function conditionsOf(content: PolicyContent, tool: string): { when: Condition; text: string; points: number }[] {
  const parts = [...content.rules, ...content.floors, ...content.routes, ...content.grants];
  return parts.flatMap((part) =>
    part.when !== undefined && reaches(part.when, tool)
      ? [
          {
            when: part.when,
            text: JSON.stringify(part, (_, value) => (typeof value === "bigint" ? String(value) : value)),
            points: "raise" in part ? (part.raise?.points ?? 0) : 0,
          },
        ]
      : [],
  );
}

/** Every comparison of a condition that a case can answer, with its path in the case. */
export function walk(when: Condition, see: (path: readonly string[], leaf: Leaf) => void): void {
  for (const { path, leaf } of ownLeaves(when)) see(path, leaf);
  for (const part of partsOf(when)) walk(part, see);
}

function ownLeaves(when: Condition): { path: readonly string[]; leaf: Leaf }[] {
  const of = (group: object | undefined, path: (key: string) => readonly string[]) =>
    Object.entries((group ?? {}) as Readonly<Record<string, Leaf | undefined>>).flatMap(([key, leaf]) => (leaf ? [{ path: path(key), leaf }] : []));
  return [
    ...(["args", "target"] as const).flatMap((group) => of(when[group], (key) => [group, ...(pointerKeys(key) ?? [])])),
    ...(["agent", "origin"] as const).flatMap((group) => of(when[group], (key) => [group, key])),
    ...of(when.run, (key) => ["run", key]).filter(({ path }) => (RUN_FIELDS as readonly (string | undefined)[]).includes(path[1])),
    ...of({ confidence: when.confidence, confidence_source: when.confidence_source }, (key) => [key]),
  ];
}

/**
 * Choices under which conditions hold: first each condition in each of its ways, those that only one of the documents has first, then the
 * conditions of rules whose points add up, since a threshold of the score may lie where only several of them reach it.
 */
export function matching(policies: readonly LoadedPolicy[], tool: string, dimensions: readonly Dimension[], base: Choice): Choice[] {
  const all = policies.flatMap((policy) => conditionsOf(policy.document.content, tool).map((condition) => ({ ...condition, policy })));
  const known = new Map<string, number>();
  for (const { text } of all) known.set(text, (known.get(text) ?? 0) + 1);
  const sorted = [...all].sort((a, b) => (known.get(a.text) ?? 0) - (known.get(b.text) ?? 0));
  const first = new Map(sorted.map((condition) => [condition.text, condition] as const).reverse());
  const alone = [...first.values()].reverse();
  const together = policies.flatMap((policy) => {
    const adding = all.filter((one) => one.policy === policy && one.points > 0).map(({ when }) => when);
    return selections(adding).map((conditions) => ({ when: { all: conditions }, policy }));
  });
  return [...alone, ...together].flatMap(({ when, policy }) => waysOf(when, true).map((way) => chosenBy(way, policy.document.content, dimensions, base)));
}

/** Selections of two and more, the largest first; of many only all, all but one, and pairs. */
function selections<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [];
  const butOne = list.length < 3 ? [] : list.map((_, i) => list.filter((__, k) => k !== i));
  if (list.length > MOST_TOGETHER) return [[...list], ...butOne, ...list.flatMap((a, i) => list.slice(i + 1).map((b) => [a, b]))].slice(0, MOST_WAYS * 2);
  const every = list.reduce<T[][]>((sets, one) => sets.flatMap((set) => [set.concat([one]), set]), [[]]);
  return every.filter((set) => set.length > 1).sort((a, b) => b.length - a.length);
}

/** How a condition may come to hold, or not to hold: one alternative of each `any`, and of an `all` under a `not`. */
function waysOf(when: Condition, holds: boolean): Way[] {
  const literals: Literal[] = [
    ...ownLeaves(when).map(({ path, leaf }) => ({ holds, path, of: { leaf } })),
    ...(when.time === undefined ? [] : [{ holds, path: ["at"], of: { time: when.time } }]),
  ];
  const parts: Way[][] = [
    ...literals.map((literal) => [[literal]]),
    ...(when.all ?? []).map((part) => waysOf(part, holds)),
    ...(when.any === undefined ? [] : [holds ? either(when.any.map((part) => waysOf(part, true))) : both(when.any.map((part) => waysOf(part, false)))]),
    ...(when.not === undefined ? [] : [waysOf(when.not, !holds)]),
  ];
  // What no case can choose (a risk, CEL, the action) keeps its condition from holding, or does not; nothing is set for it.
  return holds || parts.length === 0 ? both(parts) : either(parts);
}

function both(parts: readonly Way[][]): Way[] {
  return parts.reduce<Way[]>((ways, part) => ways.flatMap((way) => part.map((more) => [...way, ...more])).slice(0, MOST_WAYS), [[]]);
}

function either(parts: readonly Way[][]): Way[] {
  // In turn, so that no alternative is cut off for the many ways of the one before it.
  const most = Math.max(0, ...parts.map((part) => part.length));
  return Array.from({ length: most }, (_, i) => parts.flatMap((part) => part.slice(i, i + 1)))
    .flat()
    .slice(0, MOST_WAYS);
}

/** The choice in which the comparisons turn out as they are to; the rest is as it was. */
function chosenBy(way: Way, content: PolicyContent, dimensions: readonly Dimension[], base: Choice): Choice {
  const calendar = compileCalendar(content.calendar);
  return dimensions.map((dimension, i) => {
    const literals = way.filter(({ path }) => path.length === dimension.path.length && path.every((key, k) => key === dimension.path[k]));
    if (literals.length === 0) return base[i];
    const tests = literals.map(({ of, holds }) => {
      const test = "time" in of ? timeTest(of.time, calendar) : leafTest(of.leaf);
      return (value: Json | undefined) => test(value) === holds;
    });
    const wanted = literals.flatMap(({ of, holds }) => ("leaf" in of && holds ? leafValues(of.leaf) : []));
    // What is to hold is shown by a value of its own comparison, what is not to hold best by the ordinary value.
    const values = wanted.length > 0 ? [...wanted, ...dimension.values] : [base[i], ...dimension.values];
    const fits = values.filter((value) => tests.every((test) => test(value)));
    return fits.length > 0 ? likely(dimension, fits) : base[i];
  });
}

function leafTest({ operator, threshold }: Leaf): (value: Json | undefined) => boolean | undefined {
  if (operator === "exists") return (value) => (value !== undefined) === threshold;
  const test = OPERATORS[operator]?.compile(threshold);
  return (value) => (value === undefined ? undefined : test?.(value, { left: MAX_REGEX_STEPS }));
}

function timeTest(time: TimeContent, calendar: ReturnType<typeof compileCalendar>): (value: Json | undefined) => boolean {
  const inside = compileTimeWindow({ zone: "UTC", ...time }, calendar);
  return (at) => inside(typeof at === "number" ? at : DEFAULT_AT);
}

/** Of values that fit, one of the type that the ordinary one has, else one that the dimension knows. */
function likely({ values }: Dimension, fits: Values): Json | undefined {
  const type = typeof values[0];
  return fits.find((value) => typeof value === type) ?? fits.find((value) => values.some((known) => same(known, value))) ?? fits[0];
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && canonicalize(a) === canonicalize(b));
}
