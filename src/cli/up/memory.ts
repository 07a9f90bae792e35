import { setFlagsFromString } from "node:v8";

/**
 * Keeps the heap of a server near what it holds. By itself V8 lets the space for new objects grow to a hundred megabytes, and the rest to a
 * multiple of what is alive: seen with 12,000 items coming in, 500 MB for 51 MB that were alive, and no less CPU time.
 */
export function keepHeapSmall(): void {
  // New objects keep the space that loading the program has taken; it does not double any more.
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=30");
}
