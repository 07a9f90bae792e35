/** npm run bench:evals -- [--events N] [--target NAME] [--json]: exports a log of N events and says how fast, and in how much memory. */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportDataset } from "../src/evals/export.ts";
import { canonicalArgs } from "../src/events/canonical.ts";
import { complete } from "../src/events/draft.ts";
import { effectKeyOf, itemIdOf, newEventId } from "../src/events/ids.ts";
import type { AnyEvent, Topic } from "../src/events/topics.ts";
import type { NewRecord } from "../src/log/log.ts";
import { openLog } from "../src/log/open.ts";
import { loadCodec } from "../src/log/schemas.ts";
import { machine } from "./machine.ts";

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    target: { type: "string", default: "jsonl" },
    json: { type: "boolean", default: false },
    /** The folder of a log that is there: this process only exports, so that its memory is the exporter's alone. */
    only: { type: "string" },
  },
});

/** Events of one item: proposed, judged, approved by a person, granted, started, succeeded. */
const PER_ITEM = 6;
const ITEMS_PER_APPEND = 500;

async function fill(dir: string, events: number): Promise<void> {
  const { log, registry } = await openLog(`sqlite:${dir}`);
  const codec = await loadCodec(registry);
  let at = Date.now();
  const itemRecords = (i: number): NewRecord[] => {
    const itemId = itemIdOf("bench", "agent", String(i));
    const args = canonicalArgs({ order: `A-${i}`, amount: i % 500, reason: "The parcel arrived broken, and the customer asks for the money back." });
    const action = { actionId: "a", tool: "issue_refund", ...args };
    const base = () => ({ eventId: newEventId(), itemId, workspace: "bench", occurredAt: at++ });
    const made: [Topic, { eventId: string }][] = [];
    const add = (topic: Topic, draft: object) => {
      const last = made.at(-1);
      const event = { ...base(), ...(last && { answers: { topic: last[0], eventId: last[1].eventId } }), ...draft };
      made.push([topic, event]);
    };
    const run = { framework: "bench", threadId: `thread-${i >> 2}`, step: i & 3, ended: false };
    add("proposals", { actor: { kind: "agent", id: "agent" }, idempotencyKey: String(i), ask: "review", agent: { id: "agent" }, run, actions: [action] });
    add("verdicts", {
      ...{
        actor: { kind: "policy", id: "policy" },
        engineVersion: "1",
        route: "interrupt",
        risk: "high",
        score: 60,
        reversibility: "reversible",
        gate: "soft",
      },
      ...{ matched: [], because: ["A refund waits for a person"], owner: "role:lead", approvals: 1, allowedDecisions: ["approve", "reject"] },
      ...{ onExpiry: "reject", grantTtlMs: 60_000, steps: [{ actionId: "a", execution: "queryable", leaseMs: 1000, reversibility: "reversible" }] },
    });
    add("decisions", {
      actor: { kind: "person", id: `p${i % 7}`, roles: ["lead"] },
      kind: "approve",
      scope: "action",
      seen: {},
      review: { activeMs: 4000, channel: "console" },
    });
    const granted = { ...action, execution: "queryable", leaseMs: 1000, effectKey: effectKeyOf(itemId, "a", args.argsSha256) };
    add("resumes", { actor: { kind: "dispatcher", id: "dispatcher" }, outcome: "proceed", actions: [granted] });
    const grant = made.at(-1)?.[1].eventId as string;
    const receipt = { answers: { topic: "resumes", eventId: grant }, actor: { kind: "executor", id: "x" }, actionId: "a", argsSha256: args.argsSha256 };
    add("receipts", { ...receipt, kind: "started", lease: { id: `${grant}/1`, endsAt: at } });
    add("receipts", { ...receipt, kind: "succeeded" });
    return made.map(([topic, draft]) => ({ topic, key: itemId, value: codec.encode(topic, complete(topic, draft as never) as AnyEvent as never) }));
  };
  for (let i = 0; i < events / PER_ITEM; i += ITEMS_PER_APPEND)
    await log.append(Array.from({ length: Math.min(ITEMS_PER_APPEND, Math.ceil(events / PER_ITEM) - i) }, (_, k) => itemRecords(i + k)).flat());
  await registry.close();
  await log.close();
}

async function measure(dir: string) {
  const { log, registry } = await openLog(`sqlite:${dir}`, { create: false });
  let events = 0;
  const [begun, wall] = [process.cpuUsage(), performance.now()];
  const manifest = await exportDataset(join(dir, "out"), values.target, {
    log,
    codec: await loadCodec(registry),
    key: "the key of the benchmark",
    onProgress: (read) => {
      events = read;
    },
  });
  const cpu = process.cpuUsage(begun);
  const seconds = { cpu: (cpu.user + cpu.system) / 1e6, wall: (performance.now() - wall) / 1e3 };
  await registry.close();
  await log.close();
  return {
    events,
    rows: manifest.rows,
    seconds,
    perCpuSecond: events / seconds.cpu,
    perSecond: events / seconds.wall,
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
}

if (values.only !== undefined) process.send?.(await measure(values.only));
else {
  const dir = mkdtempSync(join(tmpdir(), "countersign-bench-evals-"));
  try {
    await fill(dir, Number(values.events));
    const child = fork(import.meta.filename, ["--only", dir, "--target", values.target]);
    const measured = await new Promise<Awaited<ReturnType<typeof measure>>>((resolve, reject) => {
      child.once("message", (message) => resolve(message as Awaited<ReturnType<typeof measure>>));
      child.once("exit", (code) => reject(new Error(`the export ended with ${code}`)));
    });
    const report = { machine: machine(), target: values.target, ...measured };
    if (values.json) console.log(JSON.stringify(report));
    else
      console.log(
        `${measured.events} events to ${measured.rows} rows of ${values.target}: ${measured.perSecond.toFixed(0)} events/s (${measured.perCpuSecond.toFixed(0)} per second of CPU), peak ${measured.peakMiB.toFixed(0)} MiB; goal ≥ 50000 in ≤ 500 MB`,
      );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
