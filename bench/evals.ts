/** npm run bench:evals -- [--events N] [--mix usual|approved] [--target NAME] [--threads N] [--keep DIR] [--json]: exports a log of N events and says how fast, and in how much memory. */
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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
    /** How many threads make the rows; default: what an export does by itself. */
    threads: { type: "string" },
    /** usual, or approved: every item is approved, which gives the most rows. */
    mix: { type: "string", default: "usual" },
    /** A folder that keeps the log, for another run. */
    keep: { type: "string" },
    json: { type: "boolean", default: false },
    /** The folder of a log that is there: this process only exports, so that its memory is the exporter's alone. */
    only: { type: "string" },
  },
});

/** What becomes of an item, and its events. */
const WAYS = { approved: 6, edited: 7, rejected: 4, allowed: 5, expired: 4 } as const;
type Way = keyof typeof WAYS;

/** Of twenty items: what a queue that works looks like, and the most rows that a number of events can give. */
const MIXES: { readonly [name: string]: readonly Way[] } = {
  usual: ["edited", "edited", "rejected", "rejected", "allowed", "allowed", "allowed", "expired", ...new Array<Way>(12).fill("approved")],
  approved: new Array<Way>(20).fill("approved"),
};
const ITEMS_PER_APPEND = 500;
const NOTE = "The parcel arrived broken, and the customer asks for the money back.";

/** The events of an item, each with its topic. */
function eventsOf(i: number, way: Way, clock: () => number): [Topic, object][] {
  const itemId = itemIdOf("bench", "agent", String(i));
  const made: [Topic, { eventId: string }][] = [];
  const add = (topic: Topic, draft: object): string => {
    const last = made.at(-1);
    const eventId = newEventId();
    const answers = last === undefined ? {} : { answers: { topic: last[0], eventId: last[1].eventId } };
    made.push([topic, { eventId, itemId, workspace: "bench", occurredAt: clock(), ...answers, ...draft } as object as { eventId: string }]);
    return eventId;
  };
  const callOf = (amount: number) => ({ actionId: "a", ...canonicalArgs({ order: `A-${i}`, amount, reason: NOTE }) });
  const proposed = callOf(i % 500);
  const run = { framework: "bench", threadId: `thread-${i >> 2}`, step: 1 + (i & 3), ended: false };
  const call = { ...proposed, tool: "issue_refund" };
  add("proposals", { actor: { kind: "agent", id: "agent" }, idempotencyKey: String(i), ask: "review", agent: { id: "agent" }, run, actions: [call] });
  const judged = (route: string) =>
    add("verdicts", {
      ...{ actor: { kind: "policy", id: "policy" }, engineVersion: "1", route, risk: "high", score: 60, reversibility: "reversible", gate: "soft" },
      ...{ matched: [], because: ["A refund waits for a person"], owner: "role:lead", approvals: 1, allowedDecisions: ["approve", "edit", "reject"] },
      ...{ onExpiry: "reject", expiresAt: 1, grantTtlMs: 60_000, editablePaths: [{ actionId: "a", path: "" }] },
      steps: [{ actionId: "a", execution: "queryable", leaseMs: 1000, reversibility: "reversible" }],
    });
  const decided = (kind: string, more: object = {}) =>
    add("decisions", {
      ...{ actor: { kind: "person", id: `p${i % 7}`, roles: ["lead"] }, kind, scope: "action", seen: {} },
      ...{ review: { activeMs: 4000, channel: "console" }, ...more },
    });
  const executed = (outcome: string, { actionId, args, argsSha256 }: ReturnType<typeof callOf>) => {
    const granted = { actionId, tool: "issue_refund", args, argsSha256, execution: "queryable", leaseMs: 1000 };
    const effectKey = effectKeyOf(itemId, "a", argsSha256);
    const grant = add("resumes", { actor: { kind: "dispatcher", id: "dispatcher" }, outcome, actions: [{ ...granted, effectKey }] });
    const receipt = { answers: { topic: "resumes", eventId: grant }, actor: { kind: "executor", id: "x" }, actionId, argsSha256 };
    add("receipts", { ...receipt, kind: "started", lease: { id: `${grant}/1`, endsAt: clock() } });
    add("receipts", { ...receipt, kind: "succeeded" });
  };
  const ended = (outcome: string) => add("resumes", { actor: { kind: "dispatcher", id: "dispatcher" }, outcome, actions: [] });
  judged(way === "allowed" ? "allow" : "interrupt");
  if (way === "rejected") decided("reject", { reasonCodes: ["wrong_amount"], message: "Ask for the order number first." });
  if (way === "expired") decided("expire", { actor: { kind: "clock", id: "clock" }, seen: null, review: null });
  if (way === "rejected" || way === "expired") ended(way === "expired" ? "expired" : "refused");
  if (way === "approved") decided("approve");
  if (way === "allowed" || way === "approved") executed("proceed", proposed);
  if (way === "edited") {
    const after = callOf((i % 500) + 1);
    decided("edit", { edits: [after] });
    judged("interrupt");
    executed("proceed_edited", after);
  }
  return made;
}

async function fill(dir: string, events: number, mix: readonly Way[]): Promise<void> {
  const { log, registry } = await openLog(`sqlite:${dir}`);
  const codec = await loadCodec(registry);
  let at = Date.now();
  const recordsOf = (i: number): NewRecord[] =>
    eventsOf(i, mix[i % mix.length] as Way, () => at++).map(([topic, draft]) => {
      const event = complete(topic, draft as never) as AnyEvent;
      return { topic, key: event.itemId, value: codec.encode(topic, event as never) };
    });
  for (let i = 0, done = 0; done < events; ) {
    const records: NewRecord[] = [];
    for (let k = 0; k < ITEMS_PER_APPEND && done + records.length < events; k++) records.push(...recordsOf(i++));
    await log.append(records);
    done += records.length;
  }
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
    ...(values.threads !== undefined && { threads: Number(values.threads) }),
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
    peakMB: (peakKiB() * 1024) / 1e6,
  };
}

/** The most memory that this process has held. On Linux maxRSS begins with the peak of the process that started this one, which made the log. */
function peakKiB(): number {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
}

/** What a process of its own measures: its memory is the exporter's alone. */
function measured(dir: string): Promise<Measured> {
  const threads = values.threads === undefined ? [] : ["--threads", values.threads];
  const child = fork(import.meta.filename, ["--only", dir, "--target", values.target, ...threads]);
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as Measured));
    child.once("exit", (code) => reject(new Error(`the export ended with ${code}`)));
  });
}

type Measured = Awaited<ReturnType<typeof measure>>;

if (values.only !== undefined) process.send?.(await measure(values.only));
else {
  const mix = MIXES[values.mix];
  if (mix === undefined) throw new Error(`--mix is one of ${Object.keys(MIXES).join(", ")}`);
  const dir = values.keep ?? mkdtempSync(join(tmpdir(), "countersign-bench-evals-"));
  try {
    if (!existsSync(join(dir, "log.db"))) await fill(dir, Number(values.events), mix);
    const found = await measured(dir);
    const report = { machine: machine(), target: values.target, mix: values.mix, ...found };
    if (values.json) console.log(JSON.stringify(report));
    else
      console.log(
        `${found.events} events to ${found.rows} rows of ${values.target}: ${found.perSecond.toFixed(0)} events/s (${found.perCpuSecond.toFixed(0)} per second of CPU), peak ${found.peakMB.toFixed(0)} MB; goal ≥ 50000 in ≤ 500 MB`,
      );
  } finally {
    if (values.keep === undefined) rmSync(dir, { recursive: true, force: true });
  }
}
