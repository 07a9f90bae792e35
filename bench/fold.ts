/**
 * npm run bench:fold -- [--json] [--histories N] [--cores N] [--seed N]: how many generated histories a minute are folded and compared with
 * the rules. Every history is made, read by the independent oracle and folded in a random delivery of its own; the first that differs ends it.
 */
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createRng, generateHistory, ITEM, interleavings } from "../test/ledger/generator.ts";
import { difference, digestOf, entriesOf, foldDelivery } from "../test/ledger/harness.ts";
import { judgeHistory } from "../test/ledger/oracle.ts";
import { machine } from "./machine.ts";

/** Histories in a minute on two cores. */
const LIMIT = 100_000;

interface Share {
  readonly first: number;
  readonly step: number;
  readonly until: number;
}

interface Done {
  readonly histories: number;
  readonly events: number;
  /** CPU milliseconds of this thread, in all and in the fold alone. */
  readonly cpuMs: number;
  readonly foldMs: number;
}

const cpuMs = (since?: NodeJS.CpuUsage) => {
  const { user, system } = process.threadCpuUsage(since);
  return (user + system) / 1000;
};

function work({ first, step, until }: Share): Done {
  const began = process.threadCpuUsage();
  let [histories, events, foldMs] = [0, 0, 0];
  for (let seed = first; seed < until; seed += step) {
    const logs = generateHistory(seed, seed % 2 === 0 ? "basic" : "full");
    const due = digestOf(judgeHistory(logs));
    const entries = entriesOf(logs);
    const [delivery = []] = interleavings(logs, 1, createRng(seed));
    const before = process.threadCpuUsage();
    const state = foldDelivery(ITEM, entries, delivery);
    foldMs += cpuMs(before);
    const got = digestOf(state);
    if (got !== due)
      throw new Error(`history ${seed}; repeat it with COUNTERSIGN_SEED=${seed} COUNTERSIGN_HISTORIES=1 npx vitest run test/ledger/generated.test.ts
- rules, + fold\n${difference(due, got)}`);
    histories++;
    events += delivery.length;
  }
  return { histories, events, cpuMs: cpuMs(began), foldMs };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      histories: { type: "string", default: String(LIMIT) },
      cores: { type: "string", default: "2" },
      seed: { type: "string", default: "1" },
    },
  });
  const [histories, cores, seed] = [values.histories, values.cores, values.seed].map((text) => {
    const ok = /^[1-9]\d{0,8}$/.test(text);
    if (!ok) {
      console.error(`usage: npm run bench:fold -- [--json] [--histories N] [--cores N] [--seed N]: ${JSON.stringify(text)} is no whole number above 0`);
      process.exit(2);
    }
    return Number(text);
  }) as [number, number, number];
  if (!values.json) console.error(`${histories} histories on ${cores} cores`);
  const began = performance.now();
  const done = await Promise.all(
    Array.from({ length: cores }, (_, i) => {
      const share: Share = { first: seed + i, step: cores, until: seed + histories };
      return new Promise<Done>((resolve, reject) => {
        new Worker(new URL(import.meta.url), { workerData: share }).once("message", resolve).once("error", reject);
      });
    }),
  );
  const wallMs = performance.now() - began;
  const sum = (of: (d: Done) => number) => done.reduce((total, d) => total + of(d), 0);
  // The longest of the threads: what the wall shows on a machine with nothing else to do.
  const busyMs = Math.max(...done.map((d) => d.cpuMs));
  const perMinute = (histories * 60_000) / busyMs;
  const report = {
    machine: machine(),
    ...{ histories, cores, seed, events: sum((d) => d.events) },
    seconds: { wall: wallMs / 1000, cpuOfTheLongestThread: busyMs / 1000, foldAlone: sum((d) => d.foldMs) / 1000 },
    historiesPerMinute: Math.round(perMinute),
    limit: LIMIT,
    ratio: perMinute / LIMIT,
    foldAloneMicrosPerEvent: (sum((d) => d.foldMs) * 1000) / sum((d) => d.events),
  };
  if (values.json) return console.log(JSON.stringify(report));
  console.log(`${report.machine.cores} × ${report.machine.cpu}, Node ${report.machine.node}; ${cores} threads
  histories, each as the rules say   ${histories} (${report.events} events)
  seconds                            ${(busyMs / 1000).toFixed(1)} of CPU in the longest thread, ${(wallMs / 1000).toFixed(1)} on the wall
  histories a minute                 ${report.historiesPerMinute}   limit ≥ ${LIMIT}   ratio ${report.ratio.toFixed(2)}
  the fold and its description       ${report.seconds.foldAlone.toFixed(1)} s of both threads, ${report.foldAloneMicrosPerEvent.toFixed(1)} µs an event`);
}

if (isMainThread) await main();
else parentPort?.postMessage(work(workerData as Share));
