import { CountersignError } from "../errors.ts";
import type { Projector } from "./projector.ts";
import type { Queries } from "./queries.ts";
import type { StoredItemView } from "./reading.ts";

/** Resolves with what `test` makes of an item, as soon as it makes something of it: now, or after a later batch. @throws CountersignError timeout */
export function untilItem<T>(
  { projector, queries }: { projector: Projector; queries: Queries },
  itemId: string,
  test: (view: StoredItemView) => T | undefined,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const { timeoutMs = 30_000, signal } = options;
  const look = () => {
    const view = queries.item(itemId);
    return view === undefined ? undefined : test(view);
  };
  const now = look();
  if (now !== undefined) return Promise.resolve(now);
  return new Promise<T>((resolve, reject) => {
    const fail = () => end(() => reject(new CountersignError("timeout", `Item ${itemId} did not get there in ${timeoutMs} ms`, { retryable: true })));
    const timer = setTimeout(fail, timeoutMs);
    const unsubscribe = projector.onFolded((batch) => {
      if (!batch.items.has(itemId)) return;
      const found = look();
      if (found !== undefined) end(() => resolve(found));
    });
    function end(then: () => void): void {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener("abort", fail);
      then();
    }
    signal?.addEventListener("abort", fail, { once: true });
    if (signal?.aborted) fail();
  });
}
