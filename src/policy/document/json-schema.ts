import type { Ajv, ErrorObject, ValidateFunction } from "ajv";
import { checkWithin, compileBounded, compilers, spend } from "../../events/bounded-schema.ts";
import type { Json } from "../../events/canonical.ts";
import { ajvFormats } from "../../events/libraries.ts";
import type { Steps } from "../conditions/regex.ts";
import { didYouMean, nearest, shown } from "../problems.ts";

/** What a value breaks in a schema. */
export interface Breach {
  /** JSON Pointer into the value. */
  readonly path: string;
  /** The rule that it breaks, such as maximum. */
  readonly rule: string;
  /** A sentence with path and rule. */
  readonly message: string;
  /** The offending value, shortened, where the message does not hold it already. Not for everybody when the field is secret. */
  readonly value: string | undefined;
}

/** Most breaches that are told of one value. */
export const MOST_BREACHES = 10;

/** Values whose text is longer are told their first breach only: every part of a large one may be an error of its own. */
const MOST_TEXT = 32 * 1024;

/**
 * Checks a value: what it breaks, at most MOST_BREACHES; undefined when it conforms. It takes from `steps` what it uses; a value for which they
 * are not enough breaks the schema.
 */
export type SchemaCheck = (value: Json, steps?: Steps) => readonly [Breach, ...Breach[]] | undefined;

/** Longest text that a format is tried on: some of the formats' own expressions are quadratic. */
const MAX_FORMATTED = 4096;

/** Checks by the text of their schema: a document is read more than once until it is in force, and compiling is what that takes its time with. */
const compiled = new Map<string, SchemaCheck>();
const MOST_COMPILED = 500;

/**
 * Compiles a JSON Schema (2020-12, or draft-07 where it says so or is only valid as such). Patterns run through RE2, formats on short
 * texts only and uniqueItems in linear time, so that no value can hold the process.
 *
 * @throws Error with a sentence that says what is wrong with the schema
 */
export function compileSchema(schema: Json): SchemaCheck {
  if (typeof schema === "boolean")
    return (value) => (schema ? undefined : [{ path: "", rule: "false", message: "no arguments are allowed (false)", value: shown(value) }]);
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) throw new Error(`a JSON Schema is an object, not ${shown(schema)}`);
  const text = keyOf(schema);
  let check = compiled.get(text);
  if (check === undefined) {
    check = checkOf(compileBounded(schema, COMPILERS, compileWith), () => compileBounded(schema, THOROUGH, compileWith));
    if (compiled.size >= MOST_COMPILED) compiled.clear();
    compiled.set(text, check);
  }
  return check;
}

/** The text of a schema, in which YAML's numbers that JSON does not have stay what they are. */
function keyOf(schema: Json): string {
  return JSON.stringify(schema, (_, value) => (typeof value === "number" && !Number.isFinite(value) ? { "": String(value) } : value));
}

/** What ajv's strict mode warned of while it compiled the last schema. */
const warnings: string[] = [];

const OPTIONS = {
  strict: "log",
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  verbose: true,
  logger: { log: () => {}, error: () => {}, warn: (message: string) => void warnings.push(String(message)) },
} as const;

function withFormats(ajv: Ajv): void {
  ajvFormats().default(ajv);
  for (const [format, definition] of Object.entries(ajv.formats)) ajv.formats[format] = bounded(format, definition);
}

const COMPILERS = compilers(OPTIONS, withFormats);
/** Goes on after the first breach: slower, and needed only to tell them all. */
const THOROUGH = compilers({ ...OPTIONS, allErrors: true }, withFormats);

function compileWith(ajv: Ajv, schema: object): ValidateFunction {
  warnings.length = 0;
  try {
    const validate = ajv.compile(schema) as ValidateFunction;
    const keywords = Object.keys(ajv.RULES.all);
    for (const message of warnings) {
      const keyword = /unknown keyword: "([^"]+)"/.exec(message)?.[1];
      // Annotations of other tools ("x-…", "example") pass; a near miss would silently check nothing.
      if (keyword !== undefined && !keyword.startsWith("x-") && nearest(keyword, keywords) !== undefined)
        throw new Error(`unknown keyword ${shown(keyword)}${didYouMean(keyword, keywords)}`);
    }
    return validate;
  } catch (error) {
    const format = /unknown format "([^"]+)"/.exec((error as Error).message)?.[1];
    if (format === undefined) throw error;
    throw new Error(`unknown format ${shown(format)}${didYouMean(format, Object.keys(ajv.formats))}`);
  }
}

type Formats = Ajv["formats"];

function bounded(name: string, format: Formats[string]): Formats[string] {
  if (["byte", "binary", "password"].includes(name) || !(format instanceof RegExp || typeof format === "function")) return format;
  const test = format instanceof RegExp ? (text: string) => format.test(text) : format;
  return (text: string) => {
    if (text.length > MAX_FORMATTED) return false;
    spend(text.length + text.length ** 2 / 1024);
    return test(text);
  };
}

function checkOf(validate: ValidateFunction, thorough: () => ValidateFunction): SchemaCheck {
  let all: ValidateFunction | undefined;
  return (value, steps) => {
    const first = firstBreach(validate, value, steps);
    if (first === undefined) return undefined;
    if (first.rule === "schema" || JSON.stringify(value).length > MOST_TEXT) return [first];
    const others = everyBreach((all ??= thorough()), value, steps).filter(({ message }) => message !== first.message);
    return [first, ...others.slice(0, MOST_BREACHES - 1)];
  };
}

function firstBreach(validate: ValidateFunction, value: Json, steps: Steps | undefined): Breach | undefined {
  try {
    if (checkWithin(validate, value, steps)) return undefined;
  } catch (error) {
    return { path: "", rule: "schema", message: `the arguments cannot be checked: ${(error as Error).message}`, value: undefined };
  }
  const errors = validate.errors ?? [];
  const last = errors.at(-1);
  const error = last?.keyword === "if" ? errors[0] : last;
  validate.errors = null; // holds the value otherwise
  return error === undefined ? { path: "", rule: "schema", message: "the arguments break the schema", value: undefined } : breachOf(error);
}

/** Keywords that only sum up what lies beneath them, where their own breaches are told. */
const SUMS: ReadonlySet<string> = new Set(["if", "anyOf", "oneOf"]);

/** Each breach once. None where the longer check takes too many steps: the first one stands by itself then. */
function everyBreach(validate: ValidateFunction, value: Json, steps: Steps | undefined): Breach[] {
  try {
    checkWithin(validate, value, steps);
    const breaches = new Map<string, Breach>();
    for (const error of validate.errors ?? []) {
      // What the branches of a choice want is no list of what is wrong: only one of them has to hold.
      if (SUMS.has(error.keyword) || /\/(anyOf|oneOf)\//.test(error.schemaPath)) continue;
      const breach = breachOf(error);
      breaches.set(breach.message, breach);
      if (breaches.size > MOST_BREACHES) break;
    }
    return [...breaches.values()];
  } catch {
    return [];
  } finally {
    validate.errors = null; // holds the value otherwise
  }
}

function breachOf(error: ErrorObject): Breach {
  const path = error.instancePath;
  const at = path === "" ? "the arguments" : path;
  const extra = error.keyword === "additionalProperties" || error.keyword === "unevaluatedProperties" ? shown(Object.values(error.params)[0]) : undefined;
  const allowed =
    error.keyword === "enum"
      ? ` (${error.params.allowedValues.map(shown).join(", ").slice(0, 200)})`
      : error.keyword === "const"
        ? ` ${shown(error.params.allowedValue)}`
        : "";
  if (error.keyword === "required")
    return { path, rule: "required", message: `${at} must have ${shown(error.params.missingProperty)} (required)`, value: undefined };
  if (extra !== undefined) return { path, rule: error.keyword, message: `${at} must not have ${extra} (${error.keyword})`, value: undefined };
  return { path, rule: error.keyword, message: `${at} ${error.message ?? "is wrong"}${allowed} (${error.keyword})`, value: shown(error.data) };
}
