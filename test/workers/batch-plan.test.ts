import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SealedBatch, Unsealed } from "../../src/projector/batch-queries.ts";
import { namedBefore, planBatches } from "../../src/workers/batch-plan.ts";

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 0, 5, 9);

/** A verdict of T0 that may wait half an hour, and of whose two hours to decide one is left at `half`. */
function waiting(n: number, more: Partial<Unsealed> = {}): Unsealed {
  return {
    itemId: `item-${n}`,
    verdictId: `verdict-${n}`,
    workspace: "support",
    owner: "role:lead",
    key: "support:work:tag:role:lead",
    max: 20,
    judgedAt: T0,
    windowMs: 30 * MINUTE,
    half: T0 + 60 * MINUTE,
    audit: false,
    threadId: null,
    run: "none",
    ...more,
  };
}

const many = (count: number, more: Partial<Unsealed> = {}) => Array.from({ length: count }, (_, n) => waiting(n, more));
const shapes = (members: readonly Unsealed[], now: number) => planBatches(members, now).seals.map(({ sealedBy, named }) => `${sealedBy} ${named.length}`);

describe("what waits for a decision", () => {
  test("is sealed as soon as there is a full batch, and the rest waits for its window", () => {
    expect(shapes(many(19), T0 + MINUTE)).toEqual([]);
    expect(shapes(many(45), T0 + MINUTE)).toEqual(["size 20", "size 20"]);
    expect(planBatches(many(45), T0 + MINUTE).next).toBe(T0 + 30 * MINUTE);
    expect(shapes(many(45), T0 + 30 * MINUTE)).toEqual(["size 20", "size 20", "window 5"]);
  });

  test("is sealed early when half of a member's time to decide is over", () => {
    const members = [waiting(1), waiting(2, { half: T0 + 10 * MINUTE })];
    expect(planBatches(members, T0)).toEqual({ seals: [], next: T0 + 10 * MINUTE });
    expect(shapes(members, T0 + 10 * MINUTE)).toEqual(["deadline 2"]);
  });

  test("is grouped by workspace, owner and key, across runs and agents, and what runs already is kept apart", () => {
    const members = [
      waiting(1, { threadId: "run-a", run: "open" }),
      waiting(2, { threadId: "run-b", run: "open" }),
      waiting(3, { owner: "role:other" }),
      waiting(4, { workspace: "sales" }),
      waiting(5, { key: "support:work:rename:role:lead" }),
      waiting(6, { audit: true }),
    ];
    expect(planBatches(members, T0 + 30 * MINUTE).seals.map((s) => s.named)).toEqual([["item-1", "item-2"], ["item-3"], ["item-4"], ["item-5"], ["item-6"]]);
  });

  test("is sealed when a run ends that leaves two or more items in the group, with what others left there", () => {
    const members = [
      waiting(1, { threadId: "run-a", run: "ended" }),
      waiting(2, { threadId: "run-a", run: "ended" }),
      waiting(3, { threadId: "run-b", run: "open" }),
    ];
    expect(shapes(members, T0)).toEqual(["run_end 3"]);
  });

  test("waits for company when a run ends that leaves one item: it would be an interruption of its own", () => {
    const members = [waiting(1, { threadId: "run-a", run: "ended" }), waiting(2, { threadId: "run-b", run: "ended" })];
    expect(shapes(members, T0)).toEqual([]);
    expect(shapes(members, T0 + 30 * MINUTE)).toEqual(["window 2"]);
  });

  test("is not sealed for a run of which something is not judged yet", () => {
    expect(shapes(many(2, { threadId: "run-a", run: "judging" }), T0)).toEqual([]);
  });
});

describe("what a run did and is reviewed afterwards", () => {
  const audits = (count: number, more: Partial<Unsealed> = {}) =>
    many(count, { audit: true, threadId: "run-a", run: "open", half: T0 + 720 * MINUTE, ...more });

  test("makes one batch at the run's end, whatever its actions and rule sets", () => {
    const members = audits(3).map((m, n) => ({ ...m, key: `support:work:action-${n}:role:lead` }));
    expect(shapes(members, T0)).toEqual([]);
    const ended = members.map((m) => ({ ...m, run: "ended" as const }));
    expect(planBatches(ended, T0).seals.map(({ sealedBy, key, named }) => [sealedBy, key, named.length])).toEqual([
      ["run_end", "support:run:run-a:role:lead", 3],
    ]);
  });

  test("is not sealed by size while the run goes on, and in parts of the largest size at its end", () => {
    expect(shapes(audits(25), T0)).toEqual([]);
    expect(shapes(audits(25, { run: "ended" }), T0)).toEqual(["run_end 20", "run_end 5"]);
  });

  test("is sealed when the run has been silent for a window, since many agents never say that a run ends", () => {
    const members = [...audits(2), waiting(9, { audit: true, threadId: "run-a", run: "open", judgedAt: T0 + 20 * MINUTE, half: null })];
    expect(planBatches(members, T0 + 40 * MINUTE)).toEqual({ seals: [], next: T0 + 50 * MINUTE });
    expect(shapes(members, T0 + 50 * MINUTE)).toEqual(["window 3"]);
  });

  test("is sealed before the time to review it runs out", () => {
    expect(shapes(audits(2, { half: T0 + 5 * MINUTE }), T0 + 5 * MINUTE)).toEqual(["deadline 2"]);
  });
});

describe("a batch", () => {
  test("has the same id whoever makes it, and another one with another member", () => {
    const id = (members: readonly Unsealed[]) => planBatches(members, T0 + 30 * MINUTE).seals.map((s) => s.batchId);
    expect(id(many(5))).toEqual(id(many(5).reverse()));
    expect(id(many(5))).not.toEqual(id(many(6)));
    expect(id(many(5))[0]).toMatch(/^b[0-9a-f]{24}$/);
  });

  test("is sealed no earlier than its members were judged, however the clocks differ", () => {
    expect(planBatches(many(20, { judgedAt: T0 + 5 }), T0).seals[0]?.at).toBe(T0 + 5);
  });

  test("takes every verdict at most once, has no more members than it may, and leaves nothing over its time", () => {
    const member = fc.record({
      owner: fc.constantFrom("role:a", "role:b"),
      key: fc.constantFrom("k1", "k2"),
      max: fc.constantFrom(1, 3, 20),
      judgedAt: fc.integer({ min: 0, max: 1000 }),
      windowMs: fc.integer({ min: 0, max: 1000 }),
      half: fc.option(fc.integer({ min: 0, max: 2000 })),
      audit: fc.boolean(),
      threadId: fc.option(fc.constantFrom("r1", "r2")),
    });
    fc.assert(
      fc.property(fc.array(member, { maxLength: 80 }), fc.integer({ min: 0, max: 3000 }), (list, now) => {
        const members = list.map((m, n) => waiting(n, { ...m, run: m.threadId === null ? "none" : "open" }));
        const { seals, next } = planBatches(members, now);
        const taken = seals.flatMap((s) => s.members);
        expect(new Set(taken.map((m) => m.verdictId)).size).toBe(taken.length);
        for (const seal of seals) {
          expect(seal.members.length).toBeGreaterThan(0);
          expect(seal.members.length).toBeLessThanOrEqual(Math.min(...seal.members.map((m) => m.max)));
          expect(new Set(seal.members.map((m) => `${m.owner} ${m.audit}`)).size).toBe(1);
        }
        const left = members.filter((m) => !taken.includes(m));
        // What is left and has no run is not due, and is looked at again in time.
        for (const m of left.filter((m) => m.threadId === null || !m.audit)) {
          const due = Math.min(m.judgedAt + m.windowMs, m.half ?? Number.POSITIVE_INFINITY);
          expect(due).toBeGreaterThan(now);
          expect(next).toBeLessThanOrEqual(due);
        }
        if (left.length > 0) expect(next).toBeGreaterThan(now);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a batch that is sealed only in part", () => {
  const batch: SealedBatch = { batchId: "b1", workspace: "support", key: "k", owner: "role:lead", sealedBy: "size", at: T0 + 5, named: ["item-1", "item-2"] };

  test("claims what it names and nothing else", () => {
    const members = many(4);
    expect([...namedBefore(members, () => [batch]).keys()].map((m) => m.itemId)).toEqual(["item-1", "item-2"]);
  });

  test("claims no verdict that came after it, and none of another owner", () => {
    const later = waiting(1, { judgedAt: T0 + 6 });
    const other = waiting(2, { owner: "role:second" });
    expect(namedBefore([later, other], () => [batch]).size).toBe(0);
  });
});
