import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogRecord } from "../log/log.ts";

/** A record that is kept: its value in memory, or its place in the file of its partition. */
interface Kept {
  readonly record: Pick<LogRecord, "topic" | "partition" | "offset">;
  value: Uint8Array | null;
  at: number;
  readonly bytes: number;
}

/** Most bytes that are held in memory before they move to files. */
const MOST_HELD = 64 * 1024 * 1024;

/**
 * Sorts the records of a log by partition and item, so that items can be folded one after the other. Small logs stay in memory; the values
 * of large ones go to files that only this user can read, and that are removed by `close`.
 */
export class Buckets {
  private readonly partitions: Map<string, Kept[]>[] = [];
  private readonly files = new Map<number, { fd: number; end: number }>();
  private readonly mostHeld: number;
  private folder: string | undefined;
  private held: Kept[] = [];
  private heldBytes = 0;

  constructor(mostHeld: number = MOST_HELD) {
    this.mostHeld = mostHeld;
  }

  /** Keeps a record under its key. */
  add({ topic, partition, offset }: LogRecord, key: string, value: Uint8Array): void {
    this.partitions[partition] ??= new Map();
    const items = this.partitions[partition];
    const kept: Kept = { record: { topic, partition, offset }, value, at: -1, bytes: value.length };
    const list = items.get(key);
    if (list === undefined) items.set(key, [kept]);
    else list.push(kept);
    this.held.push(kept);
    this.heldBytes += value.length;
    if (this.heldBytes > this.mostHeld) this.spill();
  }

  /** The items of a partition in the order of their first record on a topic, those without one last; each with its records as they were added. */
  *items(partition: number, by: LogRecord["topic"]): Generator<{ itemId: string; records: readonly LogRecord[] }> {
    const items = this.partitions[partition];
    if (items === undefined) return;
    // What was read last for this partition may still be in memory only: a file is read in one go afterwards.
    const first = (list: readonly Kept[]) => list.find((k) => k.record.topic === by)?.record.offset ?? Number.POSITIVE_INFINITY;
    const order = [...items].map(([itemId, list]) => ({ itemId, list, first: first(list) }));
    order.sort((a, b) => (a.first === b.first ? (a.itemId < b.itemId ? -1 : 1) : a.first - b.first));
    delete this.partitions[partition];
    for (const { itemId, list } of order) {
      yield { itemId, records: list.map((kept) => ({ ...kept.record, key: itemId, value: this.valueOf(kept), appendedAt: 0 })) };
      for (const kept of list) kept.value = null;
    }
  }

  private valueOf(kept: Kept): Uint8Array {
    if (kept.at < 0) return kept.value as Uint8Array;
    const value = Buffer.allocUnsafe(kept.bytes);
    const file = this.files.get(kept.record.partition) as { fd: number };
    for (let done = 0; done < kept.bytes; ) done += readSync(file.fd, value, done, kept.bytes - done, kept.at + done);
    return value;
  }

  private spill(): void {
    this.folder ??= mkdtempSync(join(tmpdir(), "countersign-export-"));
    const perPartition = new Map<number, Kept[]>();
    for (const kept of this.held) {
      const list = perPartition.get(kept.record.partition);
      if (list === undefined) perPartition.set(kept.record.partition, [kept]);
      else list.push(kept);
    }
    for (const [partition, list] of perPartition) {
      let file = this.files.get(partition);
      if (file === undefined) this.files.set(partition, (file = { fd: openSync(join(this.folder, String(partition)), "w+", 0o600), end: 0 }));
      const bytes = Buffer.concat(list.map((k) => k.value as Uint8Array));
      for (let done = 0; done < bytes.length; ) done += writeSync(file.fd, bytes, done, bytes.length - done, file.end + done);
      for (const kept of list) {
        kept.at = file.end;
        file.end += kept.bytes;
        kept.value = null;
      }
    }
    this.held = [];
    this.heldBytes = 0;
  }

  /** Removes the files. */
  close(): void {
    for (const { fd } of this.files.values()) closeSync(fd);
    this.files.clear();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
