import { Ajv, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { RE2JS } from "re2js";

interface Validate {
  (value: unknown): boolean;
  errors?: { instancePath: string; message?: string }[] | null;
}

/** Agents write these schemas: a pattern must not be able to hang the fold. ajv keeps one pattern per `toString()`. */
function linearRegExp(pattern: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(pattern);
  return { test: (text) => compiled.matcher(text).find(), toString: () => pattern };
}

const options: Options = { strict: false, logger: false, validateFormats: false, code: { regExp: Object.assign(linearRegExp, { code: "RE2" }) } };

const compiled = new Map<string, Validate | string>();
const MOST = 500;

/** Why a value breaks a JSON Schema (given as text); null when it is valid. A schema that cannot be compiled is a reason, too. */
export function argsError(schema: string, value: unknown): string | null {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    if (compiled.size >= MOST) compiled.clear();
    compiled.set(schema, (validate = compile(schema)));
  }
  if (typeof validate === "string") return validate;
  if (validate(value)) return null;
  const error = validate.errors?.[0];
  return `${error?.instancePath || "the arguments"} ${error?.message ?? "invalid"}`;
}

function compile(text: string): Validate | string {
  try {
    const schema = JSON.parse(text);
    const draft2020 = typeof schema?.$schema === "string" && schema.$schema.includes("2020-12");
    // One instance per schema: two agents may use the same $id for different schemas.
    return (draft2020 ? new Ajv2020(options) : new Ajv(options)).compile(schema) as unknown as Validate;
  } catch (error) {
    return `its schema is unusable: ${(error as Error).message}`;
  }
}
