import { reaches } from "../conditions/places.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import { toolOf } from "./around.ts";

/** Most pairs of globs of which a name is sought that both find. */
const MOST_PAIRS = 5000;

/** Tools that the catalogues describe: for a glob a name that it finds, for two globs one that both find, and a tool that nobody describes. */
export function describedTools(contents: readonly PolicyContent[]): string[] {
  return namesIn(contents.flatMap(({ actions }) => Object.keys(actions)));
}

/** Tools that anything in documents speaks of, the catalogue or a rule, however deep in its condition; each is found by other entries than the rest. */
export function toolsOf(contents: readonly PolicyContent[]): string[] {
  return namesIn(
    contents.flatMap(({ actions, rules, floors, grants, routes, budgets, duplicates }) => [
      ...Object.keys(actions),
      ...[...rules, ...floors, ...grants, ...routes].flatMap(({ when }) => actionsIn(when)),
      ...[...budgets, ...duplicates].flatMap(({ action }) => action),
    ]),
  );
}

/** What a document says that concerns a tool, as text: where two documents say the same of it, they judge it the same. */
export function saidOf({ actions, rules, floors, grants, routes, budgets, duplicates, publish: _, version: __, ...rest }: PolicyContent, tool: string): string {
  const about = <T extends { when?: Condition | undefined }>(list: readonly T[]) => list.filter(({ when }) => reaches(when, tool));
  const counting = <T extends { action: readonly string[] }>(list: readonly T[]) => list.filter(({ action }) => reaches({ action }, tool));
  return JSON.stringify(
    [
      ...[rest, Object.entries(actions).filter(([name]) => reaches({ action: [name] }, tool))],
      ...[about(rules), about(floors), about(grants), about(routes), counting(budgets), counting(duplicates)],
    ],
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
}

/** Every condition that stands directly in a condition. */
export function partsOf(when: Condition): Condition[] {
  return [...(when.all ?? []), ...(when.any ?? []), ...(when.not === undefined ? [] : [when.not])];
}

function actionsIn(when: Condition | undefined): string[] {
  return when === undefined ? [] : [...(when.action ?? []), ...partsOf(when).flatMap(actionsIn)];
}

/** The names themselves, and names for the globs. Of names that the same globs find one is enough. */
function namesIn(patterns: readonly string[]): string[] {
  const globs = [...new Set(patterns)].filter(isGlob);
  const exact = new Set(patterns.filter((name) => !isGlob(name)));
  const pairs = globs.flatMap((a, i) => globs.slice(i + 1).map((b) => [a, b] as const)).slice(0, MOST_PAIRS);
  const samples = [
    // The first name of a glob may be one that has an entry of its own, which then counts instead.
    ...globs.flatMap((name) => [toolOf(name), toolOf(name, "y")]),
    "a_tool_that_nobody_describes",
    ...pairs.flatMap(([a, b]) => nameOfBoth(a, b) || []),
  ];
  const finds = globs.map(glob);
  const seen = new Set<string>();
  const others = samples.filter((name) => {
    const found = finds.map((find) => (find(name) === true ? "1" : "0")).join("");
    return !exact.has(name) && !seen.has(found) && seen.add(found);
  });
  return [...exact, ...others];
}

/** A name that two globs both find; undefined where there is none. */
export function nameOfBoth(a: string, b: string): string | undefined {
  const [left, right] = [[...a], [...b]];
  // Places that lead nowhere: without them two globs of many stars would take forever.
  const dead = new Set<number>();
  const from = (i: number, j: number): string | undefined => {
    const [x, y] = [left[i], right[j]];
    if (x === undefined && y === undefined) return "";
    const place = i * (right.length + 1) + j;
    if (dead.has(place)) return undefined;
    const next = (char: string, di: number, dj: number) => {
      const rest = from(i + di, j + dj);
      return rest === undefined ? undefined : char + rest;
    };
    const found =
      (x === "*" ? next("", 1, 0) : undefined) ??
      (y === "*" ? next("", 0, 1) : undefined) ??
      (x === "*" && y !== undefined && y !== "*" ? next(letter(y), 0, 1) : undefined) ??
      (y === "*" && x !== undefined && x !== "*" ? next(letter(x), 1, 0) : undefined) ??
      (x !== "*" && y !== "*" && x !== undefined && y !== undefined && (x === y || x === "?" || y === "?") ? next(letter(x === "?" ? y : x), 1, 1) : undefined);
    if (found === undefined) dead.add(place);
    return found;
  };
  return from(0, 0);
}

function letter(char: string): string {
  return char === "?" ? "x" : char;
}
