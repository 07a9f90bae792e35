import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fetched, readFetchResponse, readRecordSet } from "../../src/log/kafka-fetch.ts";
import { frameReader, parseProduceResponse } from "../../src/log/kafka-wire.ts";

// The Kafka client's own encoder and decoder are the independent reading of the format.
const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0");
const createRecord = require("kafkajs/src/protocol/recordBatch/record/v0");
const fetchResponse = require("kafkajs/src/protocol/requests/fetch/v11/response");

interface Given {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly headers: Record<string, string>;
}

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((a) => Buffer.from(a));
const givenRecord: fc.Arbitrary<Given> = fc.record({
  key: fc.oneof(
    fc.constant(null),
    bytes(40),
    fc.string({ unit: "grapheme", maxLength: 40 }).map((s) => Buffer.from(s)),
  ),
  value: fc.oneof(fc.constant(null), bytes(300)),
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  headers: fc.dictionary(fc.stringMatching(/^[a-z_-]{1,12}$/), fc.string({ maxLength: 30 }), { maxKeys: 4 }),
});
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

async function batchOf(records: readonly Given[], firstOffset: number, compression = 0): Promise<Buffer> {
  const firstTimestamp = records[0]!.timestamp;
  const list = records.map(({ timestamp, ...r }, i) => createRecord({ ...r, offsetDelta: i, timestampDelta: timestamp - firstTimestamp }));
  const { buffer } = await RecordBatch({
    firstOffset,
    firstTimestamp,
    maxTimestamp: firstTimestamp,
    lastOffsetDelta: records.length - 1,
    records: list,
    compression,
  });
  return buffer;
}

function expected(records: readonly Given[], firstOffset: number) {
  return records.map((r, i) => ({ offset: firstOffset + i, key: textOf(r.key), value: r.value, time: r.timestamp }));
}

function textOf(key: Buffer | null): string | null {
  try {
    return key && UTF8.decode(key);
  } catch {
    return null;
  }
}

/** A fetch response, without its length, for partitions of one topic. */
function responseOf(partitions: { partition: number; records: Buffer }[]): Buffer {
  const parts = partitions.map(({ partition, records }) => {
    const head = Buffer.alloc(4 + 2 + 24 + 4 + 4 + 4);
    head.writeInt32BE(partition, 0);
    head.writeBigInt64BE(1000n, 6);
    head.writeInt32BE(-1, 30);
    head.writeInt32BE(-1, 34);
    head.writeInt32BE(records.length, 38);
    return Buffer.concat([head, records]);
  });
  const head = Buffer.alloc(4 + 4 + 2 + 4 + 4 + 2 + 5 + 4);
  head.writeInt32BE(1, 14);
  head.writeInt16BE(5, 18);
  head.write("topic", 20);
  head.writeInt32BE(parts.length, 25);
  return Buffer.concat([head, ...parts]);
}

describe("reading fetched records", () => {
  it("reads every record as the Kafka client wrote it, plain and with gzip", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(givenRecord, { minLength: 1, maxLength: 20 }),
        fc.nat(1_000_000_000),
        fc.constantFrom(0, 1),
        async (records, first, compression) => {
          const set = await batchOf(records, first, compression);
          expect(readRecordSet(set, 0, set.length)).toEqual({ messages: expected(records, first), last: first + records.length - 1 });
        },
      ),
      { numRuns: 150 },
    );
  });

  it("leaves a batch that is cut off for the next fetch", async () => {
    const record = { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 7, headers: {} };
    const whole = await batchOf([record, record], 5);
    const set = Buffer.concat([whole, await batchOf([record], 7)]);
    for (let cut = whole.length; cut < set.length; cut++) expect(readRecordSet(set, 0, cut).messages.map((m) => m.offset)).toEqual([5, 6]);
    for (let cut = 0; cut < whole.length; cut++) expect(readRecordSet(set, 0, cut)).toEqual({ messages: [] });
  });

  it("takes the log's time where the batch carries it", async () => {
    const record = { key: null, value: null, timestamp: 7, headers: {} };
    const set = await batchOf([record, { ...record, timestamp: 9 }], 0);
    set.writeInt16BE(0x08, 21);
    set.writeBigInt64BE(123n, 35);
    expect(readRecordSet(set, 0, set.length).messages.map((m) => m.time)).toEqual([123, 123]);
  });

  it("names what it cannot read, and keeps what lies before it", async () => {
    const record = { key: null, value: Buffer.from("v"), timestamp: 7, headers: {} };
    const good = await batchOf([record], 3);
    for (const [attributes, reason] of [
      [0x20, /transactional/],
      [2, /snappy/],
      [3, /lz4/],
    ] as const) {
      const bad = await batchOf([record], 4);
      bad.writeInt16BE(attributes, 21);
      const { messages, failure } = readRecordSet(Buffer.concat([good, bad]), 0, good.length + bad.length);
      expect(messages).toHaveLength(1);
      expect(failure).toMatchObject({ code: "log_gap", message: expect.stringMatching(reason) });
    }
  });

  it("leaves the client a response in which each partition with news goes on behind its last record", async () => {
    const record = { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 7, headers: { a: "b" } };
    const records = await batchOf([record, record, record], 40);
    const response = responseOf([
      { partition: 0, records },
      { partition: 1, records: Buffer.alloc(0) },
      { partition: 2, records: records.subarray(0, 70) },
    ]);
    const found: [string, number, Fetched, number][] = [];
    const shown = readFetchResponse(response, (...args) => found.push(args));
    expect(found).toEqual([["topic", 0, { messages: expected([record, record, record], 40), last: 42 }, 1000]]);
    const { responses } = await fetchResponse.decode(shown.subarray(4));
    const [{ topicName, partitions }] = responses;
    expect(topicName).toBe("topic");
    expect(partitions.map((p: { highWatermark: string }) => p.highWatermark)).toEqual(["1000"]);
    expect(partitions.map((p: { messages: { offset: string }[] }) => p.messages.map((m) => m.offset))).toEqual([["42"]]);
  });
});

describe("a partition's error", () => {
  it("reaches the client, which knows what to do about it, and the reader, who must ask whether it is still the same log", async () => {
    const response = responseOf([
      { partition: 0, records: Buffer.alloc(0) },
      { partition: 1, records: Buffer.alloc(0) },
    ]);
    // Error code of the second partition: not the leader.
    response.writeInt16BE(6, response.length - 38);
    const told: unknown[] = [];
    const shown = readFetchResponse(response, (_topic, partition, fetched) => told.push([partition, fetched]));
    expect(told).toEqual([[1, { messages: [], errorCode: 6 }]]);
    const decoded = await fetchResponse.decode(shown.subarray(4));
    expect(decoded.responses[0].partitions.map((p: { partition: number; errorCode: number }) => [p.partition, p.errorCode])).toEqual([[1, 6]]);
  });
});

describe("the wire", () => {
  it("puts frames together whatever the pieces in which they come", () => {
    fc.assert(
      fc.property(fc.array(bytes(50), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 60 }), (frames, cuts) => {
        const stream = Buffer.concat(
          frames.flatMap((f) => {
            const length = Buffer.alloc(4);
            length.writeInt32BE(f.length);
            return [length, f];
          }),
        );
        const seen: Buffer[] = [];
        const read = frameReader((frame) => seen.push(frame));
        let at = 0;
        for (let i = 0; at < stream.length; i++) read(stream.subarray(at, (at += cuts[i % cuts.length]!)));
        expect(seen.map((b) => b.toString("hex"))).toEqual(frames.map((b) => b.toString("hex")));
      }),
    );
  });

  it("hears what became of each partition of a produce request", () => {
    for (const version of [3, 7]) {
      const partition = (id: number, code: number, offset: bigint) => {
        const b = Buffer.alloc(version >= 5 ? 30 : 22);
        b.writeInt32BE(id, 0);
        b.writeInt16BE(code, 4);
        b.writeBigInt64BE(offset, 6);
        return b;
      };
      const head = Buffer.from([0, 0, 0, 1, 0, 1, "t".charCodeAt(0), 0, 0, 0, 2]);
      const body = Buffer.concat([head, partition(0, 0, 17n), partition(3, 10, -1n), Buffer.alloc(4)]);
      expect(parseProduceResponse(body, version)).toEqual([
        { topic: "t", partition: 0, errorCode: 0, baseOffset: 17 },
        { topic: "t", partition: 3, errorCode: 10, baseOffset: -1 },
      ]);
    }
  });
});
