import { TOPICS, type Topic } from "../events/topics.ts";
import { noOffsets, type Offsets } from "./sequence.ts";

/** Version of the layout of log.db. A build refuses a newer one. */
export const FORMAT = 1;

/** A mark with all heads is kept behind every this many records; a reader starts at the last one that lies before its checkpoint. */
export const MARK_EVERY = 1024;

/**
 * Records are rows in the order of their numbers, so that an append touches the last page only: an index over positions would touch
 * one page per partition and commit. Positions are found through the marks instead.
 */
export const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE record (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, offset INTEGER NOT NULL, at INTEGER NOT NULL, key, value BLOB);
  CREATE TABLE mark (number INTEGER PRIMARY KEY, heads BLOB NOT NULL);
  CREATE TABLE schema (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, text TEXT NOT NULL);
`;

/** Topic and partition in one small number: one byte on disk for up to 18 partitions. Topics are stored by their place in TOPICS. */
export function placeOf(topic: Topic, partition: number, partitions: number): number {
  return TOPIC_INDEX[topic] * partitions + partition;
}

const TOPIC_INDEX = Object.fromEntries(TOPICS.map((t, i) => [t, i])) as Record<Topic, number>;
const ITEM_ID = /^[0-9a-f]{32}$/;

/** A key as it is stored: an item id of 32 hex digits as 16 bytes, anything else as text. */
export function storedKey(key: string): string | Buffer {
  return ITEM_ID.test(key) ? Buffer.from(key, "hex") : key;
}

/**
 * The key of a stored one, in SQL: half a microsecond less for each record that is read than bytes that JavaScript makes digits of. Bytes
 * that are neither an item id nor text are no key.
 */
export const KEY_TEXT = "CASE typeof(key) WHEN 'text' THEN key WHEN 'blob' THEN iif(length(key) = 16, lower(hex(key)), NULL) END";

/** The heads as bytes: one double per topic and partition. */
export function packHeads(next: Offsets): Buffer {
  const packed = Float64Array.from(TOPICS.flatMap((t) => next[t]));
  return Buffer.from(packed.buffer);
}

/** The heads from bytes. */
export function unpackHeads(bytes: Buffer, partitions: number): Offsets {
  const next = noOffsets(partitions);
  TOPICS.forEach((topic, t) => {
    for (let p = 0; p < partitions; p++) {
      const at = (t * partitions + p) * 8;
      if (at + 8 <= bytes.length) next[topic][p] = bytes.readDoubleLE(at);
    }
  });
  return next;
}
