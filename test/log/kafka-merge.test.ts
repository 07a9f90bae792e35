import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TOPICS } from "../../src/events/topics.ts";
import { type Lane, TimeMerge } from "../../src/log/kafka-merge.ts";

function laneOf(order: number, target: number, end = Number.POSITIVE_INFINITY): Lane {
  return {
    topic: TOPICS[order % TOPICS.length]!,
    partition: Math.floor(order / TOPICS.length),
    order,
    next: 0,
    target,
    end,
    head: target,
    queue: [],
    at: 0,
    bytes: 0,
  };
}

const messages = (times: readonly number[], from = 0) => ({ messages: times.map((time, i) => ({ offset: from + i, key: "k", value: Buffer.alloc(1), time })) });

describe("the merge by time", () => {
  it("gives the same order whatever the order in which partitions are fetched, and never one before its turn", () => {
    const lanes = fc.array(
      fc.array(fc.nat(50), { maxLength: 12 }).map((t) => t.sort((a, b) => a - b)),
      { minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(lanes, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), fc.integer({ min: 1, max: 7 }), (times, dice, max) => {
        const merge = new TimeMerge(times.map((t, i) => laneOf(i, t.length)));
        const taken: [number, number][] = [];
        const take = () => {
          for (let batch = merge.take(max); batch.length > 0; batch = merge.take(max)) {
            expect(batch.length).toBeLessThanOrEqual(max);
            for (const r of batch) taken.push([r.appendedAt, r.partition * TOPICS.length + TOPICS.indexOf(r.topic)]);
          }
        };
        for (let step = 0; merge.lanes.some((l) => l.next < l.target); step++) {
          const open = merge.lanes.filter((l) => l.next < l.target);
          const lane = open[dice[step % dice.length]! % open.length]!;
          const rest = times[lane.order]!.slice(lane.next);
          merge.push(lane, messages(rest.slice(0, 1 + (dice[(step + 7) % dice.length]! % 4)), lane.next));
          take();
        }
        const inOrder = times.flatMap((list, order) => list.map((t): [number, number] => [t, order])).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(taken).toEqual(inOrder);
        expect([merge.count, merge.bytes, merge.atHead()]).toEqual([0, 0, true]);
      }),
      { numRuns: 500 },
    );
  });

  it("skips what a lane has already, and refuses a hole", () => {
    const lane = laneOf(0, 9);
    const merge = new TimeMerge([lane]);
    merge.push(lane, messages([1, 2, 3]));
    merge.push(lane, messages([2, 3, 4], 1));
    expect(merge.take(10).map((r) => r.offset)).toEqual([0, 1, 2, 3]);
    expect(() => merge.push(lane, messages([9], 6))).toThrow(expect.objectContaining({ code: "log_gap", field: "proposals/0@4" }));
  });

  it("takes nothing from behind the end, and is finished there", () => {
    const lane = laneOf(0, 2, 2);
    const merge = new TimeMerge([lane]);
    merge.push(lane, messages([1, 2, 3]));
    expect(merge.take(10).map((r) => r.offset)).toEqual([0, 1]);
    expect(merge.finished()).toBe(true);
  });

  it("waits for no lane behind the targets: news flow as they come", () => {
    const lanes = [laneOf(0, 0), laneOf(1, 0)];
    const merge = new TimeMerge(lanes);
    merge.push(lanes[1]!, messages([5]));
    expect(merge.take(10)).toHaveLength(1);
  });
});
