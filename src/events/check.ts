import { CountersignError } from "../errors.ts";
import { isUuid, itemIdOf, policyItemId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { SCHEMA_TEXT } from "./schemas.generated.ts";
import { type AnyEvent, TOPICS, type Topic } from "./topics.ts";
import type { EventOf } from "./types.generated.ts";

type Avro = string | Avro[] | { type: Avro; name?: string; items?: Avro; symbols?: string[]; fields?: { name: string; type: Avro }[] };
type Check = (value: unknown, path: string) => void;

/**
 * Checks a whole event before it is encoded: types, lone surrogates, numbers that Avro cannot hold, ids and sizes. avsc alone turns
 * lone surrogates into U+FFFD and lets NaN through.
 *
 * @throws CountersignError event_invalid, field_too_large; `field` is a JSON Pointer into the event
 */
export function checkEvent<T extends Topic>(topic: T, event: EventOf[T]): void {
  CHECK[topic](event, "");
  checkIdentity(topic, event);
  if (topic === "proposals") checkProposal(event as EventOf["proposals"]);
  if (topic === "receipts") limit((event as EventOf["receipts"]).result, LIMITS.result, "/result");
}

function checkIdentity(topic: Topic, event: AnyEvent): void {
  if (!isUuid(event.eventId)) bad("/eventId", "is not a UUID in lower case", event.eventId);
  if (event.answers !== null && !isUuid(event.answers.eventId)) bad("/answers/eventId", "is not a UUID in lower case", event.answers.eventId);
  const due = dueItemId(topic, event);
  if (due !== undefined && due !== event.itemId) bad("/itemId", `must be ${due}, which follows from workspace and key`, event.itemId);
}

/** The item id that a first event must have; undefined where the event only answers another. */
export function dueItemId(topic: Topic, event: AnyEvent): string | undefined {
  if (topic === "proposals") {
    const e = event as EventOf["proposals"];
    return itemIdOf(e.workspace, e.agent.id, e.idempotencyKey);
  }
  return topic === "policies" ? policyItemId(event.workspace, (event as EventOf["policies"]).policyId) : undefined;
}

function checkProposal(event: EventOf["proposals"]): void {
  for (const [i, action] of event.actions.entries()) limit(action.args, LIMITS.args, `/actions/${i}/args`);
  const { transcript } = event;
  const bytes = Buffer.byteLength(transcript?.messages ?? "") + Buffer.byteLength(transcript?.tools ?? "");
  if (bytes > LIMITS.transcript) tooLarge("/transcript", bytes, LIMITS.transcript);
}

function limit(text: string | null, most: number, path: string): void {
  if (text !== null && text.length * 3 > most && Buffer.byteLength(text) > most) tooLarge(path, Buffer.byteLength(text), most);
}

function tooLarge(path: string, bytes: number, most: number): never {
  throw new CountersignError("field_too_large", `${path} has ${bytes} bytes, more than ${most}`, {
    field: path,
    fix: "keep the content elsewhere and pass its hash and uri",
  });
}

function bad(path: string, rule: string, value: unknown): never {
  const shown = typeof value === "string" ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value) : String(value);
  throw new CountersignError("event_invalid", `${path || "event"} ${rule}: ${shown}`, { field: path });
}

const PRIMITIVES: Record<string, Check> = {
  string: (v, p) => {
    if (typeof v !== "string") bad(p, "must be a string", v);
    if (!(v as string).isWellFormed()) bad(p, "holds half of a surrogate pair", v);
  },
  int: (v, p) => {
    if (!Number.isInteger(v) || (v as number) < -2147483648 || (v as number) > 2147483647) bad(p, "must be a 32-bit whole number", v);
  },
  long: (v, p) => {
    if (!Number.isSafeInteger(v)) bad(p, "must be a whole number", v);
  },
  double: (v, p) => {
    if (!Number.isFinite(v)) bad(p, "must be a finite number", v);
  },
  boolean: (v, p) => {
    if (typeof v !== "boolean") bad(p, "must be true or false", v);
  },
};

function checkOf(schema: Avro, known: Map<string, Check>): Check {
  if (typeof schema === "string") return PRIMITIVES[schema] ?? (known.get(schema) as Check);
  if (Array.isArray(schema)) {
    const inner = checkOf(schema.find((s) => s !== "null") as Avro, known);
    return (v, p) => {
      if (v !== null) inner(v, p);
    };
  }
  if (schema.type === "array") {
    const inner = checkOf(schema.items as Avro, known);
    return (v, p) => {
      if (!Array.isArray(v)) bad(p, "must be a list", v);
      for (let i = 0; i < v.length; i++) inner(v[i], `${p}/${i}`);
    };
  }
  if (schema.type === "enum") {
    const symbols = new Set(schema.symbols?.filter((s) => s !== "unrecognized"));
    const check: Check = (v, p) => {
      if (!symbols.has(v as string)) bad(p, `must be one of ${[...symbols].join(", ")}`, v);
    };
    known.set(schema.name as string, check);
    return check;
  }
  if (schema.type !== "record") return checkOf(schema.type, known);
  const fields: [string, Check][] = [];
  const names = new Set<string>();
  const check: Check = (v, p) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) bad(p, `must be a ${schema.name}`, v);
    for (const [name, inner] of fields) inner((v as Record<string, unknown>)[name], `${p}/${name}`);
    for (const name in v as object) if (!names.has(name)) bad(`${p}/${name}`, `is not a field of ${schema.name}`, (v as Record<string, unknown>)[name]);
  };
  known.set(schema.name as string, check);
  for (const f of schema.fields ?? []) {
    fields.push([f.name, checkOf(f.type, known)]);
    names.add(f.name);
  }
  return check;
}

const CHECK = Object.fromEntries(TOPICS.map((t) => [t, checkOf(JSON.parse(SCHEMA_TEXT[t]), new Map())])) as Record<Topic, Check>;
