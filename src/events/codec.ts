import type { Resolver, Type } from "avsc";
import avsc from "avsc";
import { CountersignError, messageOf } from "../errors.ts";
import { checkEvent } from "./check.ts";
import { LIMITS } from "./limits.ts";
import { SCHEMA_TEXT } from "./schemas.generated.ts";
import type { Topic } from "./topics.ts";
import type { EventOf } from "./types.generated.ts";

/** Bytes before the Avro payload: 0x00 and the schema id, big endian (Confluent wire format). */
export const FRAME_BYTES = 5;

/** What decoding a record's value gives. `unknown_schema` can be tried again once the schema is fetched; the other is final. */
export type Decoded<T extends Topic> =
  | { ok: true; event: EventOf[T] }
  | { ok: false; reason: "unknown_schema"; schemaId: number }
  | { ok: false; reason: "undecodable"; message: string };

const TYPES = new Map<Topic, Type>();

/** This build's type of a topic. Made when it is first needed: all seven take as long as opening a ledger. */
function typeOf(topic: Topic): Type {
  let type = TYPES.get(topic);
  if (type === undefined) TYPES.set(topic, (type = parseSchema(SCHEMA_TEXT[topic])));
  return type;
}

/** An avsc type of a schema's text. @throws Error when the text is no Avro schema */
export function parseSchema(text: string): Type {
  return avsc.Type.forSchema(JSON.parse(text), { wrapUnions: "never" });
}

/** The schema id in a framed value, or undefined when the bytes are no frame. */
export function schemaIdOf(value: Uint8Array): number | undefined {
  if (value.length < FRAME_BYTES || value[0] !== 0) return undefined;
  return (((value[1] as number) << 24) | ((value[2] as number) << 16) | ((value[3] as number) << 8) | (value[4] as number)) >>> 0;
}

/** Encodes and decodes framed events. Holds one resolver per (topic, schema id): building one per message costs 400 times the decoding. */
export class Codec {
  private readonly writerIds: Partial<Record<Topic, number>> = {};
  private readonly readers = new Map<number, Map<Topic, Type | Resolver | string>>();
  private readonly writerTexts = new Map<number, string>();
  private scratch = Buffer.allocUnsafe(16 * 1024);

  /** Makes a schema id known. `text` is what the registry has under it. */
  learn(id: number, text: string): void {
    this.writerTexts.set(id, text);
  }

  /** Whether values with this id can be decoded now. */
  knows(id: number): boolean {
    return this.writerTexts.has(id);
  }

  /** The schemas that are known, for a codec in another thread. */
  schemas(): (readonly [id: number, text: string])[] {
    return [...this.writerTexts];
  }

  /** Sets the id under which this build's schema of a topic is registered. */
  use(topic: Topic, id: number): void {
    this.writerIds[topic] = id;
    this.learn(id, SCHEMA_TEXT[topic]);
  }

  /** The id that this build writes a topic with. @throws CountersignError schema_missing */
  writerId(topic: Topic): number {
    const id = this.writerIds[topic];
    if (id === undefined) throw new CountersignError("schema_missing", `The schema of ${topic} is not registered`, { fix: "run countersign schemas apply" });
    return id;
  }

  /** Checks and encodes an event with its frame. @throws CountersignError event_invalid, field_too_large, event_too_large, schema_missing */
  encode<T extends Topic>(topic: T, event: EventOf[T]): Buffer {
    const id = this.writerId(topic);
    checkEvent(topic, event);
    let end = typeOf(topic).encode(event, this.scratch, FRAME_BYTES);
    if (end < 0) {
      this.scratch = Buffer.allocUnsafe(2 * (this.scratch.length - end));
      end = typeOf(topic).encode(event, this.scratch, FRAME_BYTES);
    }
    if (end > LIMITS.event)
      throw new CountersignError("event_too_large", `The event has ${end} bytes, more than ${LIMITS.event}`, {
        fix: "keep the transcript or the result elsewhere and pass its hash and uri",
      });
    this.scratch[0] = 0;
    this.scratch.writeUInt32BE(id, 1);
    const value = Buffer.allocUnsafe(end);
    this.scratch.copy(value, 0, 0, end);
    return value;
  }

  /** Decodes a framed value of a topic with this build's schema as the reader. Never throws. */
  decode<T extends Topic>(topic: T, value: Uint8Array | null): Decoded<T> {
    if (value === null) return { ok: false, reason: "undecodable", message: "the value is null" };
    const id = schemaIdOf(value);
    if (id === undefined) return { ok: false, reason: "undecodable", message: "the value has no schema frame" };
    const writer = this.writerTexts.get(id);
    if (writer === undefined) return { ok: false, reason: "unknown_schema", schemaId: id };
    let perTopic = this.readers.get(id);
    if (!perTopic) this.readers.set(id, (perTopic = new Map()));
    let reader = perTopic.get(topic);
    if (reader === undefined) perTopic.set(topic, (reader = readerOf(topic, writer)));
    if (typeof reader === "string") return { ok: false, reason: "undecodable", message: `schema ${id}: ${reader}` };
    const payload = Buffer.from(value.buffer, value.byteOffset + FRAME_BYTES, value.byteLength - FRAME_BYTES);
    try {
      const event = reader === typeOf(topic) ? typeOf(topic).fromBuffer(payload) : (reader as Reading).read(payload);
      return { ok: true, event: event as EventOf[T] };
    } catch (error) {
      return { ok: false, reason: "undecodable", message: messageOf(error) };
    }
  }
}

interface Reading {
  read(payload: Buffer): unknown;
}

/** A reader for a writer's schema, or a sentence why there can be none. */
function readerOf(topic: Topic, writerText: string): Type | Resolver | string {
  if (writerText === SCHEMA_TEXT[topic]) return typeOf(topic);
  try {
    const writer = parseSchema(writerText);
    const resolver = typeOf(topic).createResolver(writer);
    return { read: (payload: Buffer) => typeOf(topic).fromBuffer(payload, resolver) } as unknown as Resolver;
  } catch (error) {
    return messageOf(error);
  }
}
