import type { Json } from "../../events/canonical.ts";
import type { Calendar } from "../calendar.ts";
import { type Condition, type Leaf, RUN_FIELDS } from "../document/shape-condition.ts";
import { plainKeyOf, pointerKeys, valueReader } from "../pointer.ts";
import { TIERS } from "../tiers.ts";
import { compileCel } from "./cel.ts";
import { type Facts, present, runFacts } from "./facts.ts";
import { OPERATORS, type Test } from "./operators.ts";
import { glob, isGlob, type Steps } from "./regex.ts";
import { compileTimeWindow, windowText } from "./time-window.ts";
import { ABSENT, NEVER, NO, not, type Truth, truthOf, UNKNOWN, YES } from "./truth.ts";

export type { Facts } from "./facts.ts";

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
  /** What keeps it from being answered, such as "is negative". Default: that it is missing, or of another type. */
  readonly why?: string;
}

/** A condition as a closure. */
export interface Check {
  readonly test: (facts: Facts) => Truth;
  /** The comparisons behind the answer, for people. */
  readonly read: (facts: Facts, negated: boolean, out: Reading[]) => void;
  /** The truths that it can come to for this action: what never takes hold need not be judged. */
  readonly can: readonly Truth[];
}

/** Whether the action's schema declares an argument: see `declares`. */
export type Declares = (keys: readonly string[]) => "yes" | "no" | "open";

/** What is known of the action that a condition is compiled for. */
export interface Scope {
  readonly declared: Declares;
  /** The tool, where the entry of the catalogue means just one. */
  readonly tool: string | undefined;
  readonly effects: readonly string[];
  readonly calendar: Calendar | undefined;
}

/** Operators that try a pattern on a text. */
const PATTERNS: ReadonlySet<string> = new Set(["matches", "glob"]);

/** Steps from which on an answer is kept. */
const DEAR = 1000;

/**
 * Asks once per action what is dear, or was beyond what is left: told about afterwards, it is what was judged by, and costs nothing more.
 */
function once<T>(test: (value: T, steps: Steps) => boolean | undefined, value: T, { steps, answers }: Facts): boolean | undefined {
  if (answers.size > 0 && answers.has(test)) return answers.get(test);
  const before = steps.left;
  const answer = test(value, steps);
  if (answer === undefined || before - steps.left > DEAR) answers.set(test, answer);
  return answer;
}

const ANY: readonly Truth[] = [NEVER, NO, ABSENT, UNKNOWN, YES];
const NOTHING = (): void => {};

/** Compiles a condition for one action of the catalogue. */
export function compileCondition(condition: Condition, scope: Scope): Check {
  const parts: Check[] = [];
  if (condition.action !== undefined) parts.push(actionCheck(condition.action, scope.tool));
  if (condition.effects !== undefined) parts.push(constant(condition.effects.some((tag) => scope.effects.includes(tag)) ? YES : NO));
  for (const [path, leaf] of Object.entries(condition.args ?? {})) parts.push(argumentCheck(path, leaf, scope.declared));
  for (const [path, leaf] of Object.entries(condition.target ?? {})) {
    const read = valueReader(pointerKeys(path) ?? []);
    parts.push(factCheck(`target${path}`, leaf, (facts) => (facts.target === undefined ? undefined : read(facts.target))));
  }
  for (const key of ["id", "version", "model", "owner"] as const) {
    const leaf = condition.agent?.[key];
    if (leaf !== undefined) parts.push(factCheck(`agent/${key}`, leaf, (facts) => facts.agent[key] ?? undefined));
  }
  for (const key of ["system", "id"] as const) {
    const leaf = condition.origin?.[key];
    if (leaf !== undefined) parts.push(factCheck(`origin/${key}`, leaf, (facts) => facts.origin?.[key]));
  }
  for (const key of RUN_FIELDS) {
    const leaf = condition.run?.[key];
    if (leaf !== undefined) parts.push(factCheck(`run/${key}`, leaf, (facts) => runFacts(facts.run)?.[key]));
  }
  if (condition.confidence !== undefined) parts.push(factCheck("confidence", condition.confidence, (facts) => facts.confidence ?? undefined));
  if (condition.confidence_source !== undefined)
    parts.push(factCheck("confidence_source", condition.confidence_source, (facts) => facts.confidenceSource ?? undefined));
  if (condition.base_risk !== undefined) parts.push(factCheck("base_risk", condition.base_risk, (facts) => TIERS.indexOf(facts.baseRisk)));
  if (condition.risk !== undefined) parts.push(factCheck("risk", condition.risk, (facts) => TIERS.indexOf(facts.risk)));
  if (condition.time !== undefined) parts.push(timeCheck(compileTimeWindow(condition.time, scope.calendar), windowText(condition.time)));
  if (condition.all !== undefined) parts.push(all(condition.all.map((part) => compileCondition(part, scope))));
  if (condition.any !== undefined) parts.push(any(condition.any.map((part) => compileCondition(part, scope))));
  if (condition.not !== undefined) parts.push(inverse(compileCondition(condition.not, scope)));
  // Last, because it is the slowest: what comes before it may have answered.
  if (condition.cel !== undefined) parts.push(celCheck(condition.cel, scope.declared));
  return all(parts);
}

function constant(truth: Truth): Check {
  return { test: () => truth, read: NOTHING, can: [truth] };
}

/** Whether a check always says the same. */
const always = (check: Check, truth: Truth): boolean => check.can.length === 1 && check.can[0] === truth;

/** The least of all parts. */
function all(given: readonly Check[]): Check {
  const parts = given.filter((part) => !always(part, YES));
  if (parts.some((part) => always(part, NEVER))) return constant(NEVER);
  return joined(given, parts, YES, Math.min, (facts) => {
    let least: Truth = YES;
    for (let i = 0; i < parts.length && least !== NEVER; i++) {
      const truth = (parts[i] as Check).test(facts);
      if (truth < least) least = truth;
    }
    return least;
  });
}

/** The most of all parts. */
function any(given: readonly Check[]): Check {
  const parts = given.filter((part) => !always(part, NEVER));
  return joined(given, parts, NEVER, Math.max, (facts) => {
    let most: Truth = NEVER;
    for (let i = 0; i < parts.length && most !== YES; i++) {
      const truth = (parts[i] as Check).test(facts);
      if (truth > most) most = truth;
    }
    return most;
  });
}

function joined(given: readonly Check[], parts: readonly Check[], empty: Truth, of: (a: number, b: number) => number, test: Check["test"]): Check {
  const [first, second] = parts;
  const read: Check["read"] = (facts, negated, out) => {
    for (const part of given) part.read(facts, negated, out);
  };
  if (first === undefined) return { ...constant(empty), read };
  if (second === undefined) return { ...first, read };
  const can = parts.slice(1).reduce((some, part) => unique(some.flatMap((a) => part.can.map((b) => of(a, b) as Truth))), first.can);
  return { test, read, can };
}

function unique(truths: readonly Truth[]): readonly Truth[] {
  return [...new Set(truths)];
}

function inverse(inner: Check): Check {
  return {
    test: (facts) => not(inner.test(facts)),
    read: (facts, negated, out) => inner.read(facts, !negated, out),
    can: unique(inner.can.map(not)),
  };
}

function actionCheck(names: readonly string[], known: string | undefined): Check {
  const exact = new Set(names.filter((name) => !isGlob(name)));
  const globs = names.filter(isGlob).map(glob);
  const meant = (tool: string): Truth => (exact.has(tool) || globs.some((matches) => matches(tool) === true) ? YES : NO);
  return known === undefined ? { test: ({ tool }) => meant(tool), read: NOTHING, can: [NO, YES] } : constant(meant(known));
}

/** Where there is no schema to ask, a value that is there is compared and a missing one is no field of the action. */
function argumentCheck(path: string, leaf: Leaf, declared: Declares): Check {
  const keys = pointerKeys(path) ?? [];
  const known = declared(keys);
  if (known === "no") return constant(NEVER);
  const read = valueReader(keys);
  const check = leafCheck(path, leaf, (facts) => read(facts.args), known === "yes" ? UNKNOWN : NEVER, true);
  const plainKey = plainKeyOf(keys);
  return plainKey === undefined ? check : { ...check, test: directTest(plainKey, leaf, known === "yes" ? UNKNOWN : NEVER) ?? check.test };
}

/** The comparison of one argument at the top in one closure: most rules are made of these, and each call from closure to closure costs as much as it does. */
function directTest(key: string, { operator, threshold }: Leaf, missing: Truth): Check["test"] | undefined {
  const compare = OPERATORS[operator]?.compile(threshold);
  if (compare === undefined || isDear(operator)) return undefined;
  return ({ args, steps }) => {
    const value = typeof args === "object" && args !== null ? (args as { [key: string]: Json })[key] : undefined;
    if (value === undefined) return missing;
    const result = compare(value, steps);
    return result === undefined ? UNKNOWN : result ? YES : NO;
  };
}

function factCheck(path: string, leaf: Leaf, value: (facts: Facts) => Json | undefined): Check {
  return leafCheck(path, leaf, value, ABSENT, false);
}

function leafCheck(path: string, { operator, threshold }: Leaf, value: (facts: Facts) => Json | undefined, missing: Truth, isArgument: boolean): Check {
  const test: Test | undefined = OPERATORS[operator]?.compile(threshold);
  // One closure for each kind: what a comparison of numbers does not need it does not ask for.
  const compare: (operand: Json | undefined, facts: Facts) => Truth =
    test === undefined // exists
      ? (operand) => truthOf((operand !== undefined) === threshold)
      : isDear(operator)
        ? (operand, facts) => (operand === undefined ? missing : truthOf(once(test, operand, facts)))
        : (operand, facts) => (operand === undefined ? missing : truthOf(test(operand, facts.steps)));
  return {
    test: (facts) => compare(value(facts), facts),
    read: (facts, negated, out) => {
      const operand = value(facts);
      const found = compare(operand, facts);
      const truth = negated ? not(found) : found;
      const why = truth === UNKNOWN && PATTERNS.has(operator) && typeof operand === "string" ? { why: "takes too long to be checked" } : {};
      if (truth >= ABSENT) out.push({ path, operator, threshold, operand, isArgument, negated, truth, ...why });
    },
    can: test === undefined ? [NO, YES] : unique([missing, NO, UNKNOWN, YES]),
  };
}

/** Whether an operator may take steps, so that its answer is kept. */
const isDear = (operator: string): boolean => PATTERNS.has(operator) || operator === "domain_in";

function timeCheck(inside: (at: number) => boolean, threshold: Json): Check {
  return {
    test: (facts) => truthOf(inside(facts.now)),
    read: (facts, negated, out) => {
      if (inside(facts.now) === negated) return;
      out.push({ path: "time", operator: "within", threshold, operand: new Date(facts.now).toISOString(), isArgument: false, negated, truth: YES });
    },
    can: [NO, YES],
  };
}

/** Reads an argument that the action does not declare: does not apply. Fails: unknown, and absent where the proposal lacks what it reads. */
function celCheck(text: string, declared: Declares): Check {
  const { test, reads, argumentKeys } = compileCel(text);
  if (argumentKeys.some((keys) => declared(keys) === "no")) return constant(NEVER);
  const truth = (facts: Facts): Truth => {
    const { target, confidence } = facts;
    const values = { args: facts.args, target, agent: present({ ...facts.agent }), run: runFacts(facts.run), confidence: confidence ?? undefined };
    const result = once(test, values, facts);
    const absent = result === undefined && [...reads].some((name) => values[name as keyof typeof values] === undefined && name in values);
    return absent ? ABSENT : truthOf(result);
  };
  return {
    test: truth,
    read: (facts, negated, out) => {
      const found = negated ? not(truth(facts)) : truth(facts);
      if (found < ABSENT) return;
      const common = { path: "cel", operator: "cel", threshold: text, operand: undefined, isArgument: false, negated, truth: found };
      out.push(found === UNKNOWN ? { ...common, why: "has no answer for these values, or none in time" } : common);
    },
    can: ANY,
  };
}
