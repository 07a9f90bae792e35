import type { Json } from "../../events/canonical.ts";
import { cel } from "../../events/libraries.ts";
import { valueAt } from "../pointer.ts";
import { didYouMean, shown } from "../problems.ts";
import { costOf, type Expr, type InputSize, literal, type SizeAt, selected } from "./cel-cost.ts";
import { regex, type Steps, take } from "./regex.ts";

/** What an expression may read. */
export const CEL_VARIABLES = ["args", "target", "agent", "run", "confidence"] as const;

/** Values for the variables; one that is undefined is not there. */
export type CelValues = Readonly<Partial<Record<(typeof CEL_VARIABLES)[number], Json | undefined>>>;

/** A compiled expression. */
export interface CelExpression {
  /** true or false; undefined where it fails, gives something else, or could take too long on these values or for the steps that are left. */
  readonly test: (values: CelValues, steps: Steps) => boolean | undefined;
  /** The variables that it reads. */
  readonly reads: ReadonlySet<string>;
  /** The arguments that it reads by name, as keys: args.customer.id → ["customer", "id"]. */
  readonly argumentKeys: readonly (readonly string[])[];
}

const MAX_TEXT = 1000;
const MAX_NODES = 200;
const MAX_DEPTH = 12;

/** Longest that one evaluation may take by the bound of cel-cost.ts, in nanoseconds. */
const MAX_NS = 60_000_000;

/** By the bound of cel-cost.ts; evaluating takes an eighth of it at most, as measured, so that a step is one as of patterns. */
const NS_PER_STEP = 100;

const FUNCTIONS = [
  ...["_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "_in_", "_[_]", "_+_", "_-_", "_*_", "_/_", "_%_", "-_"],
  ...["@not_strictly_false", "__not_strictly_false__", "size", "contains", "startsWith", "endsWith", "matches", "int", "double"],
];

function decided(found: boolean | undefined): boolean {
  if (found === undefined) throw new Error("the text is too long for the pattern");
  return found;
}

/**
 * Compiles a CEL expression over args, target, agent, run and confidence. Neither the expression nor the values can hold the process: the
 * size of the text and of its tree, and the functions are limited here, and what it may take on given values is bounded before it runs.
 *
 * @throws Error with a sentence that says what is wrong
 */
export function compileCel(text: string): CelExpression {
  if (text.length > MAX_TEXT) throw new Error(`the expression has ${text.length} characters, more than ${MAX_TEXT}`);
  if (depthOf(text) > MAX_DEPTH) throw new Error(`the expression is nested deeper than ${MAX_DEPTH} levels`);
  const { CelScalar, celEnv, isCelError, parse, plan } = cel();
  const { expr } = parse(text);
  const walk = new Walk();
  walk.expr(expr, new Set(CEL_VARIABLES));
  const matchers = new Map([...walk.patterns].map((pattern) => [pattern, regex(pattern)]));
  const cost = (size: SizeAt) => costOf(expr, size, (pattern) => matchers.get(pattern)?.size ?? 0);
  if (cost(() => ({ characters: 100, members: 10 })) > MAX_NS) throw new Error("the expression could take too long; split it into several rules");
  const environment = celEnv({
    variables: Object.fromEntries(CEL_VARIABLES.map((name) => [name, CelScalar.DYN])),
    // RE2 with a bound on text times pattern, as everywhere else.
    re2: { compile: (pattern: string) => ({ test: (text: string) => decided(matchers.get(pattern)?.(text)) }) },
  });
  const run = plan(environment, expr);
  return {
    reads: walk.reads,
    argumentKeys: walk.argumentKeys,
    test(values, steps) {
      const ns = cost(([name, ...keys]) => sizeOf(valueAt(values[name as keyof CelValues] ?? null, keys)));
      if (ns > MAX_NS || !take(steps, Math.ceil(ns / NS_PER_STEP))) return undefined;
      const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
      const result = run(given as never);
      return typeof result === "boolean" && !isCelError(result) ? result : undefined;
    },
  };
}

/** How deep brackets nest, without regard to texts in quotes: the parser's time grows with it. */
function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (const c of text) {
    if ("([{".includes(c)) most = Math.max(most, ++depth);
    else if (")]}".includes(c)) depth--;
  }
  return most;
}

/** Looks at every node once: counts them, and refuses names and functions that are not known. */
class Walk {
  readonly reads = new Set<string>();
  readonly argumentKeys: string[][] = [];
  readonly patterns = new Set<string>();
  private nodes = 0;

  expr(expr: Expr | undefined, names: ReadonlySet<string>): void {
    if (++this.nodes > MAX_NODES) throw new Error(`the expression has more than ${MAX_NODES} parts`);
    const kind = expr?.exprKind;
    const all = (parts: readonly (Expr | undefined)[], known = names) => {
      for (const part of parts) this.expr(part, known);
    };
    switch (kind?.case) {
      case "identExpr": {
        const { name } = kind.value;
        if (!names.has(name))
          throw new Error(`knows no variable ${shown(name)}${didYouMean(name, CEL_VARIABLES) || `; known are ${CEL_VARIABLES.join(", ")}`}`);
        this.reads.add(name);
        return;
      }
      case "selectExpr": {
        const path = selected(expr as Expr);
        if (path?.[0] === "args") this.argumentKeys.push(path.slice(1));
        if (path === undefined) this.expr(kind.value.operand, names);
        else this.ident(path[0] as string, names);
        return;
      }
      case "callExpr": {
        const { target, args } = kind.value;
        const name = kind.value.function;
        if (!FUNCTIONS.includes(name)) throw new Error(`knows no function ${shown(name)}${didYouMean(name, FUNCTIONS)}`);
        if (name === "matches") {
          const pattern = literal(args[0]);
          if (pattern === undefined || target === undefined) throw new Error('matches takes a pattern that is written out, as in args.note.matches("^A")');
          this.patterns.add(pattern);
        }
        all([...(target === undefined ? [] : [target]), ...args]);
        return;
      }
      case "listExpr":
        all(kind.value.elements);
        return;
      case "structExpr":
        if (kind.value.messageName !== "") throw new Error(`knows no type ${shown(kind.value.messageName)}`);
        all(kind.value.entries.flatMap((entry) => [entry.value, entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined]));
        return;
      case "comprehensionExpr": {
        const { iterVar, iterRange, accuVar, accuInit, loopCondition, loopStep, result } = kind.value;
        if (names.has(iterVar)) throw new Error(`gives ${shown(iterVar)} a second meaning; use another name`);
        all([iterRange, accuInit]);
        all([loopCondition, loopStep, result], new Set([...names, iterVar, accuVar]));
      }
    }
  }

  private ident(name: string, names: ReadonlySet<string>): void {
    this.expr({ exprKind: { case: "identExpr", value: { name } } } as Expr, names);
  }
}

/** What is not there is as large as what a comparison with it reads: next to nothing. */
function sizeOf(value: Json | undefined): InputSize {
  return typeof value === "object" && value !== null ? sizeOnce(value) : { characters: textLength(value), members: 0 };
}

const sizes = new WeakMap<object, InputSize>();

/** Many expressions may read the same large value. */
function sizeOnce(value: Json & object): InputSize {
  let size = sizes.get(value);
  if (size === undefined) sizes.set(value, (size = measured(value)));
  return size;
}

function measured(root: Json & object): InputSize {
  let characters = 0;
  let members = 0;
  const add = (value: Json): void => {
    if (typeof value !== "object" || value === null) characters += textLength(value);
    else {
      const list = Array.isArray(value) ? value : Object.values(value);
      members = Math.max(members, list.length);
      if (!Array.isArray(value)) for (const key of Object.keys(value)) characters += key.length + 3;
      characters += list.length + 2;
      for (const part of list) add(part);
    }
  };
  add(root);
  return { characters, members };
}

function textLength(value: Json | undefined): number {
  return typeof value === "string" ? value.length + 2 : 5;
}
