/** npm run bench -- [--json] [--rounds N] [--chains N] [--kafka URL | --no-kafka]: the reference chain, each figure beside its floor in the same run. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureJars, type Jars, whyNoJava } from "../scripts/kafka/download.ts";
import { logUrlOf, startBroker, startRegistry } from "../scripts/kafka/servers.ts";
import { measureEmbedded } from "./embedded.ts";
import { measureKafka } from "./kafka.ts";
import { machine, type Spread } from "./machine.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    chains: { type: "string", default: "3000" },
    kafka: { type: "string" },
    "no-kafka": { type: "boolean", default: false },
  },
});
const say = (line: string) => void process.stderr.write(`${line}\n`);

async function withBroker<T>(work: (url: string) => Promise<T>): Promise<T | { skipped: string }> {
  if (values["no-kafka"]) return { skipped: "--no-kafka" };
  if (values.kafka !== undefined) return work(values.kafka);
  const why = await whyNoJava();
  if (why) return { skipped: why };
  const jars: Jars = await ensureJars(say);
  const dir = mkdtempSync(join(tmpdir(), "countersign-bench-kafka-"));
  const broker = await startBroker({ jars, dir });
  const registry = await startRegistry({ jars, dir });
  try {
    return await work(logUrlOf(broker.port, registry.port));
  } finally {
    await Promise.all([broker.java.stop(), registry.java.stop()]);
  }
}

const rounds = Number(values.rounds);
const chains = Number(values.chains);
say(`reference chain on the embedded log: ${rounds} rounds of ${chains}, 16 in flight`);
const embedded = await measureEmbedded(rounds, chains, 16);
say("the same over Kafka");
const kafka = await withBroker((url) => measureKafka(url, rounds, { perSecond: 200, seconds: 10, chains }));
const report = { machine: machine(), rounds, chains, embedded, kafka };

if (values.json) console.log(JSON.stringify(report));
else {
  const show = ({ median, min, max }: Spread, digits = 0) => `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
  const { cpu, cores, memoryGiB, node } = report.machine;
  console.log(`${cores} × ${cpu}, ${memoryGiB} GiB, Node ${node}; medians of ${rounds} rounds, ranges in brackets

Embedded log, 16 chains in flight, fsync on (${embedded.avroBytesPerChain} bytes of Avro a chain)
  approvals/s            ${show(embedded.approvalsPerSecond)}   floor ${show(embedded.floorApprovalsPerSecond)}
  ratio to the floor     ${show(embedded.ratioToFloor, 2)}   goal ≥ 0.65
  fsyncs per approval    ${embedded.fsyncsPerApproval.toFixed(2)}
  decide → resume        p50 ${embedded.decideToResumeMs.p50.toFixed(1)} ms, p99 ${embedded.decideToResumeMs.p99.toFixed(1)} ms
  rebuild events/s       ${show(embedded.rebuildEventsPerSecond)}   floor ${show(embedded.floorRebuildEventsPerSecond)}
  ratio to the floor     ${show(embedded.rebuildRatioToFloor, 2)}   goal ≥ 0.60
  size / Avro bytes      log ${embedded.sizeRatio.log.toFixed(2)} + views ${embedded.sizeRatio.views.toFixed(2)} = ${embedded.sizeRatio.together.toFixed(2)}   goal ≤ 1.60
`);
  if ("skipped" in kafka) console.log(`Kafka: not measured (${kafka.skipped})`);
  else
    console.log(`Kafka, one broker
  decide → resume        p50 ${kafka.decideToResumeMs.p50.toFixed(1)} ms, p99 ${kafka.decideToResumeMs.p99.toFixed(1)} ms at ${kafka.decideToResumeMs.perSecond} approvals/s   goal ≤ 6 and ≤ 25
  rebuild events/s       ${show(kafka.rebuildEventsPerSecond)}   embedded ${show(kafka.embeddedRebuildEventsPerSecond)}, bare consumer ${show(kafka.bareConsumerEventsPerSecond)}
  ratio to embedded      ${show(kafka.ratioToEmbedded, 2)}   goal ≥ 0.80`);
}
