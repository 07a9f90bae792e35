/**
 * npm run bench:pending -- [--json] [--items N] [--rounds N]: `countersign up` with 100,000 items that wait for a person. How long after kill -9 and
 * a new start the first decision is answered, where that time goes, and how much memory it takes at most: while it folds a log that it has never
 * seen, while items come in beside it, and after a start.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openKeys } from "../src/local/keys.ts";
import { openLocalDb } from "../src/local/local-db.ts";
import type { ItemView, ListAnswer } from "../src/producers/wire/answers.ts";
import { machine, type Spread, spread } from "./machine.ts";
import { WORKSPACE, writePending } from "./pending-items.ts";

/** Milliseconds from the new start to the answer to a decision, and megabytes (a million bytes) of resident memory at most. */
const LIMITS = { firstDecisionMs: 1000, peakMB: 300 };
/** Items that come in beside a running `up`, and those of each round that may not be judged when it dies. */
const LIVE = 2000;
const CUT_OFF = 500;

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, items: { type: "string", default: "100000" }, rounds: { type: "string", default: "5" } },
});
const [ITEMS, ROUNDS] = [Number(values.items), Number(values.rounds)];
if (!(Number.isSafeInteger(ITEMS) && ITEMS > LIVE && Number.isSafeInteger(ROUNDS) && ROUNDS > 0)) {
  console.error(`usage: npm run bench:pending -- [--json] [--items N] [--rounds N]: more than ${LIVE} items and at least one round`);
  process.exit(2);
}
const tty = process.stderr.isTTY;
const say = (line: string) => void process.stderr.write(`${tty ? "\r\u001b[K" : ""}${line}\n`);
let told = 0;
/** In place on a terminal, elsewhere a line every few seconds. */
const progress = (line: string) => {
  if (tty) process.stderr.write(`\r\u001b[K${line}`);
  else if (performance.now() - told > 5000) {
    told = performance.now();
    say(line);
  }
};

const root = fileURLToPath(new URL("../", import.meta.url));

/** When parts of the start were over, in milliseconds since the process began. */
interface StartMs {
  readonly loaded: number;
  readonly opened: number;
  readonly caughtUp: number;
  readonly listening: number;
}

interface Up {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  readonly url: string;
  readonly began: number;
  readonly startMs: StartMs;
}

const running = new Set<Up["child"]>();

async function startUp(data: string, policy: string): Promise<Up> {
  const began = performance.now();
  const argv = [join(root, "bin/countersign.js"), "up", "--json", "--port", "0", "--data", data, "--policy", policy];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const { url, startMs } = await new Promise<{ url: string; startMs: StartMs }>((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk);
      if (out.includes("\n")) resolve(JSON.parse(out.slice(0, out.indexOf("\n"))));
    });
    child.once("exit", (code) => reject(new Error(`up ended with ${code}`)));
  });
  return { child, url, began, startMs };
}

function ended({ child }: Up, signal: "SIGKILL" | "SIGTERM"): Promise<unknown> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  return gone;
}

/** Most memory that a process has had resident so far, in megabytes. */
function peakMB({ child }: Up): number {
  return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024) / 1e6;
}

/** CPU time that a process has taken so far, in milliseconds: on a machine that does other work too it says more than the wall clock. */
function cpuMs({ child }: Up): number {
  const [utime, stime] = readFileSync(`/proc/${child.pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(11, 13);
  return (Number(utime) + Number(stime)) * 10;
}

/** The reference policy, but nobody is asked again within the hour, so that nothing else happens meanwhile. */
function policyIn(data: string): string {
  const text = readFileSync(join(root, "bench/policy.yaml"), "utf8");
  const patient = text.replace("timeout: PT10M", "timeout: P7D").replace("timeout: PT5M", "timeout: P2D");
  const file = join(data, "policy.yaml");
  writeFileSync(file, patient);
  return file;
}

async function main(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "countersign-bench-pending-"));
  const policy = policyIn(data);
  const local = openLocalDb(data);
  const { key } = openKeys(local).createKey({ scope: "reviewer", id: "bench", roles: ["support-lead", "payments-oncall"], workspace: WORKSPACE });
  local.close();
  const call = async <T>({ url }: Up, method: "GET" | "POST", path: string, body?: unknown): Promise<T> => {
    const headers: Record<string, string> = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    // A connection of its own each time: one that was kept may be closed by the other side just then.
    headers.connection = "close";
    const response = await fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const answer = (await response.json()) as T;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const counts = (up: Up) => call<{ folded: number; behind: number | null }>(up, "GET", "/healthz");
  const queuePage = (up: Up, limit: number, after = "") => call<ListAnswer>(up, "GET", `/v1/items?queue=true&limit=${limit}${after && `&after=${after}`}`);
  try {
    // Publishes the policy, and fills the compile cache as any start before has.
    await ended(await startUp(data, policy), "SIGTERM");
    let from = performance.now();
    const base = ITEMS - LIVE;
    await writePending(data, { first: 0, count: base, judgedBy: policy, onProgress: (n) => progress(`writing items: ${n} of ${base}`) });
    say(`${base} items written in ${seconds(from)} s`);

    from = performance.now();
    let up = await startUp(data, policy);
    const foldingS = (performance.now() - from) / 1000;
    const whileFoldingMB = peakMB(up);
    say(`folded by a new up in ${foldingS.toFixed(1)} s, ${whileFoldingMB.toFixed(0)} MB`);

    from = performance.now();
    await writePending(data, { first: base, count: LIVE });
    // A proposal and its verdict each, and the policy.
    for (;;) {
      const { folded, behind } = await counts(up);
      if (folded >= 2 * ITEMS + 1 && behind === 0) break;
      progress(`${LIVE} more come in beside it: ${folded} events of ${2 * ITEMS + 1} folded`);
      await sleep(200);
    }
    const whileComingMB = peakMB(up);
    say(`${LIVE} more came in beside it in ${seconds(from)} s, ${whileComingMB.toFixed(0)} MB`);

    const rounds: { firstDecisionMs: number; cpuMs: number; startMs: StartMs; queueMs: number; peakMB: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await writePending(data, { first: ITEMS + round * CUT_OFF, count: CUT_OFF });
      const { items } = await queuePage(up, 1);
      const item = await call<ItemView>(up, "GET", `/v1/items/${items[0]?.itemId}`);
      await ended(up, "SIGKILL");
      up = await startUp(data, policy);
      await call(up, "POST", `/v1/items/${item.itemId}/decisions`, {
        kind: "approve",
        verdict: item.verdict?.eventId,
        seen: { cardSha256: item.cardSha256 },
      });
      const firstDecisionMs = performance.now() - up.began;
      const used = cpuMs(up);
      while ((await counts(up)).behind !== 0) await sleep(50);
      from = performance.now();
      for (let page = 0, after = ""; page < 5; page++) after = (await queuePage(up, 200, after)).next ?? "";
      const queueMs = (performance.now() - from) / 5;
      rounds.push({ firstDecisionMs, cpuMs: used, startMs: up.startMs, queueMs, peakMB: peakMB(up) });
      say(`round ${round + 1} of ${ROUNDS}: first decision after ${firstDecisionMs.toFixed(0)} ms, ${used} ms of CPU`);
    }
    await ended(up, "SIGKILL");
    const of = (figure: (r: (typeof rounds)[number]) => number) => spread(rounds.map(figure));
    const report = {
      machine: machine(),
      items: ITEMS,
      firstDecisionMs: of((r) => r.firstDecisionMs),
      firstDecisionCpuMs: of((r) => r.cpuMs),
      partsMs: {
        loading: of((r) => r.startMs.loaded),
        opening: of((r) => r.startMs.opened - r.startMs.loaded),
        catchingUp: of((r) => r.startMs.caughtUp - r.startMs.opened),
        listening: of((r) => r.startMs.listening - r.startMs.caughtUp),
        deciding: of((r) => r.firstDecisionMs - r.startMs.listening),
      },
      queuePageMs: of((r) => r.queueMs),
      foldingS,
      peakMB: { folding: whileFoldingMB, comingIn: whileComingMB, afterStart: of((r) => r.peakMB) },
      limits: LIMITS,
    };
    const mostMB = Math.max(whileFoldingMB, whileComingMB, report.peakMB.afterStart.max);
    const ok = report.firstDecisionMs.max <= LIMITS.firstDecisionMs && mostMB <= LIMITS.peakMB;
    if (values.json) console.log(JSON.stringify({ ...report, ok }));
    else {
      const ms = ({ median, min, max }: Spread) => `${median.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`;
      const { partsMs: parts } = report;
      console.log(`${ITEMS} pending items, ${report.machine.cores} × ${report.machine.cpu}, Node ${report.machine.node}; medians of ${ROUNDS} rounds, ranges in brackets
  first decision after kill -9   ${ms(report.firstDecisionMs)}; limit ${LIMITS.firstDecisionMs} ms
    loading the program          ${ms(parts.loading)}
    opening log and views        ${ms(parts.opening)}
    catching up                  ${ms(parts.catchingUp)}
    until it listens             ${ms(parts.listening)}
    until the decision stands    ${ms(parts.deciding)}
    CPU time of it all           ${ms(report.firstDecisionCpuMs)}
  a page of 200 of the queue     ${ms(report.queuePageMs)}
  folding all of a new log       ${foldingS.toFixed(1)} s
  peak memory, folding it        ${whileFoldingMB.toFixed(0)} MB; limit ${LIMITS.peakMB} MB
    while ${LIVE} come in        ${whileComingMB.toFixed(0)} MB
    after a start                ${report.peakMB.afterStart.median.toFixed(0)} MB (up to ${report.peakMB.afterStart.max.toFixed(0)})
  ${ok ? "within the limits" : "NOT within the limits"}`);
    }
    process.exitCode = ok ? 0 : 1;
  } finally {
    for (const child of running) child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  }
}

function seconds(from: number): string {
  return ((performance.now() - from) / 1000).toFixed(1);
}

await main();
