import { afterEach, describe, expect, it } from "vitest";
import { AppendOutcomeUnknown, CountersignError } from "../../src/errors.ts";
import { TOPICS, type Topic } from "../../src/events/topics.ts";
import {
  advance,
  type Batch,
  type Checkpoint,
  checkpointAt,
  type EventLog,
  type LogRecord,
  type MutableCheckpoint,
  type ReadOptions,
} from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { appendSafely, envelope, identity, read, record } from "./records.ts";

/** A record as some other producer writes it: any bytes, any key, any partition. */
export interface ForeignRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** One log under test. A fresh one, empty, for every test. */
export interface LogHarness {
  /** A further handle on the same log. The suite closes every handle it opened. */
  open(): Promise<EventLog>;
  /** Ends it and removes its files or topics. Called after the handles are closed. */
  dispose(): Promise<void>;
  /** The next append is done, but its answer gets lost. */
  loseNextAnswer?(): void | Promise<void>;
  /** The next append gets lost before it is done, and its answer as well. */
  loseNextRequest?(): void | Promise<void>;
  /** Writes past our driver, in the order given. */
  appendForeign?(records: readonly ForeignRecord[]): Promise<void>;
  /** Makes the records of a partition before this offset vanish (retention, a damaged file). All handles are closed. */
  dropBefore?(topic: Topic, partition: number, offset: number): Promise<void>;
  /** Puts an empty log in the place of this one. All handles are closed. */
  recreate?(): Promise<void>;
}

/** What the suite needs to know about a driver. */
export interface LogContract {
  /** Makes an empty log. */
  create(options: { partitions: number }): Promise<LogHarness>;
  /** Scales the numbers of records and the time limits for a log behind a network. */
  slow?: boolean;
}

const PARTITIONS = 4;

/** The promises of the EventLog port, checked against one driver. */
export function describeLogContract(name: string, contract: LogContract): void {
  const many = contract.slow ? 200 : 2000;
  const timeout = contract.slow ? 60_000 : 15_000;

  describe(`the ${name} log`, { timeout }, () => {
    let harness: LogHarness;
    let handles: EventLog[] = [];

    async function start(): Promise<EventLog> {
      harness = await contract.create({ partitions: PARTITIONS });
      return open();
    }
    async function open(): Promise<EventLog> {
      const log = await harness.open();
      handles.push(log);
      return log;
    }
    async function closeAll(): Promise<void> {
      for (const log of handles) await log.close();
      handles = [];
    }
    afterEach(async () => {
      await closeAll();
      await harness?.dispose();
    });

    it("says how many partitions it has, and begins with empty ones", async () => {
      const log = await start();
      expect(log.partitions).toBe(PARTITIONS);
      const heads = await log.heads();
      expect(heads).toHaveLength(TOPICS.length * PARTITIONS);
      expect(heads.every((h) => h.first === 0 && h.next === 0)).toBe(true);
    });

    it("puts a record into the partition that Java's murmur2 gives for its key, at the next offset", async () => {
      const log = await start();
      const sent = Array.from({ length: 40 }, (_, i) => envelope(`item-${i}`, i));
      const positions = await log.append(sent.map((e) => record("proposals", e)));
      expect(positions.map((p) => p.partition)).toEqual(sent.map((e) => partitionOf(e.itemId, PARTITIONS)));
      for (let p = 0; p < PARTITIONS; p++) {
        const offsets = positions.filter((x) => x.partition === p).map((x) => x.offset);
        expect(offsets).toEqual(offsets.map((_, i) => i));
      }
      expect(positions.every((p) => p.topic === "proposals")).toBe(true);
    });

    it("gives back keys and values byte for byte, and a time of appending that is now", async () => {
      const log = await start();
      const before = Date.now();
      const keys = [
        "0123456789abcdef0123456789abcdef",
        "policy:default:refunds",
        "Zürich ✓ 漢字",
        "0123456789ABCDEF0123456789ABCDEF",
        "00000000000000000000000000000000",
      ];
      const values = keys.map((_, i) => Uint8Array.from({ length: i * 700 }, (_, j) => (j * 31 + i) & 255));
      await log.append(keys.map((key, i) => ({ topic: "policies" as const, key, value: values[i]! })));
      const records = await read(log);
      const byKey = new Map(records.map((r) => [r.key, r]));
      expect([...byKey.keys()].sort()).toEqual([...keys].sort());
      for (const [i, key] of keys.entries()) expect(Buffer.compare(Buffer.from(byKey.get(key)!.value!), Buffer.from(values[i]!))).toBe(0);
      for (const r of records) expect(Math.abs(r.appendedAt - before)).toBeLessThan(60_000);
    });

    it("keeps the order of one item: inside a call as given, across awaited calls as awaited", async () => {
      const log = await start();
      const items = ["a", "b", "c", "d", "e"];
      let n = 0;
      for (let call = 0; call < many / 40; call++) {
        const envelopes = Array.from({ length: 20 }, (_, i) => envelope(items[(call + i) % items.length]!, n++));
        await log.append(envelopes.map((e) => record("decisions", e)));
      }
      const records = await read(log);
      expect(records).toHaveLength(n);
      for (const item of items) {
        const order = records.filter((r) => r.key === item).map((r) => identity(r).n);
        expect(order).toEqual([...order].sort((x, y) => x - y));
      }
    });

    it("does nothing for an empty append", async () => {
      const log = await start();
      expect(await log.append([])).toEqual([]);
      expect(await read(log)).toEqual([]);
    });

    it("loses nothing and doubles nothing when several handles append at the same time", async () => {
      const logs = [await start(), await open(), await open()];
      const each = many / 10;
      const sent = logs.map((_, w) => Array.from({ length: each }, (_, i) => envelope(`item-${i % 7}`, i, `w${w}`)));
      const positions = await Promise.all(
        logs.map(async (log, w) => {
          const at = [];
          for (let i = 0; i < each; i += 4) at.push(...(await log.append(sent[w]!.slice(i, i + 4).map((e) => record("receipts", e)))));
          return at;
        }),
      );
      const places = positions.flat().map((p) => `${p.partition}@${p.offset}`);
      expect(new Set(places).size).toBe(3 * each);
      const records = await read(logs[1]!);
      expect(contiguous(records)).toBe(true);
      expect(records.map((r) => identity(r).eventId).sort()).toEqual(
        sent
          .flat()
          .map((e) => e.eventId)
          .sort(),
      );
      // What an append was told is where the record lies.
      const lies = new Map(records.map((r) => [`${r.partition}@${r.offset}`, identity(r).eventId]));
      expect(places.map((p) => lies.get(p))).toEqual(sent.flat().map((e) => e.eventId));
      for (const [w, list] of sent.entries())
        for (const item of new Set(list.map((e) => e.itemId))) {
          const order = records.filter((r) => r.key === item && identity(r).eventId.startsWith(`w${w}-`)).map((r) => identity(r).n);
          expect(order).toEqual([...order].sort((x, y) => x - y));
        }
    });

    it("has everything it acknowledged after it is closed and opened again, and goes on behind it", async () => {
      const log = await start();
      await log.append(numbered("verdicts", 0, many / 2));
      const before = await log.heads();
      await closeAll();
      const again = await open();
      expect(await again.heads()).toEqual(before);
      await again.append(numbered("verdicts", many / 2, many));
      const records = await read(again);
      expect(contiguous(records)).toBe(true);
      expect(records.map((r) => identity(r).n).sort((a, b) => a - b)).toEqual(Array.from({ length: many }, (_, i) => i));
    });

    it("reads on from any checkpoint, so that two halves make the whole", async () => {
      const log = await start();
      for (let i = 0; i < many; i += 50) await log.append(mixed(i, i + 50));
      const whole = await read(log);
      expect(whole).toHaveLength(many);
      for (const cut of [0, 1, Math.floor(many / 3), many - 1, many]) {
        const checkpoint: MutableCheckpoint = {};
        for (const r of whole.slice(0, cut)) advance(checkpoint, r);
        const rest = await read(log, checkpoint, { maxBatch: 64 });
        expect(rest.map(placeOf).sort()).toEqual(whole.slice(cut).map(placeOf).sort());
        expect(contiguous(rest, checkpoint)).toBe(true);
      }
    });

    it("reads on from a checkpoint in which one partition lags far behind the others", async () => {
      const log = await start();
      await log.append(mixed(0, many));
      const checkpoint = structuredClone(checkpointAt(await log.heads())) as MutableCheckpoint;
      checkpoint.decisions = { ...checkpoint.decisions, 2: 1 };
      const rest = await read(log, checkpoint);
      const head = (await log.heads()).find((h) => h.topic === "decisions" && h.partition === 2)!;
      expect(rest.map(placeOf)).toEqual(Array.from({ length: head.next - 1 }, (_, i) => `decisions/2@${i + 1}`));
    });

    it("stops before the offsets that `until` names, and reads no partition that it does not name", async () => {
      const log = await start();
      await log.append(mixed(0, 400));
      const until: Checkpoint = { proposals: { 0: 5, 3: 2 }, receipts: { 1: 1 } };
      const records = await read(log, { proposals: { 0: 2 } }, { until });
      expect(records.map(placeOf).sort()).toEqual(["proposals/0@2", "proposals/0@3", "proposals/0@4", "proposals/3@0", "proposals/3@1", "receipts/1@0"]);
    });

    it("waits for offsets that `until` names and that are not there yet", async () => {
      const log = await start();
      const partition = partitionOf("x", PARTITIONS);
      const reading = read(log, {}, { until: { resumes: { [partition]: 3 } } });
      for (let n = 0; n < 5; n++) await log.append([record("resumes", envelope("x", n))]);
      expect((await reading).map((r) => identity(r).n)).toEqual([0, 1, 2]);
    });

    it("takes `heads` as the heads at the time of the call", async () => {
      const log = await start();
      await log.append(mixed(0, 100));
      const batches = log.read({}, { until: "heads", maxBatch: 10 });
      const iterator = batches[Symbol.asyncIterator]();
      const first = await iterator.next();
      expect(first.done).toBe(false);
      await log.append(mixed(100, 200));
      let n = (first.value as Batch).records.length;
      for (let step = await iterator.next(); !step.done; step = await iterator.next()) n += step.value.records.length;
      expect(n).toBe(100);
    });

    it("reads only the topics that are asked for", async () => {
      const log = await start();
      await log.append(mixed(0, 140));
      const records = await read(log, {}, { topics: ["verdicts", "policies"] });
      expect(new Set(records.map((r) => r.topic))).toEqual(new Set(["verdicts", "policies"]));
      expect(records).toHaveLength(40);
    });

    it("holds no more records in a batch than asked for", async () => {
      const log = await start();
      await log.append(mixed(0, 100));
      for await (const batch of log.read({}, { until: "heads", maxBatch: 7 })) {
        expect(batch.records.length).toBeLessThanOrEqual(7);
        expect(batch.records.length > 0 || batch.atHead).toBe(true);
      }
    });

    it("says that the head is reached also when there is nothing to read", async () => {
      const log = await start();
      for await (const batch of log.read({})) {
        expect(batch).toEqual({ records: [], atHead: true });
        break;
      }
      await log.append(mixed(0, 10));
      for await (const batch of log.read(checkpointAt(await log.heads()))) {
        expect(batch).toEqual({ records: [], atHead: true });
        break;
      }
    });

    it("follows: what this and other handles append arrives without asking again, in order, once", async () => {
      const log = await start();
      const other = await open();
      await log.append(mixed(0, 20));
      const seen: LogRecord[] = [];
      let caughtUp!: () => void;
      const atHead = new Promise<void>((resolve) => (caughtUp = resolve));
      const reading = collect(log, {}, (batch) => {
        seen.push(...batch.records);
        if (batch.atHead && seen.length >= 20) caughtUp();
        return seen.length >= 120;
      });
      await atHead;
      for (let i = 20; i < 120; i += 10) await (i % 20 ? log : other).append(mixed(i, i + 10));
      await reading;
      expect(seen.map((r) => identity(r).n).sort((a, b) => a - b)).toEqual(Array.from({ length: 120 }, (_, i) => i));
      expect(contiguous(seen)).toBe(true);
    });

    it("merges by time across topics while catching up, so that a cause comes before its answer", async () => {
      const log = await start();
      const chain = ["proposals", "verdicts", "decisions", "resumes", "receipts"] as const;
      const items = contract.slow ? 12 : 60;
      for (let i = 0; i < items; i++)
        for (const [step, topic] of chain.entries()) {
          await log.append([record(topic, envelope(`item-${i}`, step))]);
          // Times have a resolution of a millisecond.
          if (contract.slow) await new Promise((resolve) => setTimeout(resolve, 2));
        }
      await closeAll();
      const records = await read(await open(), {}, { maxBatch: 25 });
      expect(records).toHaveLength(items * chain.length);
      for (let i = 0; i < items; i++) expect(records.filter((r) => r.key === `item-${i}`).map((r) => r.topic)).toEqual(chain);
    });

    it("carries the largest events that are allowed", async () => {
      const log = await start();
      const values = [900 * 1024, 16_000, 17_000, 300_000, 900 * 1024].map((bytes, i) => Buffer.alloc(bytes, `part ${i} `));
      for (const [i, value] of values.entries()) await log.append([{ topic: "proposals", key: `big-${i}`, value }]);
      const records = await read(log);
      expect(records.map((r) => r.value?.length).sort()).toEqual(values.map((v) => v.length).sort());
      for (const r of records) expect(Buffer.compare(values[Number(r.key!.slice(4))]!, Buffer.from(r.value!))).toBe(0);
    });

    it("loses and doubles nothing when an answer is lost: the outcome is unknown, and reading tells", async (test) => {
      const log = await start();
      if (!harness.loseNextAnswer) return test.skip(`the ${name} harness cannot lose an answer`);
      await log.append(numbered("receipts", 0, 5));
      await harness.loseNextAnswer();
      await expectLostThenRecovered(log, true);
    });

    it("loses and doubles nothing when a request is lost: the outcome is unknown, and the event is appended again", async (test) => {
      const log = await start();
      if (!harness.loseNextRequest) return test.skip(`the ${name} harness cannot lose a request`);
      await log.append(numbered("receipts", 0, 5));
      await harness.loseNextRequest();
      await expectLostThenRecovered(log, false);
    });

    async function expectLostThenRecovered(log: EventLog, happened: boolean): Promise<void> {
      const mine = [envelope("mine", 100), envelope("mine", 101), envelope("other", 102)];
      const error = await log.append(mine.map((e) => record("receipts", e))).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(AppendOutcomeUnknown);
      expect(await appendSafely(log, "receipts", mine)).toBe(happened ? 0 : 3);
      await log.append(numbered("receipts", 200, 205));
      for (const handle of [log, await open()]) {
        const records = await read(handle);
        expect(contiguous(records)).toBe(true);
        const ids = records.map((r) => `${r.topic} ${r.key} ${identity(r).eventId}`);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids).toHaveLength(13);
      }
    }

    it("delivers what a foreign producer wrote as it is: no key, no value, garbage, a wrong partition", async (test) => {
      const log = await start();
      if (!harness.appendForeign) return test.skip(`the ${name} harness cannot append past the driver`);
      const wrong = (partitionOf("someone", PARTITIONS) + 1) % PARTITIONS;
      const foreign: ForeignRecord[] = [
        { topic: "proposals", partition: 1, key: null, value: Uint8Array.of(1, 2, 3) },
        { topic: "proposals", partition: 1, key: Uint8Array.of(0xff, 0xfe, 0x80), value: Uint8Array.of(0xde, 0xad) },
        { topic: "proposals", partition: 1, key: Buffer.from("k"), value: null },
        { topic: "verdicts", partition: wrong, key: Buffer.from("someone"), value: Buffer.from("misplaced") },
      ];
      const following: LogRecord[] = [];
      const reading = collect(log, {}, (batch) => following.push(...batch.records) >= 5);
      await log.append([record("proposals", envelope("k", 1))]);
      await harness.appendForeign(foreign);
      await reading;
      for (const records of [following, await read(await open())]) {
        expect(contiguous(records)).toBe(true);
        const strange = records.filter((r) => r.topic === "verdicts" || r.key !== "k" || r.value === null);
        expect(strange.map(({ topic, partition, key, value }) => [topic, partition, key, value && [...value]])).toEqual([
          ["proposals", 1, null, [1, 2, 3]],
          ["proposals", 1, null, [0xde, 0xad]],
          ["proposals", 1, "k", null],
          ["verdicts", wrong, "someone", [...Buffer.from("misplaced")]],
        ]);
      }
    });

    it("refuses a gap, and says where it is", async (test) => {
      const log = await start();
      if (!harness.dropBefore) return test.skip(`the ${name} harness cannot make records vanish`);
      await log.append(mixed(0, 400));
      await closeAll();
      await harness.dropBefore("verdicts", 2, 4);
      const error = await failure(read(await open(), { verdicts: { 2: 1 } }));
      // A log that never lets records go names the first that is missing, also where the checkpoint lies behind it.
      expect(error).toMatchObject({ code: "log_gap", field: expect.stringMatching(/^verdicts\/2@[01]$/) });
      expect((error as CountersignError).fix).toBeTruthy();
    });

    it("refuses a checkpoint behind the head: that is another log, or an older copy", async (test) => {
      const log = await start();
      if (!harness.recreate) return test.skip(`the ${name} harness cannot put another log in its place`);
      await log.append(mixed(0, 100));
      const checkpoint = checkpointAt(await log.heads());
      await closeAll();
      await harness.recreate();
      const again = await open();
      expect(await failure(read(again, checkpoint))).toMatchObject({ code: "log_recreated" });
      await again.append(mixed(0, 10));
      expect(await failure(read(again, checkpoint))).toMatchObject({ code: "log_recreated" });
      expect(await read(again)).toHaveLength(10);
    });

    it("refuses a checkpoint that names a partition it does not have", async () => {
      const log = await start();
      expect(await failure(read(log, { proposals: { [PARTITIONS]: 0 } }))).toMatchObject({ code: "partitions_mismatch" });
    });

    it("ends a reading when its signal aborts, also while it waits", async () => {
      const log = await start();
      await log.append(mixed(0, 10));
      const stop = new AbortController();
      let seen = 0;
      const reading = collect(
        log,
        {},
        (batch) => {
          seen += batch.records.length;
          if (seen === 10) setTimeout(() => stop.abort(), 30);
          return false;
        },
        { signal: stop.signal },
      );
      await reading;
      expect(seen).toBe(10);
      expect(await read(log, {}, { signal: AbortSignal.abort() })).toEqual([]);
    });

    it("finishes the appends under way when it is closed, ends its readers, and takes nothing afterwards", async () => {
      const log = await start();
      const reading = collect(log, {}, () => false);
      const appends = Promise.all(Array.from({ length: 20 }, (_, i) => log.append([record("proposals", envelope(`i${i}`, i))])));
      await log.close();
      await log.close();
      expect(await appends).toHaveLength(20);
      await reading;
      expect(await failure(log.append([record("proposals", envelope("late", 1))]))).toMatchObject({ code: "log_closed" });
      expect(await failure(read(log))).toMatchObject({ code: "log_closed" });
      expect(await read(await open())).toHaveLength(20);
    });
  });
}

function numbered(topic: Topic, from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => record(topic, envelope(`item-${(from + i) % 11}`, from + i)));
}

function mixed(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => record(TOPICS[(from + i) % TOPICS.length]!, envelope(`item-${(from + i) % 23}`, from + i)));
}

function placeOf(r: { topic: Topic; partition: number; offset: number }): string {
  return `${r.topic}/${r.partition}@${r.offset}`;
}

/** Whether every partition goes on without a hole or a repetition, from the checkpoint. */
function contiguous(records: readonly LogRecord[], from: Checkpoint = {}): boolean {
  const next = structuredClone(from) as MutableCheckpoint;
  return records.every((r) => {
    const ok = (next[r.topic]?.[r.partition] ?? 0) === r.offset;
    advance(next, r);
    return ok;
  });
}

/** Reads until `done` says so or the reading ends. */
async function collect(log: EventLog, from: Checkpoint, done: (batch: Batch) => boolean, options: ReadOptions = {}): Promise<void> {
  for await (const batch of log.read(from, options)) if (done(batch)) return;
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => {
      expect(error).toBeInstanceOf(CountersignError);
      return error;
    },
  );
}
