import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { TOPICS } from "../events/topics.ts";
import type { LogRecord } from "../log/log.ts";

const FIRST_BYTES = 64 * 1024;
/** A file up to this size is read whole: most partitions are not larger. */
const WHOLE_BYTES = 64 * 1024 * 1024;
/** Bytes of a larger one that are read in one go: while it is looked through, and around a record. */
const SCAN_BYTES = 8 * 1024 * 1024;
const RECORD_BYTES = 16 * 1024;
/** Topic, offset, length of the key, length of the value. */
const HEAD_BYTES = 1 + 6 + 4 + 4;

/** The records of a partition as they can be handed to whoever folds them: in memory, or in a file. */
export type PileSource = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly file: string; readonly length: number };

/** The records of a partition while they are read from the log, one behind the other. */
export class Pile {
  private readonly most: number;
  private readonly path: () => string;
  private held = Buffer.from(new ArrayBuffer(FIRST_BYTES));
  private used = 0;
  private file: { readonly path: string; readonly fd: number } | undefined;
  private written = 0;

  /**
   * @param most bytes that memory may hold
   * @param path gives the name of the file, once it is needed
   */
  constructor(most: number, path: () => string) {
    this.most = most;
    this.path = path;
  }

  /** Keeps a record under its key. */
  add(topic: number, offset: number, key: string, value: Uint8Array): void {
    this.makeRoom(HEAD_BYTES + 3 * key.length + value.length);
    const { held, used: at } = this;
    const keyBytes = held.write(key, at + HEAD_BYTES);
    held[at] = topic;
    held.writeUIntLE(offset, at + 1, 6);
    held.writeUInt32LE(keyBytes, at + 7);
    held.writeUInt32LE(value.length, at + 11);
    held.set(value, at + HEAD_BYTES + keyBytes);
    this.used += HEAD_BYTES + keyBytes + value.length;
  }

  private makeRoom(bytes: number): void {
    if (this.used + bytes > this.most) this.flush();
    if (this.used + bytes <= this.held.length) return;
    // Transferred: what it was is free at once, and not when garbage is collected.
    const larger = Math.max(this.used + bytes, Math.min(this.most, 2 * this.held.length));
    this.held = Buffer.from((this.held.buffer as ArrayBuffer).transfer(larger));
  }

  private flush(): void {
    if (this.used === 0) return;
    if (this.file === undefined) {
      const path = this.path();
      this.file = { path, fd: openSync(path, "w+", 0o600) };
    }
    for (let done = 0; done < this.used; ) done += writeSync(this.file.fd, this.held, done, this.used - done, this.written + done);
    this.written += this.used;
    this.used = 0;
  }

  /** Hands the records over. Nothing may be added afterwards. */
  hand(): PileSource {
    const held = this.held.buffer as ArrayBuffer;
    if (this.file === undefined) return { bytes: new Uint8Array(held, 0, this.used) };
    this.flush();
    this.close();
    // The rows are about to need the memory.
    held.transfer(0);
    return { file: this.file.path, length: this.written };
  }

  /** Lets go of the file. */
  close(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
  }
}

/** Where the records of an item lie, as position, length, position, length …, and the first offset that orders it. */
interface Places {
  readonly itemId: string;
  readonly at: number[];
  first: number;
}

/** An item with its records as they were added. They stand until the next item is asked for. */
export interface PileItem {
  readonly itemId: string;
  /** Place of the item in the partition, from 0. */
  readonly ordinal: number;
  readonly records: readonly LogRecord[];
}

/**
 * The items of a pile in the order of their first record on a topic, those without one last.
 *
 * @param wanted which of them; default: all
 */
export function* itemsOf(
  source: PileSource,
  partition: number,
  by: LogRecord["topic"],
  wanted: (ordinal: number, itemId: string) => boolean = () => true,
): Generator<PileItem> {
  const reader = readerOf(source);
  try {
    const order = indexOf(reader, TOPICS.indexOf(by));
    order.sort((a, b) => (a.first === b.first ? (a.itemId < b.itemId ? -1 : 1) : a.first - b.first));
    for (const [ordinal, { itemId, at }] of order.entries()) {
      if (!wanted(ordinal, itemId)) continue;
      const records: LogRecord[] = [];
      for (let i = 0; i < at.length; i += 2) {
        reader.reach(at[i] as number, at[i + 1] as number, RECORD_BYTES);
        records.push(recordOf(reader.held, reader.at, at[i + 1] as number, itemId, partition));
      }
      yield { itemId, ordinal, records };
    }
  } finally {
    reader.close();
  }
}

function indexOf(reader: Reader, by: number): Places[] {
  const items = new Map<string, Places>();
  for (let at = 0; at < reader.length; ) {
    reader.reach(at, HEAD_BYTES, SCAN_BYTES);
    const keyBytes = reader.held.readUInt32LE(reader.at + 7);
    const length = HEAD_BYTES + keyBytes + reader.held.readUInt32LE(reader.at + 11);
    reader.reach(at, HEAD_BYTES + keyBytes, SCAN_BYTES);
    const { held, at: start } = reader;
    const offset = held[start] === by ? held.readUIntLE(start + 1, 6) : Number.POSITIVE_INFINITY;
    const itemId = held.toString("utf8", start + HEAD_BYTES, start + HEAD_BYTES + keyBytes);
    const known = items.get(itemId);
    if (known === undefined) items.set(itemId, { itemId, at: [at, length], first: offset });
    else {
      known.at.push(at, length);
      // The first in the order they were read, which is the order of offsets.
      if (known.first === Number.POSITIVE_INFINITY) known.first = offset;
    }
    at += length;
  }
  return [...items.values()];
}

function recordOf(held: Buffer, at: number, length: number, key: string, partition: number): LogRecord {
  const value = held.subarray(at + HEAD_BYTES + held.readUInt32LE(at + 7), at + length);
  return { topic: TOPICS[held[at] as number] as LogRecord["topic"], partition, offset: held.readUIntLE(at + 1, 6), key, value, appendedAt: 0 };
}

/** Reads a pile. What it is asked for is not cut out of what it holds: a view of its own for every length and key would cost more than reading them. */
interface Reader {
  readonly length: number;
  /** What is held of the pile, and where in it lies what was asked for last. Other bytes in a new buffer take its place, so that what was given before stands. */
  held: Buffer;
  at: number;
  /** Holds the bytes at a position; where they must be read from a file, `ahead` bytes are read at once. */
  reach(position: number, length: number, ahead: number): void;
  close(): void;
}

function readerOf(source: PileSource): Reader {
  if ("bytes" in source) return inMemory(Buffer.from(source.bytes.buffer, source.bytes.byteOffset, source.bytes.length));
  const fd = openSync(source.file, "r");
  try {
    if (source.length > WHOLE_BYTES) return inFile(fd, source.length);
    const reader = inMemory(whole(fd, source.length));
    closeSync(fd);
    return reader;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function inMemory(all: Buffer): Reader {
  const reader: Reader = {
    ...{ length: all.length, held: all, at: 0, close: () => {} },
    reach: (position) => {
      reader.at = position;
    },
  };
  return reader;
}

/** One after the other, partitions are read into the same memory: each would else stay until the next collection of garbage. */
let room = Buffer.from(new ArrayBuffer(0));
/** Its size is a multiple of this: most partitions are about as large as each other, and a little more is no reason for another room. */
const ROOM_STEP_BYTES = 8 * 1024 * 1024;

function whole(fd: number, length: number): Buffer {
  if (room.length < length) {
    (room.buffer as ArrayBuffer).transfer(0);
    room = Buffer.allocUnsafe(ROOM_STEP_BYTES * Math.ceil(length / ROOM_STEP_BYTES));
  }
  fill(fd, room, length, 0);
  return room.subarray(0, length);
}

function inFile(fd: number, length: number): Reader {
  let heldAt = 0;
  const reader: Reader = {
    ...{ length, held: Buffer.alloc(0), at: 0, close: () => closeSync(fd) },
    reach(position, wanted, ahead) {
      if (position < heldAt || position + wanted > heldAt + reader.held.length) {
        reader.held = Buffer.allocUnsafe(Math.min(Math.max(ahead, wanted), length - position));
        heldAt = position;
        fill(fd, reader.held, reader.held.length, position);
      }
      reader.at = position - heldAt;
    },
  };
  return reader;
}

function fill(fd: number, into: Buffer, length: number, at: number): void {
  for (let done = 0; done < length; ) {
    const read = readSync(fd, into, done, length - done, at + done);
    if (read === 0) throw new Error("a file of the export was cut short by somebody else");
    done += read;
  }
}
