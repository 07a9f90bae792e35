import type { LogRecord } from "./log.ts";

/** Readers that have reached the head. Appends of this process wake them at once, others are found by asking every few milliseconds. */
export class Waiters {
  readonly #newest: () => number;
  readonly #pollMs: number | undefined;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param newest number of the newest record; may throw, which wakes all, so that they meet the error @param pollMs undefined when nobody else can append */
  constructor(newest: () => number, pollMs?: number) {
    this.#newest = newest;
    this.#pollMs = pollMs;
  }

  /** Resolves when something behind `number` may be there, at once when it is. */
  more(number: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed || signal?.aborted || this.#newestOr(Number.POSITIVE_INFINITY) > number) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      signal?.addEventListener("abort", done);
      this.#waiting.add(done);
      this.#poll(number);
    });
  }

  /** Wakes everybody. */
  wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  /** Wakes everybody, for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.wake();
  }

  #newestOr(failed: number): number {
    try {
      return this.#newest();
    } catch {
      return failed;
    }
  }

  #poll(seen: number): void {
    if (this.#timer || this.#pollMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting.size === 0) return;
      if (this.#newestOr(Number.POSITIVE_INFINITY) > seen) this.wake();
      else this.#poll(seen);
    }, this.#pollMs);
  }
}

const MOST_RECORDS = 4096;
const MOST_BYTES = 8 * 1024 * 1024;

/** The records that this process appended last, so that its own readers need not fetch them from disk. */
export class RecentRecords {
  #first = 1;
  #records: LogRecord[] = [];
  #bytes = 0;

  /** Adds records that follow each other, the first of which has this number. */
  push(first: number, records: readonly LogRecord[]): void {
    if (first !== this.#first + this.#records.length) {
      // Another process appended in between.
      this.#first = first;
      this.#records = [];
      this.#bytes = 0;
    }
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += record.value?.length ?? 0;
    }
    if (this.#records.length > MOST_RECORDS || this.#bytes > MOST_BYTES) this.#forgetHalf();
  }

  /** The records behind a number, or undefined when they are not all here. */
  after(number: number, max: number): readonly LogRecord[] | undefined {
    const from = number + 1 - this.#first;
    return from < 0 || from >= this.#records.length ? undefined : this.#records.slice(from, from + max);
  }

  #forgetHalf(): void {
    const gone = this.#records.splice(0, Math.ceil(this.#records.length / 2));
    this.#first += gone.length;
    for (const record of gone) this.#bytes -= record.value?.length ?? 0;
  }
}
