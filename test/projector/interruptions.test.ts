import { describe, expect, onTestFinished, test } from "vitest";
import { countInterruptions, sumOf } from "../../src/projector/interruptions.ts";
import { runBatcher } from "../../src/workers/batcher.ts";
import { type Bench, MINUTE, openBench } from "../support/bench-ledger.ts";

const POLICY = `
policy: work
workspace: support
owner: role:lead
mode: enforce
batch: { max: 4, window: PT30M }
actions:
  tag:
    arguments: { type: object, properties: { name: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: none }
    owner: role:lead
    decisions: [approve, edit, reject]
    editable: [/name]
    timeout: PT4H
    ladder: [{ to: role:second, timeout: PT1H }]
  refund:
    arguments: { type: object, properties: { order: { type: string } } }
    reversibility: irreversible
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:lead
    decisions: [approve, reject]
    timeout: PT10M
    ladder: [{ to: role:second, timeout: PT5M }]
    on_expiry: hold
  note:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: low
`;

async function open(): Promise<Bench & { wake: () => void; sealed: (left: number) => Promise<void> }> {
  const bench = await openBench();
  await bench.publish(POLICY);
  const { batches, write, waitFor, projector } = bench.ledger;
  const worker = runBatcher({
    batches,
    write,
    waitFor,
    onFolded: projector.onFolded,
    now: () => bench.clock.now,
    onError: (_n, error) => bench.errors.push(String(error)),
  });
  onTestFinished(() => worker.stop());
  return {
    ...bench,
    wake: worker.wake,
    async sealed(left) {
      for (const end = Date.now() + 10_000; batches.unsealed().length !== left; ) {
        if (Date.now() > end) throw new Error(`not sealed: ${bench.errors.join("; ")}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

const NONE = { batches: 0, alone: 0, later: 0, members: 0, unsealed: 0 };

describe("interruptions", () => {
  test("are one for each batch and one for each item that interrupts; without batches one for each item", async () => {
    const bench = await open();
    for (let n = 0; n < 9; n++) await bench.propose(`t${n}`, "tag", { name: `n${n}` });
    for (let n = 0; n < 2; n++) await bench.propose(`r${n}`, "refund", { order: `o${n}` });
    for (let n = 0; n < 3; n++) await bench.propose(`n${n}`, "note", {});
    await bench.sealed(1);
    expect(countInterruptions(bench.ledger)).toEqual([
      { ...NONE, owner: "role:lead", day: "2026-01-05", notices: 4, batches: 2, members: 8, alone: 2, unsealed: 1, without: 11 },
    ]);
    bench.clock.now += 30 * MINUTE;
    bench.wake();
    await bench.sealed(0);
    expect(countInterruptions(bench.ledger)[0]).toMatchObject({ notices: 5, batches: 3, members: 9, unsealed: 0, without: 11 });
  });

  test("are counted for the owner of then: escalations and holds come later, to whom they go", async () => {
    const bench = await open();
    await bench.propose("r", "refund", { order: "o" });
    await bench.at(bench.clock.now + 10 * MINUTE);
    await bench.at(bench.clock.now + 5 * MINUTE);
    expect(countInterruptions(bench.ledger)).toEqual([
      { ...NONE, owner: "role:lead", day: "2026-01-05", notices: 1, alone: 1, without: 1 },
      { ...NONE, owner: "role:second", day: "2026-01-05", notices: 2, later: 2, without: 2 },
    ]);
  });

  test("are none for what was decided before its batch was sealed, and one without batches", async () => {
    const bench = await open();
    const item = await bench.propose("t", "tag", { name: "n" });
    await bench.decide(item, "approve");
    expect(countInterruptions(bench.ledger)).toEqual([{ ...NONE, owner: "role:lead", day: "2026-01-05", notices: 0, unsealed: 1, without: 1 }]);
  });

  test("are counted by the day in the zone, within the range, in the workspace that was asked for", async () => {
    const bench = await open();
    bench.clock.now = Date.UTC(2026, 0, 5, 23, 30);
    await bench.propose("r", "refund", { order: "o" });
    const days = (options: Parameters<typeof countInterruptions>[1]) => countInterruptions(bench.ledger, options).map((d) => d.day);
    expect(days({})).toEqual(["2026-01-05"]);
    expect(days({ zone: "Europe/Zurich" })).toEqual(["2026-01-06"]);
    expect(days({ from: bench.clock.now + 1 })).toEqual([]);
    expect(days({ to: bench.clock.now })).toEqual([]);
    expect(days({ workspace: "other" })).toEqual([]);
    expect(() => days({ zone: "Nowhere/Land" })).toThrow(RangeError);
  });

  test("of several days add up", () => {
    const day = { notices: 3, batches: 1, alone: 1, later: 1, members: 5, unsealed: 2, without: 9 };
    expect(sumOf([day, day])).toEqual({ notices: 6, batches: 2, alone: 2, later: 2, members: 10, unsealed: 4, without: 18 });
    expect(sumOf([])).toEqual({ ...NONE, notices: 0, without: 0 });
  });
});
