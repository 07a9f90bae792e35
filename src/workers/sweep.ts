import { CountersignError, messageOf } from "../errors.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { RunningWorker } from "./worker.ts";

/** One thing to do. It looks again before it writes, and resolves once what it wrote is folded. */
export interface Chore {
  /** The same key is never done twice at a time. */
  readonly key: string;
  readonly itemId: string;
  readonly run: () => Promise<void>;
}

/** Work that an item owes for what happened elsewhere: a halt, a rejection of the branch it belongs to. */
export interface Sweep {
  readonly name: string;
  /** All there is to do, as the views say: at the start, and when they were made again. */
  readonly all: () => Iterable<Chore>;
  /** What a batch may have brought. */
  readonly after: (batch: FoldedBatch) => Iterable<Chore>;
  /** When the time of something comes by itself, by this clock, and what there is to do then. Null where no time is known. */
  readonly waits?: { readonly until: () => number | null; readonly now: () => number; readonly due: () => Iterable<Chore> };
}

/** What a sweep runs in. */
export interface SweepContext {
  readonly onFolded: (listener: (batch: FoldedBatch) => void) => () => void;
  readonly onError: (worker: string, itemId: string, error: unknown) => void;
}

/** Chores under way at a time: they share commits of the log. */
const MOST = 250;
const RETRY_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A clock that was set forward is noticed after this at the latest. */
const LONGEST_SLEEP_MS = 1_000;

/** Runs a sweep. It keeps nothing that a crash could lose, and two at once are harmless: what they write answers the same events. */
export function runSweep({ name, all, after, waits }: Sweep, { onFolded, onError }: SweepContext): RunningWorker {
  const waiting = new Map<string, Chore>();
  const active = new Map<string, Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;

  function take(chores: Iterable<Chore>): void {
    // One that is under way is done once more afterwards: it may have looked before what has just been folded.
    for (const chore of chores) waiting.set(chore.key, chore);
    pump();
  }

  function pump(): void {
    for (const [key, chore] of waiting) {
      if (stopped || active.size >= MOST) return;
      if (active.has(key)) continue;
      waiting.delete(key);
      const work = attempt(chore, 0).finally(() => {
        active.delete(key);
        pump();
      });
      active.set(key, work);
    }
  }

  async function attempt(chore: Chore, failures: number): Promise<void> {
    try {
      await chore.run();
    } catch (error) {
      onError(
        name,
        chore.itemId,
        error instanceof CountersignError ? error : new CountersignError("internal", `${name}: ${messageOf(error)}`, { cause: error }),
      );
      later(chore, failures + 1);
    }
  }

  /** Tried again after a moment, for as long as it fails. */
  function later(chore: Chore, failures: number): void {
    if (stopped) return;
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        const again: Chore = { ...chore, run: () => attempt(chore, failures) };
        take([again]);
      },
      Math.min(RETRY_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS),
    );
    timer.unref();
    timers.add(timer);
  }

  let timer: NodeJS.Timeout | undefined;
  /** Looks at what is due when its time has come. */
  function awaitTime(): void {
    if (waits === undefined || stopped || timer !== undefined) return;
    const at = waits.until();
    if (at === null) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        if (waits.now() >= at) take(waits.due());
        awaitTime();
      },
      Math.min(LONGEST_SLEEP_MS, Math.max(5, at - waits.now())),
    );
    timer.unref();
  }

  const wake = () => {
    if (stopped) return;
    take(all());
    awaitTime();
  };
  const unsubscribe = onFolded((batch) => {
    if (stopped) return;
    take(batch.rebuilt ? all() : after(batch));
    awaitTime();
  });
  queueMicrotask(wake);
  return {
    wake,
    async stop() {
      stopped = true;
      unsubscribe();
      clearTimeout(timer);
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(active.values());
    },
  };
}
