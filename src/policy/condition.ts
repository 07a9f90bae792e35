import type { Json } from "../events/canonical.ts";
import type { AgentRef, ExternalRef } from "../events/types.generated.ts";
import { OPERATORS, type Test } from "./operators.ts";
import { pointerKeys, valueAt } from "./pointer.ts";
import { glob, isGlob } from "./regex.ts";
import type { Condition, Leaf } from "./shape-condition.ts";
import { TIERS, type Tier } from "./tiers.ts";
import { ABSENT, NEVER, NO, not, type Truth, truthOf, UNKNOWN, YES } from "./truth.ts";

/** Everything that a condition may read of one action. */
export interface Facts {
  readonly tool: string;
  readonly args: Json;
  /** The state of the target, where the proposal brought one. */
  readonly target: Json | undefined;
  readonly agent: AgentRef;
  readonly origin: ExternalRef | null;
  readonly confidence: number | null;
  readonly baseRisk: Tier;
  /** The final tier; only routes read it. */
  readonly risk: Tier;
}

/** A comparison that made a condition hold. */
export interface Reading {
  /** JSON Pointer into the arguments, or a name such as confidence, agent/id or target/state. */
  readonly path: string;
  readonly operator: string;
  readonly threshold: Json;
  /** undefined: missing. */
  readonly operand: Json | undefined;
  /** Whether the path is one of the arguments. */
  readonly isArgument: boolean;
  /** Whether it stands under a "not". */
  readonly negated: boolean;
  readonly truth: Truth;
}

/** A condition as a closure. */
export interface Check {
  readonly test: (facts: Facts) => Truth;
  /** The comparisons behind the answer, for people. */
  readonly read: (facts: Facts, negated: boolean, out: Reading[]) => void;
}

/** Whether the action's schema declares an argument: see `declares`. */
export type Declares = (keys: readonly string[]) => "yes" | "no" | "open";

/** Compiles a condition for one action of the catalogue. */
export function compileCondition(condition: Condition, declared: Declares): Check {
  const parts: Check[] = [];
  if (condition.action !== undefined) parts.push(actionCheck(condition.action));
  for (const [path, leaf] of Object.entries(condition.args ?? {})) parts.push(argumentCheck(path, leaf, declared));
  for (const [path, leaf] of Object.entries(condition.target ?? {})) {
    const keys = pointerKeys(path) ?? [];
    parts.push(factCheck(`target${path}`, leaf, (facts) => (facts.target === undefined ? undefined : valueAt(facts.target, keys))));
  }
  for (const key of ["id", "version", "model", "owner"] as const) {
    const leaf = condition.agent?.[key];
    if (leaf !== undefined) parts.push(factCheck(`agent/${key}`, leaf, (facts) => facts.agent[key] ?? undefined));
  }
  for (const key of ["system", "id"] as const) {
    const leaf = condition.origin?.[key];
    if (leaf !== undefined) parts.push(factCheck(`origin/${key}`, leaf, (facts) => facts.origin?.[key]));
  }
  if (condition.confidence !== undefined) parts.push(factCheck("confidence", condition.confidence, (facts) => facts.confidence ?? undefined));
  if (condition.base_risk !== undefined) parts.push(factCheck("base_risk", condition.base_risk, (facts) => TIERS.indexOf(facts.baseRisk)));
  if (condition.risk !== undefined) parts.push(factCheck("risk", condition.risk, (facts) => TIERS.indexOf(facts.risk)));
  if (condition.all !== undefined)
    parts.push(
      join(
        condition.all.map((part) => compileCondition(part, declared)),
        Math.min,
      ),
    );
  if (condition.any !== undefined)
    parts.push(
      join(
        condition.any.map((part) => compileCondition(part, declared)),
        Math.max,
      ),
    );
  if (condition.not !== undefined) parts.push(inverse(compileCondition(condition.not, declared)));
  return parts.length === 1 ? (parts[0] as Check) : join(parts, Math.min);
}

function join(parts: readonly Check[], of: (a: number, b: number) => number): Check {
  const [first, ...rest] = parts;
  if (first === undefined) return { test: () => YES, read: () => {} };
  return {
    test: (facts) => rest.reduce<Truth>((truth, part) => of(truth, part.test(facts)) as Truth, first.test(facts)),
    read: (facts, negated, out) => {
      for (const part of parts) part.read(facts, negated, out);
    },
  };
}

function inverse(inner: Check): Check {
  return { test: (facts) => not(inner.test(facts)), read: (facts, negated, out) => inner.read(facts, !negated, out) };
}

function actionCheck(names: readonly string[]): Check {
  const exact = new Set(names.filter((name) => !isGlob(name)));
  const globs = names.filter(isGlob).map(glob);
  return { test: ({ tool }) => (exact.has(tool) || globs.some((matches) => matches(tool) === true) ? YES : NO), read: () => {} };
}

/** Where there is no schema to ask, a value that is there is compared and a missing one is no field of the action. */
function argumentCheck(path: string, leaf: Leaf, declared: Declares): Check {
  const keys = pointerKeys(path) ?? [];
  const known = declared(keys);
  const missing = known === "yes" ? UNKNOWN : NEVER;
  if (known === "no") return { test: () => NEVER, read: () => {} };
  return leafCheck(path, leaf, (facts) => valueAt(facts.args, keys), missing, true);
}

function factCheck(path: string, leaf: Leaf, value: (facts: Facts) => Json | undefined): Check {
  return leafCheck(path, leaf, value, ABSENT, false);
}

function leafCheck(path: string, { operator, threshold }: Leaf, value: (facts: Facts) => Json | undefined, missing: Truth, isArgument: boolean): Check {
  const test: Test | undefined = OPERATORS[operator]?.compile(threshold);
  const compare = (operand: Json | undefined): Truth => {
    if (test === undefined) return truthOf((operand !== undefined) === threshold); // exists
    return operand === undefined ? missing : truthOf(test(operand));
  };
  return {
    test: (facts) => compare(value(facts)),
    read: (facts, negated, out) => {
      const operand = value(facts);
      const truth = negated ? not(compare(operand)) : compare(operand);
      if (truth >= ABSENT) out.push({ path, operator, threshold, operand, isArgument, negated, truth });
    },
  };
}
