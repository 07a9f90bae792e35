import { isUtf8 } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { CountersignError } from "../errors.ts";

/** A record of a fetch response. */
export interface RawMessage {
  readonly offset: number;
  /** Null also when it is no UTF-8. */
  readonly key: string | null;
  readonly value: Buffer | null;
  /** Append time, or the producer's where the topic keeps that. */
  readonly time: number;
}

/** What one partition has in a fetch response. */
export interface Fetched {
  readonly messages: RawMessage[];
  /** Offset of the last record of the last batch that was looked at. */
  readonly last?: number;
  /** The broker's error for this partition: it has lost its leader, its place, or its topic. */
  readonly errorCode?: number;
  /** Why the records behind them cannot be read. */
  readonly failure?: CountersignError;
}

/** Told of each partition that has records, and of its high watermark. */
export type OnFetched = (topic: string, partition: number, fetched: Fetched, head: number) => void;

/**
 * Reads the records out of a fetch response of version 11, and gives back a response for the Kafka client in which each partition that
 * has news holds one empty record at the last offset, and the others are left out. The client then keeps its offsets, pauses and
 * heartbeats as always, but does not decode what we have read already: it spends 13 µs on a record with our eight headers, which nobody
 * reads here, and on each fetch a millisecond on partitions without news. Source: the Kafka protocol guide, Fetch API and record batch.
 *
 * @param frame response without its length, beginning with the correlation id
 */
export function readFetchResponse(frame: Buffer, found: OnFetched): Buffer {
  // Correlation id, throttle time, error code, session id.
  let at = 4 + 4 + 2 + 4;
  const int32 = () => frame.readInt32BE((at += 4) - 4);
  const out: Buffer[] = [frame.subarray(0, at)];
  const topics = int32();
  out.push(frame.subarray(at - 4, at));
  for (let t = 0; t < topics; t++) {
    const begin = at;
    at += 2 + frame.readInt16BE(at);
    const topic = frame.toString("utf8", begin + 2, at);
    const kept: Buffer[] = [];
    let count = 0;
    for (let partitions = int32(); partitions > 0; partitions--) {
      const entry = at;
      const partition = int32();
      const errorCode = frame.readInt16BE(at);
      const head = Number(frame.readBigInt64BE(at + 2));
      // Error code, high watermark, last stable offset, log start offset.
      at += 2 + 8 + 8 + 8;
      const aborted = int32();
      // Aborted transactions, preferred read replica.
      at += Math.max(0, aborted) * 16 + 4;
      const header = frame.subarray(entry, at);
      const size = Math.max(0, int32());
      const fetched: Fetched = readRecordSet(frame, at, at + size);
      at += size;
      if (errorCode !== 0) found(topic, partition, { messages: [], errorCode }, head);
      else if (fetched.last !== undefined) found(topic, partition, fetched, head);
      else continue;
      kept.push(header, fetched.last === undefined ? NO_RECORDS : standIn(fetched.last));
      count++;
    }
    const number = Buffer.alloc(4);
    number.writeInt32BE(count);
    out.push(frame.subarray(begin, begin + 2 + frame.readInt16BE(begin)), number, ...kept);
  }
  return Buffer.concat(out);
}

const NO_RECORDS = Buffer.alloc(4);
const HEADER = 61;
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const CONTROL = 0x20;

/** A record set with its size, of one batch of one record without key, value and headers. */
function standIn(offset: number): Buffer {
  const buffer = Buffer.alloc(4 + HEADER + 7);
  buffer.writeInt32BE(HEADER + 7, 0);
  buffer.writeBigInt64BE(BigInt(offset), 4);
  buffer.writeInt32BE(HEADER - 12 + 7, 12);
  buffer.writeInt8(2, 20);
  // Producer id, epoch and sequence: none.
  buffer.fill(0xff, 47, 61);
  buffer.writeInt32BE(1, 61);
  // Varints: length 6, attributes, time delta, offset delta, no key, no value, no headers.
  buffer.set([12, 0, 0, 0, 1, 1, 0], 65);
  return buffer;
}

/** Reads all whole batches between two places; what is cut off at the end comes again with the next fetch. */
export function readRecordSet(frame: Buffer, from: number, to: number): Fetched {
  const messages: RawMessage[] = [];
  let last: number | undefined;
  for (let at = from; at + HEADER <= to; ) {
    const end = at + 12 + frame.readInt32BE(at + 8);
    if (end > to) break;
    last = Number(frame.readBigInt64BE(at)) + frame.readInt32BE(at + 23);
    const failure = readBatch(frame, at, end, messages);
    if (failure) return { messages, last, failure };
    at = end;
  }
  return last === undefined ? { messages } : { messages, last };
}

function readBatch(frame: Buffer, at: number, end: number, messages: RawMessage[]): CountersignError | undefined {
  const base = Number(frame.readBigInt64BE(at));
  if (frame.readInt8(at + 16) !== 2) return unreadable(base, "it is in a format from before Kafka 0.11");
  const attributes = frame.readInt16BE(at + 21);
  if (attributes & CONTROL) return unreadable(base, "a transactional producer wrote a marker there, and a ledger's topics know no transactions");
  const firstTime = Number(frame.readBigInt64BE(at + 27));
  const appendTime = attributes & LOG_APPEND_TIME ? Number(frame.readBigInt64BE(at + 35)) : undefined;
  const count = frame.readInt32BE(at + 57);
  const codec = attributes & COMPRESSION;
  if (codec === 0) readRecords(new Cursor(frame, at + HEADER), count, base, firstTime, appendTime, messages);
  else {
    const decompress = codec === 1 ? gunzipSync : codec === 4 ? zstdDecompressSync : undefined;
    if (!decompress) return unreadable(base, `it is compressed with ${codec === 2 ? "snappy" : "lz4"}; producers of a ledger may use none, gzip or zstd`);
    readRecords(new Cursor(decompress(frame.subarray(at + HEADER, end)), 0), count, base, firstTime, appendTime, messages);
  }
  return undefined;
}

function readRecords(cursor: Cursor, count: number, base: number, firstTime: number, appendTime: number | undefined, messages: RawMessage[]): void {
  for (let n = 0; n < count; n++) {
    const length = cursor.varint();
    const end = cursor.at + length;
    cursor.at++;
    const delta = cursor.varlong();
    const time = appendTime ?? firstTime + delta;
    const offset = base + cursor.varint();
    const key = cursor.key(cursor.varint());
    const size = cursor.varint();
    const value = size < 0 ? null : cursor.buffer.subarray(cursor.at, cursor.at + size);
    messages.push({ offset, key, value, time });
    // The headers are derived from the value, so they are passed over.
    cursor.at = end;
  }
}

/** A place in a buffer. */
class Cursor {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer;
    this.at = at;
  }

  /** A zigzag number of up to 32 bits. */
  varint(): number {
    let shift = 0;
    let value = 0;
    for (;;) {
      const byte = this.buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  }

  /** A zigzag number of up to 53 bits. */
  varlong(): number {
    let scale = 1;
    let value = 0;
    for (;;) {
      const byte = this.buffer[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
  }

  /** Text of so many bytes; null when there is none or it is no UTF-8. */
  key(length: number): string | null {
    if (length < 0) return null;
    const { buffer, at } = this;
    const end = (this.at += length);
    for (let i = at; i < end; i++) {
      if (buffer[i]! < 0x80) continue;
      const bytes = buffer.subarray(at, end);
      return isUtf8(bytes) ? bytes.toString("utf8") : null;
    }
    return buffer.toString("latin1", at, end);
  }
}

function unreadable(offset: number, why: string): CountersignError {
  return new CountersignError("log_gap", `The batch at offset ${offset} cannot be read: ${why}`, {
    field: String(offset),
    fix: "let only producers without transactions write to the ledger's topics, and rebuild the views after the topic is repaired",
  });
}
