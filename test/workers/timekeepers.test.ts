import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EventOf } from "../../src/events/types.generated.ts";
import { type Bench, type Clock, MINUTE, openBench } from "../support/bench-ledger.ts";
import { ledgerKinds } from "../support/ledgers.ts";
import { differences, dumpOf } from "../support/views.ts";

const T0 = Date.UTC(2026, 0, 5, 9);
const effective = (story: readonly string[]) => story.filter((line) => line.endsWith(" effective"));

/** What the clock wrote on an item with effect, with the time that it names. */
async function byClock(bench: Bench, itemId: string): Promise<{ kind: string; step: number | null; at: number }[]> {
  const entries = bench.ledger.queries.timeline(itemId).filter((e) => e.actor.startsWith("clock:") && e.status === "effective" && e.topic === "decisions");
  const events = await Promise.all(entries.map((e) => bench.ledger.events.get(itemId, "decisions", e.eventId)));
  return (events as EventOf["decisions"][]).map((e) => ({ kind: e.kind, step: e.escalation?.step ?? null, at: e.occurredAt }));
}

for (const { name, why, place: makePlace } of await ledgerKinds()) {
  describe.skipIf(why !== null)(`two timekeepers, each in a process with views of its own, on ${name}`, () => {
    /** Opens a process on the same log. Its clock is its own where one is given. */
    async function processes(clocks: readonly Clock[]): Promise<{ all: Bench[]; open: (clock: Clock) => Promise<Bench> }> {
      const place = await makePlace();
      let n = 0;
      const open = (clock: Clock) => openBench({ log: place.log, data: join(place.data, `views-${n++}`), clock });
      const all: Bench[] = [];
      for (const clock of clocks) all.push(await open(clock));
      await all[0]?.publish();
      await quiet(all);
      return { all, open };
    }
    const quiet = (all: readonly Bench[]) => Promise.all(all.map((bench) => bench.quiet()));
    /** Nothing is on its way any more: the second copy of what two workers wrote at once may come after nothing is owed. */
    async function atRest(all: readonly Bench[]): Promise<void> {
      for (const bench of all) for (const kind of ["policy", "dispatcher", "clock"] as const) await bench.stop(kind);
      await quiet(all);
    }
    /** Items of both processes: every other one has a ladder of two steps and is held at its end, the others escalate once and are then rejected. */
    async function propose([a, b]: readonly Bench[], count: number): Promise<string[]> {
      const items: string[] = [];
      for (let i = 0; i < count; i++)
        items.push(
          await ((i % 4 < 2 ? a : b) as Bench).propose(`k${i}`, i % 2 === 0 ? "ladder" : "refund", i % 2 === 0 ? { order: "o" } : { order: "o", amount: 1 }),
        );
      return items;
    }

    test("clocks that differ and jump, forward and back: each step is taken once, in order, and never before the time that the verdict names", async () => {
      const clocks: [Clock, Clock] = [{ now: T0 }, { now: T0 + 2 * MINUTE }];
      const { all } = await processes(clocks);
      const items = await propose(all, 6);
      // What the two clocks read, minute by minute: one runs ahead, falls back behind the start, and comes back.
      for (const [a, b] of [
        [9, 11],
        [12, -300],
        [-600, 12],
        [13, 15],
        [14, 17],
        [31, 19],
        [-5, 33],
        [200, 200],
      ] as const) {
        clocks[0].now = T0 + a * MINUTE;
        clocks[1].now = T0 + b * MINUTE;
        await quiet(all);
      }
      // What one wrote last the other has to fold.
      await quiet(all);
      const [a, b] = all as [Bench, Bench];
      for (const [i, item] of items.entries()) {
        const written = await byClock(a, item);
        expect(written.map(({ kind, step }) => [kind, step])).toEqual(
          i % 2 === 0
            ? [
                ["escalate", 1],
                ["escalate", 2],
                ["expire", null],
              ]
            : [
                ["escalate", 1],
                ["expire", null],
              ],
        );
        const terms = a.view(item).life.verdict?.terms;
        const due = [...(terms?.ladder.map((s) => s.at) ?? []), terms?.expiresAt ?? 0];
        for (const [n, { at }] of written.entries()) expect(at).toBeGreaterThanOrEqual(due[n] as number);
        expect(a.view(item)).toMatchObject(i % 2 === 0 ? { stage: "pending", owner: "role:third" } : { stage: "done", outcome: "expired" });
        expect(a.view(item).life.verdict?.group.held).toBe(i % 2 === 0);
        // Whoever came second is kept without effect; nothing was illegal.
        expect(a.story(item).filter((line) => line.endsWith("illegal"))).toEqual([]);
      }
      await atRest(all);
      expect(differences(dumpOf(a.ledger.projector), dumpOf(b.ledger.projector))).toEqual([]);
      expect([a.errors, b.errors]).toEqual([[], []]);
    });

    test("down over every deadline, then two processes come back at once: each step once, in order, and the rest of the run is told once", async () => {
      const clock = { now: T0 };
      const { all, open } = await processes([clock]);
      const [first] = all as [Bench];
      const items = await propose([first, first], 12);
      for (const kind of ["policy", "dispatcher", "clock"] as const) await first.stop(kind);
      clock.now = T0 + 24 * 60 * MINUTE;
      const back = await Promise.all([open(clock), open(clock)]);
      // The steps after a late one have their own time.
      for (const minutes of [0, 5, 3]) {
        clock.now += minutes * MINUTE;
        await quiet([first, ...back]);
        await quiet([first, ...back]);
      }
      for (const [i, item] of items.entries()) {
        const story = back[0].story(item);
        expect(effective(story).slice(2)).toEqual(
          i % 2 === 0
            ? ["decisions escalate effective", "decisions escalate effective", "decisions expire effective"]
            : ["decisions escalate effective", "decisions expire effective", "resumes expired effective"],
        );
        expect(story.filter((line) => line.endsWith("illegal"))).toEqual([]);
      }
      await atRest([first, ...back]);
      expect(differences(dumpOf(back[0].ledger.projector), dumpOf(back[1].ledger.projector))).toEqual([]);
      expect(differences(dumpOf(first.ledger.projector), dumpOf(back[0].ledger.projector))).toEqual([]);
    });

    test("a person who decides at the deadline and two clocks: one of them is first, and nobody is expired who was answered", async () => {
      const clocks: [Clock, Clock] = [{ now: T0 }, { now: T0 }];
      const { all } = await processes(clocks);
      const [a, b] = all as [Bench, Bench];
      const items = await propose(all, 8);
      const refunds = items.filter((_, i) => i % 2 === 1);
      for (const clock of clocks) clock.now = T0 + 10 * MINUTE;
      await quiet(all);
      for (const clock of clocks) clock.now = T0 + 15 * MINUTE;
      await Promise.all([...refunds.map((item) => a.decide(item, "approve").catch(() => undefined)), b.quiet()]);
      await quiet(all);
      await quiet(all);
      for (const item of refunds) {
        const settled = effective(a.story(item)).filter((line) => /decisions (approve|expire)/.test(line));
        expect(settled).toHaveLength(1);
        const resumes = effective(a.story(item)).filter((line) => line.startsWith("resumes"));
        expect(resumes).toEqual([settled[0]?.includes("approve") ? "resumes proceed effective" : "resumes expired effective"]);
      }
      await atRest(all);
      expect(differences(dumpOf(a.ledger.projector), dumpOf(b.ledger.projector))).toEqual([]);
    });
  });
}
