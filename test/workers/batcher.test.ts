import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Ledger } from "../../src/runtime.ts";
import { openLedger } from "../../src/runtime.ts";
import { runBatcher } from "../../src/workers/batcher.ts";
import type { RunningWorker } from "../../src/workers/worker.ts";
import type { Write } from "../../src/workers/write.ts";
import { type Bench, MINUTE, openBench } from "../support/bench-ledger.ts";
import { ledgerKinds } from "../support/ledgers.ts";
import { differences, dumpOf, tempDir } from "../support/views.ts";

const POLICY = `
policy: work
workspace: support
owner: role:lead
mode: enforce
batch: { max: 5, window: PT30M }
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
  sync:
    arguments: { type: object, properties: { name: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: audit, window: PT24H, review: run_end }
    owner: role:lead
  erase:
    arguments: { type: object }
    reversibility: irreversible
    execution: idempotent
    risk: medium
    gate: { kind: hard }
    owner: role:lead
`;

const KINDS = await ledgerKinds();

/** Every effective seal: batch by item. */
async function sealsOf({ queries, events }: Pick<Ledger, "queries" | "events">, items: readonly string[]): Promise<EventOf["batches"][]> {
  const found: EventOf["batches"][] = [];
  for (const item of items)
    for (const entry of queries.timeline(item).filter((e) => e.topic === "batches" && e.status === "effective"))
      found.push((await events.get(item, "batches", entry.eventId)) as EventOf["batches"]);
  return found;
}

interface Batching extends Bench {
  batcher(options?: { write?: Write; patienceMs?: number }): RunningWorker;
  /** Resolves once no verdict waits for its place but those that the plan leaves; looks at the batcher again and again. */
  settled(test: () => boolean): Promise<void>;
}

async function open(options: Parameters<typeof openBench>[0] = {}): Promise<Batching> {
  const bench = await openBench(options);
  if (options.dir === undefined || options.data === undefined) await bench.publish(POLICY);
  const { ledger, errors, clock } = bench;
  return {
    ...bench,
    batcher({ write = ledger.write, patienceMs = 50 } = {}) {
      const worker = runBatcher({
        batches: ledger.batches,
        write,
        waitFor: ledger.waitFor,
        onFolded: ledger.projector.onFolded,
        now: () => clock.now,
        onError: (_name, error) => errors.push((error as Error).message),
        patienceMs,
      });
      onTestFinished(() => worker.stop());
      return worker;
    },
    async settled(test) {
      for (const end = Date.now() + 10_000; !test(); ) {
        if (Date.now() > end) throw new Error(`not settled; ${errors.join("; ")}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

const tags = async (bench: Bench, count: number, more: Parameters<Bench["propose"]>[3] = {}, prefix = "t") => {
  const items: string[] = [];
  for (let n = 0; n < count; n++) items.push(await bench.propose(`${prefix}${n}`, "tag", { name: `n${n}` }, more));
  return items;
};

const run = (threadId: string, ended = false) => ({ run: { framework: "langgraph", threadId, ended } }) as const;

describe("the batcher", () => {
  test("seals a full batch with one record for each member, which all name the same members", async () => {
    const bench = await open();
    bench.batcher();
    const items = await tags(bench, 7);
    await bench.settled(() => bench.ledger.batches.unsealed().length === 2);
    const seals = await sealsOf(bench.ledger, items);
    expect(seals).toHaveLength(5);
    const [first] = seals;
    expect(new Set(seals.map((s) => JSON.stringify([s.batchId, s.members, s.batchKey, s.owner, s.sealedBy, s.occurredAt]))).size).toBe(1);
    expect(first).toMatchObject({ owner: "role:lead", sealedBy: "size", batchKey: "support:work:tag:role:lead", members: items.slice(0, 5) });
    expect(bench.ledger.batches.batch(first!.batchId)?.members.map((m) => m.standing.state)).toEqual(["in", "in", "in", "in", "in"]);
    expect(bench.errors).toEqual([]);
  });

  test("seals what is left when the window is over", async () => {
    const bench = await open();
    const worker = bench.batcher();
    const items = await tags(bench, 2);
    expect(await sealsOf(bench.ledger, items)).toEqual([]);
    bench.clock.now += 30 * MINUTE;
    worker.wake();
    await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
    expect((await sealsOf(bench.ledger, items)).map((s) => s.sealedBy)).toEqual(["window", "window"]);
  });

  test("seals early when half of a member's time to decide is over", async () => {
    const bench = await open();
    const worker = bench.batcher();
    const items = [...(await tags(bench, 1)), await bench.propose("short", "tag", { name: "x" }, { requestedTimeoutMs: 10 * MINUTE })];
    bench.clock.now += 5 * MINUTE;
    worker.wake();
    await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
    expect((await sealsOf(bench.ledger, items)).map((s) => s.sealedBy)).toEqual(["deadline", "deadline"]);
  });

  test("seals when the run ends, once its last item is judged", async () => {
    const bench = await open();
    bench.batcher();
    const items = await tags(bench, 2, run("r1"));
    await bench.stop("policy");
    const last = await bench.propose("last", "tag", { name: "last" }, run("r1", true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await sealsOf(bench.ledger, items)).toEqual([]);
    bench.run("policy");
    await bench.quiet();
    await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
    const seals = await sealsOf(bench.ledger, [...items, last]);
    expect(seals.map((s) => [s.sealedBy, s.members.length])).toEqual([
      ["run_end", 3],
      ["run_end", 3],
      ["run_end", 3],
    ]);
  });

  test("makes one batch of what a run did under an audit gate, at its end, while it runs at once", async () => {
    const bench = await open();
    bench.batcher();
    const items: string[] = [];
    for (let n = 0; n < 3; n++) items.push(await bench.propose(`s${n}`, "sync", { name: `n${n}` }, run("r1")));
    expect(bench.view(items[0]!).life).toMatchObject({ stage: "granted", review: "open" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await sealsOf(bench.ledger, items)).toEqual([]);
    items.push(await bench.propose("s3", "sync", { name: "n3" }, run("r1", true)));
    await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
    const seals = await sealsOf(bench.ledger, items);
    expect(new Set(seals.map((s) => s.batchId)).size).toBe(1);
    expect(seals[0]).toMatchObject({ sealedBy: "run_end", batchKey: "support:run:r1:role:lead" });
    expect(seals[0]!.members.toSorted()).toEqual(items.toSorted());
  });

  test("never takes what is irreversible, or of more than medium risk, whatever the verdict says", async () => {
    const bench = await open();
    bench.batcher();
    const irreversible = await bench.propose("e1", "erase", {});
    expect(bench.view(irreversible).summary.route).toBe("interrupt");
    const { ledger } = bench;
    await bench.stop("policy");
    const forged: string[] = [];
    for (const [key, risk, reversibility] of [
      ["f1", "high", "reversible"],
      ["f2", "medium", "irreversible"],
    ] as const) {
      const itemId = await bench.propose(key, "tag", { name: key });
      const { position } = await ledger.write("verdicts", itemId, {
        ...{ workspace: "support", answers: { topic: "proposals", eventId: bench.view(itemId).item.proposal! }, actor: { kind: "policy", id: "other" } },
        ...{ engineVersion: "x", route: "batch", risk, score: 0, reversibility, gate: "none", owner: "role:lead", approvals: 1, allowedDecisions: ["approve"] },
        ...{ onExpiry: "reject", batchKey: "k", batchMax: 1, batchWindowMs: 0 },
      } as Parameters<typeof ledger.write<"verdicts">>[2]);
      await ledger.waitFor([position]);
      expect(bench.view(itemId).life.stage).toBe("pending");
      forged.push(itemId);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await sealsOf(ledger, [irreversible, ...forged])).toEqual([]);
  });

  test("leaves out what was decided, withdrawn or escalated before its batch was sealed", async () => {
    const bench = await open();
    const items = await tags(bench, 4);
    await bench.decide(items[0]!, "approve");
    await bench.decide(items[1]!, "withdraw", { actor: { kind: "agent", id: "helper" }, seen: null });
    expect(bench.ledger.batches.unsealed().map((m) => m.itemId)).toEqual([items[2], items[3]]);
    await bench.at(bench.clock.now + 4 * 60 * MINUTE);
    expect(bench.view(items[2]!).owner).toBe("role:second");
    expect(bench.ledger.batches.unsealed()).toEqual([]);
  });
});

describe("a member", () => {
  async function sealed(count = 5) {
    const bench = await open();
    const worker = bench.batcher();
    const items = await tags(bench, count);
    bench.clock.now += 30 * MINUTE;
    worker.wake();
    await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
    const [batch] = bench.ledger.batches.ofItem(items[0]!);
    const standing = () => bench.ledger.batches.batch(batch!.batchId)!.members.map(({ standing: s }) => (s.state === "in" ? "in" : s.why));
    return { bench, items, standing, worker, batchId: batch!.batchId };
  }

  test("is out of its batch once it is decided, edited, withdrawn or escalated; the others stay in", async () => {
    const { bench, items, standing } = await sealed();
    await bench.decide(items[0]!, "approve");
    await bench.decide(items[1]!, "withdraw", { actor: { kind: "agent", id: "helper" }, seen: null });
    await bench.decide(items[2]!, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ name: "new" }) }] });
    expect(standing()).toEqual(["decided", "withdrawn", "edited", "in", "in"]);
    await bench.at(bench.clock.now + 4 * 60 * MINUTE);
    expect(standing().slice(3)).toEqual(["escalated", "escalated"]);
  });
});

describe("a crash", () => {
  test.each([0, 1, 2, 3, 4, 5])("after %i of five records leaves no verdict in two batches and forgets none", async (survive) => {
    const bench = await open();
    const items = await tags(bench, 5);
    let written = 0;
    const dying: Write = async (topic, itemId, body) => {
      // The process is gone: this record and all that would have come after it are never written.
      if (written >= survive) throw new Error("killed");
      written++;
      return bench.ledger.write(topic, itemId, body);
    };
    const first = bench.batcher({ write: dying });
    await bench.settled(() => bench.errors.length > 0 || bench.ledger.batches.unsealed().length === 0);
    await first.stop();
    for (const head of await bench.ledger.log.heads()) if (head.next > 0) await bench.ledger.waitFor([{ ...head, offset: head.next - 1 }]);
    expect(bench.ledger.batches.unsealed()).toHaveLength(5 - survive);
    // Others that came meanwhile must not mix with what the batch names already.
    const more = await tags(bench, 4, {}, "m");
    bench.batcher();
    await bench.settled(() => bench.ledger.batches.unsealed().length <= 4);
    const seals = await sealsOf(bench.ledger, [...items, ...more]);
    expect(seals.map((s) => s.itemId).toSorted()).toEqual(items.toSorted());
    expect(new Set(seals.map((s) => s.batchId)).size).toBe(1);
    expect(seals[0]!.members).toEqual(items);
  });
});

describe("what a batch names and was decided before its record was written", () => {
  test("is left out, and shown so by the batch and by the item", async () => {
    const bench = await open();
    const items = await tags(bench, 5);
    let written = 0;
    const dying: Write = async (topic, itemId, body) => {
      if (written++ >= 2) throw new Error("killed");
      return bench.ledger.write(topic, itemId, body);
    };
    const first = bench.batcher({ write: dying });
    await bench.settled(() => bench.errors.length > 0);
    await first.stop();
    const { batches, queries } = bench.ledger;
    const [alone] = batches.unsealed();
    await bench.decide(alone!.itemId, "approve");
    bench.batcher();
    await bench.settled(() => batches.unsealed().length === 0);
    const [batch] = batches.ofItem(items[0]!);
    expect(batch!.members.filter((m) => m.verdict !== null)).toHaveLength(4);
    expect(batch!.members.find((m) => m.itemId === alone!.itemId)).toMatchObject({ verdict: null, standing: { state: "out", why: "missed" } });
    expect(batches.ofItem(alone!.itemId)).toEqual([]);
    expect(batches.missing(queries.item(alone!.itemId)!).map((b) => b.batchId)).toEqual([batch!.batchId]);
    expect(batches.missing(queries.item(items[0]!)!)).toEqual([]);
  });
});

describe("two batchers at once", () => {
  test("on one ledger seal each verdict once", async () => {
    const bench = await open();
    bench.batcher();
    bench.batcher();
    const items = await tags(bench, 23);
    await bench.settled(() => bench.ledger.batches.unsealed().length === 3);
    const seals = await sealsOf(bench.ledger, items);
    expect(new Set(seals.map((s) => s.itemId)).size).toBe(seals.length);
    expect(seals).toHaveLength(20);
  });

  for (const kind of KINDS) {
    test.skipIf(kind.why !== null)(
      `in two processes over ${kind.name} seal each verdict once, and both see the same batches${kind.why === null ? "" : ` (skipped: ${kind.why})`}`,
      async () => {
        const place = await kind.place();
        const clock = { now: Date.UTC(2026, 0, 5, 9) };
        const bench = await open({ log: place.log, data: join(place.data, "one"), clock });
        await bench.publish(POLICY);
        const other = await openLedger({ log: place.log, data: join(place.data, "two"), now: () => clock.now });
        await other.start({ workers: false });
        const errors: unknown[] = [];
        const beside = runBatcher({
          batches: other.batches,
          write: other.write,
          waitFor: other.waitFor,
          onFolded: other.projector.onFolded,
          now: () => clock.now,
          onError: (_n, e) => errors.push(e),
        });
        onTestFinished(async () => {
          await beside.stop();
          await other.close();
          place.remove();
        });
        bench.batcher();
        const items = await tags(bench, 12);
        await bench.settled(() => bench.ledger.batches.unsealed().length <= 2);
        clock.now += 30 * MINUTE;
        await bench.settled(() => bench.ledger.batches.unsealed().length === 0);
        // Heads of the one who wrote last: another process learns of them a moment later.
        const heads = (await bench.ledger.log.heads()).filter((head) => head.next > 0);
        for (const ledger of [bench.ledger, other]) await ledger.waitFor(heads.map((head) => ({ ...head, offset: head.next - 1 })));
        const seals = await sealsOf(other, items);
        expect(seals.map((s) => s.itemId).toSorted()).toEqual(items.toSorted());
        const views = (ledger: Ledger) => ledger.batches.list({ workspace: "support" }).map((b) => ledger.batches.batch(b.batchId));
        expect(views(other)).toEqual(views(bench.ledger));
        expect(errors).toEqual([]);
      },
      120_000,
    );
  }
});

describe("a rebuild", () => {
  test("gives the same batches, members and ends of runs", async () => {
    const dir = tempDir();
    const bench = await openBench({ dir });
    await bench.publish(POLICY);
    const worker = runBatcher({
      batches: bench.ledger.batches,
      write: bench.ledger.write,
      waitFor: bench.ledger.waitFor,
      onFolded: bench.ledger.projector.onFolded,
      now: () => bench.clock.now,
      onError: () => {},
    });
    onTestFinished(() => worker.stop());
    const items = await tags(bench, 6, run("r1"));
    await bench.propose("end", "tag", { name: "end" }, run("r1", true));
    for (const end = Date.now() + 5000; bench.ledger.batches.unsealed().length > 0 && Date.now() < end; ) await new Promise((r) => setTimeout(r, 10));
    await bench.decide(items[0]!, "approve");
    const again = await openLedger({ log: `sqlite:${dir}`, data: join(dir, "again") });
    await again.start({ workers: false });
    onTestFinished(() => again.close());
    const expected = dumpOf(bench.ledger.projector);
    expect(expected.filter((line) => line.startsWith("batch_member")).length).toBe(7);
    expect(expected.filter((line) => line.startsWith("run_end")).length).toBe(1);
    expect(differences(expected, dumpOf(again.projector))).toEqual([]);
  });
});
