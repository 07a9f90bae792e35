import type { Calendar } from "./calendar.ts";
import type { People } from "./compile.ts";
import { DEFAULT_TIMEOUT } from "./defaults.ts";
import { spanEnd } from "./span.ts";

/** The parts of an opinion that say who decides, and by when; the first that says something wins. */
export function peopleOf(owner: string, time: { readonly now: number; readonly calendar: Calendar | undefined }, ...said: readonly (People | undefined)[]) {
  const first = <K extends keyof People>(key: K): People[K] => said.find((people) => people?.[key] !== undefined)?.[key];
  return {
    owner: first("owner") ?? owner,
    approvals: Math.max(1, ...said.map((people) => people?.approvals ?? 1)),
    approvalOrder: first("approval_order") ?? [],
    separation: first("separation") ?? [],
    timeoutMs: spanEnd(time.now, first("timeout") ?? DEFAULT_TIMEOUT, time.calendar) - time.now,
    ladder: first("ladder") ?? [],
    onExpiry: first("on_expiry") === "hold" ? ("hold" as const) : ("reject" as const),
  };
}

/** Of two orders of approval the longer, so that nobody who has to approve is left out; of equally long ones always the same. */
export function longerOrder(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length !== b.length) return a.length > b.length ? a : b;
  return a.length === 0 || JSON.stringify(a) <= JSON.stringify(b) ? a : b;
}
