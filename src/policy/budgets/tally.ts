import { add, type Decimal, subtract, ZERO } from "../../events/decimal.ts";
import type { LetThrough } from "./overshoot.ts";

/** One action that counts, at its place in time. */
export interface Entry extends LetThrough {
  /** Milliseconds since the epoch; what is only reserved has a time that no window leaves behind. */
  readonly at: number;
}

/**
 * What counts for one key of a meter in a rolling window. Entries lie in order of time; those before `from` have left the window. A clock
 * that is set back brings them in again. Each entry moves in and out once, so a question costs nothing that grows with the window.
 */
export class Tally {
  private readonly entries: Entry[] = [];
  private from = 0;
  private readonly windowMs: number;
  /** How often each value is there, in the window. */
  readonly values = new Map<string, number>();
  total: Decimal = ZERO;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  get count(): number {
    return this.entries.length - this.from;
  }

  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** What is in the window. */
  *current(): Generator<Entry> {
    for (let i = this.from; i < this.entries.length; i++) yield this.entries[i] as Entry;
  }

  insert(entry: Entry): void {
    const place = this.placeAfter(entry.at);
    this.entries.splice(place, 0, entry);
    if (place < this.from) this.from++;
    else this.take(entry, 1);
  }

  remove(entry: Entry): void {
    for (let i = this.placeAfter(entry.at) - 1; i >= 0 && (this.entries[i] as Entry).at === entry.at; i--) {
      if (this.entries[i] !== entry) continue;
      this.entries.splice(i, 1);
      if (i < this.from) this.from--;
      else this.take(entry, -1);
      return;
    }
  }

  /** Moves the window so that it ends at a moment. */
  moveTo(asOf: number): void {
    const edge = asOf - this.windowMs;
    for (let next = this.entries[this.from]; next !== undefined && next.at <= edge; next = this.entries[this.from]) {
      this.take(next, -1);
      this.from++;
    }
    for (let last = this.entries[this.from - 1]; last !== undefined && last.at > edge; last = this.entries[this.from - 1]) {
      this.take(last, 1);
      this.from--;
    }
    // Long gone: even a clock that is set back by a whole window does not need them.
    if (this.from > 1000 && this.from > this.entries.length / 2) {
      const gone = this.placeAfter(edge - this.windowMs);
      this.entries.splice(0, gone);
      this.from -= gone;
    }
  }

  private take({ amount, values }: Entry, times: 1 | -1): void {
    this.total = times === 1 ? add(this.total, amount) : subtract(this.total, amount);
    for (const value of values) {
      const count = (this.values.get(value) ?? 0) + times;
      if (count === 0) this.values.delete(value);
      else this.values.set(value, count);
    }
  }

  /** Index behind the last entry of a time or before. */
  private placeAfter(at: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle] as Entry).at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
