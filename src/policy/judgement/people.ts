import type { Calendar } from "../calendar.ts";
import type { People } from "../compiled.ts";
import { DEFAULT_TIMEOUT } from "../document/defaults.ts";
import { spanEnd } from "../span.ts";

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

/**
 * The shortest order of approval in which every one of these is kept, so that nobody who has to approve is left out. Whatever order they come
 * in, it is the same.
 */
export function joinOrders(orders: readonly (readonly string[])[]): readonly string[] {
  const asked = orders.filter((order) => order.length > 0);
  if (asked.length <= 1) return asked[0] ?? NO_ORDER;
  const distinct = [...new Map(asked.map((order) => [JSON.stringify(order), order] as const))].sort(([a], [b]) => (a < b ? -1 : 1));
  return distinct.map(([, order]) => order).reduce(merged);
}

const NO_ORDER: readonly string[] = [];

/** The shortest list in which both lie in their order. */
function merged(a: readonly string[], b: readonly string[]): readonly string[] {
  // Length of what is needed from each pair of places on.
  const need = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => a.length - i + b.length - j));
  const at = (i: number, j: number) => need[i]?.[j] as number;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) (need[i] as number[])[j] = 1 + (a[i] === b[j] ? at(i + 1, j + 1) : Math.min(at(i + 1, j), at(i, j + 1)));
  const out: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) out.push(a[i++] as string) && j++;
    else out.push((at(i + 1, j) <= at(i, j + 1) ? a[i++] : b[j++]) as string);
  }
  return [...out, ...a.slice(i), ...b.slice(j)];
}
