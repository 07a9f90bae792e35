import { CountersignError } from "../errors.ts";
import { TOPICS } from "../events/topics.ts";
import { MARK_EVERY, unpackHeads } from "./layout.ts";
import { gap, noOffsets, type Offsets } from "./sequence.ts";
import type { Statements } from "./sqlite-prepare.ts";

/** Moves the heads behind one record. */
export function moveTo(next: Offsets, place: number, offset: number, partitions: number): void {
  next[TOPICS[Math.floor(place / partitions)]!][place % partitions] = offset + 1;
}

/** The heads as they were behind a record, or the newest before it. */
export function headsAt(sql: Statements, last: number, partitions: number): { number: number; next: Offsets } {
  const mark = sql.lastMark.get(last) as [number, Buffer] | undefined;
  let number = mark?.[0] ?? 0;
  const next = mark ? unpackHeads(mark[1], partitions) : noOffsets(partitions);
  for (const [n, place, offset] of sql.places.iterate(number, last) as IterableIterator<number[]>) {
    number = n!;
    moveTo(next, place!, offset!, partitions);
  }
  return { number, next };
}

/** The newest mark that lies before a checkpoint, as a record's number: whoever reads from the checkpoint starts behind it. */
export function markBefore(sql: Statements, from: Offsets, newest: number, partitions: number): number {
  let low = 0;
  let high = Math.floor(newest / MARK_EVERY);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const mark = sql.mark.get(middle * MARK_EVERY) as Buffer | undefined;
    const heads = mark && unpackHeads(mark, partitions);
    if (heads && TOPICS.every((t) => heads[t].every((n, p) => n <= from[t][p]!))) low = middle;
    else high = middle - 1;
  }
  return low * MARK_EVERY;
}

/** Names the first record of a partition that is missing behind a number. */
export function holeAfter(sql: Statements, number: number, partitions: number): CountersignError {
  const { next } = headsAt(sql, number, partitions);
  for (const [, place, offset] of sql.places.iterate(number, Number.MAX_SAFE_INTEGER) as IterableIterator<number[]>) {
    const topic = TOPICS[Math.floor(place! / partitions)]!;
    const partition = place! % partitions;
    const expected = next[topic][partition]!;
    if (offset! > expected) return gap(topic, partition, expected, offset!);
    moveTo(next, place!, offset!, partitions);
  }
  return new CountersignError("log_gap", `Record number ${number + 1} is missing from the log`, {
    field: `number ${number + 1}`,
    fix: "restore the log from a backup",
  });
}
