import { z } from "zod";
import type { Json } from "../../events/canonical.ts";
import { compileCel } from "../conditions/cel.ts";
import { OPERATOR_NAMES, OPERATORS } from "../conditions/operators.ts";
import { glob } from "../conditions/regex.ts";
import { didYouMean, shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { custom, pointer, record, shape } from "./shape-parts.ts";
import { type TimeContent, timeCondition } from "./shape-time.ts";

/** One comparison: an operator with its threshold. */
export interface Leaf {
  readonly operator: string;
  readonly threshold: Json;
}

/** When a rule or a route applies: siblings are and-ed. */
export interface Condition {
  readonly action?: readonly string[] | undefined;
  readonly args?: Readonly<Record<string, Leaf>> | undefined;
  readonly target?: Readonly<Record<string, Leaf>> | undefined;
  readonly agent?: Readonly<Partial<Record<"id" | "version" | "model" | "owner", Leaf | undefined>>> | undefined;
  readonly origin?: Readonly<Partial<Record<"system" | "id", Leaf | undefined>>> | undefined;
  readonly run?: Readonly<Partial<Record<(typeof RUN_FIELDS)[number], Leaf | undefined>>> | undefined;
  readonly effects?: readonly string[] | undefined;
  readonly time?: TimeContent | undefined;
  readonly cel?: string | undefined;
  readonly confidence?: Leaf | undefined;
  readonly confidence_source?: Leaf | undefined;
  readonly base_risk?: Leaf | undefined;
  readonly risk?: Leaf | undefined;
  readonly all?: readonly Condition[] | undefined;
  readonly any?: readonly Condition[] | undefined;
  readonly not?: Condition | undefined;
}

/** What a condition may ask of the run. `thread` is the conversation. */
export const RUN_FIELDS = ["framework", "framework_version", "thread", "step", "cost_usd", "ended"] as const;

const NUMERIC = ["is", "not", "in", "not_in", "above", "at_least", "below", "at_most", "between", "exists"];
const ORDERED = ["is", "not", "in", "not_in", "above", "at_least", "below", "at_most"];

/** Names of actions, globs allowed, as a list. */
export const actionNames = custom((value): readonly string[] | Error => {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  if (names.length === 0 || !names.every((name) => typeof name === "string" && name !== ""))
    return new Error(`must be the name of an action, or a list of names, not ${shown(value)}`);
  for (const name of names as string[]) glob(name);
  return names as string[];
});

function leafOf(operators: readonly string[], threshold: (value: Json) => Json = (value) => value): z.ZodType<Leaf> {
  return custom((value): Leaf | Error => {
    const example = `such as { ${operators.includes("above") ? "above: 1000" : `${operators[0]}: x`} }`;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return new Error(`must be one operator with its value, ${example}, not ${shown(value)}`);
    const entries = Object.entries(value) as [string, Json][];
    const [operator, given] = entries[0] ?? [];
    for (const [name] of entries)
      if (!operators.includes(name))
        return new Error(
          OPERATOR_NAMES.includes(name)
            ? `cannot be compared with ${name}; use one of ${operators.join(", ")}`
            : `unknown operator ${shown(name)}${didYouMean(name, operators) || `; known are ${operators.join(", ")}`}`,
        );
    if (operator === undefined || entries.length > 1)
      return new Error(
        `takes one operator, not ${entries.length === 0 ? "none" : `${entries.length} (${entries.map(([name]) => name).join(", ")}); use between, or all with several conditions`}`,
      );
    if (operator === "exists")
      return typeof given === "boolean" ? { operator, threshold: given } : new Error(`exists takes true or false, not ${shown(given)}`);
    try {
      return { operator, threshold: compiled(operator, threshold(given as Json)) };
    } catch (error) {
      return new Error(`${operator}: ${(error as Error).message}`);
    }
  });
}

function compiled(operator: string, threshold: Json): Json {
  OPERATORS[operator]?.compile(threshold);
  return threshold;
}

/** Tiers compare by their order, so a threshold becomes its place in the order. */
function rank(value: Json): Json {
  if (Array.isArray(value)) return value.map(rank);
  const at = (TIERS as readonly Json[]).indexOf(value);
  if (at < 0) throw new Error(`must be one of ${TIERS.join(", ")}, not ${shown(value)}${typeof value === "string" ? didYouMean(value, TIERS) : ""}`);
  return at;
}

const leaf = leafOf(OPERATOR_NAMES);
const number = leafOf(NUMERIC, (value) => {
  for (const part of Array.isArray(value) ? value : [value]) if (typeof part !== "number") throw new Error(`takes a number, not ${shown(part)}`);
  return value;
});
const tier = leafOf(ORDERED, rank);
const leaves = record(pointer, leaf);

/** Effect tags, of which one is enough. */
const tags = custom((value): readonly string[] | Error => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const fits = list.length > 0 && list.every((tag) => typeof tag === "string" && tag !== "");
  return fits ? (list as string[]) : new Error(`must be an effect tag such as money, or a list of tags of which one is enough, not ${shown(value)}`);
});

const cel = custom((value): string | Error => {
  if (typeof value !== "string" || value.trim() === "") return new Error(`must be a CEL expression such as "args.amount > 100.0", not ${shown(value)}`);
  compileCel(value);
  return value;
});

/** A condition as it stands in a document. */
export const condition: z.ZodType<Condition> = z.lazy(() =>
  shape({
    action: actionNames.optional(),
    args: leaves.optional(),
    target: leaves.optional(),
    agent: shape({ id: leaf.optional(), version: leaf.optional(), model: leaf.optional(), owner: leaf.optional() }).optional(),
    origin: shape({ system: leaf.optional(), id: leaf.optional() }).optional(),
    run: shape({
      framework: leaf.optional(),
      framework_version: leaf.optional(),
      thread: leaf.optional(),
      step: number.optional(),
      cost_usd: number.optional(),
      ended: leaf.optional(),
    }).optional(),
    effects: tags.optional(),
    time: timeCondition
      .refine((value) => Object.keys(value).some((key) => key !== "zone"), { message: "is empty; give it between, days, from, until or business" })
      .optional(),
    cel: cel.optional(),
    confidence: number.optional(),
    confidence_source: leaf.optional(),
    base_risk: tier.optional(),
    risk: tier.optional(),
    all: z.array(condition).min(1).optional(),
    any: z.array(condition).min(1).optional(),
    not: condition.optional(),
  }).refine((value) => Object.values(value).some((part) => part !== undefined), { message: "is empty; leave out `when` for a rule that always applies" }),
);
