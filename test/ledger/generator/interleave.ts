import type { Topic } from "../../../src/events/topics.ts";
import type { Logs } from "../oracle/model.ts";
import type { Rng } from "./rng.ts";

/** Positions in the order in which a reader gets them. */
export type Delivery = readonly (readonly [topic: Topic, offset: number])[];

/**
 * Random deliveries that keep the order inside each topic. Most contain rewinds: a topic is read again from an earlier offset on, as
 * after a crash before a checkpoint.
 */
export function interleavings(logs: Logs, count: number, rng: Rng): Delivery[] {
  const topics = (Object.keys(logs) as Topic[]).filter((t) => (logs[t]?.length ?? 0) > 0);
  return Array.from({ length: count }, () => {
    const delivery: [Topic, number][] = [];
    const at = topics.map(() => 0);
    const ends = topics.map((t) => logs[t]?.length ?? 0);
    // Weights far apart make one topic run ahead of another by its whole length.
    const speed = topics.map(() => rng.pick([0.05, 1, 1, 20]));
    let rewinds = rng.below(4);
    for (let open = topics.length; open > 0; ) {
      let chosen = -1;
      let best = -1;
      for (let i = 0; i < topics.length; i++) {
        if ((at[i] as number) >= (ends[i] as number)) continue;
        const draw = rng.next() ** (1 / (speed[i] as number));
        if (draw > best) [best, chosen] = [draw, i];
      }
      delivery.push([topics[chosen] as Topic, at[chosen]!++]);
      if (at[chosen] === ends[chosen]) open--;
      if (rewinds > 0 && rng.chance(0.08)) {
        rewinds--;
        const again = rng.below(topics.length);
        const wasDone = at[again] === ends[again];
        at[again] = rng.below((at[again] as number) + 1);
        if (wasDone && at[again] !== ends[again]) open++;
      }
    }
    return delivery;
  });
}

/**
 * Visits every delivery that keeps the order inside each topic, without repetition; their number is the multinomial of the lengths.
 * The array is the same one at each visit. Stops when `visit` returns false.
 */
export function visitInterleavings(logs: Logs, visit: (delivery: Delivery) => boolean | undefined): void {
  const topics = (Object.keys(logs) as Topic[]).filter((t) => (logs[t]?.length ?? 0) > 0);
  const positions = topics.map((topic) => (logs[topic] ?? []).map((_, offset) => [topic, offset] as const));
  const at = topics.map(() => 0);
  const total = positions.reduce((sum, log) => sum + log.length, 0);
  const delivery: (readonly [Topic, number])[] = [];
  const extend = (): boolean => {
    if (delivery.length === total) return visit(delivery) !== false;
    for (let i = 0; i < topics.length; i++) {
      const next = positions[i]?.[at[i] as number];
      if (next === undefined) continue;
      at[i]!++;
      delivery.push(next);
      const goOn = extend();
      delivery.pop();
      at[i]!--;
      if (!goOn) return false;
    }
    return true;
  };
  extend();
}
