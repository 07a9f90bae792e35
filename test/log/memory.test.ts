import { memoryStore, openMemoryLog } from "../../src/log/memory.ts";
import { describeLogContract } from "./contract.ts";
import { lossyCommits } from "./faults.ts";

describeLogContract("memory", {
  create: async ({ partitions }) => {
    let store = memoryStore(partitions);
    const faults = lossyCommits();
    return {
      open: async () => openMemoryLog({ store, faults }),
      dispose: async () => {},
      loseNextAnswer: () => faults.lose("answer"),
      loseNextRequest: () => faults.lose("request"),
      appendForeign: async (records) => {
        for (const { topic, partition, key, value } of records)
          store.records.push({
            topic,
            partition,
            offset: store.next[topic][partition]!++,
            key: key === null || key[0] === 0xff ? null : Buffer.from(key).toString(),
            value,
            appendedAt: Date.now(),
          });
        for (const wake of store.handles) wake();
      },
      dropBefore: async (topic, partition, offset) => {
        const kept = store.records.filter((r) => !(r.topic === topic && r.partition === partition && r.offset < offset));
        store.records.splice(0, store.records.length, ...kept);
      },
      recreate: async () => {
        store = memoryStore(partitions);
      },
    };
  },
});
