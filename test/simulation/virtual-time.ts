/** Time that only moves when it is turned: timers and clocks of everything that runs in this process. */
export interface VirtualTime {
  now(): number;
  /**
   * Moves on by so many milliseconds. Each timer that is due fires once, however long the jump, as after a machine has slept; `drain` runs
   * after each, so that what it set off is over before the next.
   */
  turn(ms: number, drain: () => Promise<void>): Promise<void>;
  /** Lets everything run that needs no time. */
  drain(): Promise<void>;
  restore(): void;
}

interface Timer {
  readonly id: number;
  readonly run: () => void;
  readonly everyMs: number | null;
  due: number;
}

const real = {
  ...{ setTimeout, clearTimeout, setInterval, clearInterval, setImmediate },
  dateNow: Date.now,
  performanceNow: performance.now,
};

/** Puts virtual time in the place of timers, `Date.now` and `performance.now`. */
export function installVirtualTime(start: number): VirtualTime {
  let at = start;
  let ids = 0;
  const timers = new Map<number, Timer>();

  function add(run: (...args: unknown[]) => void, ms: number | undefined, args: unknown[], every: boolean) {
    const wait = Math.max(1, Number(ms) || 0);
    const timer: Timer = { id: ++ids, run: () => run(...args), everyMs: every ? wait : null, due: at + wait };
    timers.set(timer.id, timer);
    const handle = { id: timer.id, ref: () => handle, unref: () => handle, hasRef: () => false, [Symbol.toPrimitive]: () => timer.id };
    return handle;
  }
  const remove = (handle: { id?: number } | number | undefined) => {
    timers.delete(typeof handle === "number" ? handle : (handle?.id ?? -1));
  };

  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms?: number, ...args: unknown[]) => add(run, ms, args, false),
    setInterval: (run: () => void, ms?: number, ...args: unknown[]) => add(run, ms, args, true),
    clearTimeout: remove,
    clearInterval: remove,
  });
  Date.now = () => at;
  performance.now = () => at - start;

  const drain = () => new Promise<void>((resolve) => real.setImmediate(() => real.setImmediate(resolve)));

  return {
    now: () => at,
    drain,
    async turn(ms, after) {
      at += ms;
      const due = [...timers.values()].filter((t) => t.due <= at).sort((a, b) => a.due - b.due || a.id - b.id);
      for (const timer of due) {
        if (!timers.has(timer.id)) continue;
        if (timer.everyMs === null) timers.delete(timer.id);
        else timer.due = at + timer.everyMs;
        timer.run();
        await after();
      }
    },
    restore() {
      const { dateNow, performanceNow, ...globals } = real;
      Object.assign(globalThis, globals);
      Date.now = dateNow;
      performance.now = performanceNow;
    },
  };
}
