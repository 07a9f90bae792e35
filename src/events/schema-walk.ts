import { type Json, MAX_DEPTH } from "./canonical.ts";

/** A JSON Schema that is an object. */
export type SchemaObject = { [key: string]: Json };

/** Where schemas lie below a keyword: one, a list, or a map of names; and whether they judge the same value or a part of it. */
interface Place {
  readonly holds: "one" | "list" | "map";
  readonly same: boolean;
}

const same = (holds: Place["holds"]): Place => ({ holds, same: true });
const part = (holds: Place["holds"]): Place => ({ holds, same: false });

const PLACES: ReadonlyMap<string, readonly Place[]> = new Map([
  ["allOf", [same("list")]],
  ["anyOf", [same("list")]],
  ["oneOf", [same("list")]],
  ["not", [same("one")]],
  ["if", [same("one")]],
  ["then", [same("one")]],
  ["else", [same("one")]],
  ["dependentSchemas", [same("map")]],
  ["dependencies", [same("map")]],
  ["properties", [part("map")]],
  ["patternProperties", [part("map")]],
  ["additionalProperties", [part("one")]],
  ["unevaluatedProperties", [part("one")]],
  ["propertyNames", [part("one")]],
  ["items", [part("one"), part("list")]],
  ["prefixItems", [part("list")]],
  ["additionalItems", [part("one")]],
  ["unevaluatedItems", [part("one")]],
  ["contains", [part("one")]],
]);

const NAMED = new Set(["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"]);

/** Most schemas in one document, counted once, and as often as a compiler writes them down: once for the top and once per reference. */
const MAX_SCHEMAS = 500;
const MAX_WRITTEN = 1000;
/** Most schemas that judge one and the same value, references followed. */
const MAX_AT_ONCE = 500;
/** Most schemas where one refers to itself: with MAX_DEPTH levels of arguments, what a check then keeps on the stack. */
const MAX_RECURSIVE = 150;

/** Most different places that are referred to: a compiler follows each from within the one before. */
const MAX_TARGETS = 100;

/** What a walk found. */
export interface Walked {
  /** Every schema that can be reached, once. */
  readonly schemas: ReadonlySet<SchemaObject>;
}

/**
 * Walks a JSON Schema through everything it can reach and refuses what would make its check unbounded: a reference to itself on the same value,
 * compositions that multiply, more schemas than a tool's arguments need. References lead inside the document only.
 *
 * @throws Error with a sentence that names the limit
 */
export function walkSchema(root: SchemaObject): Walked {
  const schemas = new Set<SchemaObject>();
  const targets = new Set<SchemaObject>();
  const resolve = referencesIn(root);

  const waiting: SchemaObject[] = [root];
  const reach = (schema: Json | undefined): void => {
    if (!isObject(schema) || schemas.has(schema)) return;
    if (schemas.size >= MAX_SCHEMAS) throw new Error(`it has more than ${MAX_SCHEMAS} schemas`);
    schemas.add(schema);
    waiting.push(schema);
  };
  schemas.add(root);
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    // It would answer with a promise: taken for true, and ending the process when it is rejected.
    if (schema.$async !== undefined) throw new Error("$async is not supported");
    checkReferences(schema);
    if (schema.$id !== undefined && schema !== root && !String(schema.$id).startsWith("#"))
      throw new Error("$id below the top is not supported: put what is shared under $defs");
    for (const child of childrenOf(schema)) reach(child.schema);
    for (const reference of referencesOf(schema)) {
      const target = resolve(reference);
      if (isObject(target)) targets.add(target);
      if (targets.size > MAX_TARGETS) throw new Error(`it refers to more than ${MAX_TARGETS} different places`);
      reach(target);
    }
  }
  const counts = counting(resolve);
  for (const schema of schemas) counts.atOnce(schema);
  const written = [root, ...targets].reduce((sum, schema) => sum + counts.below(schema), 0);
  if (written > MAX_WRITTEN) throw new Error(`its references make more than ${MAX_WRITTEN} schemas of it`);
  if (schemas.size > MAX_RECURSIVE && counts.recursive(root))
    throw new Error(`it refers to itself and has ${schemas.size} schemas: more than ${MAX_RECURSIVE} are not followed ${MAX_DEPTH} levels deep`);
  return { schemas };
}

/** What a compiler passes over where it stands in another draft, or is no text: it would check nothing. */
function checkReferences(schema: SchemaObject): void {
  if (schema.$recursiveRef !== undefined || schema.$recursiveAnchor !== undefined)
    throw new Error("$recursiveRef and $recursiveAnchor are not supported: use $ref, or $dynamicRef and $dynamicAnchor");
  for (const keyword of ["$ref", "$dynamicRef", "$anchor", "$dynamicAnchor"])
    if (schema[keyword] !== undefined && typeof schema[keyword] !== "string")
      throw new Error(`${keyword} must be a text, not ${JSON.stringify(schema[keyword]).slice(0, 100)}`);
  const { $anchor, $dynamicAnchor } = schema;
  if ($anchor !== undefined && $dynamicAnchor !== undefined && $anchor !== $dynamicAnchor)
    throw new Error(
      `$anchor ${JSON.stringify($anchor).slice(0, 100)} and $dynamicAnchor ${JSON.stringify($dynamicAnchor).slice(0, 100)} name one place: keep one of them`,
    );
}

/**
 * Looks up references inside a document: `#`, `#/$defs/name`, `#anchor`, and each of them behind the document's own `$id`.
 *
 * @throws Error (the function it returns) with a sentence where a reference leads out of the document or to nothing
 */
export function referencesIn(root: SchemaObject): (reference: string) => Json {
  const base = typeof root.$id === "string" ? root.$id.replace(/#$/, "") : undefined;
  let anchors: Map<string, SchemaObject> | undefined;
  return (reference) => {
    const ref = base !== undefined && base !== "" && reference.startsWith(`${base}#`) ? reference.slice(base.length) : reference === base ? "#" : reference;
    if (ref === "#") return root;
    if (ref.startsWith("#/")) return pointed(root, ref);
    const anchor = ref.startsWith("#") ? (anchors ??= anchorsOf(root)).get(ref.slice(1)) : undefined;
    if (anchor === undefined)
      throw new Error(`it refers to ${JSON.stringify(reference).slice(0, 100)}, which is not inside it: only references such as "#/$defs/name" are followed`);
    return anchor;
  };
}

/** Counts over the graph of schemas, each schema looked at once. */
function counting(resolve: (reference: string) => Json) {
  const once = new Map<SchemaObject, number>();
  const size = new Map<SchemaObject, number>();
  const seen = new Map<SchemaObject, boolean>();
  const open = new Set<SchemaObject>();

  /** Schemas that judge the same value as this one does. */
  function atOnce(schema: Json | undefined): number {
    if (!isObject(schema)) return 0;
    const known = once.get(schema);
    if (known !== undefined) return known;
    if (open.has(schema)) throw new Error("it refers to itself on the same value, which never ends");
    open.add(schema);
    let sum = 1;
    for (const child of childrenOf(schema)) if (child.same) sum += atOnce(child.schema);
    for (const reference of referencesOf(schema)) sum += atOnce(resolve(reference));
    if (sum > MAX_AT_ONCE) throw new Error(`its compositions apply more than ${MAX_AT_ONCE} schemas to one value`);
    open.delete(schema);
    once.set(schema, sum);
    return sum;
  }

  /** Schemas inside this one, references not followed. */
  function below(schema: Json | undefined): number {
    if (!isObject(schema)) return 0;
    let sum = size.get(schema);
    if (sum !== undefined) return sum;
    sum = 1;
    for (const child of childrenOf(schema)) sum += below(child.schema);
    size.set(schema, sum);
    return sum;
  }

  /** Whether a schema comes back to one that it is inside of. */
  function recursive(schema: Json | undefined): boolean {
    if (!isObject(schema)) return false;
    const known = seen.get(schema);
    if (known !== undefined) return known;
    seen.set(schema, true); // while it is open, meeting it again is the recursion
    const answer = childrenOf(schema).some((child) => recursive(child.schema)) || referencesOf(schema).some((reference) => recursive(resolve(reference)));
    seen.set(schema, answer);
    return answer;
  }

  return { atOnce, below, recursive };
}

/** Values in a schema that are not schemas themselves: what checking it once costs beside the schemas inside it. */
export function weightOf(schema: SchemaObject): number {
  let weight = 1;
  for (const [keyword, value] of Object.entries(schema)) {
    if (NAMED.has(keyword) && isObject(value)) weight += Object.keys(value).length;
    else if (!PLACES.has(keyword)) weight += sizeOf(value);
  }
  return weight;
}

function sizeOf(value: Json): number {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? 1 + (value.length >> 4) : 1;
  return Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), 1);
}

/** A schema below a keyword of another. `same`: it judges the same value, not a part of it. */
interface Child {
  readonly keyword: string;
  readonly schema: Json;
  readonly same: boolean;
}

/** The schemas right below one, references not followed. */
export function childrenOf(schema: SchemaObject): Child[] {
  const children: Child[] = [];
  for (const [keyword, places] of PLACES) {
    const value = schema[keyword];
    if (value === undefined || !Object.hasOwn(schema, keyword)) continue;
    for (const { holds, same } of places) {
      if (holds === "one" ? !isObject(value) : holds === "list" ? !Array.isArray(value) : !isObject(value)) continue;
      for (const child of holds === "one" ? [value] : Object.values(value as object)) children.push({ keyword, schema: child, same });
    }
  }
  return children;
}

/** Where a schema refers to. */
export function referencesOf(schema: SchemaObject): string[] {
  return ["$ref", "$dynamicRef"].map((keyword) => schema[keyword]).filter((reference) => typeof reference === "string");
}

function pointed(root: SchemaObject, ref: string): Json {
  let at: Json = root;
  let before = "";
  for (const part of ref.slice(2).split("/")) {
    const key = unescaped(part);
    // What lies in a constant is no schema, and must stay as it is.
    if ((key === "enum" || key === "const") && !NAMED.has(before)) throw new Error(`it refers to ${ref}, which is a constant`);
    const next: Json | undefined = typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as SchemaObject)[key] : undefined;
    if (next === undefined) throw new Error(`it refers to ${ref.slice(0, 100)}, which is not there`);
    at = next;
    before = key;
  }
  return at;
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return part;
  }
}

function anchorsOf(root: SchemaObject): Map<string, SchemaObject> {
  const anchors = new Map<string, SchemaObject>();
  const look = (value: Json): void => {
    if (typeof value !== "object" || value === null) return;
    if (isObject(value))
      for (const name of [value.$anchor, value.$dynamicAnchor, typeof value.$id === "string" && value.$id.startsWith("#") ? value.$id.slice(1) : undefined])
        if (typeof name === "string" && !anchors.has(name)) anchors.set(name, value);
    for (const item of Object.values(value)) look(item);
  };
  look(root);
  return anchors;
}

function isObject(value: Json | undefined): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
