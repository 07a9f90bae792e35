import { canonicalize, type Json } from "../events/canonical.ts";
import { decimalText } from "./decimal.ts";
import { reaches } from "./lint-conditions.ts";
import type { LoadedPolicy } from "./loaded.ts";
import { pointerKeys } from "./pointer.ts";
import { regexSamples } from "./regex-samples.ts";
import { fieldSchemas, requiredNames } from "./schema-fields.ts";
import type { PolicyContent } from "./shape.ts";
import type { Condition, Leaf } from "./shape-condition.ts";
import type { Described } from "./testing/input.ts";

/** Values that one part of a proposal may take; undefined: it is not there. The first is the ordinary one. */
type Values = (Json | undefined)[];

/** A part of a proposal: a path into what a case describes. */
interface Dimension {
  readonly path: readonly string[];
  readonly values: Values;
}

/** Most proposals that are tried for one action. */
const MOST = 6000;

/** Tools that documents speak of; for a glob one name that it finds, and one tool that nobody describes. */
export function toolsOf(contents: readonly PolicyContent[]): string[] {
  const names = contents.flatMap((content) => Object.keys(content.actions).map((name) => name.replaceAll("*", "x").replaceAll("?", "x")));
  return [...new Set([...names, "a_tool_that_nobody_describes"])];
}

/**
 * Proposals at the edges of what documents say of a tool: beside each threshold, in and out of each set, with each pattern found and not,
 * fields missing and of another type, confidence around each step, evidence left out, budgets used up. First one change from an ordinary
 * proposal at a time, then two, then each rule's whole condition.
 */
export function* edgeInputs(policies: readonly LoadedPolicy[], tool: string): Generator<Described> {
  const dimensions = dimensionsOf(policies, tool);
  const base = dimensions.map(({ values }) => values[0]);
  const build = (chosen: readonly (Json | undefined)[]): Described => describedOf(tool, dimensions, chosen);
  const without = dimensions.map(({ path, values }, i) =>
    path[0] === "args" && isRequired(policies, tool, path) ? base[i] : values.includes(undefined) ? undefined : base[i],
  );
  const starts = [base, without];
  let count = 0;
  for (const start of starts) {
    yield build(start);
    for (const [i, { values }] of dimensions.entries()) for (const value of values) yield build(start.map((old, k) => (k === i ? value : old)));
  }
  // Conditions with several parts hold only where all of them do.
  for (const chosen of matching(policies, tool, dimensions, base)) {
    yield build(chosen);
    for (const [i, { values }] of dimensions.entries())
      for (const value of values) {
        if (++count > MOST) return;
        yield build(chosen.map((old, k) => (k === i ? value : old)));
      }
  }
  for (const [i, one] of dimensions.entries())
    for (const [j, other] of dimensions.entries())
      if (j > i)
        for (const value of one.values)
          for (const second of other.values) {
            if (++count > MOST) return;
            yield build(base.map((old, k) => (k === i ? value : k === j ? second : old)));
          }
}

function isRequired(policies: readonly LoadedPolicy[], tool: string, path: readonly string[]): boolean {
  return path.length === 2 && policies.some((policy) => schemasOf(policy, tool).some((schema) => requiredNames(schema).includes(path[1] as string)));
}

function schemasOf({ document: { content } }: LoadedPolicy, tool: string): (Json | undefined)[] {
  return Object.entries(content.actions).flatMap(([name, action]) => (reaches({ action: [name] }, tool) ? [action.arguments as Json | undefined] : []));
}

function dimensionsOf(policies: readonly LoadedPolicy[], tool: string): Dimension[] {
  const found = new Map<string, Dimension>();
  const add = (path: readonly string[], values: Values) => {
    const key = path.join("\0");
    found.set(key, { path, values: unique([...(found.get(key)?.values ?? []), ...values]) });
  };
  for (const policy of policies)
    for (const schema of schemasOf(policy, tool)) for (const name of topNames(schema)) add(["args", name], sampleValues(schema, [name]));
  for (const policy of policies) {
    const { content } = policy.document;
    for (const when of conditionsOf(content, tool))
      walk(when, (group, key, leaf) => {
        const path = group === "args" || group === "target" ? [group, ...(pointerKeys(key) ?? [])] : key === "" ? [group] : [group, key];
        const schemas = group === "args" ? schemasOf(policy, tool).flatMap((schema) => sampleValues(schema, pointerKeys(key) ?? [])) : [];
        // An ordinary proposal is one that no rule is about: of the state around it, the side that does not match comes first.
        add(path, group === "args" ? [...schemas, ...leafValues(leaf), undefined] : [...leafValues(leaf).reverse(), undefined]);
      });
    add(
      ["confidence"],
      [0.99, ...(content.confidence ?? [{ below: 0.7 }, { below: 0.85 }]).flatMap(({ below }) => [below, below - 0.0001].filter((c) => c >= 0)), undefined],
    );
    for (const [name, action] of Object.entries(content.actions)) {
      if (!reaches({ action: [name] }, tool)) continue;
      if (action.gate?.below_confidence !== undefined) add(["confidence"], [action.gate.below_confidence, Math.max(0, action.gate.below_confidence - 0.0001)]);
      const labels = [...(content.require?.evidence ?? []), ...(action.require?.evidence ?? [])];
      if (labels.length > 0) add(["evidence"], [labels, ...labels.map((label) => labels.filter((other) => other !== label)), []]);
    }
    for (const budget of content.budgets)
      if (reaches({ action: budget.action }, tool)) {
        add(
          ["budgets", budget.id],
          [
            "0",
            ...budget.limits.flatMap(({ above }) => [
              decimalText(above),
              String(Math.max(0, Number(decimalText(above)) - 1)),
              `${Number(decimalText(above)) + 1}`,
            ]),
          ],
        );
        if (budget.measure.kind !== "count")
          add(
            ["args", ...(pointerKeys(budget.measure.path) ?? [])],
            [1, ...budget.limits.flatMap(({ above }) => [Number(decimalText(above)), Number(decimalText(above)) + 1])],
          );
      }
    for (const duplicate of content.duplicates) if (reaches({ action: duplicate.action }, tool)) add(["budgets", duplicate.id], ["0", "1"]);
  }
  return [...found.values()].sort((a, b) => a.path.length - b.path.length);
}

function conditionsOf(content: PolicyContent, tool: string): Condition[] {
  return [...content.rules, ...content.floors, ...content.routes].flatMap(({ when }) => (when !== undefined && reaches(when, tool) ? [when] : []));
}

function walk(when: Condition, see: (group: string, key: string, leaf: Leaf) => void): void {
  for (const group of ["args", "target", "agent", "origin", "run"] as const) {
    const leaves = (when as Readonly<Record<string, Readonly<Record<string, Leaf | undefined>> | undefined>>)[group];
    for (const [key, leaf] of Object.entries(leaves ?? {})) if (leaf?.operator !== undefined) see(group, key, leaf);
  }
  if (when.confidence !== undefined) see("confidence", "", when.confidence);
  for (const part of [...(when.all ?? []), ...(when.any ?? []), ...(when.not === undefined ? [] : [when.not])]) walk(part, see);
}

/** Values on both sides of a comparison. The first satisfies it where that can be told. */
function leafValues({ operator, threshold }: Leaf): Values {
  const numbers = (n: number): Values =>
    operator.startsWith("below") || operator.endsWith("_most") ? [n - 1, n, n + 1, n - 0.01, n + 0.01] : [n + 1, n, n - 1, n + 0.01, n - 0.01];
  if (operator.startsWith("length_") && typeof threshold === "number")
    return [threshold + 1, threshold, threshold - 1]
      .filter((n) => n >= 0 && n <= 2000)
      .flatMap((n): Values => ["x".repeat(n), Array.from({ length: n }, (_, i) => `x${i}`)]);
  if (typeof threshold === "number") return numbers(threshold);
  if (operator === "exists") return ["x", 1, true, undefined];
  if (operator === "matches" && typeof threshold === "string")
    return [...regexSamples(threshold), ...regexSamples(threshold).map((text) => text.toUpperCase()), "nothing of the kind"];
  if (operator === "glob" && typeof threshold === "string") return [threshold.replaceAll("*", "x").replaceAll("?", "x"), "nothing of the kind"];
  if (operator === "prefix" || operator === "suffix" || operator === "contains")
    return [threshold, `${String(threshold)}x`, `x${String(threshold)}`, "nothing of the kind"];
  if (operator === "domain_in") return [...(threshold as string[]).map((domain) => `ann@${domain.replace("*", "mail")}`), "ann@elsewhere.test", "no address"];
  if (operator === "between") return (threshold as number[]).flatMap(numbers);
  const values = Array.isArray(threshold) && (operator === "in" || operator === "not_in") ? threshold : [threshold];
  return [...values, ...values.map((value) => (typeof value === "boolean" ? !value : typeof value === "string" ? `not ${value}` : 0))];
}

function topNames(schema: Json | undefined): string[] {
  return [
    ...new Set(fieldSchemas(schema, []).flatMap(({ properties }) => (typeof properties === "object" && properties !== null ? Object.keys(properties) : []))),
  ];
}

/** Values that a schema lets a field have, an ordinary one first. */
function sampleValues(schema: Json | undefined, keys: readonly string[]): Values {
  const required = keys.length === 1 && requiredNames(schema).includes(keys[0] as string);
  const values = fieldSchemas(schema, keys).flatMap((part): Values => {
    if (Array.isArray(part.enum)) return part.enum;
    if (part.const !== undefined) return [part.const];
    const type = Array.isArray(part.type) ? part.type[0] : part.type;
    if (type === "integer" || type === "number") {
      const low =
        typeof part.minimum === "number"
          ? part.minimum
          : typeof part.exclusiveMinimum === "number"
            ? part.exclusiveMinimum + (type === "integer" ? 1 : 0.01)
            : 1;
      return typeof part.maximum === "number" ? [low, part.maximum] : [low, low + 1_000_000];
    }
    if (type === "boolean") return [false, true];
    if (type === "array") return [Array.from({ length: typeof part.minItems === "number" ? part.minItems : 1 }, (_, i) => `x${i}`)];
    if (type === "object") return [sampleObject(schema, keys)];
    return [textFor(part)];
  });
  return required ? values : [...values, undefined];
}

function sampleObject(schema: Json | undefined, keys: readonly string[]): Json {
  const names = requiredNames(schema, keys);
  const [first] = fieldSchemas(schema, keys).flatMap(({ properties }) =>
    typeof properties === "object" && properties !== null ? Object.keys(properties) : [],
  );
  const chosen = names.length > 0 ? names : first === undefined ? [] : [first];
  return Object.fromEntries(chosen.map((name) => [name, sampleValues(schema, [...keys, name])[0] ?? "x"]));
}

function textFor(part: { readonly [key: string]: Json }): string {
  if (typeof part.pattern === "string") return regexSamples(part.pattern)[0] ?? "x";
  const formats: Readonly<Record<string, string>> = {
    email: "ann@example.com",
    date: "2026-01-06",
    "date-time": "2026-01-06T10:00:00Z",
    uri: "https://example.com/",
    uuid: "01890a5d-ac96-774b-bcce-b302099a8057",
  };
  const text = formats[String(part.format)] ?? "text";
  return typeof part.minLength === "number" && part.minLength > text.length ? text.padEnd(part.minLength, "x") : text;
}

/** For each condition a choice of values under which it may hold: every comparison takes a value that satisfies it. */
function* matching(
  policies: readonly LoadedPolicy[],
  tool: string,
  dimensions: readonly Dimension[],
  base: readonly (Json | undefined)[],
): Generator<(Json | undefined)[]> {
  for (const { document } of policies)
    for (const when of conditionsOf(document.content, tool))
      for (const part of [when, ...(when.any ?? [])]) {
        const chosen = [...base];
        walk({ ...part, ...(part === when && { any: undefined }) }, (group, key, leaf) => {
          const path = group === "args" || group === "target" ? [group, ...(pointerKeys(key) ?? [])] : key === "" ? [group] : [group, key];
          const index = dimensions.findIndex((dimension) => dimension.path.join("\0") === path.join("\0"));
          if (index >= 0)
            chosen[index] = leaf.operator === "exists" && leaf.threshold === false ? undefined : fitting(dimensions[index] as Dimension, leafValues(leaf));
        });
        yield chosen;
      }
}

/** Of the values of a comparison the first that has the type of the field. */
function fitting({ values }: Dimension, wanted: Values): Json | undefined {
  const types = new Set(values.slice(0, 1).map((value) => typeof value));
  return wanted.find((value) => types.has(typeof value)) ?? wanted[0];
}

function describedOf(tool: string, dimensions: readonly Dimension[], chosen: readonly (Json | undefined)[]): Described {
  const out: { [key: string]: unknown } = { ask: "review", action: tool, args: {} };
  for (const [i, { path }] of dimensions.entries()) if (chosen[i] !== undefined) set(out, path, chosen[i]);
  return out as unknown as Described;
}

function set(root: { [key: string]: unknown }, path: readonly string[], value: Json | undefined): void {
  let at: { [key: string]: unknown } = root;
  for (const [i, key] of path.entries()) {
    if (i === path.length - 1) at[key] = value;
    else {
      const next = at[key];
      // Values are shared between proposals: what is written into is a copy.
      const copy = Array.isArray(next) ? [...next] : typeof next === "object" && next !== null ? { ...next } : /^\d+$/.test(path[i + 1] as string) ? [] : {};
      at[key] = copy;
      at = copy as unknown as { [key: string]: unknown };
    }
  }
}

function unique(values: Values): Values {
  const seen = new Set<string>();
  return values.filter((value) => {
    const key = value === undefined ? "undefined" : canonicalize(value);
    const known = seen.has(key);
    seen.add(key);
    return !known;
  });
}
