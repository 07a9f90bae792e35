import { uuidBytes, uuidOfBytes } from "../events/ids.ts";
import { TOPICS, type Topic } from "../events/topics.ts";

const HEX32 = /^[0-9a-f]{32}$/;

/**
 * An item id in the views: 16 bytes, or the text of any other key. Never the bytes of a text, which could be those of another item's id.
 */
export function itemBytes(itemId: string): Buffer | string {
  return HEX32.test(itemId) ? Buffer.from(itemId, "hex") : itemId;
}

/** An item id from the views. */
export function itemIdOfBytes(value: Uint8Array | string): string {
  return typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
}

/** An event id in the views: 16 bytes, or the text where a writer sent no UUID. */
export function eventBytes(eventId: string): Buffer | string {
  return uuidBytes(eventId) ?? eventId;
}

/** An event id from the views. */
export function eventIdOfBytes(value: Uint8Array | string): string {
  if (typeof value === "string") return value;
  return uuidOfBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
}

const TOPIC_NUMBER = new Map<Topic, number>(TOPICS.map((t, i) => [t, i]));

/** Number of a topic in the views. */
export function topicNumber(topic: Topic): number {
  return TOPIC_NUMBER.get(topic) as number;
}

/** Topic of a number in the views. */
export function topicOfNumber(n: number): Topic {
  return TOPICS[n] as Topic;
}
