import type { Json } from "../events/canonical.ts";

type SchemaObject = { readonly [key: string]: Json };

/** Deepest nesting that is followed: a schema may refer to itself. */
const MAX_DEPTH = 12;

/** Every part of a schema that speaks of one field, `$ref` inside the schema followed. Empty where none declares it. */
export function fieldSchemas(schema: Json | undefined, keys: readonly string[]): SchemaObject[] {
  return walk(schema, schema, keys, 0);
}

/** Types that a schema gives a field; empty where it gives none. */
export function fieldTypes(schema: Json | undefined, keys: readonly string[]): string[] {
  return fieldSchemas(schema, keys).flatMap(({ type }) => (Array.isArray(type) ? type.map(String) : typeof type === "string" ? [type] : []));
}

/** Names of the fields that a value must have at the top of a schema. */
export function requiredNames(schema: Json | undefined, keys: readonly string[] = []): string[] {
  return [...new Set(fieldSchemas(schema, keys).flatMap(({ required }) => (Array.isArray(required) ? required.map(String) : [])))];
}

function walk(root: Json | undefined, schema: Json | undefined, keys: readonly string[], depth: number): SchemaObject[] {
  if (depth > MAX_DEPTH || !isObject(schema)) return [];
  const branches = branchesOf(root, schema).flatMap((branch) => walk(root, branch, keys, depth + 1));
  const [key, ...rest] = keys;
  if (key === undefined) return [schema, ...branches];
  const { properties, prefixItems, items, additionalProperties } = schema;
  const next: (Json | undefined)[] = [];
  if (isObject(properties) && Object.hasOwn(properties, key)) next.push(properties[key]);
  else if (isObject(additionalProperties)) next.push(additionalProperties);
  if (/^\d+$/.test(key)) next.push(Array.isArray(prefixItems) && Number(key) < prefixItems.length ? prefixItems[Number(key)] : items);
  return [...next.flatMap((inner) => walk(root, inner, rest, depth + 1)), ...branches];
}

function branchesOf(root: Json | undefined, schema: SchemaObject): (Json | undefined)[] {
  const lists = ["allOf", "anyOf", "oneOf"].flatMap((word) => (Array.isArray(schema[word]) ? schema[word] : []));
  const { $ref, then: yes, else: no } = schema;
  if (typeof $ref !== "string" || !$ref.startsWith("#/")) return [...lists, yes, no];
  const path = $ref
    .slice(2)
    .split("/")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return [...lists, yes, no, path.reduce<Json | undefined>((at, key) => (isObject(at) ? at[key] : undefined), root)];
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
