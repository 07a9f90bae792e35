import type { GatewayLedger } from "./ledger.ts";

/** How long to wait. */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until a reading of an item is not undefined: looks now and after each batch that changed the item. Undefined when the time is
 * over or the signal was given. Nothing is polled.
 */
export function waitForItem<T>(ledger: GatewayLedger, itemId: string, read: () => T | undefined, { timeoutMs, signal }: WaitOptions): Promise<T | undefined> {
  const now = read();
  if (now !== undefined || timeoutMs <= 0 || signal?.aborted) return Promise.resolve(now);
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener("abort", giveUp);
      settle();
    };
    const giveUp = () => end(() => resolve(undefined));
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener("abort", giveUp, { once: true });
    const unsubscribe = ledger.projector.onFolded((batch) => {
      if (!batch.items.has(itemId)) return;
      // An error here must reach who waits, not the projector.
      try {
        const value = read();
        if (value !== undefined) end(() => resolve(value));
      } catch (error) {
        end(() => reject(error));
      }
    });
  });
}
