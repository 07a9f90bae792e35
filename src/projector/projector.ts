import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import type { Codec } from "../events/codec.ts";
import { TOPICS } from "../events/topics.ts";
import { advance, type Batch, type Checkpoint, type EventLog, type MutableCheckpoint, offsetIn, type Position } from "../log/log.ts";
import type { SchemaRegistry } from "../log/registry.ts";
import { type BatchFolder, batchFolder, type FoldedBatch } from "./fold-batch.ts";
import { itemIdOfBytes } from "./keys.ts";
import { learnSchemas, pauseFor, someBecameKnown } from "./learn.ts";
import { setOverlay } from "./overlay.ts";
import { refuseRecreated } from "./recreated.ts";
import { takeOver } from "./take-over.ts";
import { openViews, removeViews, type Views, viewsError } from "./views.ts";

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
  /** How often `follow` asks the registry for schemas that it did not have, in milliseconds. Default 30,000. */
  readonly askAgainMs?: number;
  /** Make the file for a rebuild: it is of no use until it is complete. Default false. */
  readonly scratch?: boolean;
}

/** Log → fold → views. It has no side effects but its file. */
export interface Projector {
  readonly views: Views;
  /** Next offset to fold, per partition. */
  readonly folded: Checkpoint;
  /** Folds until the heads of this moment (or a checkpoint), then resolves with the number of records read. */
  catchUp(signal?: AbortSignal, progress?: (folded: number) => void, until?: Checkpoint | "heads"): Promise<number>;
  /**
   * Follows the log until the signal; rejects when the log must not be followed (a gap, a recreated topic), or when another process took
   * over the file. When the registry comes to have a schema that records could not be folded for want of, the views are made again in a
   * file beside while these go on, and replaced in one transaction; listeners hear of one batch that is `rebuilt`.
   */
  follow(signal: AbortSignal): Promise<void>;
  /** Resolves once these positions are folded. @throws CountersignError timeout; unavailable when the views are closed or follow no more; the signal's reason */
  waitFor(positions: readonly Position[], options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  /** Called after each batch. Returns the way to stop. */
  onFolded(listener: (batch: FoldedBatch) => void): () => void;
  close(): void;
}

/** How long folded records may wait for the file, and how many. */
const FLUSH_MS = 100;
const FLUSH_RECORDS = 1000;

/** A process that stood still for longer (stopped, suspended, starved) may have missed that the log was exchanged. */
const TICK_MS = 500;
const STOOD_STILL_MS = 3000;

interface Waiter {
  readonly positions: readonly Position[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Opens the views file and makes sure that it belongs to this log. @throws CountersignError log_recreated, log_unavailable */
export async function openProjector(options: ProjectorOptions): Promise<Projector> {
  const { log, askAgainMs = 30_000 } = options;
  let views = openViews(options.path, options.logId, options.scratch);
  if (await someBecameKnown(views.db, options)) {
    // Records that could not be folded now can: each belongs in its place, so everything is folded again.
    views.close();
    removeViews(options.path);
    views = openViews(options.path, options.logId, options.scratch);
  }
  const reader = claimViews(views);
  const isWriter = views.db.prepare("SELECT value FROM meta WHERE key = 'writer'").pluck();
  const inode = inodeOf(options.path);
  const folder: BatchFolder = batchFolder(views.db, options.codec, mayWrite);
  setOverlay(views.db, folder);
  let flushing: NodeJS.Timeout | undefined;
  // Set when what was folded could not be brought into the file: whoever folds hears of it.
  let failure: unknown;
  let failed = (_error: unknown): void => {};
  const folded: MutableCheckpoint = structuredClone(views.checkpoint()) as MutableCheckpoint;
  const listeners = new Set<(batch: FoldedBatch) => void>();
  const waiters = new Set<Waiter>();
  try {
    await refuseRecreated(views, log, folded);
  } catch (error) {
    views.close();
    throw error;
  }

  let seenInterruptions = log.interruptions;
  let lastTick = Date.now();
  let doubtful = false;
  let checking: Promise<void> | undefined;
  const ticking = setInterval(() => {
    if (isDoubtful()) void checked().catch((error: unknown) => failed(error));
    lastTick = Date.now();
  }, TICK_MS).unref();

  function isDoubtful(): boolean {
    if (log.interruptions === undefined) return false;
    doubtful ||= log.interruptions !== seenInterruptions || Date.now() - lastTick > STOOD_STILL_MS;
    return doubtful;
  }

  /** Makes sure that the log is still the one that was folded. @throws CountersignError log_recreated */
  function checked(): Promise<void> {
    checking ??= compareLast().finally(() => (checking = undefined));
    return checking;
  }

  async function compareLast(): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(2000, pauseMs * 2)) {
      const before = log.interruptions;
      if (!views.db.open) return;
      flush();
      try {
        await refuseRecreated(views, log, structuredClone(folded));
      } catch (error) {
        if (!(error instanceof CountersignError && error.retryable)) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
        continue;
      }
      seenInterruptions = before;
      doubtful = false;
      return;
    }
  }

  function mayWrite(): void {
    if (isWriter.get() === reader && inodeOf(options.path) === inode) return;
    throw new CountersignError("conflict", "Another process has taken over the views file, or rebuilt it", {
      retryable: true,
      fix: "use one process per --data folder",
    });
  }

  async function apply(batch: Batch, signal: AbortSignal | undefined): Promise<void> {
    if (failure !== undefined) flush();
    if (batch.records.length === 0) return;
    // Before anything of it is folded: records of another log would be answered as if they were this one's.
    if (isDoubtful()) await checked();
    if (!(await learnSchemas(batch.records, options, signal))) return;
    const result = folder.fold(batch.records, options.partitionOf);
    for (const record of batch.records) advance(folded, record);
    if (folder.waiting >= FLUSH_RECORDS) flush();
    else flushing ??= setTimeout(flushLater, FLUSH_MS);
    tell(result);
  }

  function flush(): void {
    clearTimeout(flushing);
    flushing = undefined;
    if (failure !== undefined) {
      const error = failure;
      failure = undefined;
      throw error;
    }
    try {
      folder.flush();
    } catch (error) {
      // What was folded in memory is gone, so folding goes on where the file is.
      for (const topic of TOPICS) delete folded[topic];
      Object.assign(folded, structuredClone(views.checkpoint()));
      throw error;
    }
  }

  function flushLater(): void {
    try {
      flush();
    } catch (error) {
      failure = error;
      failed(error);
    }
  }

  function tell(result: FoldedBatch): void {
    for (const waiter of waiters) if (!isBehind(folded, waiter.positions)) waiter.resolve();
    for (const listener of listeners) listener(result);
  }

  function giveUp(error: CountersignError): void {
    for (const waiter of waiters) waiter.reject(error);
  }

  async function foldTo(until: Checkpoint | "heads" | undefined, signal: AbortSignal | undefined, progress?: (folded: number) => void): Promise<number> {
    let count = 0;
    const from = structuredClone(folded);
    try {
      for await (const batch of log.read(from, { reader, ...(until === undefined ? {} : { until }), ...(signal === undefined ? {} : { signal }) })) {
        await apply(batch, signal);
        count += batch.records.length;
        progress?.(count);
      }
      flush();
    } catch (cause) {
      const error = viewsError(cause, options.path);
      giveUp(new CountersignError("unavailable", `The views no longer follow the log: ${messageOf(error)}`, { cause: error }));
      throw error;
    }
    return count;
  }

  /** Waits until a schema that was missing is there, and makes the views again beside, as far as these are. Undefined when the signal ends the waiting. */
  async function healedBeside(signal: AbortSignal): Promise<Projector | undefined> {
    const path = options.path === ":memory:" ? join(tmpdir(), `countersign-views-${randomUUID()}.db`) : `${options.path}.healed`;
    for (;;) {
      await pauseFor(askAgainMs, signal, { ref: false });
      if (signal.aborted) return undefined;
      if (!(await someBecameKnown(views.db, options)) || signal.aborted) continue;
      removeViews(path);
      let beside: Projector | undefined;
      try {
        beside = await openProjector({ ...options, path });
        await beside.catchUp(signal, undefined, structuredClone(folded));
        if (!signal.aborted) return beside;
      } catch (error) {
        log.onTrouble?.(`Records whose schema is now known cannot be folded in their place, which is tried again: ${messageOf(error)}`);
      }
      beside?.close();
      removeViews(path);
    }
  }

  /** Puts the views that were made beside in the place of these. Nothing is folded here meanwhile. */
  async function heal(beside: Projector, signal: AbortSignal): Promise<void> {
    await beside.catchUp(signal, undefined, structuredClone(folded));
    beside.close();
    if (signal.aborted) return;
    const changed = views.db.prepare("SELECT DISTINCT item FROM bad WHERE schema_id IS NOT NULL AND item IS NOT NULL").pluck().all() as (Buffer | string)[];
    mayWrite();
    takeOver(views.db, beside.views.path);
    folder.reset();
    tell({ items: new Set(changed.map(itemIdOfBytes)), owed: new Map(), effective: [], refused: [], rebuilt: true });
  }

  return {
    views,
    folded,
    catchUp: (signal, progress, until = "heads") => foldTo(until, signal, progress),
    async follow(signal) {
      while (!signal.aborted) {
        const turn = new AbortController();
        const over = new AbortController();
        const healed = healedBeside(AbortSignal.any([signal, over.signal])).finally(() => turn.abort());
        try {
          const broken = new Promise<never>((_, reject) => {
            failed = reject;
          });
          await Promise.race([foldTo(undefined, AbortSignal.any([signal, turn.signal])), broken]);
        } catch (cause) {
          turn.abort();
          throw viewsError(cause, options.path);
        } finally {
          over.abort();
        }
        const beside = await healed;
        if (beside === undefined) return;
        try {
          await heal(beside, signal);
        } finally {
          beside.close();
          removeViews(beside.views.path);
        }
      }
    },
    waitFor(positions, { timeoutMs = 10_000, signal } = {}) {
      if (!isBehind(folded, positions)) return Promise.resolve();
      if (signal?.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const late = () =>
          waiter.reject(
            new CountersignError("timeout", "The event is written, but the views have not caught up with it yet", {
              retryable: true,
              fix: "read the item again in a moment",
            }),
          );
        const aborted = () => waiter.reject(signal?.reason);
        const timer = setTimeout(late, timeoutMs);
        const end = () => {
          clearTimeout(timer);
          waiters.delete(waiter);
          signal?.removeEventListener("abort", aborted);
        };
        const waiter: Waiter = {
          positions,
          resolve: () => {
            end();
            resolve();
          },
          reject: (error) => {
            end();
            reject(error);
          },
        };
        signal?.addEventListener("abort", aborted, { once: true });
        waiters.add(waiter);
      });
    },
    onFolded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(ticking);
      giveUp(new CountersignError("unavailable", "The views were closed before they caught up with the event"));
      try {
        if (views.db.open) flush();
      } catch {
        // Folded again from the checkpoint at the next start.
      }
      views.close();
    },
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
