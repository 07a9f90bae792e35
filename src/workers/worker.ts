import { CountersignError, messageOf } from "../errors.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Todo } from "../projector/queries.ts";

/** What a worker reads and writes through. */
export interface WorkerContext {
  /** What is owed now, from the views. */
  readonly todos: (now: number) => readonly Todo[];
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

/**
 * Runs a worker: reads what is owed from the views, writes it, and lets the fold take it off the list. It keeps nothing that a crash
 * could lose. Running two at once is harmless: the first event of a sibling group takes effect.
 */
export function runWorker(name: string, context: WorkerContext, write: (todo: Todo) => Promise<void>): RunningWorker {
  // Written, but not folded yet: only spares a second copy.
  const underWay = new Map<string, number>();
  const active = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failures = 0;

  function wake(): void {
    if (stopped) return;
    clearTimeout(timer);
    const now = context.now();
    const owed = new Set<string>();
    for (const todo of context.todos(now)) {
      const key = `${todo.itemId}/${todo.duty}/${todo.cause}/${todo.names}`;
      owed.add(key);
      const since = underWay.get(key);
      if (since !== undefined && performance.now() - since < FOLD_WAIT_MS) continue;
      underWay.set(key, performance.now());
      const work = attempt(todo, key).finally(() => active.delete(work));
      active.add(work);
    }
    for (const key of underWay.keys()) if (!owed.has(key)) underWay.delete(key);
    const next = context.nextDue();
    const sleep = next === null ? LONGEST_SLEEP_MS : Math.min(LONGEST_SLEEP_MS, Math.max(failures > 0 ? RETRY_MS : 5, next - context.now()));
    timer = setTimeout(wake, owed.size > 0 ? Math.max(sleep, RETRY_MS) : sleep);
    timer.unref();
  }

  async function attempt(todo: Todo, key: string): Promise<void> {
    try {
      await write(todo);
      failures = 0;
    } catch (error) {
      failures++;
      // Left on the list: tried again after a moment, for as long as it is owed.
      setTimeout(() => underWay.delete(key), Math.min(RETRY_MS * failures, 30_000)).unref();
      context.onError(name, todo, error instanceof CountersignError ? error : new CountersignError("internal", `${name}: ${messageOf(error)}`, { cause: error }));
    }
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
