import { CountersignError, messageOf } from "../errors.ts";
import type { Owed } from "../ledger/owed.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Todo } from "../projector/list-queries.ts";

/** What a worker reads and writes through. */
export interface WorkerContext {
  readonly worker: Owed["worker"];
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
/** A clock that was set forward, or a machine that slept, is noticed after this at the latest. */
const LONGEST_SLEEP_MS = 1_000;
/** Most todos that are looked at in one go. Those that keep failing come on top, so that they never stand in the way of others. */
const MOST = 500;

/** A todo that was written, or could not be: it only spares a second copy. */
interface Attempted {
  active: boolean;
  failures: number;
  /** Its time comes with something that is not in the item. */
  waits: boolean;
  /** By performance.now(): not before then again. */
  until: number;
}

/**
 * Runs a worker: reads what is owed from the views, writes it, and lets the fold take it off the list. It keeps nothing that a crash
 * could lose. Running two at once is harmless: the first event of a sibling group takes effect. A write that gives "wait" is tried again
 * in a moment.
 */
export function runWorker(name: string, context: WorkerContext, write: (todo: Todo) => Promise<unknown>): RunningWorker {
  const attempted = new Map<string, Attempted>();
  const byItem = new Map<string, Set<string>>();
  const active = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let wakesAt = Number.POSITIVE_INFINITY;
  /** The next deadline that is known, by the context's clock, which may jump. */
  let nextDue = Number.POSITIVE_INFINITY;
  /** True when nothing is owed before that: what comes is heard of, so that the views need not be asked again. */
  let idle = false;
  let stopped = false;

  /** Looks whether a deadline has passed, as a clock may jump, and at what was not done at once. */
  function tick(): void {
    const left = nextDue - context.now();
    if (!idle || attempted.size > 0 || left <= 0) wake();
    else {
      wakesAt = Number.POSITIVE_INFINITY;
      wakeIn(Math.min(LONGEST_SLEEP_MS, Math.max(5, left)));
    }
  }

  /** Looks at all that is owed now: at the start, at deadlines, and for as long as something is owed. */
  function wake(): void {
    if (stopped) return;
    wakesAt = Number.POSITIVE_INFINITY;
    const now = context.now();
    const owed = new Set<string>();
    let failing = 0;
    for (const a of attempted.values()) if (a.failures > 0 || a.waits) failing++;
    for (const todo of context.todos(now, MOST + failing)) {
      owed.add(keyOfTodo(todo));
      consider(todo);
    }
    for (const [key, { active: busy }] of attempted) if (!busy && !owed.has(key)) forget(key);
    const next = context.nextDue();
    nextDue = next !== null && next > now ? next : Number.POSITIVE_INFINITY;
    idle = owed.size === 0 && (next === null || next > now);
    const sleep = next === null ? LONGEST_SLEEP_MS : Math.min(LONGEST_SLEEP_MS, Math.max(5, next - now));
    wakeIn(owed.size > 0 ? Math.max(sleep, RETRY_MS) : sleep);
  }

  function wakeIn(ms: number): void {
    const at = performance.now() + ms;
    if (stopped || at >= wakesAt) return;
    wakesAt = at;
    clearTimeout(timer);
    timer = setTimeout(tick, ms);
    timer.unref();
  }

  function consider(todo: Todo): void {
    const key = keyOfTodo(todo);
    const before = attempted.get(key);
    if (before !== undefined && (before.active || performance.now() < before.until)) return;
    if (active.size >= MOST) {
      wakeIn(5);
      return;
    }
    const keys = byItem.get(todo.itemId);
    if (keys === undefined) byItem.set(todo.itemId, new Set([key]));
    else keys.add(key);
    const work = attempt(todo, key, before?.failures ?? 0).finally(() => active.delete(work));
    active.add(work);
  }

  function forget(key: string): void {
    attempted.delete(key);
    const itemId = key.slice(0, key.indexOf("/"));
    const keys = byItem.get(itemId);
    keys?.delete(key);
    if (keys?.size === 0) byItem.delete(itemId);
  }

  async function attempt(todo: Todo, key: string, failures: number): Promise<void> {
    const entry: Attempted = { active: true, failures, waits: false, until: performance.now() + FOLD_WAIT_MS };
    attempted.set(key, entry);
    try {
      // What is not to be written yet is looked at again after a moment: its time comes with something that is not in the item.
      entry.waits = (await write(todo)) === "wait";
      if (entry.waits) entry.until = performance.now() + RETRY_MS;
      entry.failures = 0;
    } catch (error) {
      // Left on the list: tried again after a moment, for as long as it is owed.
      const pause = Math.min(RETRY_MS * 2 ** entry.failures++, 30_000);
      entry.until = performance.now() + pause;
      wakeIn(pause + 1);
      context.onError(
        name,
        todo,
        error instanceof CountersignError ? error : new CountersignError("internal", `${name}: ${messageOf(error)}`, { cause: error }),
      );
    }
    entry.active = false;
  }

  /** What the fold has just found to be owed: there is no need to ask the views for it. */
  function hear({ owed, rebuilt }: FoldedBatch): void {
    if (stopped) return;
    if (rebuilt) wake();
    const now = context.now();
    for (const [itemId, list] of owed) {
      const keys = new Set<string>();
      for (const { worker, duty, cause, due, names } of list) {
        if (worker !== context.worker) continue;
        const todo: Todo = { itemId, duty, cause, due, names };
        keys.add(keyOfTodo(todo));
        if (due <= now) consider(todo);
        else {
          nextDue = Math.min(nextDue, due);
          wakeIn(Math.min(due - now, LONGEST_SLEEP_MS));
        }
      }
      for (const key of byItem.get(itemId) ?? []) if (!keys.has(key)) forget(key);
    }
    if (nextDue <= now) wake();
  }

  const unsubscribe = context.onFolded(hear);
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

function keyOfTodo({ itemId, duty, cause, names }: Todo): string {
  return `${itemId}/${duty}/${cause}/${names}`;
}
