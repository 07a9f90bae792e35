import type { Json } from "../../events/canonical.ts";
import { scriptRegex } from "../../events/regex.ts";
import { childrenOf, referencesIn, referencesOf, type SchemaObject } from "../../events/schema-walk.ts";

/** Every part of a schema that speaks of one field, references inside the schema followed. Empty where none declares it. */
export function fieldSchemas(schema: Json | undefined, keys: readonly string[]): SchemaObject[] {
  return walk(schema, keys, (keyword) => keyword !== "not" && keyword !== "if" && keyword !== "contains").filter(isObject);
}

/**
 * Whether a schema declares a field: "yes", "no", or "open" where there is no schema to ask. Declared is what a part of it names, wherever
 * that part stands: one that only sometimes binds would otherwise switch off the rules that read the field. What a schema merely tolerates
 * (`additionalProperties: true`) is not declared.
 */
export function declares(schema: Json | undefined, keys: readonly string[]): "yes" | "no" | "open" {
  if (schema === undefined) return "open";
  return walk(schema, keys, () => true).length > 0 ? "yes" : "no";
}

/** Types that a schema gives a field; empty where it gives none. */
export function fieldTypes(schema: Json | undefined, keys: readonly string[]): string[] {
  return fieldSchemas(schema, keys).flatMap(({ type }) => (Array.isArray(type) ? type.map(String) : typeof type === "string" ? [type] : []));
}

/** Whether a schema says which values a field may have. */
export function saysType(schema: Json | undefined, keys: readonly string[]): boolean {
  return fieldSchemas(schema, keys).some((part) => part.type !== undefined || part.enum !== undefined || part.const !== undefined);
}

/** Names of the fields that a value must have at the top of a schema. */
export function requiredNames(schema: Json | undefined, keys: readonly string[] = []): string[] {
  return [...new Set(fieldSchemas(schema, keys).flatMap(({ required }) => (Array.isArray(required) ? required.map(String) : [])))];
}

/** Names of the fields at the top of a schema, for suggestions. */
export function fieldsOf(schema: Json | undefined): string[] {
  const names = fieldSchemas(schema, []).flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : []));
  return [...new Set(names)].map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
}

/** Every schema that a field is held against, down to `true`, each once. `follows`: the keywords whose schemas count. */
function walk(root: Json | undefined, keys: readonly string[], follows: (keyword: string) => boolean): Json[] {
  if (!isObject(root)) return root === true && keys.length === 0 ? [root] : [];
  const resolve = referencesIn(root);
  const found = new Set<Json>();
  // A schema may refer to itself: nothing new is found where it was looked at for the same place before.
  const seen = keys.map(() => new Set<Json>()).concat(new Set<Json>());
  const look = (schema: Json, depth: number): void => {
    if (seen[depth]?.has(schema)) return;
    seen[depth]?.add(schema);
    if (depth === keys.length) found.add(schema);
    if (!isObject(schema)) return;
    for (const child of childrenOf(schema)) if (child.same && follows(child.keyword)) look(child.schema, depth);
    for (const reference of referencesOf(schema)) look(target(resolve, reference), depth);
    if (depth < keys.length) for (const part of partsOf(schema, keys[depth] as string, follows)) look(part, depth + 1);
  };
  look(root, 0);
  return [...found];
}

/** A reference that leads nowhere keeps the document from being loaded; here it says nothing. */
function target(resolve: (reference: string) => Json, reference: string): Json {
  try {
    return resolve(reference);
  } catch {
    return false;
  }
}

/** What a schema says of one member of an object or a list. */
function partsOf(schema: SchemaObject, key: string, follows: (keyword: string) => boolean): Json[] {
  const { properties, patternProperties, additionalProperties, unevaluatedProperties, propertyNames, required } = schema;
  const named: Json[] = [];
  if (isObject(properties) && Object.hasOwn(properties, key)) named.push(properties[key] as Json);
  if (isObject(patternProperties)) for (const [pattern, part] of Object.entries(patternProperties)) if (mayName(pattern, key)) named.push(part);
  if (named.length === 0) named.push(...[additionalProperties, unevaluatedProperties].filter(says));
  if (Array.isArray(required) && required.includes(key)) named.push(true);
  if (isObject(propertyNames) && Array.isArray(propertyNames.enum) && propertyNames.enum.includes(key)) named.push(true);
  return /^\d+$/.test(key) ? [...named, ...membersOf(schema, Number(key), follows)] : named;
}

function membersOf(
  { prefixItems, items, additionalItems, unevaluatedItems, contains }: SchemaObject,
  index: number,
  follows: (keyword: string) => boolean,
): Json[] {
  const tuple = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : [];
  const placed = index < tuple.length ? [tuple[index] as Json] : [items, additionalItems, unevaluatedItems].filter(isObject);
  return follows("contains") && isObject(contains) ? [...placed, contains] : placed;
}

/** Whether a schema for all other members says anything of them. */
function says(schema: Json | undefined): schema is SchemaObject {
  return isObject(schema) && Object.keys(schema).length > 0;
}

/** A pattern that cannot be tried on a name may name it. */
function mayName(pattern: string, key: string): boolean {
  try {
    return scriptRegex(pattern)(key) !== false;
  } catch {
    return true;
  }
}

function isObject(value: Json | undefined): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
