import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { CountersignError, messageOf } from "../src/errors.ts";
import { sha256 } from "../src/events/canonical.ts";
import { SCHEMA_TEXT } from "../src/events/schemas.generated.ts";
import { type AnyEvent, isTopic, TOPICS, type Topic } from "../src/events/topics.ts";
import { describeItem } from "../src/ledger/describe.ts";
import { foldEvent } from "../src/ledger/fold.ts";
import { createItem, type Entry, type Status } from "../src/ledger/item.ts";
import { MapMemory } from "../src/ledger/memory.ts";

/** One line of a file of histories: the logs of one item, and orders in which a reader may get them. */
export interface History {
  readonly name: string;
  readonly logs: { readonly [topic in Topic]?: readonly unknown[] };
  readonly deliveries: readonly (readonly (readonly [Topic, number])[])[];
  readonly expected?: { readonly [key: string]: unknown };
}

/** Where a delivery ends, with the keys of a history's `expected` (without `findings`, whose wording is each implementation's own). */
export interface State extends ReturnType<typeof describeItem> {
  readonly events: { readonly [key: string]: Status };
  readonly undecodable: readonly string[];
}

type Avro = string | Avro[] | { type: Avro; name?: string; items?: Avro; symbols?: string[]; fields?: { name: string; type: Avro }[] };
type Fill = (value: unknown, path: string) => unknown;

/**
 * The event that a reader of the topic's schema would get: fields of other topics gone, missing ones filled with their default or their
 * type's empty value, enum symbols that this schema does not know `unrecognized`.
 *
 * @throws CountersignError event_invalid when a value has a type that the schema cannot hold
 */
export function asEvent(topic: Topic, value: unknown): AnyEvent {
  return FILL[topic](value, "") as AnyEvent;
}

function unholdable(path: string, type: string): never {
  throw new CountersignError("event_invalid", `${path || "the event"} cannot be held by the schema: it must be ${type}`, { field: path });
}

function plain(type: string, empty: unknown, fits: (value: unknown) => boolean): Fill {
  return (value, path) => (value === undefined || value === null ? empty : fits(value) ? value : unholdable(path, type));
}

const PRIMITIVES: Record<string, Fill> = {
  string: plain("a string", "", (v) => typeof v === "string"),
  int: plain("a whole number", 0, Number.isInteger),
  long: plain("a whole number", 0, Number.isSafeInteger),
  double: plain("a number", 0, Number.isFinite),
  boolean: plain("true or false", false, (v) => typeof v === "boolean"),
};

function fillOf(schema: Avro, known: Map<string, Fill>): Fill {
  if (typeof schema === "string") return PRIMITIVES[schema] ?? (known.get(schema) as Fill);
  if (Array.isArray(schema)) {
    const inner = fillOf(schema.find((s) => s !== "null") as Avro, known);
    return (value, path) => (value === undefined || value === null ? null : inner(value, path));
  }
  if (schema.type === "array") {
    const inner = fillOf(schema.items as Avro, known);
    return (value, path) =>
      value === undefined || value === null ? [] : Array.isArray(value) ? value.map((v, i) => inner(v, `${path}/${i}`)) : unholdable(path, "a list");
  }
  if (schema.type === "enum") {
    const symbols = new Set(schema.symbols);
    const fill = plain("a symbol", "unrecognized", (v) => typeof v === "string");
    const orUnrecognized: Fill = (value, path) => {
      const symbol = fill(value, path);
      return symbols.has(symbol as string) ? symbol : "unrecognized";
    };
    known.set(schema.name as string, orUnrecognized);
    return orUnrecognized;
  }
  if (schema.type !== "record") return fillOf(schema.type, known);
  const fields: [string, Fill][] = [];
  const record: Fill = (value, path) => {
    // Histories write a reference to another system as its bare id.
    const whole = typeof value === "string" && schema.name === "ExternalRef" ? { id: value } : (value ?? {});
    if (typeof whole !== "object" || Array.isArray(whole)) unholdable(path, "a record");
    const from = whole as { [key: string]: unknown };
    return Object.fromEntries(fields.map(([name, fill]) => [name, fill(from[name], `${path}/${name}`)]));
  };
  known.set(schema.name as string, record);
  for (const f of schema.fields ?? []) fields.push([f.name, fillOf(f.type, known)]);
  return record;
}

const FILL = Object.fromEntries(TOPICS.map((topic) => [topic, fillOf(JSON.parse(SCHEMA_TEXT[topic]), new Map())])) as Record<Topic, Fill>;

/** Ids and times are what identity and deadlines hang on: an invented one would change the history. */
function mustHave(event: AnyEvent, path: string): void {
  if (event.eventId === "") unholdable(`${path}/eventId`, "a string");
  if (event.itemId === "") unholdable(`${path}/itemId`, "a string");
}

type Entries = { [topic in Topic]?: (Entry | null)[] };

/** The logs of a history as the fold takes them. @throws CountersignError event_invalid: no schema can hold an event of it */
export function entriesOfHistory(history: History): Entries {
  const entries: Entries = {};
  for (const [topic, log] of Object.entries(history.logs) as [Topic, readonly unknown[]][])
    entries[topic] = log.map((value, offset) => {
      if (value === null) return null;
      const event = asEvent(topic, value);
      mustHave(event, `/logs/${topic}/${offset}`);
      return { topic, offset, event, contentSha256: sha256(JSON.stringify(event)) };
    });
  return entries;
}

/** Folds one delivery of a history. Undecodable positions are noted as the projector notes them; the fold does not see them. */
export function foldDelivery(entries: Entries, delivery: History["deliveries"][number]): State {
  const itemId = itemIdIn(entries);
  const item = createItem(itemId);
  const memory = new MapMemory();
  const undecodable = new Set<string>();
  for (const [topic, offset] of delivery) {
    const entry = entries[topic]?.[offset];
    if (entry === undefined) throw new CountersignError("file_invalid", `The delivery names ${topic}@${offset}, which is not in the logs`);
    if (entry === null) undecodable.add(`${topic}@${offset}`);
    // A record under a wrong key is never folded.
    else if (entry.event.itemId === itemId) foldEvent(item, memory, entry);
  }
  const events = Object.fromEntries([...memory.statuses].map(([key, { status }]) => [key, status]));
  return { events, ...describeItem(item), undecodable: [...undecodable] };
}

function itemIdIn(entries: Entries): string {
  for (const topic of TOPICS) for (const entry of entries[topic] ?? []) if (entry) return entry.event.itemId;
  return "";
}

/**
 * Reads a file of histories line by line; empty lines are passed over.
 *
 * @throws CountersignError file_unreadable, file_invalid with the number of the line
 */
export async function* readHistories(path: string): AsyncGenerator<History> {
  const stream = createReadStream(path, "utf8");
  let number = 0;
  try {
    // An early 'error' would be lost on the way through readline.
    await new Promise<void>((resolve, reject) => stream.once("open", () => resolve()).once("error", reject));
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (line.trim() !== "") yield parseHistory(line, number);
    }
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_unreadable", `${path} cannot be read: ${messageOf(cause)}`, { cause, fix: "name a file of histories in JSON Lines" });
  } finally {
    stream.destroy();
  }
}

function parseHistory(line: string, number: number): History {
  const bad = (what: string): never => {
    throw new CountersignError("file_invalid", `Line ${number} is no history: ${what}`, {
      fix: 'each line is {"name", "logs": {topic: […]}, "deliveries": [[[topic, offset], …], …]}',
    });
  };
  let value: History;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    return bad(messageOf(cause));
  }
  if (typeof value?.name !== "string") bad("`name` must be a string");
  if (typeof value.logs !== "object" || value.logs === null) bad("`logs` must be an object of lists");
  for (const [topic, log] of Object.entries(value.logs)) {
    if (!isTopic(topic)) bad(`\`logs\` names the topic ${JSON.stringify(topic)}`);
    if (!Array.isArray(log)) bad(`\`logs.${topic}\` must be a list`);
  }
  const isPosition = (p: unknown) => Array.isArray(p) && isTopic(p[0]) && Number.isInteger(p[1]);
  if (!Array.isArray(value.deliveries) || !value.deliveries.every((d) => Array.isArray(d) && d.every(isPosition)))
    bad("`deliveries` must be lists of [topic, offset]");
  return value;
}
