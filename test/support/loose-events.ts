import { FRAME_BYTES, parseSchema } from "../../src/events/codec.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import { TOPICS, type Topic } from "../../src/events/topics.ts";
import type { NewRecord } from "../../src/log/log.ts";
import { AGENT, ITEM, WORKSPACE } from "../ledger/generator/world.ts";
import { generateHistory, type Kind, type Rng } from "../ledger/generator.ts";

type Avro = string | Avro[] | { type: Avro; items?: Avro; symbols?: string[]; fields?: { name: string; type: Avro }[]; name?: string };
type Fill = (value: unknown) => unknown;

const TYPE = Object.fromEntries(TOPICS.map((t) => [t, parseSchema(SCHEMA_TEXT[t])]));
const FILL = Object.fromEntries(TOPICS.map((t) => [t, fillOf(JSON.parse(SCHEMA_TEXT[t]), new Map())])) as Record<Topic, Fill>;

/** Gives everything that a history leaves out some value of its type, so that also broken and strange events can be encoded. */
function fillOf(schema: Avro, known: Map<string, Fill>): Fill {
  if (typeof schema === "string") {
    if (schema === "string") return (v) => (typeof v === "string" ? v : "");
    if (schema === "boolean") return (v) => v === true;
    if (schema === "int" || schema === "long" || schema === "double") return (v) => (typeof v === "number" ? v : 0);
    return known.get(schema) as Fill;
  }
  if (Array.isArray(schema)) {
    const inner = fillOf(schema.find((s) => s !== "null") as Avro, known);
    return (v) => (v === null || v === undefined ? null : inner(v));
  }
  if (schema.type === "array") {
    const inner = fillOf(schema.items as Avro, known);
    return (v) => (Array.isArray(v) ? v.map(inner) : []);
  }
  if (schema.type === "enum") {
    const fill: Fill = (v) => (schema.symbols?.includes(v as string) ? v : "unrecognized");
    known.set(schema.name as string, fill);
    return fill;
  }
  if (schema.type !== "record") return fillOf(schema.type, known);
  const fields: [string, Fill][] = [];
  const fill: Fill = (v) => Object.fromEntries(fields.map(([name, inner]) => [name, inner((v as Record<string, unknown> | undefined)?.[name])]));
  known.set(schema.name as string, fill);
  for (const f of schema.fields ?? []) fields.push([f.name, fillOf(f.type, known)]);
  return fill;
}

/** Frames an event as it is, without the checks that our own writers pass. */
export function encodeLoosely(topic: Topic, event: object, schemaId: number): Buffer {
  const payload = (TYPE[topic] as { toBuffer(value: unknown): Buffer }).toBuffer(FILL[topic](event));
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(schemaId, 1);
  return Buffer.concat([frame, payload]);
}

/** The records of many generated histories, one item each, in one order of appending. `ids`: schema id of each topic. */
export function historyRecords(seeds: readonly number[], kind: Kind, ids: (topic: Topic) => number, rng: Rng): NewRecord[] {
  const lanes = seeds.flatMap((seed) => {
    const idempotencyKey = `key-${seed}`;
    const itemId = itemIdOf(WORKSPACE, AGENT, idempotencyKey);
    const logs = generateHistory(seed, kind);
    return TOPICS.map((topic) =>
      (logs[topic] ?? []).map((event, i): NewRecord => {
        if (event === null) return { topic, key: itemId, value: Buffer.from(`garbage ${seed} ${i}`) };
        const own = event.itemId === ITEM ? { ...event, itemId } : event;
        return { topic, key: itemId, value: encodeLoosely(topic, topic === "proposals" ? { ...own, idempotencyKey } : own, ids(topic)) };
      }),
    );
  });
  return interleave(lanes, rng);
}

/** One order of several lists that keeps the order inside each; some run far ahead of others. */
export function interleave<T>(lanes: readonly (readonly T[])[], rng: Rng): T[] {
  const open = lanes.filter((l) => l.length > 0).map((lane) => ({ lane, at: 0, speed: rng.pick([0.05, 1, 1, 20]) }));
  const out: T[] = [];
  while (open.length > 0) {
    let best = 0;
    let most = -1;
    for (const [i, { speed }] of open.entries()) {
      const draw = rng.next() ** (1 / speed);
      if (draw > most) [most, best] = [draw, i];
    }
    const chosen = open[best] as (typeof open)[number];
    out.push(chosen.lane[chosen.at++] as T);
    if (chosen.at === chosen.lane.length) open.splice(best, 1);
  }
  return out;
}
