import type { Described } from "./input.ts";

/** A proposal in short as a file says it: times and durations are texts there. */
export function writtenCase({ at, timeout, earlier, ...described }: Described): object {
  return {
    ...described,
    ...(timeout !== undefined && { timeout: iso(timeout) }),
    ...(at !== undefined && { at: new Date(at).toISOString() }),
    ...(earlier !== undefined && { earlier: earlier.map(({ ago, ...action }) => ({ ago: iso(ago), ...action })) }),
  };
}

function iso(ms: number): string {
  return `PT${ms / 1000}S`;
}
