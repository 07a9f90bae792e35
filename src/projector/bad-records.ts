import type { Topic } from "../events/topics.ts";
import { itemIdOfBytes, topicOfNumber } from "./keys.ts";

/** A record that could not be folded. */
export interface BadRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
  readonly itemId: string | null;
  readonly reason: string;
  readonly message: string;
  readonly schemaId: number | null;
  readonly sha256: string;
  readonly flags: boolean;
}

/** Its row in the views. */
export interface BadRow {
  topic: number;
  part: number;
  off: number;
  item: Buffer | null;
  reason: string;
  message: string;
  schema_id: number | null;
  sha256: string;
  flags: number;
}

/** The record of a row. */
export function badRecord(b: BadRow): BadRecord {
  return {
    topic: topicOfNumber(b.topic),
    partition: b.part,
    offset: b.off,
    itemId: b.item === null ? null : itemIdOfBytes(b.item),
    reason: b.reason,
    message: b.message,
    schemaId: b.schema_id,
    sha256: b.sha256,
    flags: b.flags === 1,
  };
}
