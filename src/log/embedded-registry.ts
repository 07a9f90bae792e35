import { CountersignError, messageOf } from "../errors.ts";
import { parseSchema } from "../events/codec.ts";
import type { Topic } from "../events/topics.ts";
import type { Compatibility, SchemaRegistry } from "./registry.ts";

/** A registered schema. Ids count from 1 over all topics. */
export interface SchemaRow {
  readonly id: number;
  readonly topic: string;
  readonly text: string;
}

/** Where an embedded registry keeps its schemas. */
export interface SchemaTable {
  /** All rows, by id. */
  rows(): readonly SchemaRow[];
  /** Under a lock that excludes other processes: shows all rows to `allow`, and adds the schema unless that names the id it already has, or throws. */
  add(topic: Topic, text: string, allow: (rows: readonly SchemaRow[]) => number | undefined): Promise<number>;
}

/** A registry inside the embedded log. */
export function embeddedRegistry(table: SchemaTable): SchemaRegistry {
  const same = (rows: readonly SchemaRow[], topic: Topic, text: string) => rows.find((r) => r.topic === topic && r.text === text)?.id;
  return {
    textOf: async (id) => table.rows().find((r) => r.id === id)?.text ?? null,
    idOf: async (topic, text) => same(table.rows(), topic, text) ?? null,
    check: async (topic, text) => compatibility(table.rows(), topic, text),
    register: (topic, text) =>
      table.add(topic, text, (rows) => {
        const id = same(rows, topic, text);
        if (id !== undefined) return id;
        const { compatible, messages } = compatibility(rows, topic, text);
        if (!compatible)
          throw new CountersignError("schema_incompatible", `The schema of ${topic} cannot be registered: ${messages.join("; ")}`, {
            field: topic,
            fix: "only add fields with a default, and symbols to enums that have one; never rename or remove what events already use",
          });
        return undefined;
      }),
    close: async () => {},
  };
}

/** A table in memory. */
export function memoryTable(): SchemaTable {
  const rows: SchemaRow[] = [];
  return {
    rows: () => rows,
    add: async (topic, text, allow) => {
      const known = allow(rows);
      if (known !== undefined) return known;
      return rows.push({ id: rows.length + 1, topic, text });
    },
  };
}

/** FULL_TRANSITIVE: the new schema reads what every earlier one wrote, and every earlier one reads what the new one writes. */
function compatibility(rows: readonly SchemaRow[], topic: Topic, text: string): Compatibility {
  const broken = whyNot(() => parseSchema(text));
  if (broken !== undefined) return { compatible: false, messages: [`it is no Avro schema: ${broken}`] };
  const messages = rows
    .filter((r) => r.topic === topic && r.text !== text)
    .flatMap((earlier) => {
      const backward = whyNot(() => parseSchema(text).createResolver(parseSchema(earlier.text)));
      const forward = whyNot(() => parseSchema(earlier.text).createResolver(parseSchema(text)));
      return [
        ...(backward === undefined ? [] : [`the new schema cannot read what schema ${earlier.id} wrote: ${backward}`]),
        ...(forward === undefined ? [] : [`schema ${earlier.id} cannot read what the new schema writes: ${forward}`]),
      ];
    });
  return { compatible: messages.length === 0, messages };
}

function whyNot(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
