import { SCHEMA_TEXT } from "./schemas.generated.ts";
import { TOPICS, type Topic } from "./topics.ts";
import type { EventOf } from "./types.generated.ts";

type Optional<T> = { [K in keyof T]-?: null extends T[K] ? K : T[K] extends readonly unknown[] ? K : T[K] extends boolean ? K : never }[keyof T];

/** A value in which what may be null, lists and booleans may be left out. */
export type Draft<T> = T extends readonly (infer U)[]
  ? readonly Draft<U>[]
  : T extends object
    ? { [K in Exclude<keyof T, Optional<T>>]: Draft<T[K]> } & { [K in Optional<T>]?: Draft<T[K]> | undefined }
    : T;

type Avro = string | Avro[] | { type: Avro; name?: string; items?: Avro; fields?: { name: string; type: Avro }[]; logicalType?: string };
type Fill = (value: unknown) => unknown;

/** Fills in null, empty lists and false, at every depth. Throws nothing: encoding checks the result and names what is missing. */
export function complete<T extends Topic>(topic: T, draft: Draft<EventOf[T]>): EventOf[T] {
  return FILL[topic](draft) as EventOf[T];
}

function fillOf(schema: Avro, known: Map<string, Fill>): Fill {
  if (typeof schema === "string") return known.get(schema) ?? ((value) => value);
  if (Array.isArray(schema)) {
    const inner = fillOf(schema.find((s) => s !== "null") as Avro, known);
    return (value) => (value === undefined || value === null ? null : inner(value));
  }
  if (schema.type === "array") {
    const inner = fillOf(schema.items as Avro, known);
    return (value) => (value === undefined ? [] : Array.isArray(value) ? value.map(inner) : value);
  }
  if (schema.type !== "record") return schema.type === "boolean" ? (value) => value ?? false : (value) => value;
  const fields: [string, Fill][] = [];
  const fill: Fill = (value) => {
    if (typeof value !== "object" || value === null) return value;
    const out: Record<string, unknown> = {};
    for (const [name, inner] of fields) out[name] = inner((value as Record<string, unknown>)[name]);
    return out;
  };
  known.set(schema.name as string, fill);
  for (const f of schema.fields ?? []) fields.push([f.name, f.type === "boolean" ? (value) => value ?? false : fillOf(f.type, known)]);
  return fill;
}

const FILL = Object.fromEntries(TOPICS.map((topic) => [topic, fillOf(JSON.parse(SCHEMA_TEXT[topic]), new Map())])) as Record<Topic, Fill>;
