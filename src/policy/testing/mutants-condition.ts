import type { Json } from "../../events/canonical.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import { fieldTypes } from "../document/schema-fields.ts";
import { pointerKeys } from "../pointer.ts";
import { shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { type Change, isRaw, type Raw, shifted } from "./change.ts";
import { celMutants } from "./mutants-cel.ts";
import { timeMutants } from "./mutants-time.ts";

/** An operator and the others that it is taken for. */
const CONFUSED: Readonly<Record<string, readonly string[]>> = {
  is: ["not"],
  not: ["is"],
  in: ["not_in"],
  not_in: ["in"],
  above: ["at_least", "below"],
  at_least: ["above", "below"],
  below: ["at_most", "above"],
  at_most: ["below", "above"],
  length_is: ["length_above", "length_below"],
  length_above: ["length_at_least", "length_below"],
  length_at_least: ["length_above", "length_below"],
  length_below: ["length_at_most", "length_above"],
  length_at_most: ["length_below", "length_above"],
  prefix: ["suffix"],
  suffix: ["prefix"],
};

const LEAF_GROUPS = ["args", "target", "agent", "origin", "run"];
const LEAVES = ["confidence", "confidence_source", "base_risk", "risk"];

/** Mistakes in one condition of a rule, a route or a grant. `outer`: the actions that it is about, as the conditions around it say. */
export function conditionMutants(document: Raw, when: Raw, path: readonly PropertyKey[], id: string, outer?: unknown): Change[] {
  const tools = when.action ?? outer;
  const out: Change[] = Array.isArray(when.action) && when.action.length > 1 ? when.action.map((tool, i) => toolDropped(tool, [...path, "action", i], id)) : [];
  for (const group of LEAF_GROUPS)
    for (const [key, leaf] of Object.entries(isRaw(when[group]) ? when[group] : {}))
      if (isRaw(leaf)) out.push(...leafMutants(leaf, [...path, group, key], id, group === "args" && onlyIntegers(document, tools, key)));
  for (const key of LEAVES) if (isRaw(when[key])) out.push(...leafMutants(when[key], [...path, key], id, false));
  if (isRaw(when.time)) out.push(...timeMutants(when.time, [...path, "time"], id));
  if (typeof when.cel === "string") out.push(...celMutants(when.cel, [...path, "cel"], id));
  if (Array.isArray(when.effects) && when.effects.length > 1)
    for (const [i, tag] of when.effects.entries())
      out.push({
        path: [...path, "effects", i],
        to: undefined,
        what: `${id} no longer concerns the effect ${shown(tag)}`,
        test: `${id}: a case whose action has only ${shown(tag)}`,
      });
  for (const key of ["time", "cel", "effects", "confidence_source"])
    if (when[key] !== undefined && Object.keys(when).length > 1)
      out.push({ path: [...path, key], to: undefined, what: `${id}: ${key} was dropped`, test: `${id}: a case in which only ${key} decides` });
  for (const word of ["all", "any"] as const) out.push(...partMutants(document, when, word, path, id, tools));
  if (!isRaw(when.not)) return out;
  const { not, ...rest } = when;
  const asserted = { ...rest, all: [not, ...(Array.isArray(when.all) ? when.all : [])] };
  out.push({ path, to: asserted, what: `${id}: not was dropped`, test: `a case on each side of the not in ${id}` });
  return [...out, ...conditionMutants(document, when.not, [...path, "not"], id, tools)];
}

function toolDropped(tool: unknown, path: readonly PropertyKey[], id: string): Change {
  return { path, to: undefined, what: `${id} no longer concerns ${shown(tool)}`, test: `${shown(tool)} in a case where ${id} matches` };
}

function partMutants(document: Raw, when: Raw, word: "all" | "any", path: readonly PropertyKey[], id: string, tools: unknown): Change[] {
  const parts = Array.isArray(when[word]) ? (when[word] as Raw[]) : [];
  const out = parts.flatMap((part, i) => conditionMutants(document, part, [...path, word, i], id, tools));
  if (parts.length < 2) return out;
  for (const i of parts.keys())
    out.push({
      path: [...path, word, i],
      to: undefined,
      what: `${id}: part ${i + 1} of ${word} was dropped`,
      test: `a case in which only part ${i + 1} of ${word} decides`,
    });
  const other = word === "all" ? "any" : "all";
  if (when[other] === undefined)
    out.push({
      path,
      to: { ...when, [word]: undefined, [other]: parts },
      what: `${id}: ${word} became ${other}`,
      test: `a case in which some parts of ${word} hold and others do not`,
    });
  return out;
}

function leafMutants(leaf: Raw, path: readonly PropertyKey[], id: string, whole: boolean): Change[] {
  const [operator, threshold] = Object.entries(leaf)[0] ?? [];
  if (operator === undefined) return [];
  const field = String(path.at(-1));
  const test = (what: string) => `${id}: a case ${what}`;
  const at = [...path, operator];
  const out: Change[] = (CONFUSED[operator] ?? []).map((other) => ({
    path,
    to: { [other]: threshold },
    what: `${field} ${operator} ${shown(threshold)} became ${other} ${shown(threshold)}`,
    test: test(`with ${field} exactly ${shown(threshold)}, and one on each side`),
  }));
  if (operator === "exists")
    out.push({ path, to: { exists: threshold !== true }, what: `${field} exists became ${threshold !== true}`, test: test(`with and one without ${field}`) });
  const tier = TIERS.indexOf(threshold as (typeof TIERS)[number]);
  if (LEAVES.includes(field) && tier >= 0)
    for (const other of [TIERS[tier - 1], TIERS[tier + 1]])
      if (other !== undefined)
        out.push({
          path: at,
          to: other,
          what: `${field} ${operator} ${threshold} became ${other}`,
          test: test(`with ${field} ${threshold}, and with its neighbours`),
        });
  if (typeof threshold === "number")
    out.push(...shifted(threshold, at, test(`with ${field} exactly ${threshold}, and one just beside it`), whole || operator.startsWith("length_")));
  if (typeof threshold === "boolean" && operator === "is") return out; // "not" has been tried
  if (Array.isArray(threshold)) out.push(...listMutants(threshold, at, field, operator, test, whole));
  if (operator === "matches" && typeof threshold === "string") out.push(...patternMutants(threshold, at, field, test));
  return out;
}

function listMutants(
  values: readonly unknown[],
  path: readonly PropertyKey[],
  field: string,
  operator: string,
  test: (what: string) => string,
  whole: boolean,
): Change[] {
  if (operator === "between")
    return values.flatMap((value, i) => shifted(value, [...path, i], test(`with ${field} exactly ${shown(value)}, and one just beside it`), whole));
  if (values.length < 2) return [];
  return values.map((value, i) => ({
    path: [...path, i],
    to: undefined,
    what: `${shown(value)} was dropped from ${field} ${operator}`,
    test: test(`with ${field} ${shown(value)}`),
  }));
}

/** A pattern that no longer ignores case, or lacks one of its alternatives. */
function patternMutants(pattern: string, path: readonly PropertyKey[], field: string, test: (what: string) => string): Change[] {
  const out: Change[] = [];
  if (pattern.startsWith("(?i)"))
    out.push({ path, to: pattern.slice(4), what: `${field}: the pattern no longer ignores case`, test: test(`with ${field} in capitals`) });
  for (const { start, end, text } of alternatives(pattern))
    out.push({
      path,
      to: pattern.slice(0, start) + pattern.slice(end),
      what: `${field}: the pattern no longer finds ${shown(text)}`,
      test: test(`with ${field} that has ${shown(text)}`),
    });
  return out;
}

/** The alternatives of a pattern, each with the bar that separates it from its neighbour. Groups inside stay whole, and are looked into as well. */
function alternatives(pattern: string): { start: number; end: number; text: string }[] {
  const out: { start: number; end: number; text: string }[] = [];
  const open: { start: number; bars: number[] }[] = [{ start: pattern.startsWith("(?i)") ? 4 : 0, bars: [] }];
  let set = false;
  const close = (end: number) => {
    const group = open.pop();
    if (group === undefined || group.bars.length === 0) return;
    const edges = [group.start - 1, ...group.bars, end];
    for (let i = 0; i + 1 < edges.length; i++) {
      const [from, to] = [(edges[i] as number) + 1, edges[i + 1] as number];
      out.push({ start: i === 0 ? from : from - 1, end: i === 0 ? to + 1 : to, text: pattern.slice(from, to) });
    }
  };
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === "\\") i++;
    else if (set) set = c !== "]";
    else if (c === "[") set = true;
    else if (c === "(") {
      const flags = /^\(\?[a-zA-Z<:!=>]*[:>]/.exec(pattern.slice(i))?.[0].length ?? 1;
      open.push({ start: i + flags, bars: [] });
    } else if (c === "|") open.at(-1)?.bars.push(i);
    else if (c === ")") close(i);
  }
  while (open.length > 0) close(pattern.length);
  return out;
}

/** Whether every action that a condition is about declares the argument as a whole number: 25.25 is then the same threshold as 25. */
function onlyIntegers(document: Raw, tools: unknown, pointer: string): boolean {
  const names = (Array.isArray(tools) ? tools : [tools]).filter((name): name is string => typeof name === "string");
  const reached = Object.entries(isRaw(document.actions) ? document.actions : {}).filter(
    ([name]) => names.length === 0 || names.some((wanted) => wanted === name || (isGlob(wanted) && glob(wanted)(name) === true)),
  );
  const types = reached.flatMap(([, action]) => fieldTypes((isRaw(action) ? action.arguments : undefined) as Json | undefined, pointerKeys(pointer) ?? []));
  return types.length > 0 && types.every((type) => type === "integer");
}
