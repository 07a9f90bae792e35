import { join } from "node:path";
import Database from "better-sqlite3";
import { AppendOutcomeUnknown, CountersignError, messageOf } from "../errors.ts";
import { TOPICS } from "../events/topics.ts";
import { makeFolder } from "../make-folder.ts";
import { makePrivateFile } from "../private-file.ts";
import type { SchemaRow, SchemaTable } from "./embedded-registry.ts";
import { MARK_EVERY, packHeads, placeOf, storedKey } from "./layout.ts";
import type { Batch, Checkpoint, EventLog, Head, LogRecord, NewRecord, Position, ReadOptions } from "./log.ts";
import { partitionOf } from "./partitioner.ts";
import { copyOffsets, headsOf, noOffsets, type Offsets, readSequence, type Sequence } from "./sequence.ts";
import { certainlyNotCommitted, diskFailed, isBusy, sqliteError } from "./sqlite-errors.ts";
import { headsAt, holeAfter, markBefore, moveTo } from "./sqlite-heads.ts";
import { prepareFile, type Statements, statements } from "./sqlite-prepare.ts";
import { RecentRecords, Waiters } from "./waiting.ts";
import { type WalSync, walSync } from "./wal-sync.ts";

/** How to open an embedded log. */
export interface SqliteLogOptions {
  /** Folder of `log.db`. */
  readonly dir: string;
  /** Default: what the log has; 12 for a new one. */
  readonly partitions?: number;
  /** Make the folder and the log when they are not there. Default true. */
  readonly create?: boolean;
  /** How long an append waits while another process writes, in milliseconds. Default 5000. */
  readonly busyMs?: number;
  /** Only for tests: stands around every COMMIT of appends and every sync, so that one can be done and its answer lost. */
  readonly faults?: { commit?: ((commit: () => void) => void) | undefined; sync?: ((sync: () => Promise<void>) => Promise<void>) | undefined };
}

/** The embedded log, with the table of its registry. */
export interface SqliteLog extends EventLog {
  /** Random name of this log; it stays with the file. */
  readonly id: string;
  readonly schemas: SchemaTable;
}

const READ_BYTES = 8 * 1024 * 1024;
const POLL_MS = 20;
const SPIN_MS = 20;

/** Opens the embedded log. @throws CountersignError log_unavailable, log_busy, log_format, partitions_mismatch */
export async function openSqliteLog(options: SqliteLogOptions): Promise<SqliteLog> {
  const { dir, create = true } = options;
  let db: Database.Database | undefined;
  try {
    if (create) makeFolder(dir);
    if (create) makePrivateFile(join(dir, "log.db"));
    db = new Database(join(dir, "log.db"), { fileMustExist: !create, timeout: 5000 });
    return new SqliteFile(db, options);
  } catch (error) {
    db?.close();
    throw sqliteError(error, dir);
  }
}

interface Waiting {
  readonly records: readonly NewRecord[];
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: CountersignError) => void;
}

type Row = [number: number, place: number, offset: number, at: number, key: string | null, value: Buffer | null];

class SqliteFile implements SqliteLog, Sequence {
  readonly id: string;
  readonly partitions: number;
  readonly url: string;
  readonly schemas: SchemaTable;
  closed = false;
  onTrouble: ((sentence: string | null) => void) | undefined;
  readonly #options: SqliteLogOptions;
  readonly #db: Database.Database;
  readonly #sql: Statements;
  readonly #recent = new RecentRecords();
  readonly #waiters = new Waiters(() => this.newest().number, POLL_MS);
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #disk: WalSync;
  #queue: Waiting[] = [];
  #flushing = false;
  #closing = false;
  /** What readers may know of the log while records are committed and not on the disk yet. */
  #durable: { number: number; next: Offsets } | undefined;
  /** Set when the disk failed: what it has of the last records cannot be known, so nothing may follow them. */
  #broken: CountersignError | undefined;
  /** What is known of the log: the newest record, its append time, the offsets behind it, and SQLite's mark of other connections' commits. */
  #number = 0;
  #at = 0;
  #next: Offsets;
  #version = -1;

  constructor(db: Database.Database, options: SqliteLogOptions) {
    const meta = prepareFile(db, options.partitions);
    this.#options = options;
    this.#db = db;
    this.#sql = statements(db);
    this.#disk = walSync(join(options.dir, "log.db"));
    this.id = meta.id;
    this.partitions = meta.partitions;
    this.url = `sqlite:${options.dir}`;
    this.schemas = { rows: () => this.#sql.schemas.all() as SchemaRow[], add: (topic, text, allow) => this.#addSchema(topic, text, allow) };
    this.#next = noOffsets(meta.partitions);
    this.#load();
  }

  append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    if (this.#closing) return Promise.reject(new CountersignError("log_closed", "The log is closed"));
    if (this.#broken) return Promise.reject(this.#broken);
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, resolve, reject });
      this.#flushSoon();
    });
  }

  /** Everything that asks in one turn of the event loop, or while the disk is busy, shares one transaction and one fsync. */
  #flushSoon(): void {
    if (this.#flushing || this.#queue.length === 0) return;
    this.#flushing = true;
    this.#track(
      new Promise<void>((done) => {
        setImmediate(() =>
          this.#flush(Date.now() + this.#busyMs, () => {
            this.#flushing = false;
            this.#flushSoon();
            done();
          }),
        );
      }),
    );
  }

  read(from: Checkpoint, options?: ReadOptions): AsyncIterable<Batch> {
    return readSequence(this, from, options);
  }

  async heads(): Promise<readonly Head[]> {
    if (this.closed) throw new CountersignError("log_closed", "The log is closed");
    return headsOf(this.newest().next);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    this.closed = true;
    this.#waiters.close();
    this.#disk.close();
    try {
      // Leaves one file with everything in it, where no other process reads just now.
      this.#db.pragma("busy_timeout = 50");
      this.#db.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // Everything acknowledged is durable in the write-ahead log; the next process that opens the file checkpoints it.
    }
    this.#db.close();
  }

  newest(): { number: number; next: Offsets } {
    if (this.#durable) return this.#durable;
    try {
      this.#refresh();
    } catch (error) {
      throw sqliteError(error, this.#options.dir);
    }
    return { number: this.#number, next: this.#next };
  }

  before(from: Offsets): number {
    return markBefore(this.#sql, from, this.#number, this.partitions);
  }

  after(number: number, max: number): readonly LogRecord[] {
    const recent = this.#recent.after(number, max);
    if (recent) return recent;
    const found: LogRecord[] = [];
    let bytes = 0;
    const most = this.#durable ? Math.min(max, this.#durable.number - number) : max;
    try {
      for (const row of this.#sql.after.iterate(number, most) as IterableIterator<Row>) {
        if (row[0] !== number + found.length + 1) break;
        found.push(this.#recordOf(row));
        bytes += row[5]?.length ?? 0;
        if (bytes >= READ_BYTES) break;
      }
      if (found.length === 0 && number < this.newest().number) throw holeAfter(this.#sql, number, this.partitions);
    } catch (error) {
      throw sqliteError(error, this.#options.dir);
    }
    return found;
  }

  more(number: number, signal: AbortSignal | undefined): Promise<void> {
    return this.#waiters.more(number, signal);
  }

  get #busyMs(): number {
    return this.#options.busyMs ?? 5000;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  /** Takes the write lock and calls back at once, or later when another process holds it: waiting inside SQLite would stop the event loop. */
  #locked(deadline: number, work: (error?: CountersignError) => void, since = Date.now()): void {
    try {
      this.#sql.begin.run();
    } catch (error) {
      const now = Date.now();
      const again = () => this.#locked(deadline, work, since);
      // SQLite's lock knows no queue, and a busy process frees it for 0.1 ms at a time: whoever asks every few milliseconds starves.
      if (isBusy(error) && now < since + SPIN_MS) setImmediate(again);
      else if (isBusy(error) && now < deadline) setTimeout(again, 1 + Math.random() * 3);
      else work(sqliteError(error, this.#options.dir));
      return;
    }
    work();
  }

  #flush(deadline: number, done: () => void): void {
    this.#locked(deadline, (refused) => {
      const queue = this.#queue;
      this.#queue = [];
      const written: LogRecord[] = [];
      try {
        if (refused) throw refused;
        this.#write(queue, written);
        this.#commit();
      } catch (error) {
        this.#undo();
        for (const waiting of queue) waiting.reject(sqliteError(error, this.#options.dir));
        return done();
      }
      this.#sync().then(
        () => {
          this.#durable = undefined;
          this.#recent.push(this.#number - written.length + 1, written);
          let i = 0;
          for (const { records, resolve } of queue) resolve(records.map(() => positionOf(written[i++]!)));
          this.#waiters.wake();
          done();
        },
        (error: unknown) => {
          this.#broken = diskFailed(error);
          const unknown = new AppendOutcomeUnknown(`The log cannot tell whether the events are on the disk (${messageOf(error)})`, error);
          for (const waiting of queue) waiting.reject(unknown);
          for (const waiting of this.#queue.splice(0)) waiting.reject(this.#broken);
          done();
        },
      );
    });
  }

  #sync(): Promise<void> {
    const sync = () => this.#disk.later();
    return this.#options.faults?.sync ? this.#options.faults.sync(sync) : sync();
  }

  #write(queue: readonly Waiting[], written: LogRecord[]): void {
    this.#refresh();
    this.#durable = { number: this.#number, next: copyOffsets(this.#next) };
    // Never lower than the last: the order of numbers is the order of time, also when the clock is set back.
    const at = (this.#at = Math.max(this.#at, Date.now()));
    for (const { records } of queue) {
      for (const { topic, key, value } of records) {
        const partition = partitionOf(key, this.partitions);
        const offset = this.#next[topic][partition]!++;
        this.#number++;
        this.#sql.insert.run(this.#number, placeOf(topic, partition, this.partitions), offset, at, storedKey(key), value);
        if (this.#number % MARK_EVERY === 0) this.#sql.addMark.run(this.#number, packHeads(this.#next));
        written.push({ topic, partition, offset, key, value, appendedAt: at });
      }
    }
  }

  #commit(): void {
    const commit = () => void this.#sql.commit.run();
    try {
      if (this.#options.faults?.commit) this.#options.faults.commit(commit);
      else commit();
    } catch (error) {
      if (certainlyNotCommitted(error)) throw error;
      throw new AppendOutcomeUnknown(`The log cannot tell whether the events were appended (${messageOf(error)})`, error);
    }
  }

  /** After a failed transaction nothing in memory is believed. */
  #undo(): void {
    this.#durable = undefined;
    try {
      if (this.#db.inTransaction) this.#sql.rollback.run();
      this.#load();
    } catch {
      this.#version = -1;
    }
    this.#waiters.wake();
  }

  #addSchema(topic: string, text: string, allow: (rows: readonly SchemaRow[]) => number | undefined): Promise<number> {
    if (this.#closing) return Promise.reject(new CountersignError("log_closed", "The log is closed"));
    const adding = new Promise<number>((resolve, reject) => {
      this.#locked(Date.now() + this.#busyMs, (refused) => {
        try {
          if (refused) throw refused;
          const id = allow(this.schemas.rows() as SchemaRow[]) ?? Number(this.#sql.addSchema.run(topic, text).lastInsertRowid);
          this.#sql.commit.run();
          this.#disk.now();
          resolve(id);
        } catch (error) {
          if (this.#db.inTransaction) this.#sql.rollback.run();
          reject(sqliteError(error, this.#options.dir));
        }
      });
    });
    return this.#track(adding);
  }

  /** Learns what other connections have appended. */
  #refresh(): void {
    const version = this.#sql.version.get() as number;
    if (version === this.#version) return;
    if (this.#version === -1) {
      this.#load();
      return;
    }
    for (const [number, place, offset, at] of this.#sql.places.iterate(this.#number, Number.MAX_SAFE_INTEGER) as IterableIterator<number[]>) {
      this.#number = number!;
      this.#at = at!;
      moveTo(this.#next, place!, offset!, this.partitions);
    }
    this.#version = version;
  }

  #load(): void {
    // Asked first: what another process appends while the rest is read is then found by the next refresh.
    const version = this.#sql.version.get() as number;
    const { number, next } = headsAt(this.#sql, Number.MAX_SAFE_INTEGER, this.partitions);
    this.#number = number;
    this.#next = next;
    this.#at = (this.#sql.time.get(number) as number | undefined) ?? 0;
    this.#version = version;
  }

  #recordOf([, place, offset, appendedAt, key, value]: Row): LogRecord {
    return { topic: TOPICS[Math.floor(place / this.partitions)]!, partition: place % this.partitions, offset, key, value, appendedAt };
  }
}

function positionOf({ topic, partition, offset }: Position): Position {
  return { topic, partition, offset };
}
