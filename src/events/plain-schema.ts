import type { Json } from "./canonical.ts";

const TYPES = new Set(["string", "number", "integer", "boolean", "object", "array", "null"]);

const isText = (v: Json) => typeof v === "string";
const isFlag = (v: Json) => typeof v === "boolean";
const isNumber = (v: Json) => typeof v === "number" && Number.isFinite(v);
const isCount = (v: Json) => Number.isInteger(v) && (v as number) >= 0;
const isTexts = (v: Json) => Array.isArray(v) && v.every(isText) && new Set(v).size === v.length;
/** Draft-07 wants at least one value, each once. */
const isChoice = (v: Json) => Array.isArray(v) && v.length > 0 && v.every((x) => typeof x !== "object" || x === null) && new Set(v).size === v.length;
const isMap = (v: Json) => isObject(v) && Object.values(v).every(isPlain);

/** What the meta-schemas of 2020-12 and draft-07 both want of a keyword. A pattern is left to them: its own syntax is checked there. */
const KEYWORDS: Readonly<Record<string, (value: Json) => boolean>> = {
  type: (v) => (isText(v) ? TYPES.has(v as string) : isTexts(v) && (v as string[]).length > 0 && (v as string[]).every((t) => TYPES.has(t))),
  properties: isMap,
  required: isTexts,
  additionalProperties: isPlain,
  items: isPlain,
  enum: isChoice,
  const: () => true,
  default: () => true,
  examples: Array.isArray,
  title: isText,
  description: isText,
  format: isText,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  minProperties: isCount,
  maxProperties: isCount,
  uniqueItems: isFlag,
  readOnly: isFlag,
  writeOnly: isFlag,
};

/**
 * Whether a JSON Schema has nothing but common keywords with values that they may have. It is then valid by the meta-schema of either dialect,
 * so that the meta-schema, whose own check takes ten times as long to make as that of most tools' arguments, need not be asked.
 */
export function isPlain(schema: Json): boolean {
  if (typeof schema === "boolean") return true;
  return isObject(schema) && Object.entries(schema).every(([key, value]) => Object.hasOwn(KEYWORDS, key) && KEYWORDS[key]!(value));
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
