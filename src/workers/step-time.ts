import { termsVerdict, type VerdictNode } from "../ledger/item.ts";
import { stepTimes } from "../ledger/owed.ts";
import { afterWorkingTime, workingTimeIn } from "../policy/calendar.ts";
import { spanEnd } from "../policy/span.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Halts } from "../projector/halts.ts";
import type { StoredItemView } from "../projector/reading.ts";
import { haltedFor } from "./halted.ts";
import type { PublishedPolicies } from "./published-policies.ts";

/** When the clock may escalate or expire what is due by the fold, which knows no calendar and no halts: then, or later. */
export type StepTime = (view: StoredItemView, verdict: VerdictNode, due: number, now: number) => number | Promise<number>;

/**
 * A step that was taken late has as long as the policy gives it, and a halt stops its time. Where the policy gives working time both are
 * counted in it, so that the time of an owner never ends while nobody works, nor sooner than the policy says.
 */
export function stepTime(halts: Halts, events: EventStore, { workingSpan }: Pick<PublishedPolicies, "workingSpan">): StepTime {
  return (view, verdict, due, now) => {
    const held = haltedFor(halts)(view, verdict, now);
    const { from, end, late } = stepTimes(verdict);
    // What was taken in time, and no halt has kept waiting, is written without looking anything up.
    return end === null || (held === 0 && late === 0) ? due : putOff(view, verdict, { from, end, late, due, held, now });
  };

  type Times = { readonly [name in "from" | "end" | "late" | "due" | "held" | "now"]: number };

  async function putOff(view: StoredItemView, verdict: VerdictNode, { from, end, late, due, held, now }: Times): Promise<number> {
    const reached = await events.get(view.itemId, "verdicts", termsVerdict(view.item, verdict).id);
    const working = reached === undefined ? undefined : workingSpan(reached, from, end);
    if (working === undefined) return due + held;
    const { span, calendar } = working;
    const whole = late === 0 ? due : spanEnd(from + late, span, calendar);
    const over = whole >= due ? whole : afterWorkingTime(calendar, due, 0);
    const lost = haltedFor(halts, (start, stop) => workingTimeIn(calendar, start, stop))(view, verdict, now);
    return lost === 0 ? over : afterWorkingTime(calendar, over, lost);
  }
}
