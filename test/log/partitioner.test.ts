import fc from "fast-check";
import kafkajs from "kafkajs";
import { describe, expect, it } from "vitest";
import { murmur2, partitionOf } from "../../src/log/partitioner.ts";

const partition = kafkajs.Partitioners.DefaultPartitioner();
const metadata = (n: number) => Array.from({ length: n }, (_, partitionId) => ({ partitionId, leader: 1 }) as never);

describe("the partitioner", () => {
  // From Kafka's own UtilsTest.testMurmur2.
  it.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("hashes %s as Kafka's Java client does", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it("picks the partition that kafkajs' Java-compatible partitioner picks, for any key", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.integer({ min: 1, max: 64 }), (key, n) => {
        const expected = partition({ topic: "t", partitionMetadata: metadata(n), message: { key: Buffer.from(key, "utf8"), value: null } });
        expect(partitionOf(key, n)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
