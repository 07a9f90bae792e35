import type { Json } from "../../events/canonical.ts";
import { decimalText } from "../../events/decimal.ts";
import { reaches } from "../conditions/places.ts";
import type { LoadedPolicy } from "../document/loaded.ts";
import { fieldSchemas, requiredNames } from "../document/schema-fields.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import { pointerKeys } from "../pointer.ts";
import type { Described } from "../testing/input.ts";
import { type Before, earlierOf, timeEdges, usedBefore } from "./around.ts";
import { schemaEdges } from "./schema.ts";
import { partsOf } from "./tools.ts";
import { calmValue, celValues, fitting, leafValues, sampleValues, topNames, unique, type Values } from "./values.ts";
import { type Choice, conditionsOf, type Dimension, matching, walk } from "./ways.ts";

/** Most proposals that are tried for one action. */
const MOST = 6000;

/**
 * Proposals at the edges of what documents say of a tool: beside each threshold, in and out of each set, with each pattern found and not,
 * fields missing and of another type, confidence around each step, evidence left out, times beside each window, budgets and grants used up
 * within their window and before it. First one change from an ordinary proposal at a time, then around each condition, those that changed
 * first, then two changes.
 */
export function* edgeInputs(policies: readonly LoadedPolicy[], tool: string): Generator<Described> {
  const dimensions = dimensionsOf(policies, tool);
  const base = dimensions.map(({ values }) => values[0]);
  const without = dimensions.map(({ path, values }, i) =>
    path[0] === "args" && isRequired(policies, tool, path) ? base[i] : values.includes(undefined) ? undefined : base[i],
  );
  let count = 0;
  for (const start of [base, without]) {
    yield describedOf(tool, dimensions, start);
    for (const changed of changes(dimensions, start)) yield describedOf(tool, dimensions, changed);
  }
  // Last in the list, so that it takes the place of what the dimensions say of the same field.
  for (const { path, values } of schemaEdges(policies.flatMap((policy) => schemasOf(policy, tool))))
    for (const value of values) yield describedOf(tool, [...dimensions, { path, values }], [...base, value]);
  // Conditions with several parts hold only where all of them do.
  const held = matching(policies, tool, dimensions, base);
  for (const chosen of held) yield describedOf(tool, dimensions, chosen);
  for (const chosen of held) {
    for (const changed of changes(dimensions, chosen)) {
      if (++count > MOST) return;
      yield describedOf(tool, dimensions, changed);
    }
  }
  for (const [i, first] of dimensions.entries())
    for (const value of first.values.slice(1))
      for (const changed of changes(dimensions.slice(i + 1), base.slice(i + 1))) {
        if (++count > MOST) return;
        yield describedOf(tool, dimensions, [...base.slice(0, i), value, ...changed]);
      }
}

/** Every choice with one value changed. */
function* changes(dimensions: readonly Dimension[], start: Choice): Generator<Choice> {
  for (const [i, { values }] of dimensions.entries()) for (const value of values) if (value !== start[i]) yield start.map((old, k) => (k === i ? value : old));
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
    if (values.length === 0) return;
    const key = path.join("\0");
    found.set(key, { path, values: unique([...(found.get(key)?.values ?? []), ...values]) });
  };
  for (const policy of policies) {
    const schemas = schemasOf(policy, tool);
    // An ordinary proposal is one that no rule is about. Where the schema does not say what that is, the comparisons do.
    const untyped = (keys: readonly string[]) =>
      schemas.every((schema) => fieldSchemas(schema, keys).every(({ type, enum: one, items }) => (type ?? one ?? items) === undefined));
    for (const { when } of conditionsOf(policy.document.content, tool))
      walk(when, (path, leaf) => {
        if (path[0] === "args" && untyped(path.slice(1))) add(path, [calmValue(leaf)]);
      });
    for (const schema of schemas) for (const name of topNames(schema)) add(["args", name], sampleValues(schema, [name]));
  }
  for (const policy of policies) {
    const { content } = policy.document;
    const schemas = schemasOf(policy, tool);
    const [schema] = schemas;
    const conditions = conditionsOf(content, tool).map(({ when }) => when);
    for (const when of conditions) {
      walk(when, (path, leaf) => {
        const keys = path.slice(1);
        // Of the state around a proposal, too, the side that does not match comes first.
        if (path[0] === "args") add(path, [...schemas.flatMap((one) => sampleValues(one, keys)), ...fitting(schema, keys, leafValues(leaf)), undefined]);
        else add(path, possible(path, path[0] === "confidence" ? leafValues(leaf) : [...leafValues(leaf).reverse(), undefined]));
      });
      for (const { path, values } of celsIn(when).flatMap(celValues))
        add(path, path[0] === "args" ? fitting(schema, path.slice(1), values) : [undefined, ...possible(path, values)]);
    }
    const steps = content.confidence ?? [{ below: 0.7 }, { below: 0.85 }];
    add(["confidence"], [0.99, ...steps.flatMap(({ below }) => [below, below - 0.0001].filter((c) => c >= 0)), undefined]);
    for (const [name, { gate, require }] of Object.entries(content.actions)) {
      if (!reaches({ action: [name] }, tool)) continue;
      if (gate?.below_confidence !== undefined) add(["confidence"], [gate.below_confidence, Math.max(0, gate.below_confidence - 0.0001)]);
      const labels = [...(content.require?.evidence ?? []), ...(require?.evidence ?? [])];
      if (labels.length > 0) add(["evidence"], [labels, ...labels.map((label) => labels.filter((other) => other !== label)), []]);
    }
    add(["at"], [undefined, ...timeEdges(content, conditions, tool)]);
    for (const { id, most } of limitsOf(content, tool))
      add(["budgets", id], [undefined, ...most.flatMap((n) => [n - 1, n, n + 1].filter((m) => m >= 0).map(String))]);
    for (const { measure, limits } of content.budgets.filter(({ action }) => reaches({ action }, tool)))
      if (measure.kind !== "count") {
        const keys = pointerKeys(measure.path) ?? [];
        add(["args", ...keys], fitting(schema, keys, [1, ...limits.flatMap(({ above }) => [Number(decimalText(above)), Number(decimalText(above)) + 1])]));
      }
    const keys = [...content.budgets, ...content.duplicates, ...content.grants.map(({ cap }) => cap)].flatMap(({ per }) => per);
    if (keys.includes("run")) add(["run", "thread"], ["t1", undefined]);
    if (keys.includes("on_behalf_of")) add(["on_behalf_of"], ["ann", undefined]);
    add(["earlier"], [undefined, ...(usedBefore(content, tool) as unknown as Values)]);
  }
  return [...found.values()].sort((a, b) => a.path.length - b.path.length);
}

/** What a case can say: a confidence from 0 to 1, whole steps, costs that are not negative. */
function possible([group, key]: readonly string[], values: Values): Values {
  const number = (fits: (n: number) => boolean) => values.filter((value) => value === undefined || (typeof value === "number" && fits(value)));
  if (group === "confidence") return number((n) => n >= 0 && n <= 1);
  if (group === "run" && key === "step") return number((n) => Number.isInteger(n) && n >= 0);
  if (group === "run" && key === "cost_usd") return number((n) => n >= 0);
  if (group === "run" && key === "ended") return [undefined, true, false];
  if (group === "confidence_source") return ["logprobs", "self_rating", "other"];
  return group === "target" ? values : values.filter((value) => value === undefined || typeof value === "string");
}

/** Everything of a document that has a limit on what is used, with its limits. */
function limitsOf(content: PolicyContent, tool: string): { id: string; most: number[] }[] {
  return [
    ...content.budgets.flatMap(({ id, action, limits }) =>
      reaches({ action }, tool) ? [{ id, most: limits.map(({ above }) => Number(decimalText(above))) }] : [],
    ),
    ...content.duplicates.flatMap(({ id, action }) => (reaches({ action }, tool) ? [{ id, most: [1] }] : [])),
    ...content.grants.flatMap(({ id, when, cap }) =>
      reaches(when, tool)
        ? [{ id, most: [cap.max] }, ...(cap.amount === undefined ? [] : [{ id: `${id}.amount`, most: [Number(decimalText(cap.amount))] }])]
        : [],
    ),
  ];
}

function celsIn(when: Condition): string[] {
  return [...(when.cel === undefined ? [] : [when.cel]), ...partsOf(when).flatMap(celsIn)];
}

function describedOf(tool: string, dimensions: readonly Dimension[], chosen: Choice): Described {
  const out: { [key: string]: unknown } = { ask: "review", action: tool, args: {} };
  let before: Before | undefined;
  for (const [i, { path }] of dimensions.entries()) {
    if (chosen[i] === undefined) continue;
    if (path[0] === "earlier") before = chosen[i] as unknown as Before;
    else set(out, path, chosen[i]);
  }
  if (before !== undefined) out.earlier = earlierOf(before, tool, out.args as Json);
  // A business record has both.
  if (out.origin !== undefined) out.origin = { system: "elsewhere", id: "1", ...(out.origin as object) };
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
