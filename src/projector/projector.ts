import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { CountersignError, messageOf } from "../errors.ts";
import { type Codec, schemaIdOf } from "../events/codec.ts";
import { advance, type Batch, type Checkpoint, type EventLog, type LogRecord, type MutableCheckpoint, offsetIn, type Position } from "../log/log.ts";
import type { SchemaRegistry } from "../log/registry.ts";
import { type BatchFolder, batchFolder, type FoldedBatch, mark } from "./fold-batch.ts";
import { topicNumber } from "./keys.ts";
import { openViews, type Views } from "./views.ts";

/** What a projector needs. */
export interface ProjectorOptions {
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  readonly codec: Codec;
  /** Path of the views file. */
  readonly path: string;
  /** Name of the log: views of another log are thrown away. */
  readonly logId: string;
  /** Partition of a key, for the check that records lie where they belong. */
  readonly partitionOf: (key: string) => number;
}

/** Log → fold → views. It has no side effects but its file. */
export interface Projector {
  readonly views: Views;
  /** Next offset to fold, per partition. */
  readonly folded: Checkpoint;
  /** Folds until the heads of this moment, then resolves. */
  catchUp(signal?: AbortSignal, progress?: (folded: number) => void): Promise<number>;
  /** Follows the log until the signal; rejects when the log must not be followed (a gap, a recreated topic). */
  follow(signal: AbortSignal): Promise<void>;
  /** Resolves once these positions are folded. @throws CountersignError timeout */
  waitFor(positions: readonly Position[], options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  /** Called after each batch. Returns the way to stop. */
  onFolded(listener: (batch: FoldedBatch) => void): () => void;
  close(): void;
}

interface Waiter {
  readonly positions: readonly Position[];
  readonly resolve: () => void;
}

/** Opens the views file and makes sure that it belongs to this log. @throws CountersignError log_recreated, log_unavailable */
export async function openProjector(options: ProjectorOptions): Promise<Projector> {
  const { log, codec, registry } = options;
  const views = openViews(options.path, options.logId);
  const reader = claimViews(views);
  const folder: BatchFolder = batchFolder(views.db, codec);
  const folded: MutableCheckpoint = structuredClone(views.checkpoint()) as MutableCheckpoint;
  const listeners = new Set<(batch: FoldedBatch) => void>();
  const waiters = new Set<Waiter>();
  const isWriter = views.db.prepare("SELECT value FROM meta WHERE key = 'writer'").pluck();
  const inode = inodeOf(options.path);
  try {
    await refuseRecreated(views, log, folded);
  } catch (error) {
    views.close();
    throw error;
  }

  async function apply(batch: Batch): Promise<void> {
    if (batch.records.length === 0) return;
    await learnSchemas(batch.records, codec, registry);
    if (isWriter.get() !== reader || inodeOf(options.path) !== inode) {
      throw new CountersignError("conflict", "Another process has taken over the views file, or rebuilt it", {
        retryable: true,
        fix: "use one process per --data folder",
      });
    }
    const result = folder.fold(batch.records, options.partitionOf);
    for (const record of batch.records) advance(folded, record);
    for (const waiter of waiters) {
      if (!isBehind(folded, waiter.positions)) {
        waiters.delete(waiter);
        waiter.resolve();
      }
    }
    for (const listener of listeners) listener(result);
  }

  return {
    views,
    folded,
    async catchUp(signal, progress) {
      let count = 0;
      for await (const batch of log.read(folded, { reader, until: "heads", ...(signal === undefined ? {} : { signal }) })) {
        await apply(batch);
        count += batch.records.length;
        progress?.(count);
      }
      return count;
    },
    async follow(signal) {
      for await (const batch of log.read(structuredClone(folded), { reader, signal })) await apply(batch);
    },
    waitFor(positions, { timeoutMs = 10_000, signal } = {}) {
      if (!isBehind(folded, positions)) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const waiter: Waiter = { positions, resolve: () => done(resolve) };
        const fail = () =>
          done(() =>
            reject(
              new CountersignError("timeout", "The event is written, but the views have not caught up with it yet", {
                retryable: true,
                fix: "read the item again in a moment",
              }),
            ),
          );
        const timer = setTimeout(fail, timeoutMs);
        function done(then: () => void): void {
          clearTimeout(timer);
          waiters.delete(waiter);
          signal?.removeEventListener("abort", fail);
          then();
        }
        signal?.addEventListener("abort", fail, { once: true });
        waiters.add(waiter);
      });
    },
    onFolded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => views.close(),
  };
}

/** Writes down who folds into this file, so that a second process cannot do so unnoticed; returns its name, new each time. */
function claimViews(views: Views): string {
  const name = `countersign-views-${randomUUID()}`;
  views.db.prepare("INSERT INTO meta VALUES ('writer', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value").run(name);
  return name;
}

function inodeOf(path: string): number {
  try {
    return path === ":memory:" ? 0 : statSync(path).ino;
  } catch {
    return -1;
  }
}

function isBehind(folded: Checkpoint, positions: readonly Position[]): boolean {
  return positions.some((p) => offsetIn(folded, p.topic, p.partition) <= p.offset);
}

/** kafkajs speaks no topic ids: a recreated topic is known by the last folded record, which is then another one or not there. */
async function refuseRecreated(views: Views, log: EventLog, folded: Checkpoint): Promise<void> {
  const from: MutableCheckpoint = {};
  let any = false;
  for (const [topic, parts] of Object.entries(folded)) {
    for (const [part, next] of Object.entries(parts)) {
      if (next === 0) continue;
      from[topic as LogRecord["topic"]] = { ...from[topic as LogRecord["topic"]], [part]: next - 1 };
      any = true;
    }
  }
  if (!any) return;
  const last = views.db.prepare("SELECT last FROM checkpoint WHERE topic = ? AND part = ?").pluck();
  for await (const batch of log.read(from, { until: folded })) {
    for (const record of batch.records) {
      if (offsetIn(folded, record.topic, record.partition) !== record.offset + 1) continue;
      const known = last.get(topicNumber(record.topic), record.partition) as Buffer | undefined;
      if (known !== undefined && !mark(record).equals(known)) {
        throw new CountersignError(
          "log_recreated",
          `Topic ${record.topic} was recreated: partition ${record.partition} holds another record at offset ${record.offset} than the one that was folded`,
          {
            fix: "point --log at the right log, or run countersign rebuild to make the views of this one",
          },
        );
      }
    }
  }
}

/** Fetches the schemas of a batch before it is folded. A registry that cannot be reached is waited for: a record must not be called bad for that. */
async function learnSchemas(records: readonly LogRecord[], codec: Codec, registry: SchemaRegistry): Promise<void> {
  const unknown = new Set<number>();
  for (const record of records) {
    const id = record.value === null ? undefined : schemaIdOf(record.value);
    if (id !== undefined && !codec.knows(id)) unknown.add(id);
  }
  for (const id of unknown) {
    for (let pause = 100; ; pause = Math.min(pause * 2, 5000)) {
      try {
        const text = await registry.textOf(id);
        if (text !== null) codec.learn(id, text);
        break;
      } catch (error) {
        if (!(error instanceof CountersignError) || !error.retryable)
          throw new CountersignError("registry_refused", `The registry cannot be asked for schema ${id}: ${messageOf(error)}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}
