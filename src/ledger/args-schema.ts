import type { ValidateFunction } from "ajv";
import { checkWithin, compileBounded, compilers } from "../events/bounded-schema.ts";
import { type Json, parseStrict } from "../events/canonical.ts";
import { LIMITS } from "../events/limits.ts";

/** Formats are not judged here: their expressions differ from version to version, and a folded state must not. */
const COMPILERS = compilers({ strict: false, logger: false, validateFormats: false });

const compiled = new Map<string, ValidateFunction | boolean | string>();
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

/** The first place where a value breaks a JSON Schema (given as text); null when it is valid. Takes bounded time and never throws. */
export function argsFault(schema: string, value: unknown): ArgsFault | null {
  const validate = compiledSchema(schema);
  if (typeof validate === "string") return { path: "", rule: "schema", message: validate };
  if (typeof validate === "boolean") return validate ? null : { path: "", rule: "false schema", message: "must not be sent: the schema is false" };
  try {
    if (checkWithin(validate, value as Json)) return null;
  } catch (error) {
    return { path: "", rule: "schema", message: `its schema is unusable: ${(error as Error).message}` };
  }
  const error = validate.errors?.[0];
  validate.errors = null; // holds the value otherwise
  const { missingProperty, additionalProperty } = error?.params ?? {};
  const key = missingProperty ?? additionalProperty;
  const path = `${error?.instancePath ?? ""}${typeof key === "string" && error?.keyword === "additionalProperties" ? `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}` : ""}`;
  return { path, rule: error?.keyword ?? "invalid", message: error?.message ?? "invalid" };
}

function compiledSchema(schema: string): ValidateFunction | boolean | string {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    if (compiled.size >= MOST) compiled.clear();
    compiled.set(schema, (validate = compile(schema)));
  }
  return validate;
}

function compile(text: string): ValidateFunction | boolean | string {
  try {
    const schema = parseStrict(text, { name: "it", maxBytes: LIMITS.schema });
    if (typeof schema === "boolean") return schema;
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return "its schema is unusable: it is no object";
    return compileBounded(schema, COMPILERS, (ajv, prepared) => ajv.compile(prepared));
  } catch (error) {
    return `its schema is unusable: ${(error as Error).message}`;
  }
}
