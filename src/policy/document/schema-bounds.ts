import { canonicalize, type Json } from "../../events/canonical.ts";
import { referencesIn, referencesOf, type SchemaObject } from "../../events/schema-walk.ts";

/** What holds for every value that a schema lets a field have. */
export interface Bounds {
  /** Whether the field is always there. */
  readonly required: boolean;
  /** undefined: any. */
  readonly types: readonly string[] | undefined;
  /** Its only values; undefined: any. */
  readonly allowed: readonly Json[] | undefined;
  /** Of a number. */
  readonly value: Range;
  /** Characters of a text. */
  readonly length: Range;
  /** Members of a list. */
  readonly items: Range;
}

/** Both included. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const ALL: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
const COUNT: Range = { low: 0, high: Number.POSITIVE_INFINITY };
const ANY: Bounds = { required: false, types: undefined, allowed: undefined, value: ALL, length: COUNT, items: COUNT };

/** References that are followed at most: what lies deeper is taken for any. */
const MAX_DEPTH = 50;

/**
 * What a schema guarantees of a field. Of alternatives (anyOf, oneOf) only what all of them say counts; what only sometimes binds (if, not,
 * dependentSchemas, patterns of names) counts for nothing. So it may know too little, never too much.
 */
export function boundsOf(schema: Json | undefined, keys: readonly string[]): Bounds {
  if (!isObject(schema)) return ANY;
  const resolve = referencesIn(schema);
  const at = (part: Json | undefined, depth: number, level: number): Bounds => {
    if (!isObject(part) || level > MAX_DEPTH) return ANY;
    const same = (list: Json | undefined) => (Array.isArray(list) ? list.map((one) => at(one, depth, level + 1)) : []);
    const referred = referencesOf(part).map((reference) => at(target(resolve, reference), depth, level + 1));
    const alternatives = [same(part.anyOf), same(part.oneOf)].filter((list) => list.length > 0).map((list) => list.reduce(either));
    return [own(part, depth, level), ...same(part.allOf), ...referred, ...alternatives].reduce(both);
  };
  const own = (part: SchemaObject, depth: number, level: number): Bounds => {
    const key = keys[depth];
    if (key === undefined) return ownBounds(part);
    const named = isObject(part.properties) && Object.hasOwn(part.properties, key) ? at(part.properties[key], depth + 1, level + 1) : ANY;
    const here = Array.isArray(part.required) && part.required.includes(key);
    // Deeper down it is required only where what it lies in is an object, which is not looked at.
    return { ...named, required: here && keys.length === 1 };
  };
  return at(schema, 0, 0);
}

function ownBounds(part: SchemaObject): Bounds {
  const number = (...names: string[]) => names.map((name) => part[name]).filter((value): value is number => typeof value === "number");
  const range = (low: readonly number[], high: readonly number[]): Range => ({ low: Math.max(ALL.low, ...low), high: Math.min(ALL.high, ...high) });
  const { type, enum: one, const: only } = part;
  return {
    required: false,
    types: typeof type === "string" ? [type] : Array.isArray(type) ? type.map(String) : undefined,
    allowed: only !== undefined ? [only] : Array.isArray(one) ? one : undefined,
    value: range(number("minimum", "exclusiveMinimum"), number("maximum", "exclusiveMaximum")),
    length: range([0, ...number("minLength")], number("maxLength")),
    items: range([0, ...number("minItems")], number("maxItems")),
  };
}

function both(a: Bounds, b: Bounds): Bounds {
  const narrow = (x: Range, y: Range): Range => ({ low: Math.max(x.low, y.low), high: Math.min(x.high, y.high) });
  return {
    required: a.required || b.required,
    types: a.types === undefined ? b.types : b.types === undefined ? a.types : common(a.types, b.types),
    allowed:
      a.allowed === undefined ? b.allowed : b.allowed === undefined ? a.allowed : a.allowed.filter((value) => holds(b.allowed as readonly Json[], value)),
    value: narrow(a.value, b.value),
    length: narrow(a.length, b.length),
    items: narrow(a.items, b.items),
  };
}

function either(a: Bounds, b: Bounds): Bounds {
  const wide = (x: Range, y: Range): Range => ({ low: Math.min(x.low, y.low), high: Math.max(x.high, y.high) });
  return {
    required: a.required && b.required,
    types: a.types && b.types && [...new Set([...a.types, ...b.types])],
    allowed: a.allowed && b.allowed && [...a.allowed, ...b.allowed.filter((value) => !holds(a.allowed as readonly Json[], value))],
    value: wide(a.value, b.value),
    length: wide(a.length, b.length),
    items: wide(a.items, b.items),
  };
}

/** Types that two lists of types have in common: an integer is a number. */
function common(a: readonly string[], b: readonly string[]): string[] {
  const has = (list: readonly string[], type: string) => list.includes(type) || (type === "integer" && list.includes("number"));
  return [...new Set([...a.filter((type) => has(b, type)), ...b.filter((type) => has(a, type))])];
}

function holds(values: readonly Json[], wanted: Json): boolean {
  return values.some((value) => canonicalize(value) === canonicalize(wanted));
}

/** A reference that leads nowhere keeps the document from being loaded; here it says nothing. */
function target(resolve: (reference: string) => Json, reference: string): Json {
  try {
    return resolve(reference);
  } catch {
    return true;
  }
}

function isObject(value: Json | undefined): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
