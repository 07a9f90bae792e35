import { decimalText, ZERO } from "../../events/decimal.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { type Entry, Tally } from "./tally.ts";
import type { Countable, Meter, UsageReader } from "./usage.ts";

/** The time of what is reserved and has not begun: it counts in every window. */
export const OPEN = Number.MAX_SAFE_INTEGER;

/** Usage while recorded items are judged again in order of time, counted as a ledger counts it. */
export interface ReplayUsage {
  /** What the documents' meters have used up so far. The item that is judged must not have been put yet. */
  reader(policies: readonly CompiledPolicy[]): UsageReader;
  /** Replaces what an item counts: these actions at this time (milliseconds since the epoch, or OPEN), or nothing. */
  put(itemId: string, actions: readonly Countable[], at: number): void;
}

/** Counts for every meter of these documents, several versions of one document apart. */
export function replayUsage(documents: readonly CompiledPolicy[]): ReplayUsage {
  const tallies = new Map<Meter, Map<string, Tally>>(documents.flatMap(({ meters }) => meters.map((meter) => [meter, new Map()] as const)));
  const counted = new Map<string, { tally: Tally; entry: Entry }[]>();
  return {
    reader(policies) {
      const byId = new Map(policies.flatMap(({ meters }) => meters.map((meter) => [meter.id, meter] as const)));
      return ({ id, key, asOf, without = [] }) => {
        const meter = byId.get(id);
        const ofMeter = meter === undefined ? undefined : tallies.get(meter);
        if (meter === undefined || ofMeter === undefined) throw new Error(`nothing counts ${id}`);
        const tally = ofMeter.get(key);
        if (tally === undefined) return { count: 0, sum: "0" };
        tally.moveTo(asOf);
        const sum = decimalText(tally.total);
        if (meter.kind !== "distinct") return { count: tally.count, sum };
        return { count: tally.values.size - new Set(without.filter((value) => tally.values.has(value))).size, sum };
      };
    },
    put(itemId, actions, at) {
      for (const { tally, entry } of counted.get(itemId) ?? []) tally.remove(entry);
      counted.delete(itemId);
      const mine: { tally: Tally; entry: Entry }[] = [];
      for (const action of actions)
        for (const [meter, ofMeter] of tallies) {
          const read = meter.read(action);
          if (read === undefined) continue;
          const { key, amount = ZERO, values } = read;
          const tally = ofMeter.get(key) ?? new Tally(meter.windowMs);
          ofMeter.set(key, tally);
          const entry = { itemId, at, judgedAt: at, granted: false, flowed: action.flowed, approvals: 0, amount, values };
          tally.insert(entry);
          mine.push({ tally, entry });
        }
      // What has begun stays for good; only what is reserved is replaced later.
      if (at === OPEN) counted.set(itemId, mine);
    },
  };
}
