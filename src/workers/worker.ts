import { CountersignError, messageOf } from "../errors.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Todo } from "../projector/queries.ts";

/** What a worker reads and writes through. */
export interface WorkerContext {
  /** What is owed now, from the views; at most `limit`. */
  readonly todos: (now: number, limit: number) => readonly Todo[];
  /** When the next event is due. */
  readonly nextDue: () => number | null;
  readonly onFolded: (listener: (batch: FoldedBatch) => void) => () => void;
  readonly now: () => number;
  /** Hears of todos that could not be done; they are tried again. */
  readonly onError: (worker: string, todo: Todo, error: unknown) => void;
}

/** A worker that is running. */
export interface RunningWorker {
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
  /** Looks at the todos now. */
  wake(): void;
}

/** How long an appended event may take to be folded before it is written again. */
const FOLD_WAIT_MS = 30_000;
const RETRY_MS = 1_000;
const LONGEST_SLEEP_MS = 30_000;
/** Most todos that are looked at in one go. Those that keep failing come on top, so that they never stand in the way of others. */
const MOST = 500;

/** A todo that was written, or could not be: it only spares a second copy. */
interface Attempted {
  active: boolean;
  failures: number;
  /** By performance.now(): not before then again. */
  until: number;
}

/**
 * Runs a worker: reads what is owed from the views, writes it, and lets the fold take it off the list. It keeps nothing that a crash
 * could lose. Running two at once is harmless: the first event of a sibling group takes effect.
 */
export function runWorker(name: string, context: WorkerContext, write: (todo: Todo) => Promise<void>): RunningWorker {
  const attempted = new Map<string, Attempted>();
  const active = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function wake(): void {
    if (stopped) return;
    clearTimeout(timer);
    const now = context.now();
    const owed = new Set<string>();
    let failing = 0;
    for (const a of attempted.values()) if (a.failures > 0) failing++;
    for (const todo of context.todos(now, MOST + failing)) {
      const key = `${todo.itemId}/${todo.duty}/${todo.cause}/${todo.names}`;
      owed.add(key);
      const before = attempted.get(key);
      if (before !== undefined && (before.active || performance.now() < before.until)) continue;
      const work = attempt(todo, key, before?.failures ?? 0).finally(() => active.delete(work));
      active.add(work);
    }
    for (const key of attempted.keys()) if (!owed.has(key)) attempted.delete(key);
    const next = context.nextDue();
    const sleep = next === null ? LONGEST_SLEEP_MS : Math.min(LONGEST_SLEEP_MS, Math.max(5, next - context.now()));
    timer = setTimeout(wake, owed.size > 0 ? Math.max(sleep, RETRY_MS) : sleep);
    timer.unref();
  }

  async function attempt(todo: Todo, key: string, failures: number): Promise<void> {
    const entry: Attempted = { active: true, failures, until: performance.now() + FOLD_WAIT_MS };
    attempted.set(key, entry);
    try {
      await write(todo);
      entry.failures = 0;
    } catch (error) {
      // Left on the list: tried again after a moment, for as long as it is owed.
      entry.until = performance.now() + Math.min(RETRY_MS * 2 ** entry.failures++, 30_000);
      context.onError(
        name,
        todo,
        error instanceof CountersignError ? error : new CountersignError("internal", `${name}: ${messageOf(error)}`, { cause: error }),
      );
    }
    entry.active = false;
  }

  const unsubscribe = context.onFolded(wake);
  queueMicrotask(wake);
  return {
    wake,
    async stop() {
      stopped = true;
      unsubscribe();
      clearTimeout(timer);
      await Promise.allSettled(active);
    },
  };
}
