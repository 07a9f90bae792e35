import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TOPICS } from "../events/topics.ts";
import type { LogRecord } from "../log/log.ts";

/** Most bytes that are held in memory before they move to files. */
const MOST_HELD = 64 * 1024 * 1024;
const FIRST_BYTES = 64 * 1024;
/** Bytes of a file that are read in one go while it is looked through: most partitions fit. */
const WINDOW_BYTES = 32 * 1024 * 1024;
/** Topic, offset, length of the key, length of the value. */
const HEAD_BYTES = 1 + 6 + 4 + 4;

/** Where the records of an item lie, as position, length, position, length …, and the first offset that orders it. */
interface Places {
  readonly itemId: string;
  readonly at: number[];
  first: number;
}

/**
 * Sorts the records of a log by partition and item, so that items can be folded one after the other. Memory holds a bounded part of the
 * records, and the index of one partition; the rest goes to files that only this user can read, and that are removed by `close`.
 */
export class Buckets {
  private readonly piles: (Pile | undefined)[] = [];
  private readonly mostHeld: number;
  private folder: string | undefined;

  constructor(partitions: number, mostHeld: number = MOST_HELD) {
    this.mostHeld = Math.ceil(mostHeld / partitions);
  }

  /** Keeps a record under its key. */
  add({ topic, partition, offset }: LogRecord, key: string, value: Uint8Array): void {
    this.piles[partition] ??= new Pile(this.mostHeld, () => {
      this.folder ??= mkdtempSync(join(tmpdir(), "countersign-export-"));
      return openSync(join(this.folder, String(partition)), "w+", 0o600);
    });
    this.piles[partition].add(TOPICS.indexOf(topic), offset, key, value);
  }

  /** The items of a partition in the order of their first record on a topic, those without one last; each with its records as they were added. Once. */
  *items(partition: number, by: LogRecord["topic"]): Generator<{ itemId: string; records: readonly LogRecord[] }> {
    const pile = this.piles[partition];
    if (pile === undefined) return;
    const order = indexOf(pile, TOPICS.indexOf(by));
    order.sort((a, b) => (a.first === b.first ? (a.itemId < b.itemId ? -1 : 1) : a.first - b.first));
    for (const { itemId, at } of order) {
      const records: LogRecord[] = [];
      for (let i = 0; i < at.length; i += 2) records.push(recordOf(pile.bytes(at[i] as number, at[i + 1] as number), itemId, partition));
      yield { itemId, records };
    }
    pile.close();
    this.piles[partition] = undefined;
  }

  /** Removes the files. */
  close(): void {
    for (const pile of this.piles) pile?.close();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

function indexOf(pile: Pile, by: number): Places[] {
  const items = new Map<string, Places>();
  for (let at = 0; at < pile.end; ) {
    const head = pile.bytes(at, HEAD_BYTES, WINDOW_BYTES);
    const keyBytes = head.readUInt32LE(7);
    const length = HEAD_BYTES + keyBytes + head.readUInt32LE(11);
    const offset = head[0] === by ? head.readUIntLE(1, 6) : Number.POSITIVE_INFINITY;
    const itemId = pile.bytes(at + HEAD_BYTES, keyBytes, WINDOW_BYTES).toString();
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

function recordOf(bytes: Buffer, key: string, partition: number): LogRecord {
  const value = bytes.subarray(HEAD_BYTES + bytes.readUInt32LE(7));
  return { topic: TOPICS[bytes[0] as number] as LogRecord["topic"], partition, offset: bytes.readUIntLE(1, 6), key, value, appendedAt: 0 };
}

/** The records of a partition, one behind the other: in memory, and in a file once they are too many. */
class Pile {
  private readonly most: number;
  private readonly open: () => number;
  private held = Buffer.allocUnsafe(FIRST_BYTES);
  private used = 0;
  private fd: number | undefined;
  private written = 0;
  private window = Buffer.alloc(0);
  private windowAt = 0;

  /** @param open gives the file, once it is needed */
  constructor(most: number, open: () => number) {
    this.most = most;
    this.open = open;
  }

  /** Where the next record would begin. */
  get end(): number {
    return this.written + this.used;
  }

  add(topic: number, offset: number, key: string, value: Uint8Array): void {
    const keyBytes = Buffer.byteLength(key);
    this.makeRoom(HEAD_BYTES + keyBytes + value.length);
    const { held, used: at } = this;
    held[at] = topic;
    held.writeUIntLE(offset, at + 1, 6);
    held.writeUInt32LE(keyBytes, at + 7);
    held.writeUInt32LE(value.length, at + 11);
    held.write(key, at + HEAD_BYTES);
    held.set(value, at + HEAD_BYTES + keyBytes);
    this.used += HEAD_BYTES + keyBytes + value.length;
  }

  private makeRoom(bytes: number): void {
    if (this.used + bytes > this.most) this.flush();
    if (this.used + bytes <= this.held.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.used + bytes, Math.min(this.most, 2 * this.held.length)));
    this.held.copy(larger, 0, 0, this.used);
    this.held = larger;
  }

  private flush(): void {
    if (this.used === 0) return;
    this.fd ??= this.open();
    for (let done = 0; done < this.used; ) done += writeSync(this.fd, this.held, done, this.used - done, this.written + done);
    this.written += this.used;
    this.used = 0;
  }

  /** The bytes at a position; of a file, `ahead` bytes are read at once. They stay as they are. Nothing may be added after the first call. */
  bytes(at: number, length: number, ahead = length): Buffer {
    if (this.fd === undefined) return this.held.subarray(at, at + length);
    this.flush();
    if (at < this.windowAt || at + length > this.windowAt + this.window.length) {
      this.window = Buffer.allocUnsafe(Math.min(Math.max(ahead, length), this.end - at));
      this.windowAt = at;
      for (let done = 0; done < this.window.length; ) {
        const read = readSync(this.fd, this.window, done, this.window.length - done, at + done);
        if (read === 0) throw new Error("a file of the export was cut short by somebody else");
        done += read;
      }
    }
    return this.window.subarray(at - this.windowAt, at - this.windowAt + length);
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}
