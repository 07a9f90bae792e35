import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { lifeOf } from "../../src/ledger/life.ts";
import { queuePlace } from "../../src/projector/list-queries.ts";
import { openQueries } from "../../src/projector/queries.ts";
import type { ListedItem } from "../../src/projector/reading.ts";
import { LEAD, MINUTE, openBench, POLICY, WORKSPACE } from "../support/bench-ledger.ts";

describe("the queue", () => {
  test("is ordered by risk, then deadline, then age, and pages behind a place that may have left it", async () => {
    const bench = await openBench();
    await bench.publish(
      `${POLICY}rules:\n  - { id: big, when: { action: refund, args: { /amount: { above: 100 } } }, raise: { risk: critical }, because: big }\n`,
    );
    const { clock } = bench;
    const late = await bench.propose("late", "refund", { order: "a", amount: 1 });
    clock.now -= MINUTE;
    const soon = await bench.propose("soon", "refund", { order: "b", amount: 1 });
    clock.now += MINUTE;
    const twin = await bench.propose("twin", "refund", { order: "c", amount: 1 });
    const big = await bench.propose("big", "refund", { order: "d", amount: 1000 });
    await bench.propose("flows", "note", { text: "x" });
    const { queries } = bench.ledger;
    const order = [big, soon, late, twin];
    expect(queries.queue().map((i) => i.itemId)).toEqual(order);
    expect(queries.queue({ owners: ["role:lead"] }).map((i) => i.itemId)).toEqual(order);
    expect(queries.queue({ owners: ["role:nobody"] })).toEqual([]);
    expect(queries.queue({ owners: [] })).toEqual([]);
    for (const owners of [
      ["role:nobody", "role:lead"],
      ["role:lead", "role:lead"],
    ]) {
      expect(queries.queue({ owners, limit: 3 }).map((i) => i.itemId)).toEqual(order.slice(0, 3));
      expect(queries.queue({ owners, limit: 2, offset: 1 }).map((i) => i.itemId)).toEqual([soon, late]);
      expect(queries.queue({ owners, after: queuePlace(queries.queue()[1] as ListedItem) }).map((i) => i.itemId)).toEqual([late, twin]);
    }
    expect(queries.queue({ limit: 2, offset: 1 }).map((i) => i.itemId)).toEqual([soon, late]);
    const paged: string[] = [];
    for (let after = undefined as ReturnType<typeof queuePlace> | undefined; ; ) {
      const page = queries.queue({ limit: 1, ...(after === undefined ? {} : { after }) });
      if (page[0] === undefined) break;
      paged.push(page[0].itemId);
      after = queuePlace(page[0]);
      await bench.decide(page[0].itemId, "reject");
    }
    expect(paged).toEqual(order);
  });
});

test("a page of the queue is read in its order, however many items wait: of everybody's, and of each owner's", async () => {
  const bench = await openBench({ workers: [] });
  const { db } = bench.ledger.projector.views;
  const asked: string[] = [];
  const noted = (sql: string) => {
    asked.push(sql);
    return db.prepare(sql);
  };
  const queries = openQueries(new Proxy(db, { get: (on, name) => (name === "prepare" ? noted : Reflect.get(on, name)) }));
  asked.length = 0;
  const after = [2, 5, 1, "0".repeat(32)] as const;
  for (const filter of [{}, { after }, { owners: ["a"], after }, { owners: ["a", "b"] }, { owners: ["a", "b"], after }]) queries.queue(filter);
  expect(asked).toHaveLength(5);
  for (const sql of asked) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array<number>(sql.split("?").length - 1).fill(1)) as { detail: string }[];
    const reads = plan.map(({ detail }) => detail).filter((detail) => / item\b/.test(detail));
    expect(reads.length).toBe(sql.split("FROM item").length - 1);
    for (const detail of reads) expect([sql, detail]).toEqual([sql, expect.stringMatching(/USING INDEX item_(queue|waits)/)]);
    // Pages of owners are merged, which sorts no more than those pages.
    expect(plan.filter(({ detail }) => detail.includes("TEMP B-TREE")).length).toBe(sql.includes("FROM (") ? 1 : 0);
  }
});

describe("the list of items", () => {
  test("is newest first, pages without loss or repetition, and refuses to go on after an item that is not there", async () => {
    const bench = await openBench({ workers: [] });
    const made: string[] = [];
    for (let i = 0; i < 25; i++) made.push(await bench.propose(`k${i}`, "note", { text: "x" }));
    const { queries } = bench.ledger;
    const paged: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = queries.list({ limit: 4, ...(after === undefined ? {} : { after }) });
      if (page.length === 0) break;
      paged.push(...page.map((i) => i.itemId));
      after = paged.at(-1);
    }
    expect(paged.toSorted()).toEqual(made.toSorted());
    // Several may have been proposed in one millisecond.
    const times = paged.map((id) => queries.item(id)?.proposedAt as number);
    expect(times).toEqual(times.toSorted((x, y) => y - x));
    expect(() => queries.list({ after: "0".repeat(32) })).toThrow(expect.objectContaining({ code: "request_invalid", field: "after" }));
  });

  test("is filtered by stage, outcome, owner and agent", async () => {
    const bench = await openBench();
    await bench.publish();
    const note = await bench.propose("n", "note", { text: "x" });
    const refund = await bench.propose("r", "refund", { order: "o", amount: 1 });
    const secret = await bench.propose("s", "secret", { text: "x" });
    const ids = (filter: object) => bench.ledger.queries.list(filter).map((i) => i.itemId);
    expect(ids({ stage: "pending" })).toEqual([refund]);
    expect(ids({ stage: "granted" })).toEqual([note]);
    expect(ids({ outcome: "forbidden" })).toEqual([secret]);
    expect(ids({ agent: "helper" })).toHaveLength(3);
    expect(ids({ agent: "nobody" })).toEqual([]);
    expect(ids({ owners: ["role:lead"], stage: "pending" })).toEqual([refund]);
  });
});

test("the counters are what counting again gives, after every kind of end", async () => {
  const bench = await openBench();
  await bench.publish();
  const { queries } = bench.ledger;
  const items: string[] = [];
  const recount = () => {
    const stages: { [stage: string]: number } = {};
    const outcomes: { [outcome: string]: number } = {};
    for (const id of items) {
      const { stage, outcome } = lifeOf(bench.view(id).item);
      stages[stage] = (stages[stage] ?? 0) + 1;
      if (outcome !== null) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return { stages, outcomes };
  };
  for (let i = 0; i < 12; i++) {
    items.push(await bench.propose(`r${i}`, ["refund", "note", "secret", "ladder"][i % 4] as string, i % 4 === 0 ? { order: "o", amount: i } : { text: "x" }));
    expect(queries.counts()).toEqual(recount());
  }
  await bench.decide(items[0]!, "approve");
  await bench.receipt(items[0]!, "started");
  expect(queries.counts()).toEqual(recount());
  await bench.receipt(items[0]!, "failed");
  await bench.decide(items[4]!, "reject");
  await bench.decide(items[3]!, "approve");
  expect(queries.counts()).toEqual(recount());
  // The escalation comes late, so that the expiry comes as long after it as the policy says.
  for (let i = 0; i < 2; i++) await bench.at(bench.clock.now + 120 * MINUTE);
  expect(queries.counts()).toEqual(recount());
  expect(queries.counts().outcomes).toMatchObject({ failed: 1, refused: 1, expired: 1, lapsed: 4, forbidden: 3 });
});

test("of each policy the document in force is the last published one, and documents of others stay", async () => {
  const bench = await openBench({ workers: [] });
  await bench.publish();
  await bench.publish(POLICY.replace("risk: high", "risk: critical"));
  await bench.publish(POLICY.replace("policy: work", "policy: other"));
  await bench.publish();
  const policies = bench.ledger.queries.policies();
  expect(policies.map((p) => [p.workspace, p.policyId])).toEqual([
    [WORKSPACE, "other"],
    [WORKSPACE, "work"],
  ]);
  expect(policies[1]?.document).not.toContain("critical");
});

test("findings and conflicts are shown with their events", async () => {
  const bench = await openBench();
  await bench.publish();
  const item = await bench.propose("k", "note", { text: "x" });
  await bench.propose("k", "note", { text: "another" });
  await bench.receipt(item, "started", { argsSha256: "0".repeat(64) });
  expect(bench.ledger.queries.findingsOf(item).map((f) => f.code)).toEqual(["args_differ", "proposal_conflict"]);
  expect(bench.ledger.queries.findings().map((f) => [f.itemId, f.code])).toEqual([
    [item, "args_differ"],
    [item, "proposal_conflict"],
  ]);
});

describe("whole events", () => {
  test("of open items come from the views and of done ones from the log", async () => {
    const bench = await openBench();
    await bench.publish();
    const { queries, events, projector } = bench.ledger;
    const item = await bench.propose("k", "refund", { order: "o", amount: 7 });
    const ids = () => queries.timeline(item).map((e) => [e.topic, e.eventId] as const);
    for (const [topic, id] of ids()) expect(queries.payload(item, topic, id)).toBeDefined();
    await bench.decide(item, "reject", { message: "no thanks", actor: LEAD });
    expect(bench.view(item).life.stage).toBe("done");
    expect(projector.views.db.prepare("SELECT count(*) FROM payload").pluck().get()).toBe(0);
    // A store that remembers nothing of it.
    const { eventStore } = await import("../../src/projector/event-store.ts");
    const { partitionOf } = await import("../../src/log/partitioner.ts");
    const { log, codec } = bench.ledger;
    const cold = eventStore(log, codec, queries, (key) => partitionOf(key, log.partitions));
    for (const [topic, id] of ids()) {
      expect(queries.payload(item, topic, id)).toBe(undefined);
      expect(cold.near(item, topic, id)).toBe(undefined);
      expect(await cold.get(item, topic, id)).toEqual(await events.get(item, topic, id));
      expect((await cold.get(item, topic, id))?.eventId).toBe(id);
    }
    expect(await cold.get(item, "proposals", crypto.randomUUID())).toBe(undefined);
    expect((await cold.get(item, "proposals", bench.view(item).item.proposal as string))?.actions[0]?.args).toBe(canonicalArgs({ order: "o", amount: 7 }).args);
  });

  test("too many bytes are not kept in memory, and are still found", async () => {
    const bench = await openBench({ workers: [] });
    const { events, queries } = bench.ledger;
    const messages = JSON.stringify([{ role: "user", content: "x".repeat(400_000) }]);
    const { transcriptSha256 } = await import("../../src/events/ids.ts");
    const items: string[] = [];
    for (let i = 0; i < 90; i++)
      items.push(await bench.propose(`k${i}`, "note", { text: "x" }, { transcript: { messages, sha256: transcriptSha256(messages, null) } }));
    const ids = items.map((item) => [item, bench.view(item).item.proposal as string] as const);
    expect(queries.payload(ids[0]![0], "proposals", ids[0]![1])).toBe(undefined);
    const near = ids.filter(([item, id]) => events.near(item, "proposals", id) !== undefined);
    expect(near.length).toBeLessThan(90);
    expect(near.length).toBeGreaterThan(20);
    expect((await events.get(ids[0]![0], "proposals", ids[0]![1]))?.transcript?.messages).toBe(messages);
  });
});
