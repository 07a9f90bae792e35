import { canonicalize, type Json } from "../../events/canonical.ts";
import { fieldSchemas } from "../document/schema-fields.ts";
import { memberAt, sampleValues, type Values } from "./values.ts";

/** How deep in the arguments, and in how many of them, edges are sought; and the longest text or list that is made. */
const MOST_DEPTH = 4;
const MOST_FIELDS = 100;
const MOST_LONG = 5000;

const UNDECLARED = "a_member_that_no_schema_declares";

/**
 * Values on both sides of what schemas of one action's arguments allow, each with its path in a case: so shows what a schema no longer refuses.
 * None where the schemas are the same.
 */
export function schemaEdges(schemas: readonly (Json | undefined)[]): { path: readonly string[]; values: Values }[] {
  if (new Set(schemas.map((schema) => (schema === undefined ? "" : canonicalize(schema)))).size < 2) return [];
  return schemas.flatMap((schema) =>
    fieldsIn(schema, [])
      .slice(0, MOST_FIELDS)
      .map((keys) => ({ path: ["args", ...keys], values: edgesOf(schema, keys) })),
  );
}

/** Paths of what a schema declares, of the first member of a list, and of one member of each object that it does not declare. */
function fieldsIn(schema: Json | undefined, keys: readonly string[]): string[][] {
  if (keys.length >= MOST_DEPTH) return [];
  const parts = fieldSchemas(schema, keys);
  const names = parts.flatMap(({ properties, items }) => [...(isObject(properties) ? Object.keys(properties) : []), ...(isObject(items) ? ["0"] : [])]);
  const object = parts.some(({ type, properties }) => type === "object" || isObject(properties));
  const own = [...new Set(names)].map((name) => [...keys, name]);
  return [...own, ...(object ? [[...keys, UNDECLARED]] : []), ...own.flatMap((path) => fieldsIn(schema, path))];
}

function edgesOf(schema: Json | undefined, keys: readonly string[]): Values {
  const [ordinary] = sampleValues(schema, keys);
  const text = typeof ordinary === "string" ? ordinary : "x";
  const list = Array.isArray(ordinary) ? ordinary : [];
  const numbers = (part: { readonly [key: string]: Json }, ...names: string[]) => names.map((name) => part[name]).filter((n) => typeof n === "number");
  if (keys.at(-1) === UNDECLARED) return [ordinary ?? "x"];
  return fieldSchemas(schema, keys).flatMap(
    (part): Values => [
      ...numbers(part, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum").flatMap((n) => [n - 1, n - 0.01, n, n + 0.01, n + 1]),
      ...numbers(part, "multipleOf").map((n) => n * 1.5),
      ...numbers(part, "minLength", "maxLength").flatMap((n) => lengths(n).map((length) => text.slice(0, length).padEnd(length, "x"))),
      ...numbers(part, "minItems", "maxItems").flatMap((n) => lengths(n).map((length) => Array.from({ length }, (_, i) => memberAt(list, i)))),
      ...(part.uniqueItems === true ? [[memberAt(list, 0), memberAt(list, 0)]] : []),
      // Of another kind than a type, a pattern, a format or a list of values allows.
      ...["nothing of the kind", "", 1, 1.5, true, null, [], {}],
      ...(isObject(ordinary) ? Object.keys(ordinary).map((name) => Object.fromEntries(Object.entries(ordinary).filter(([key]) => key !== name))) : []),
    ],
  );
}

function lengths(bound: number): number[] {
  return [bound - 1, bound, bound + 1].filter((n) => n >= 0 && n <= MOST_LONG);
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
