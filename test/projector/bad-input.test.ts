import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { complete } from "../../src/events/draft.ts";
import { itemIdOf, newEventId } from "../../src/events/ids.ts";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import type { Topic } from "../../src/events/topics.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import type { FoldedBatch } from "../../src/projector/fold-batch.ts";
import { openProjector, type Projector } from "../../src/projector/projector.ts";
import { openQueries, type Queries } from "../../src/projector/queries.ts";
import { AGENT, openBench, WORKSPACE } from "../support/bench-ledger.ts";
import { encodeLoosely } from "../support/loose-events.ts";
import { appendRaw, differences, dumpFile, dumpOf, foldAll, newStage, projectorOptions, type Stage, tempDir } from "../support/views.ts";

const proposal = (key: string, more: object = {}) => ({
  eventId: newEventId(),
  itemId: itemIdOf(WORKSPACE, AGENT, key),
  workspace: WORKSPACE,
  occurredAt: 1,
  actor: { kind: "agent", id: AGENT },
  idempotencyKey: key,
  ask: "review",
  agent: { id: AGENT },
  actions: [{ actionId: "a1", tool: "note", args: "{}", argsSha256: sha256("{}") }],
  ...more,
});

async function opened(stage: Stage, path: string, more: object = {}): Promise<{ projector: Projector; queries: Queries }> {
  const projector = await openProjector(projectorOptions(stage, path, more));
  await projector.catchUp();
  return { projector, queries: openQueries(projector.views.db) };
}

function put(
  stage: Stage,
  topic: Topic,
  event: { itemId: string },
  { key = event.itemId as string | null, partition = undefined as number | undefined, schemaId = stage.schemaId(topic) } = {},
): void {
  const value = encodeLoosely(topic, complete(topic, event as never), schemaId);
  appendRaw(stage.store, topic, partition ?? partitionOf(key ?? "", stage.log.partitions), key, value);
}

describe("records that cannot be folded", () => {
  test("each is kept at its place with the reason, and only what cannot be read flags its item", async () => {
    const stage = await newStage();
    const good = proposal("good");
    const at = partitionOf(good.itemId, stage.log.partitions);
    put(stage, "proposals", good);
    appendRaw(stage.store, "verdicts", at, good.itemId, Buffer.from("rubbish"));
    appendRaw(stage.store, "decisions", at, good.itemId, Buffer.from([0, 0, 0, 0, 99, 1, 2, 3]));
    appendRaw(stage.store, "receipts", at, good.itemId, null);
    appendRaw(stage.store, "receipts", 0, null, Buffer.from("no key"));
    appendRaw(stage.store, "receipts", 1, null, null);
    const other = proposal("other");
    put(stage, "proposals", proposal("foreign"), { key: other.itemId });
    put(stage, "proposals", other, { partition: (partitionOf(other.itemId, stage.log.partitions) + 1) % stage.log.partitions });
    put(stage, "proposals", proposal("made-up", { itemId: "ab".repeat(16) }));
    put(stage, "verdicts", { ...good, eventId: newEventId(), answers: { topic: "proposals", eventId: newEventId() }, route: "allow" } as never);
    const path = join(tempDir(), "v.db");
    const { projector, queries } = await opened(stage, path);
    expect(queries.bad().map((b) => [b.topic, b.reason, b.flags, b.itemId])).toEqual(
      expect.arrayContaining([
        ["verdicts", "undecodable", true, good.itemId],
        ["decisions", "unknown_schema", true, good.itemId],
        ["receipts", "undecodable", true, good.itemId],
        ["receipts", "undecodable", false, null],
        ["receipts", "undecodable", false, null],
        ["proposals", "wrong_key", false, other.itemId],
        ["proposals", "wrong_partition", false, other.itemId],
        ["proposals", "wrong_item_id", false, "ab".repeat(16)],
      ]),
    );
    expect(queries.bad()).toHaveLength(8);
    expect(queries.badOf(good.itemId)).toHaveLength(3);
    expect(queries.badOf(good.itemId).find((b) => b.reason === "unknown_schema")).toMatchObject({ schemaId: 99, offset: 0, partition: at });
    expect(queries.item(good.itemId)).toMatchObject({ flagged: true, stage: "proposed" });
    expect(queries.item(other.itemId)).toBe(undefined);
    expect(queries.parked()).toEqual([{ itemId: good.itemId, cause: expect.stringMatching(/^proposals\//), topic: "verdicts", offset: 1 }]);
    expect(queries.totals()).toMatchObject({ items: 1, bad: 8, parked: 1 });
    projector.close();
  });

  test("a proposal whose event id is none is kept as a bad record, and no worker is owed anything for it", async () => {
    const stage = await newStage();
    const strange = { ...proposal("strange"), eventId: "../../x/y z" };
    put(stage, "proposals", strange);
    const { projector, queries } = await opened(stage, join(tempDir(), "v.db"));
    expect(queries.bad()).toMatchObject([{ topic: "proposals", reason: "wrong_event_id", flags: false, message: expect.stringContaining("../../x/y z") }]);
    expect(queries.item(strange.itemId)).toBe(undefined);
    expect(queries.todos("policy", Date.now(), 10)).toEqual([]);
    projector.close();
  });

  test("a key whose text has the bytes of another item's id is not that item", async () => {
    const stage = await newStage();
    // 16 letters, whose bytes are an item id like any other.
    const letters = "abcdefghijklmnop";
    const real = Buffer.from(letters).toString("hex");
    appendRaw(stage.store, "verdicts", partitionOf(letters, 3), letters, Buffer.from("rubbish"));
    appendRaw(stage.store, "verdicts", partitionOf(real, 3), real, Buffer.from([0, 0, 0, 0, 99]));
    const { projector, queries } = await opened(stage, join(tempDir(), "v.db"));
    expect(queries.badOf(letters).map((b) => [b.itemId, b.reason])).toEqual([[letters, "undecodable"]]);
    expect(queries.badOf(real).map((b) => [b.itemId, b.reason])).toEqual([[real, "unknown_schema"]]);
    projector.close();
  });

  test("one bad record blocks nothing: what comes after it in its partition is folded", async () => {
    const stage = await newStage();
    appendRaw(stage.store, "proposals", partitionOf(proposal("a").itemId, 3), "x", Buffer.from("rubbish"));
    put(stage, "proposals", proposal("a"));
    const { projector, queries } = await opened(stage, join(tempDir(), "v.db"));
    expect(queries.item(proposal("a").itemId)?.stage).toBe("proposed");
    projector.close();
  });
});

describe("a flagged item", () => {
  const rubbish = async (bench: Awaited<ReturnType<typeof openBench>>, itemId: string) => {
    const value = Buffer.from(`rubbish for ${itemId}`);
    const [position] = await bench.ledger.log.append([{ topic: "receipts", key: itemId, value }]);
    await bench.ledger.waitFor([position!]);
    return sha256(value);
  };

  test("gets no grant until a person clears the flag", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o", amount: 1 });
    const cleared = await rubbish(bench, item);
    await bench.decide(item, "approve");
    expect(bench.view(item)).toMatchObject({ stage: "settled", flagged: true });
    expect(bench.ledger.queries.todos("dispatcher", bench.clock.now + 1e12)).toEqual([]);
    await bench.decide(item, "clear", { cleared, seen: null });
    expect(bench.view(item)).toMatchObject({ stage: "granted", flagged: false });
    expect(bench.story(item).filter((l) => l.startsWith("resumes"))).toEqual(["resumes proceed effective"]);
  });

  test("can still be rejected, and resumes as refused", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o", amount: 1 });
    await rubbish(bench, item);
    await bench.decide(item, "reject", { message: "no" });
    expect(bench.view(item).life).toMatchObject({ stage: "done", outcome: "refused" });
  });

  test("that was withdrawn is withheld without anybody clearing it", async () => {
    const bench = await openBench({ workers: ["policy", "clock"] });
    await bench.publish();
    const item = await bench.propose("k1", "note", { text: "x" });
    await rubbish(bench, item);
    await bench.decide(item, "withdraw", { actor: { kind: "agent", id: AGENT }, seen: null });
    bench.run("dispatcher");
    await bench.quiet();
    expect(bench.view(item).life).toMatchObject({ stage: "done", outcome: "withheld" });
  });

  test("still expires, and its grant still lapses", async () => {
    const bench = await openBench();
    await bench.publish();
    const pending = await bench.propose("k1", "refund", { order: "o", amount: 1 });
    const granted = await bench.propose("k2", "note", { text: "x" });
    await rubbish(bench, pending);
    await rubbish(bench, granted);
    // The escalation comes late, and the next owner has the time of the policy after it.
    for (let i = 0; i < 2; i++) await bench.at(bench.clock.now + 60 * 60_000);
    expect(bench.view(pending).life.outcome).toBe("expired");
    expect(bench.view(granted).life.outcome).toBe("lapsed");
  });

  test("is cleared only for the record that the clearing names", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o", amount: 1 });
    await rubbish(bench, item);
    await bench.decide(item, "clear", { cleared: sha256("another"), seen: null });
    expect(bench.view(item).flagged).toBe(true);
  });
});

describe("a schema that becomes known", () => {
  /** A log with an item whose verdict is framed with an id that the registry gets only later. */
  async function withUnknown(): Promise<{ stage: Stage; itemId: string; learn: () => void }> {
    const stage = await newStage();
    const first = proposal("k1");
    put(stage, "proposals", first);
    const verdict = {
      eventId: newEventId(),
      itemId: first.itemId,
      workspace: WORKSPACE,
      occurredAt: 2,
      actor: { kind: "policy", id: "p" },
      route: "allow",
      answers: { topic: "proposals", eventId: first.eventId },
    };
    put(stage, "verdicts", verdict as never, { schemaId: 8 });
    put(stage, "verdicts", { ...verdict, eventId: newEventId(), route: "forbid" } as never);
    put(stage, "proposals", proposal("k2"));
    return {
      stage,
      itemId: first.itemId,
      learn: () =>
        void (stage.store.schemas.rows() as { id: number; topic: string; text: string }[]).push({ id: 8, topic: "verdicts", text: `${SCHEMA_TEXT.verdicts} ` }),
    };
  }

  test("is folded in its place when the views are opened next, and lifts the flag", async () => {
    const { stage, itemId, learn } = await withUnknown();
    const path = join(tempDir(), "v.db");
    const before = await opened(stage, path);
    expect(before.queries.item(itemId)).toMatchObject({ flagged: true, outcome: "forbidden" });
    before.projector.close();
    learn();
    const after = await opened(stage, path);
    expect(after.queries.item(itemId)).toMatchObject({ flagged: false, stage: "settled" });
    expect(after.queries.bad()).toEqual([]);
    // The one that was first to be folded is second in the log.
    expect(after.queries.timeline(itemId).map((e) => e.status)).toEqual(["effective", "effective", "superseded"]);
    after.projector.close();
  });

  test.each([":memory:", "a file"])("is folded in its place while the log is followed (views in %s)", async (where) => {
    const { stage, itemId, learn } = await withUnknown();
    const dir = tempDir();
    const path = where === ":memory:" ? where : join(dir, "v.db");
    const { projector, queries } = await opened(stage, path, { askAgainMs: 20 });
    const batches: FoldedBatch[] = [];
    projector.onFolded((batch) => batches.push(batch));
    const stop = new AbortController();
    const following = projector.follow(stop.signal);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(queries.item(itemId)?.flagged).toBe(true);
    learn();
    await vi.waitFor(() => expect(queries.item(itemId)).toMatchObject({ flagged: false, stage: "settled" }), 5000);
    expect(batches.filter((b) => b.rebuilt)).toEqual([{ items: new Set([itemId]), owed: new Map(), effective: [], refused: [], rebuilt: true }]);
    // It goes on from there, in the same file, with the item as it is now.
    const answers = { topic: "verdicts", eventId: queries.item(itemId)?.life.verdict?.id };
    const actions = [{ actionId: "a1", tool: "note", args: "{}", argsSha256: sha256("{}") }];
    const grant = {
      eventId: newEventId(),
      itemId,
      workspace: WORKSPACE,
      occurredAt: 3,
      actor: { kind: "dispatcher", id: "d" },
      answers,
      outcome: "proceed",
      actions,
    };
    put(stage, "resumes", grant as never);
    put(stage, "proposals", proposal("k3"));
    await vi.waitFor(() => expect(queries.item(proposal("k3").itemId)?.stage).toBe("proposed"), 5000);
    expect(queries.item(itemId)?.stage).toBe("granted");
    stop.abort();
    await following;
    const live = dumpOf(projector);
    projector.close();
    await foldAll(projectorOptions(stage, join(dir, "straight.db")));
    expect(differences(dumpFile(join(dir, "straight.db")), live)).toEqual([]);
  });
});
