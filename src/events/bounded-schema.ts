import type { Ajv, FuncKeywordDefinition, Options, ValidateFunction } from "ajv";
import type { Ajv2020 } from "ajv/dist/2020.js";
import { canonicalize, type Json } from "./canonical.ts";
import { decimalOf, isMultiple } from "./decimal.ts";
import { ajv, ajv2020 } from "./libraries.ts";
import { isPlain } from "./plain-schema.ts";
import { scriptRegex } from "./regex.ts";
import { type SchemaObject, walkSchema, weightOf } from "./schema-walk.ts";

/** Steps that one check may take: about the schemas that are applied, the values they name and the text they read. Some tenths of a second. */
export const MAX_CHECK_STEPS = 4_000_000;

/** The keyword that counts the steps. It is put into every schema before it is compiled. */
const STEP = "x-countersign-steps";

let left = 0;

/**
 * Takes steps off the budget of the check that is under way.
 *
 * @throws Error when it is used up
 */
export function spend(steps: number): void {
  left -= steps;
  if (left < 0) throw new Error(`checking it takes more than ${MAX_CHECK_STEPS} steps`);
}

/** Checks a value within the budget. The same value and schema take the same steps everywhere. @throws Error when it is used up */
export function checkWithin(validate: ValidateFunction, value: Json): boolean {
  left = MAX_CHECK_STEPS;
  return validate(value);
}

/** The two dialects that are understood, each with a compiler of its own. */
export type Compilers = { readonly [dialect in "2020-12" | "draft-07"]: () => Ajv };

/** Compilers are made anew after this many schemas: they keep parts of each one for ever. */
const SCHEMAS_PER_COMPILER = 200;

/**
 * Compilers whose checks take bounded time: patterns through RE2, uniqueItems in linear time, every step counted. multipleOf
 * compares decimals. Properties are own ones
 * (`constructor` is not there unless it was sent). `prepare` adds to a new compiler.
 */
export function compilers(options: Options, prepare: (ajv: Ajv) => void = () => {}): Compilers {
  const made = new Map<string, { ajv: Ajv; uses: number }>();
  const get = (dialect: string, make: (options: Options) => Ajv | Ajv2020) => () => {
    let entry = made.get(dialect);
    if (entry === undefined || entry.uses >= SCHEMAS_PER_COMPILER) made.set(dialect, (entry = { ajv: bounded(make, options, prepare), uses: 0 }));
    entry.uses++;
    return entry.ajv;
  };
  return { "2020-12": get("2020-12", (o) => new (ajv2020().Ajv2020)(o)), "draft-07": get("draft-07", (o) => new (ajv().Ajv)(o)) };
}

function bounded(make: (options: Options) => Ajv | Ajv2020, options: Options, prepare: (ajv: Ajv) => void): Ajv {
  const compiler = make({
    ...options,
    ownProperties: true, // else {"required": ["constructor"]} holds for every object
    inlineRefs: false, // else one schema is written down as often as it is referred to
    code: { regExp: Object.assign(regExp, { code: "re2" }) }, // the code is asked for only when standalone modules are written
  }) as Ajv;
  prepare(compiler);
  compiler.removeKeyword("uniqueItems");
  compiler.addKeyword(uniqueItems);
  compiler.removeKeyword("multipleOf");
  compiler.addKeyword(multipleOf(ajv()));
  compiler.addKeyword(steps);
  return compiler;
}

/**
 * Compiles a schema in the dialect that it names; where it names none, as 2020-12, or as draft-07 where it is valid only as such. The check
 * must be run by `checkWithin`.
 *
 * @throws Error with a sentence: the limit that it is beyond, or why it does not compile
 */
export function compileBounded(schema: SchemaObject, by: Compilers, compile: (ajv: Ajv, schema: object) => ValidateFunction): ValidateFunction {
  const { $schema, ...rest } = structuredClone(schema);
  const known = $schema === undefined || (typeof $schema === "string" && /2020-12|draft-0[467]/.test($schema));
  if (!known) throw new Error(`$schema must be 2020-12 or draft-07, not ${JSON.stringify($schema).slice(0, 100)}`);
  const { schemas } = walkSchema(rest);
  const plain = isPlain(rest);
  for (const inner of schemas) inner[STEP] = weightOf(inner);
  const run = (ajv: Ajv) => {
    left = MAX_CHECK_STEPS; // the schema itself is checked first
    const asked = ajv.opts.validateSchema;
    try {
      if (plain) ajv.opts.validateSchema = false;
      return compile(ajv, rest);
    } finally {
      if (asked !== undefined) ajv.opts.validateSchema = asked;
      ajv.removeSchema(rest); // two documents may use the same $id
    }
  };
  if (typeof $schema === "string") return run(by[$schema.includes("2020-12") ? "2020-12" : "draft-07"]());
  try {
    return run(by["2020-12"]());
  } catch (error) {
    try {
      return run(by["draft-07"]());
    } catch {
      throw error;
    }
  }
}

const steps: FuncKeywordDefinition = {
  keyword: STEP,
  schemaType: "number",
  before: "$ref", // what is counted after it was done bounds nothing
  errors: false,
  validate: (weight: number, data: Json) => {
    spend(weight + extentOf(data));
    return true;
  },
};

function extentOf(data: Json): number {
  if (typeof data === "string") return data.length >> 4;
  if (typeof data !== "object" || data === null) return 0;
  return Array.isArray(data) ? data.length : Object.keys(data).length;
}

/** ajv's own comparison is quadratic: 250 kB of small objects would take minutes. */
const uniqueItems: FuncKeywordDefinition = {
  keyword: "uniqueItems",
  type: "array",
  schemaType: "boolean",
  validate: (unique: boolean, items: Json[]) => {
    if (!unique) return true;
    const seen = new Set<string>();
    for (const item of items) {
      const text = canonicalize(item);
      spend(2 + (text.length >> 2));
      seen.add(text);
    }
    return seen.size === items.length;
  },
  error: { message: "must not hold the same item twice" },
};

/** ajv's own divides doubles, and 19.99 would be no multiple of 0.01. */
const multipleOf = ({ _, str }: ReturnType<typeof ajv>): FuncKeywordDefinition => ({
  keyword: "multipleOf",
  type: "number",
  schemaType: "number",
  validate: (step: number, value: number) => {
    const [a, b] = [decimalOf(value), decimalOf(step)];
    return a !== undefined && b !== undefined && isMultiple(a, b);
  },
  error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}`, params: ({ schemaCode }) => _`{multipleOf: ${schemaCode}}` },
});

function regExp(pattern: string): { test: (text: string) => boolean } {
  const find = scriptRegex(pattern);
  spend(20 * find.size); // compiling it takes as long as reading twenty characters with it
  const test = (text: string) => {
    spend(1 + Math.ceil((text.length * find.size) / 2));
    return find(text) === true;
  };
  // ajv files expressions by their toString: without one of its own, every pattern would be the first that was ever compiled
  return Object.assign({ test }, { toString: () => `re2:${pattern}` });
}
