import { AppendOutcomeUnknown, CountersignError, messageOf } from "../errors.ts";
import { memoryTable, type SchemaTable } from "./embedded-registry.ts";
import type { Batch, Checkpoint, EventLog, Head, LogRecord, NewRecord, Position, ReadOptions } from "./log.ts";
import { partitionOf } from "./partitioner.ts";
import { headsOf, noOffsets, type Offsets, readSequence, type Sequence } from "./sequence.ts";
import { Waiters } from "./waiting.ts";

/** What outlives a handle: several logs opened on one store see the same records, like processes that share a file. */
export interface MemoryStore {
  readonly partitions: number;
  readonly records: LogRecord[];
  readonly next: Offsets;
  readonly handles: Set<() => void>;
  readonly schemas: SchemaTable;
}

/** How to open a log in memory. */
export interface MemoryLogOptions {
  /** Default 12. */
  readonly partitions?: number;
  /** Default: a new, empty one. */
  readonly store?: MemoryStore;
  /** Only for tests: stands around every append, so that one can be done and its answer lost. */
  readonly faults?: { commit?: ((commit: () => void) => void) | undefined };
}

/** A log in memory, with the table of its registry. */
export interface MemoryLog extends EventLog {
  readonly schemas: SchemaTable;
}

/** An empty store. */
export function memoryStore(partitions = 12): MemoryStore {
  return { partitions, records: [], next: noOffsets(partitions), handles: new Set(), schemas: memoryTable() };
}

/** Opens a log in memory. Nothing of it outlives the process. */
export function openMemoryLog(options: MemoryLogOptions = {}): MemoryLog {
  return new MemoryHandle(options.store ?? memoryStore(options.partitions), options.faults ?? {});
}

class MemoryHandle implements MemoryLog, Sequence {
  readonly url = "memory:";
  readonly partitions: number;
  readonly schemas: SchemaTable;
  onTrouble: ((sentence: string | null) => void) | undefined;
  closed = false;
  readonly #store: MemoryStore;
  readonly #faults: NonNullable<MemoryLogOptions["faults"]>;
  readonly #waiters: Waiters;
  readonly #wake: () => void;

  constructor(store: MemoryStore, faults: NonNullable<MemoryLogOptions["faults"]>) {
    this.partitions = store.partitions;
    this.schemas = store.schemas;
    this.#store = store;
    this.#faults = faults;
    this.#waiters = new Waiters(() => store.records.length);
    this.#wake = () => this.#waiters.wake();
    store.handles.add(this.#wake);
  }

  async append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    if (this.closed) throw new CountersignError("log_closed", "The log is closed");
    if (records.length === 0) return [];
    let positions: Position[] = [];
    const commit = () => {
      positions = records.map((record) => this.#add(record));
    };
    try {
      if (this.#faults.commit) this.#faults.commit(commit);
      else commit();
    } catch (error) {
      throw new AppendOutcomeUnknown(`The log cannot tell whether the events were appended (${messageOf(error)})`, error);
    } finally {
      for (const wake of this.#store.handles) wake();
    }
    return positions;
  }

  read(from: Checkpoint, options?: ReadOptions): AsyncIterable<Batch> {
    return readSequence(this, from, options);
  }

  async heads(): Promise<readonly Head[]> {
    if (this.closed) throw new CountersignError("log_closed", "The log is closed");
    return headsOf(this.#store.next);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.#store.handles.delete(this.#wake);
    this.#waiters.close();
  }

  newest(): { number: number; next: Offsets } {
    return { number: this.#store.records.length, next: this.#store.next };
  }

  before(): number {
    return 0;
  }

  after(number: number, max: number): readonly LogRecord[] {
    return this.#store.records.slice(number, number + max);
  }

  more(number: number, signal: AbortSignal | undefined): Promise<void> {
    return this.#waiters.more(number, signal);
  }

  #add({ topic, key, value }: NewRecord): Position {
    const { records, next } = this.#store;
    const partition = partitionOf(key, this.partitions);
    const offset = next[topic][partition]!++;
    const appendedAt = Math.max(records.at(-1)?.appendedAt ?? 0, Date.now());
    records.push({ topic, partition, offset, key, value, appendedAt });
    return { topic, partition, offset };
  }
}
