import { expect, onTestFinished, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { effectKeyOf, itemIdOf } from "../../src/events/ids.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import { embeddedRegistry } from "../../src/log/embedded-registry.ts";
import type { Batch, EventLog, LogRecord } from "../../src/log/log.ts";
import { memoryStore, openMemoryLog } from "../../src/log/memory.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { registerSchemas } from "../../src/log/schemas.ts";
import { untilItem } from "../../src/projector/until.ts";
import { type Ledger, openLedgerOn } from "../../src/runtime.ts";
import { publishRacePolicy } from "../simulation/races.ts";

const WORKSPACE = "default";
const AGENT = "bot";
const ARGS = canonicalArgs({ amount: 5 });
const itemOf = (key: string) => itemIdOf(WORKSPACE, AGENT, key);
const keyUnder = (root: string) => effectKeyOf(root, "a1", ARGS.argsSha256);

/** A log as a process sees it that is behind in one partition of the proposals until it is let go on. */
function behindIn(partition: number, log: EventLog): { log: EventLog; goOn: () => void } {
  const { promise, resolve } = Promise.withResolvers<"go on">();
  async function* late(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const reader = batches[Symbol.asyncIterator]();
    let held: LogRecord[] | null = [];
    for (let next = reader.next(); ; ) {
      const got: "go on" | IteratorResult<Batch> = await (held === null ? next : Promise.race([next, promise]));
      if (got === "go on") {
        yield { records: held as LogRecord[], atHead: false };
        held = null;
      } else if (got.done) return;
      else {
        const isHeld = (r: LogRecord) => held !== null && r.topic === "proposals" && r.partition === partition;
        held?.push(...got.value.records.filter(isHeld));
        yield { ...got.value, records: got.value.records.filter((r) => !isHeld(r)) };
        next = reader.next();
      }
    }
  }
  const seen: EventLog = {
    partitions: log.partitions,
    url: log.url,
    append: (records) => log.append(records),
    read: (from, options) => (options?.until === undefined ? late(log.read(from, options)) : log.read(from, options)),
    heads: () => log.heads(),
    close: () => log.close(),
  };
  return { log: seen, goOn: () => resolve("go on") };
}

/** A log, a process beside it that sees all of it, and one whose workers do everything and whose views are behind in one partition. */
async function processes(partition: number): Promise<{ beside: Ledger; ledger: Ledger; goOn: () => void }> {
  const store = memoryStore();
  const registry = embeddedRegistry(store.schemas);
  await registerSchemas(registry);
  const slow = behindIn(partition, openMemoryLog({ store }));
  const beside = await openLedgerOn({ log: openMemoryLog({ store }), registry }, { data: ":memory:" });
  const ledger = await openLedgerOn({ log: slow.log, registry }, { data: ":memory:" });
  onTestFinished(async () => {
    slow.goOn();
    await Promise.all([beside.close(), ledger.close()]);
  });
  await beside.start({ workers: false });
  await ledger.start();
  await publishRacePolicy(beside);
  return { beside, ledger, goOn: slow.goOn };
}

async function propose({ write }: Ledger, key: string, tool: "note" | "pay", retryOf: string | null): Promise<string> {
  const actor = { kind: "agent", id: AGENT } as const;
  const body = { workspace: WORKSPACE, actor, agent: { id: AGENT }, idempotencyKey: key, ask: "review", retryOf } as const;
  await write("proposals", itemOf(key), { ...body, actions: [{ actionId: "a1", tool, ...ARGS }] });
  return itemOf(key);
}

/** The grant of an item, once it has one that is not `before`. */
async function grantOf(ledger: Ledger, itemId: string, before?: string): Promise<EventOf["resumes"]> {
  const granted = (id: string | undefined) => (id === undefined || id === before ? undefined : id);
  const id = await untilItem(ledger, itemId, ({ life }) => granted(life.resume?.id));
  return (await ledger.events.get(itemId, "resumes", id)) as EventOf["resumes"];
}

/** Keys of three items that lie in other partitions of the log. */
function apart(): readonly [string, string, string] {
  const [first = "", ...others] = Array.from({ length: 60 }, (_, i) => `k${i}`);
  const of = (key: string) => partitionOf(itemOf(key), 12);
  const second = others.find((key) => of(key) !== of(first)) as string;
  return [first, second, others.find((key) => of(key) !== of(first) && of(key) !== of(second)) as string];
}

test("a retry has the effect keys of the first item, also from a process that has not yet folded the one in between", async () => {
  const [first, between, last] = apart();
  const { beside, ledger, goOn } = await processes(partitionOf(itemOf(between), 12));
  await propose(beside, first, "pay", null);
  await propose(beside, between, "pay", itemOf(first));
  const item = await propose(beside, last, "note", itemOf(between));
  await untilItem(ledger, item, ({ life }) => life.verdict ?? undefined);
  // No other key stands in: nothing is granted before this one can be known.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(ledger.queries.item(itemOf(between))).toBeUndefined();
  expect(beside.queries.item(item)).toMatchObject({ stage: "settled" });
  goOn();
  const grant = await grantOf(beside, item);
  expect(grant.actions.map((a) => a.effectKey)).toEqual([keyUnder(itemOf(first))]);
});

test("what names an item that the log does not hold is granted under that name, and keeps its key when that item comes after all", async () => {
  const [first, between, last] = apart();
  const { beside, ledger } = await processes(partitionOf(itemOf(first), 12));
  const item = await propose(beside, last, "note", itemOf(between));
  const grant = await grantOf(beside, item);
  expect(grant.actions.map((a) => a.effectKey)).toEqual([keyUnder(itemOf(between))]);
  // Only who writes past the gateway names what is not there yet.
  await propose(beside, between, "pay", itemOf(first));
  const start = { workspace: WORKSPACE, answers: { topic: "resumes", eventId: grant.eventId }, actor: { kind: "executor", id: "x" } } as const;
  const endsAt = Date.now() - 1;
  await ledger.write("receipts", item, { ...start, kind: "started", actionId: "a1", argsSha256: ARGS.argsSha256, lease: { id: "l", endsAt } });
  const unknown = await untilItem(beside, item, (view) => [...view.item.nodes.values()].find((n) => n.topic === "receipts" && n.kind === "unknown"));
  await beside.write("decisions", item, {
    ...{ workspace: WORKSPACE, answers: { topic: "receipts", eventId: unknown.id }, actor: { kind: "person", id: "ann", roles: ["lead"] } },
    ...{ kind: "settle", scope: "action", settlement: { outcome: "retry" } },
  });
  const again = await grantOf(beside, item, grant.eventId);
  expect(again.actions.map((a) => a.effectKey)).toEqual([keyUnder(itemOf(between))]);
});
