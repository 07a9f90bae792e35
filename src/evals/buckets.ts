import { join } from "node:path";
import { TOPICS } from "../events/topics.ts";
import type { LogRecord } from "../log/log.ts";
import { Pile, type PileSource } from "./pile.ts";
import type { Temporary } from "./temporary.ts";

/** Most bytes that are held in memory before they move to files. */
const MOST_HELD = 12 * 1024 * 1024;

/** Sorts the records of a log by partition. Memory holds a bounded part of them, the rest goes to files. */
export class Buckets {
  private readonly piles: (Pile | undefined)[] = [];
  private readonly mostHeld: number;
  private readonly temporary: Temporary;

  constructor(partitions: number, temporary: Temporary, mostHeld: number = MOST_HELD) {
    this.mostHeld = Math.ceil(mostHeld / partitions);
    this.temporary = temporary;
  }

  /** Keeps a record under its key. */
  add({ topic, partition, offset }: LogRecord, key: string, value: Uint8Array): void {
    this.piles[partition] ??= new Pile(this.mostHeld, () => join(this.temporary.path(), `records-${partition}`));
    this.piles[partition].add(TOPICS.indexOf(topic), offset, key, value);
  }

  /** Hands over the records of a partition, once; undefined where there are none. */
  hand(partition: number): PileSource | undefined {
    const source = this.piles[partition]?.hand();
    this.piles[partition] = undefined;
    return source;
  }

  /** Lets go of the files. */
  close(): void {
    for (const pile of this.piles) pile?.close();
  }
}
