import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MOST_WAITING } from "../../src/cli/demo/agent.ts";
import { demo, rolesIn, samplePolicies } from "../../src/cli/demo/demo.ts";
import { lineOf } from "../../src/cli/demo/narrate.ts";
import { type Kind, scenario } from "../../src/cli/demo/scenarios.ts";
import { DEMO_WORKSPACE } from "../../src/cli/demo/setting.ts";
import { cliOf } from "../../src/cli/io.ts";
import { publishPolicies } from "../../src/cli/publish.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import { startGateway } from "../../src/gateway/server.ts";
import { openKeys } from "../../src/local/keys.ts";
import { openLocalDb } from "../../src/local/local-db.ts";
import { openLedger } from "../../src/runtime.ts";
import { cli, lines } from "./harness.ts";

const data = mkdtempSync(join(tmpdir(), "countersign-demo-"));
const printed: string[] = [];
let running: { ledger: Awaited<ReturnType<typeof openLedger>>; url: string; stop: () => Promise<void> };

/** What `up --demo` puts together, but with a pace for tests. */
async function start(): Promise<typeof running> {
  const nowhere = { write: (text: string) => printed.push(text) };
  const io = { env: {}, out: nowhere, err: nowhere, stdin: process.stdin, now: Date.now, signal: new AbortController().signal };
  const companion = demo(
    cliOf(
      io,
      () => false,
      () => {},
    ),
    data,
    { proposeMs: 20, executeMs: 10 },
  );
  const ledger = await openLedger({ log: `sqlite:${data}`, data });
  await ledger.projector.catchUp();
  await publishPolicies(ledger, companion.policies);
  await ledger.start();
  const local = openLocalDb(data);
  const keys = openKeys(local);
  const gateway = await startGateway(ledger, { port: 0, local: keys, report: (line) => printed.push(line) });
  const quiet = await companion.start({ ledger, keys, url: gateway.url, data });
  return {
    ledger,
    url: gateway.url,
    async stop() {
      await quiet();
      await gateway.close();
      await ledger.close();
      local.close();
    },
  };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
}

beforeAll(async () => {
  running = await start();
});
afterAll(async () => {
  await running.stop();
  rmSync(data, { recursive: true, force: true });
});

describe("the demo", () => {
  it("puts what is harmless through, and stops proposing what waits before the queue grows without end", async () => {
    const { queries } = running.ledger;
    await until(
      () =>
        (queries.counts().outcomes.succeeded ?? 0) >= 20 && queries.counts().stages.pending === MOST_WAITING && (queries.counts().outcomes.forbidden ?? 0) > 0,
    );
    const before = queries.totals().items;
    await until(() => queries.totals().items >= before + 40);
    expect(queries.counts().stages.pending).toBe(MOST_WAITING);
    expect(queries.totals()).toMatchObject({ bad: 0, parked: 0, findings: 0 });
  });

  it("prints a key with which the waiting items can be decided, and tells it in one line each", async () => {
    const key = /export COUNTERSIGN_API_KEY=(cs_reviewer_\S+)/.exec(printed.join(""))?.[1] ?? "";
    const env = { COUNTERSIGN_API_KEY: key, COUNTERSIGN_URL: running.url };
    const waiting = lines<{ itemId: string; allowedDecisions: string[] }>((await cli(["queue", "--json"], { env })).out);
    expect(waiting.length).toBe(MOST_WAITING);
    for (const { itemId, allowedDecisions } of waiting) {
      const way = allowedDecisions.includes("respond") ? ["--respond", "The first"] : ["--approve"];
      expect(await cli(["decide", itemId, ...way], { env })).toMatchObject({ code: 0 });
    }
    const decided = waiting.map((w) => w.itemId.slice(0, 8));
    await until(() => decided.every((id) => new RegExp(`\\d\\d:\\d\\d:\\d\\d ${id} (approved|answered) `).test(printed.join(""))));
    const told = printed
      .join("")
      .split("\n")
      .filter((line) => /^\d\d:/.test(line));
    expect(Math.max(...told.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(printed.join("")).not.toContain("could not propose");
  });

  it("goes on with the same ledger and the same keys after a restart", async () => {
    const { items } = running.ledger.queries.totals();
    const greeting = /export COUNTERSIGN_API_KEY=\S+/.exec(printed.join(""))?.[0];
    await running.stop();
    expect(printed.join("")).toMatch(/^Owners were called with \d+ notices instead of \d+ \(\d+ %\): /m);
    printed.length = 0;
    running = await start();
    await until(() => running.ledger.queries.totals().items >= items + 5);
    expect(printed.join("")).toContain(greeting);
    expect(running.ledger.queries.policies().every((p) => p.workspace === DEMO_WORKSPACE)).toBe(true);
  });
});

describe("a batch", () => {
  it("is told of in one line, not in one for each member", () => {
    const [first, second] = ["a".repeat(32), "b".repeat(32)];
    const sealed = (itemId: string) =>
      lineOf("batches", { itemId, members: [first, second], owner: "role:crm-steward" } as EventOf["batches"], "Change C-1", 0);
    expect(sealed(first)).toMatchObject({ word: "batched", text: "2 alike, such as: Change C-1", end: " → crm-steward", waits: true });
    expect(sealed(second)).toBeNull();
  });
});

describe("the scenarios", () => {
  it("lead to what they are said to lead to under the sample policies", async () => {
    const { compilePolicy } = await import("../../src/policy/compile.ts");
    const { parsePolicy } = await import("../../src/policy/document/document.ts");
    const { judge } = await import("../../src/policy/judgement/judge.ts");
    const { proposalEvent } = await import("../../src/gateway/service/proposal-event.ts");
    const { proposalRequest } = await import("../../src/producers/wire/requests.ts");
    const documents = samplePolicies();
    const policies = documents.map((p) => compilePolicy(parsePolicy(p.document)));
    const roles = rolesIn(documents);
    const seen: Record<Kind, number> = { flows: 0, waits: 0, forbidden: 0, asks: 0 };
    for (let n = 0; n < 500; n++) {
      const { kind, body } = scenario(n, false, 1_000);
      expect(scenario(n, false, 1_000)).toEqual({ kind, body });
      const event = proposalEvent(proposalRequest.parse(body), { kind: "agent", id: "demo-agent", roles: [], workspace: DEMO_WORKSPACE }, "0".repeat(32));
      const proposal = { ...event, eventId: "", occurredAt: 0 };
      const verdict = judge(policies, { proposal, actions: proposal.actions, answers: "proposal", now: 0 });
      const came: Kind = verdict.route === "allow" ? "flows" : verdict.route === "forbid" ? "forbidden" : event.ask === "question" ? "asks" : "waits";
      expect([n, came, verdict.error ?? null]).toEqual([n, kind, null]);
      if (came === "waits" || came === "asks") {
        expect(verdict.approvals).toBe(1);
        expect(roles).toContain((verdict.owner ?? "").replace("role:", ""));
      }
      if (scenario(n, true, 0).kind === "waits" || scenario(n, true, 0).kind === "asks") throw new Error(`${n} waits though it must be calm`);
      seen[kind]++;
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
  });
});
