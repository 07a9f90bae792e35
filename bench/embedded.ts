import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { partitionOf } from "../src/log/partitioner.ts";
import { rebuildViews } from "../src/projector/rebuild.ts";
import { openLedger, viewsOptions } from "../src/runtime.ts";
import { chainRunner, publishReferencePolicy, runChains } from "./chain.ts";
import { chainFloor, type FloorRecord, rebuildFloor } from "./floor.ts";
import { percentile, type Spread, spread } from "./machine.ts";

/** Figures of the embedded log. */
export interface EmbeddedFigures {
  readonly avroBytesPerChain: number;
  readonly approvalsPerSecond: Spread;
  readonly floorApprovalsPerSecond: Spread;
  readonly ratioToFloor: Spread;
  readonly fsyncsPerApproval: number;
  readonly decideToResumeMs: { readonly p50: number; readonly p99: number };
  readonly rebuildEventsPerSecond: Spread;
  readonly floorRebuildEventsPerSecond: Spread;
  readonly rebuildRatioToFloor: Spread;
  readonly sizeRatio: { readonly log: number; readonly views: number; readonly together: number };
}

const TOPIC_NUMBER: Record<string, number> = { proposals: 0, verdicts: 1, batches: 2, decisions: 3, resumes: 4, receipts: 5, policies: 6 };

/** Runs the reference chain on a fresh embedded log, each round beside its floor, so that both see the same machine. */
export async function measureEmbedded(rounds: number, chains: number, inFlight: number): Promise<EmbeddedFigures> {
  const dir = mkdtempSync(join(tmpdir(), "countersign-bench-"));
  const ledger = await openLedger({ log: `sqlite:${dir}`, data: dir });
  await ledger.start();
  await publishReferencePolicy(ledger);
  const runner = chainRunner(ledger);
  await runChains(runner.run, 0, chains, inFlight);
  runner.decideToResumeMs.length = 0;
  const sample = await recordedChains(ledger, chains);
  const stateBytes = ledger.projector.views.db.prepare("SELECT avg(length(state)) FROM item WHERE proposed IS NOT NULL").pluck().get() as number;
  const rates: number[] = [];
  const floors: number[] = [];
  let commits = 0;
  const stop = ledger.projector.onFolded(() => commits++);
  for (let round = 1; round <= rounds; round++) {
    floors.push(chains / chainFloor(sample, inFlight, Math.round(stateBytes)));
    rates.push(chains / (await runChains(runner.run, round * chains, chains, inFlight)));
  }
  stop();
  const { decideToResumeMs } = runner;
  let bytes = 0;
  for await (const batch of ledger.log.read({}, { until: "heads" })) for (const record of batch.records) bytes += record.value?.length ?? 0;
  ledger.projector.views.db.pragma("wal_checkpoint(TRUNCATE)");
  await ledger.close();
  const size = (name: string) => statSync(join(dir, name)).size / bytes;
  const sizeRatio = { log: size("log.db"), views: size("views.db"), together: size("log.db") + size("views.db") };
  const rebuild = await measureRebuild(`sqlite:${dir}`, dir, rounds, sample, Math.round(stateBytes));
  rmSync(dir, { recursive: true });
  return {
    avroBytesPerChain: Math.round(bytes / (chains * (rounds + 1))),
    approvalsPerSecond: spread(rates),
    floorApprovalsPerSecond: spread(floors),
    ratioToFloor: spread(rates.map((r, i) => r / (floors[i] as number))),
    // One fsync per group commit of the log; each is folded as one batch. The views need none.
    fsyncsPerApproval: commits / (chains * rounds),
    decideToResumeMs: { p50: percentile(decideToResumeMs, 50), p99: percentile(decideToResumeMs, 99) },
    ...rebuild,
    sizeRatio,
  };
}

async function recordedChains(ledger: Awaited<ReturnType<typeof openLedger>>, most: number): Promise<FloorRecord[][]> {
  const chains = new Map<string, FloorRecord[]>();
  for await (const batch of ledger.log.read({}, { until: "heads" })) {
    for (const { topic, key, value } of batch.records) {
      if (topic === "policies" || key === null || value === null) continue;
      const chain = chains.get(key) ?? [];
      chain.push({ topic: TOPIC_NUMBER[topic] as number, item: Buffer.from(key, "hex"), id: Buffer.from(value.slice(6, 22)), value: Buffer.from(value) });
      chains.set(key, chain);
    }
  }
  return [...chains.values()].slice(0, most);
}

/** Rebuilds the views of a log, each round beside its floor. */
export async function measureRebuild(url: string, dir: string, rounds: number, sample: readonly (readonly FloorRecord[])[], stateBytes: number) {
  const { openLog } = await import("../src/log/open.ts");
  const { loadCodec } = await import("../src/log/schemas.ts");
  const { log, registry } = await openLog(url);
  const codec = await loadCodec(registry);
  const flat = interleaved(sample);
  const rates: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round++) {
    floors.push(rebuildFloor(flat, stateBytes));
    const started = performance.now();
    const events = await rebuildViews({ ...viewsOptions({ log, registry, codec }, dir), partitionOf: (key) => partitionOf(key, log.partitions) });
    rates.push(events / ((performance.now() - started) / 1000));
  }
  await registry.close();
  await log.close();
  return {
    rebuildEventsPerSecond: spread(rates),
    floorRebuildEventsPerSecond: spread(floors),
    rebuildRatioToFloor: spread(rates.map((r, i) => r / (floors[i] as number))),
  };
}

/** Sixteen chains side by side, step by step: the order in which a log has them. */
export function interleaved(chains: readonly (readonly FloorRecord[])[], side = 16): FloorRecord[] {
  const flat: FloorRecord[] = [];
  for (let first = 0; first < chains.length; first += side) {
    const group = chains.slice(first, first + side);
    for (let step = 0; step < 6; step++) for (const chain of group) flat.push(...chain.slice(step, step + 1));
  }
  return flat;
}
