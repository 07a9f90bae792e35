import type { Ajv, FuncKeywordDefinition, Options, ValidateFunction } from "ajv";
import type { Ajv2020 } from "ajv/dist/2020.js";
import { canonicalize, type Json } from "./canonical.ts";
import { decimalOf, isMultiple } from "./decimal.ts";
import { ajv, ajv2020 } from "./libraries.ts";
import { isPlain } from "./plain-schema.ts";
import { type Steps, scriptRegex } from "./regex.ts";
import { referencesIn, type SchemaObject, walkSchema, weightOf } from "./schema-walk.ts";

/** Steps that one check may take: about the schemas that are applied, the values they name and the text they read. Some tenths of a second. */
export const MAX_CHECK_STEPS = 4_000_000;

/** The keyword that counts the steps. It is put into every schema before it is compiled. */
const STEP = "x-countersign-steps";

/** What a step here counts where a check draws on steps that patterns and expressions take, too: one is up to 60 ns, one of theirs up to 12. */
const STEPS_EACH = 4;

let left = 0;
let most = 0;

/**
 * Takes steps off the budget of the check that is under way.
 *
 * @throws Error when it is used up
 */
export function spend(steps: number): void {
  left -= steps;
  if (left < 0)
    throw new Error(`checking it takes more than ${most} steps${most < MAX_CHECK_STEPS ? ", which is what the rest of this judgement leaves" : ""}`);
}

function begin(steps: number): void {
  left = most = steps;
}

/**
 * Checks a value within the budget, and within what is left of `shared`, from which it takes what it uses. The same value and schema take the
 * same steps everywhere.
 *
 * @throws Error when it is used up
 */
export function checkWithin(validate: ValidateFunction, value: Json, shared?: Steps): boolean {
  begin(Math.min(MAX_CHECK_STEPS, shared === undefined ? MAX_CHECK_STEPS : Math.floor(shared.left / STEPS_EACH)));
  try {
    return validate(value);
  } finally {
    if (shared !== undefined) shared.left -= Math.ceil(most - Math.max(0, left)) * STEPS_EACH;
  }
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
  makeStatic(rest, schemas);
  const run = (ajv: Ajv) => {
    begin(MAX_CHECK_STEPS); // the schema itself is checked first
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
  const newer = by["2020-12"]();
  try {
    return run(newer);
  } catch (error) {
    const older = by["draft-07"]();
    // The older dialect would pass over what only the newer one knows.
    for (const inner of schemas) for (const keyword of Object.keys(inner)) if (keyword in newer.RULES.all && !(keyword in older.RULES.all)) throw error;
    try {
      return run(older);
    } catch {
      throw error;
    }
  }
}

/**
 * In a document without an $id inside it, a dynamic reference leads where a plain one does. It is compiled as one: the compiler follows a dynamic
 * one only to an anchor it has come past, holds the value against the whole schema otherwise, and writes nested dynamic anchors down as often
 * as two to the power of their depth. It does not find an anchor at the top either.
 */
function makeStatic(root: SchemaObject, schemas: ReadonlySet<SchemaObject>): void {
  const resolve = referencesIn(root);
  for (const schema of schemas) {
    const [plain, dynamic] = [schema.$ref, schema.$dynamicRef].map((text) => (typeof text === "string" && resolve(text) === root ? "#" : text));
    delete schema.$dynamicRef;
    if (plain !== undefined) schema.$ref = plain;
    if (dynamic === undefined) continue;
    if (plain === undefined) schema.$ref = dynamic;
    else if (schema.allOf === undefined || Array.isArray(schema.allOf)) schema.allOf = [...(schema.allOf ?? []), { $ref: dynamic, [STEP]: 1 }];
  }
  for (const schema of schemas) {
    if (typeof schema.$dynamicAnchor !== "string") continue;
    schema.$anchor = schema.$dynamicAnchor;
    delete schema.$dynamicAnchor;
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
      spend(6 + text.length);
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
  spend(5 * find.size); // compiling it takes as long as reading some characters with it
  const test = (text: string) => {
    const steps = { left: left * STEPS_EACH };
    const found = find(text, steps);
    // Unknown is not "no": under a "not" it would pass.
    spend(found === undefined ? Number.POSITIVE_INFINITY : 20 + left - steps.left / STEPS_EACH);
    return found === true;
  };
  // ajv files expressions by their toString: without one of its own, every pattern would be the first that was ever compiled
  return Object.assign({ test }, { toString: () => `re2:${pattern}` });
}
