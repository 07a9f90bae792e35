/**
 * npm run bench:pending -- [--json] [--items N] [--rounds N]: `countersign up` with 100,000 items that wait for a person. How much memory it takes
 * at most, while they come in and after a start, and how long after kill -9 and a new start the first decision is answered.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { canonicalArgs } from "../src/events/canonical.ts";
import { itemIdOf } from "../src/events/ids.ts";
import { openKeys } from "../src/local/keys.ts";
import { openLocalDb } from "../src/local/local-db.ts";
import { openLog } from "../src/log/open.ts";
import { loadCodec } from "../src/log/schemas.ts";
import type { ItemView, ListAnswer } from "../src/producers/wire/answers.ts";
import { writer } from "../src/runtime.ts";
import { machine, spread } from "./machine.ts";

/** Milliseconds from the new start to the answer to a decision, and MiB of resident memory at most. */
const LIMITS = { firstDecisionMs: 1000, peakMiB: 300 };
const WORKSPACE = "support";
const AGENT = "bench";

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, items: { type: "string", default: "100000" }, rounds: { type: "string", default: "3" } },
});
const [ITEMS, ROUNDS] = [Number(values.items), Number(values.rounds)];
const say = (line: string) => void process.stderr.write(`${line}\n`);

interface Up {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  readonly url: string;
  readonly began: number;
  /** Milliseconds until it said where it answers. */
  readonly listeningMs: number;
}

const running = new Set<Up["child"]>();

async function startUp(data: string): Promise<Up> {
  const began = performance.now();
  const root = new URL("../", import.meta.url).pathname;
  const argv = [join(root, "src/cli/main.ts"), "up", "--json", "--port", "0", "--data", data, "--policy", join(root, "bench/policy.yaml")];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const url = await new Promise<string>((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk);
      if (out.includes("\n")) resolve((JSON.parse(out.slice(0, out.indexOf("\n"))) as { url: string }).url);
    });
    child.once("exit", (code) => reject(new Error(`up ended with ${code}`)));
  });
  return { child, url, began, listeningMs: performance.now() - began };
}

function killed({ child }: Up): Promise<unknown> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  return gone;
}

/** Most memory that a process has had resident so far, in MiB. */
function peakMiB({ child }: Up): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
}

/** CPU time that a process has taken so far, in milliseconds: on a machine that does other work too it says more than the wall clock. */
function cpuMs({ child }: Up): number {
  const [utime, stime] = readFileSync(`/proc/${child.pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(11, 13);
  return (Number(utime) + Number(stime)) * 10;
}

async function fill(data: string, first: number, count: number): Promise<void> {
  const { log, registry } = await openLog(`sqlite:${data}`);
  const write = writer(log, await loadCodec(registry), Date.now);
  for (let at = first; at < first + count; at += 500)
    await Promise.all(
      Array.from({ length: Math.min(500, first + count - at) }, (_, i) => {
        const idempotencyKey = `pending-${at + i}`;
        const args = {
          order_id: `ORD-${at + i}`,
          customer_email: `customer-${at + i}@example.com`,
          amount: (at + i) % 90,
          currency: "USD",
          reason: "Lost parcel",
        };
        return write("proposals", itemIdOf(WORKSPACE, AGENT, idempotencyKey), {
          workspace: WORKSPACE,
          actor: { kind: "agent", id: AGENT },
          ask: "review",
          idempotencyKey,
          agent: { id: AGENT },
          run: { framework: "bench", threadId: `thread-${at + i}`, ended: false },
          intent: "Make good for a lost parcel",
          actions: [{ actionId: "a1", tool: "issue_refund", ...canonicalArgs(args) }],
        });
      }),
    );
  await log.close();
  await registry.close();
}

async function main(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "countersign-bench-pending-"));
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
  const counts = async (up: Up) => await call<{ folded: number; behind: number | null }>(up, "GET", "/healthz");
  try {
    let up = await startUp(data);
    say(`filling ${ITEMS} proposals beside a running up`);
    const from = performance.now();
    await fill(data, 0, ITEMS);
    // A proposal and its verdict each, and the policy.
    for (;;) {
      const { folded, behind } = await counts(up);
      if (folded >= 2 * ITEMS + 1 && behind === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const filledS = (performance.now() - from) / 1000;
    const whileFillingMiB = peakMiB(up);
    const rounds: { firstDecisionMs: number; firstDecisionCpuMs: number; listeningMs: number; peakMiB: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Some that are written and not judged when it dies.
      await fill(data, ITEMS + round * 500, 500);
      const { items } = await call<ListAnswer>(up, "GET", "/v1/items?queue=true&limit=1");
      const item = await call<ItemView>(up, "GET", `/v1/items/${items[0]?.itemId}`);
      await killed(up);
      up = await startUp(data);
      await call(up, "POST", `/v1/items/${item.itemId}/decisions`, {
        kind: "approve",
        verdict: item.verdict?.eventId,
        seen: { cardSha256: item.cardSha256 },
      });
      const firstDecisionMs = performance.now() - up.began;
      const firstDecisionCpuMs = cpuMs(up);
      for (let page = 0, after = ""; page < 5; page++)
        after = (await call<ListAnswer>(up, "GET", `/v1/items?queue=true&limit=200${after && `&after=${after}`}`)).next ?? "";
      while ((await counts(up)).behind !== 0) await new Promise((resolve) => setTimeout(resolve, 50));
      rounds.push({ firstDecisionMs, firstDecisionCpuMs, listeningMs: up.listeningMs, peakMiB: peakMiB(up) });
    }
    await killed(up);
    const report = {
      machine: machine(),
      items: ITEMS,
      filledS,
      whileFillingMiB,
      firstDecisionMs: spread(rounds.map((r) => r.firstDecisionMs)),
      firstDecisionCpuMs: spread(rounds.map((r) => r.firstDecisionCpuMs)),
      listeningMs: spread(rounds.map((r) => r.listeningMs)),
      afterStartMiB: spread(rounds.map((r) => r.peakMiB)),
      limits: LIMITS,
    };
    const ok = report.firstDecisionMs.max <= LIMITS.firstDecisionMs && Math.max(whileFillingMiB, report.afterStartMiB.max) <= LIMITS.peakMiB;
    if (values.json) console.log(JSON.stringify({ ...report, ok }));
    else
      console.log(`${ITEMS} pending items, ${report.machine.cores} × ${report.machine.cpu}, Node ${report.machine.node}
  first decision after kill -9   ${report.firstDecisionMs.median.toFixed(0)} ms (${report.firstDecisionMs.min.toFixed(0)} to ${report.firstDecisionMs.max.toFixed(0)}), of which ${report.listeningMs.median.toFixed(0)} ms until it listens; limit ${LIMITS.firstDecisionMs} ms
    of it CPU time               ${report.firstDecisionCpuMs.median.toFixed(0)} ms
  peak memory while they came    ${whileFillingMiB.toFixed(0)} MiB in ${filledS.toFixed(0)} s; limit ${LIMITS.peakMiB} MiB
  peak memory after a start      ${report.afterStartMiB.median.toFixed(0)} MiB (up to ${report.afterStartMiB.max.toFixed(0)}); limit ${LIMITS.peakMiB} MiB
  ${ok ? "within the limits" : "NOT within the limits"}`);
    process.exitCode = ok ? 0 : 1;
  } finally {
    for (const child of running) child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  }
}

await main();
