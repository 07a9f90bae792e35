import { Ajv, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { RE2JS } from "re2js";

interface Validate {
  (value: unknown): boolean;
  errors?: { instancePath: string; keyword: string; params?: { missingProperty?: unknown; additionalProperty?: unknown }; message?: string }[] | null;
}

/** Agents write these schemas: a pattern must not be able to hang the fold. ajv keeps one pattern per `toString()`. */
function linearRegExp(pattern: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(pattern);
  return { test: (text) => compiled.matcher(text).find(), toString: () => pattern };
}

const options: Options = { strict: false, logger: false, validateFormats: false, code: { regExp: Object.assign(linearRegExp, { code: "RE2" }) } };

const compiled = new Map<string, Validate | string>();
const MOST = 500;

/** How a value breaks a JSON Schema. */
export interface ArgsFault {
  /** JSON Pointer of the place; empty for the whole. */
  readonly path: string;
  /** Keyword of the schema that is broken; `schema` where the schema itself is unusable. */
  readonly rule: string;
  readonly message: string;
}

/** Why a value breaks a JSON Schema (given as text); null when it is valid. A schema that cannot be compiled is a reason, too. */
export function argsError(schema: string, value: unknown): string | null {
  const fault = argsFault(schema, value);
  return fault === null ? null : fault.rule === "schema" ? fault.message : `${fault.path || "the arguments"} ${fault.message}`;
}

/** Why a JSON Schema (given as text) cannot be used; null when it can. */
export function schemaFault(schema: string): string | null {
  const validate = compiledSchema(schema);
  return typeof validate === "string" ? validate : null;
}

/** The first place where a value breaks a JSON Schema (given as text); null when it is valid. Never throws. */
export function argsFault(schema: string, value: unknown): ArgsFault | null {
  const validate = compiledSchema(schema);
  if (typeof validate === "string") return { path: "", rule: "schema", message: validate };
  try {
    if (validate(value)) return null;
  } catch (error) {
    // A schema that refers to itself without end exhausts the stack: that must not stop the fold.
    return { path: "", rule: "schema", message: `its schema is unusable: ${(error as Error).message}` };
  }
  const error = validate.errors?.[0];
  const { missingProperty, additionalProperty } = error?.params ?? {};
  const key = missingProperty ?? additionalProperty;
  const path = `${error?.instancePath ?? ""}${typeof key === "string" && error?.keyword === "additionalProperties" ? `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}` : ""}`;
  return { path, rule: error?.keyword ?? "invalid", message: error?.message ?? "invalid" };
}

function compiledSchema(schema: string): Validate | string {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    if (compiled.size >= MOST) compiled.clear();
    compiled.set(schema, (validate = compile(schema)));
  }
  return validate;
}

function compile(text: string): Validate | string {
  try {
    const schema = JSON.parse(text);
    // It would answer with a promise: taken for true, and ending the process when it is rejected.
    if (schema?.$async !== undefined) return "its schema is unusable: $async is not supported";
    const draft2020 = typeof schema?.$schema === "string" && schema.$schema.includes("2020-12");
    // One instance per schema: two agents may use the same $id for different schemas.
    return (draft2020 ? new Ajv2020(options) : new Ajv(options)).compile(schema) as unknown as Validate;
  } catch (error) {
    return `its schema is unusable: ${(error as Error).message}`;
  }
}
