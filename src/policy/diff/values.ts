import { canonicalize, type Json } from "../../events/canonical.ts";
import { regexSamples } from "../conditions/regex-samples.ts";
import { fieldSchemas, fieldTypes, requiredNames } from "../document/schema-fields.ts";
import type { Leaf } from "../document/shape-condition.ts";

/** Values that one part of a proposal may take; undefined: it is not there. The first is the ordinary one. */
export type Values = (Json | undefined)[];

/** A schema may hold itself: deeper than this no value is made. */
const MOST_DEPTH = 8;

const ELSE = "nothing of the kind";

/** Values on both sides of a comparison, and one of another type. The first satisfies it where that can be told. */
export function leafValues({ operator, threshold }: Leaf): Values {
  const numbers = (n: number): Values =>
    operator.startsWith("below") || operator.endsWith("_most") ? [n - 1, n, n + 1, n - 0.01, n + 0.01] : [n + 1, n, n - 1, n + 0.01, n - 0.01];
  if (operator.startsWith("length_") && typeof threshold === "number")
    return [threshold + 1, threshold, threshold - 1]
      .filter((n) => n >= 0 && n <= 2000)
      .flatMap((n): Values => ["x".repeat(n), Array.from({ length: n }, (_, i) => `x${i}`)]);
  if (typeof threshold === "number") return [...numbers(threshold), "text"];
  if (operator === "exists") return ["x", 1, true, undefined];
  if (operator === "matches" && typeof threshold === "string")
    return [...regexSamples(threshold), ...regexSamples(threshold).map((text) => text.toUpperCase()), ELSE, 1];
  if (operator === "glob" && typeof threshold === "string") return [threshold.replaceAll("*", "x").replaceAll("?", "x"), ELSE, 1];
  if (operator === "contains") return [threshold, [threshold], `${String(threshold)}x`, `x${String(threshold)}`, ELSE, [ELSE], 1];
  if (operator === "prefix" || operator === "suffix") return [threshold, `${String(threshold)}x`, `x${String(threshold)}`, ELSE, 1];
  if (operator === "domain_in") {
    const inside = (threshold as string[]).map((domain) => `ann@${domain.replace("*", "mail")}`);
    return [...inside, ...inside.map((address) => [address]), "ann@elsewhere.test", ["ann@elsewhere.test"], "no address", 1];
  }
  if (operator === "between") return [...(threshold as number[]).flatMap(numbers), "text"];
  const values = Array.isArray(threshold) && (operator === "in" || operator === "not_in") ? threshold : [threshold];
  return [...values, ...values.map((value) => (typeof value === "boolean" ? !value : typeof value === "string" ? `not ${value}` : 0)), ...values.map(mistyped)];
}

/** A value of the right type that does not satisfy a comparison, so that no rule is about it. */
export function calmValue({ operator, threshold }: Leaf): Json | undefined {
  const n = typeof threshold === "number" ? threshold : 0;
  if (operator === "exists") return threshold === true ? undefined : "x";
  if (operator.startsWith("length_")) return "x".repeat(Math.max(0, Math.min(2000, operator.includes("below") || operator.endsWith("most") ? n + 1 : n - 1)));
  if (operator === "between") return (threshold as number[])[0] === undefined ? 0 : ((threshold as number[])[0] as number) - 1;
  if (typeof threshold === "number" && operator !== "not") return operator.startsWith("below") || operator.endsWith("_most") ? n + 1 : n - 1;
  if (operator === "not") return threshold;
  if (operator === "not_in") return (threshold as Json[])[0] ?? null;
  if (operator === "is" && typeof threshold === "boolean") return !threshold;
  return operator === "domain_in" ? "ann@elsewhere.test" : ELSE;
}

function mistyped(value: Json): Json {
  return typeof value === "string" ? 1 : "text";
}

/** Names of the arguments that a schema declares. */
export function topNames(schema: Json | undefined): string[] {
  return [...new Set(fieldSchemas(schema, []).flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : [])))];
}

/** Values that a schema lets a field have, an ordinary one first. */
export function sampleValues(schema: Json | undefined, keys: readonly string[]): Values {
  if (keys.length > MOST_DEPTH) return ["x"];
  const required = keys.length === 1 && requiredNames(schema).includes(keys[0] as string);
  const values = fieldSchemas(schema, keys).flatMap((part): Values => {
    if (Array.isArray(part.enum)) return part.enum;
    if (part.const !== undefined) return [part.const];
    const implied = part.items !== undefined ? "array" : part.properties !== undefined ? "object" : undefined;
    const type = Array.isArray(part.type) ? part.type[0] : (part.type ?? implied);
    if (type === "integer" || type === "number") return numbersFor(part, type);
    if (type === "boolean") return [false, true];
    if (type === "array") {
      const members = sampleValues(schema, [...keys, "0"])
        .slice(0, 1)
        .filter((one) => one !== undefined);
      return [Array.from({ length: typeof part.minItems === "number" ? part.minItems : 1 }, (_, i) => memberAt(members, i))];
    }
    if (type === "object") return [sampleObject(schema, keys)];
    return [textFor(part)];
  });
  return required ? values : [...values, undefined];
}

/** A member of a list that is like its first. */
export function memberAt([first]: readonly Json[], at: number): Json {
  if (typeof first === "number") return first + at;
  return first === undefined || /^x?\d*$|^text$/.test(String(first)) ? `x${at}` : first;
}

function numbersFor({ minimum, exclusiveMinimum, maximum }: { readonly [key: string]: Json }, type: "integer" | "number"): Values {
  const above = typeof exclusiveMinimum === "number" ? exclusiveMinimum + (type === "integer" ? 1 : 0.01) : 1;
  const low = typeof minimum === "number" ? minimum : typeof maximum === "number" ? Math.min(above, maximum) : above;
  return [low, typeof maximum === "number" ? maximum : low + 1_000_000];
}

function sampleObject(schema: Json | undefined, keys: readonly string[]): Json {
  const names = requiredNames(schema, keys);
  const [first] = fieldSchemas(schema, keys).flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : []));
  const chosen = names.length > 0 ? names : first === undefined ? [] : [first];
  return Object.fromEntries(chosen.map((name) => [name, sampleValues(schema, [...keys, name])[0] ?? "x"]));
}

function textFor(part: { readonly [key: string]: Json }): string {
  if (typeof part.pattern === "string") return regexSamples(part.pattern)[0] ?? "x";
  const formats: Readonly<Record<string, string>> = {
    email: "ann@example.com",
    date: "2026-01-06",
    "date-time": "2026-01-06T10:00:00Z",
    uri: "https://example.com/",
    uuid: "01890a5d-ac96-774b-bcce-b302099a8057",
  };
  const text = formats[String(part.format)] ?? "text";
  const { minLength, maxLength } = part;
  return (typeof minLength === "number" ? text.padEnd(minLength, "x") : text).slice(0, typeof maxLength === "number" ? maxLength : undefined);
}

/** Values that a schema has no word against: of a field with a type, those of another type only end in a breach of the schema. */
export function fitting(schema: Json | undefined, keys: readonly string[], values: Values): Values {
  const types = fieldTypes(schema, keys);
  return types.length === 0 ? values : values.filter((value) => value === undefined || types.some((type) => isOf(type, value)));
}

function isOf(type: string, value: Json): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  return type === "object" ? isObject(value) : typeof value === type;
}

const MACROS = /^(exists|all|exists_one|filter|map|size|contains|startsWith|endsWith|matches)$/;

/** What a CEL expression reads, each with values made of the constants in it. */
export function celValues(text: string): { path: string[]; values: Values }[] {
  const strings = [...text.matchAll(/'([^'\\]*)'|"([^"\\]*)"/g)].map((match) => match[1] ?? match[2] ?? "");
  const bare = text.replaceAll(/'[^'\\]*'|"[^"\\]*"/g, "");
  const numbers = [...bare.matchAll(/(?<![\w.])\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
  const plain: Values = [
    ...numbers.flatMap((n) => [n + 1, n, n - 1, n + 0.01, n - 0.01]),
    ...strings.flatMap((one) => [one, `${one}x`, `x${one}`]),
    true,
    false,
    ELSE,
    undefined,
  ];
  return [...bare.matchAll(/\b(args|target|agent|run)((?:\.[A-Za-z_]\w*)+)/g)].map(([, root = "", rest = ""]) => {
    const keys = rest.slice(1).split(".");
    const at = keys.findIndex((key) => MACROS.test(key));
    const lists: Values = at < 0 ? [] : [...strings.map((one) => [`${one}x`]), [ELSE]];
    return { path: [root, ...(at < 0 ? keys : keys.slice(0, at))], values: [...lists, ...plain] };
  });
}

/** Each value once. */
export function unique(values: Values): Values {
  const seen = new Set<string>();
  return values.filter((value) => {
    const key = value === undefined ? "undefined" : canonicalize(value);
    const known = seen.has(key);
    seen.add(key);
    return !known;
  });
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
