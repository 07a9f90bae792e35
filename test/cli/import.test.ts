import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLog } from "../../src/log/open.ts";
import { cli, lines, startUp } from "./harness.ts";

const refunds = fileURLToPath(new URL("../../policies/refunds.yaml", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "countersign-import-"));
const runs = join(data, "runs.jsonl");

const call = (id: string, name: string, args: string) => ({ id, type: "function", function: { name, arguments: args } });
const run = (id: string, ...calls: object[]) =>
  JSON.stringify({
    run_id: id,
    messages: [
      { role: "user", content: "?" },
      { role: "assistant", content: null, tool_calls: calls },
    ],
  });
const REFUND = '{"order_id": "A-1001", "customer_email": "jo@example.com", "amount": 40}';

beforeAll(async () => {
  const good = run("r1", call("c1", "get_order", '{"order_id": "A-1001"}'), call("c1", "issue_refund", REFUND));
  writeFileSync(runs, `${good}\n${run("r2", call("c2", "get_order", "{broken"))}\n`);
  const { log, registry } = await openLog(`sqlite:${data}`);
  await registry.close();
  await log.close();
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

describe("import", () => {
  it("judges without writing with --dry-run, by the documents named or by those in force", async () => {
    const told = await cli(["import", runs, "--data", data, "--dry-run", "--policy", refunds, "--runs-per-day", "200", "--json"]);
    expect(JSON.parse(told.out)).toMatchObject({
      dryRun: true,
      workspace: "support",
      runs: 2,
      total: { calls: 2, allow: 1, interrupt: 1 },
      perDay: { runs: 200, review: 100 },
    });
    expect(told.err).toContain("r2, message 1, call 0 (get_order) is left out");
    expect((await cli(["import", runs, "--data", data, "--dry-run", "--policy", refunds])).out).toContain("2 runs, 2 calls: 1 for people, 1 flow, 0 forbidden");
    expect(await cli(["import", runs, "--data", data, "--dry-run"])).toMatchObject({ code: 3, err: expect.stringContaining("[policy_missing]") });
    expect((await cli(["tail", "--data", data])).out).toBe("");
  });

  it("proposes every call once, beside a running up and without one", async () => {
    const argv = ["import", runs, "--data", data, "--agent", "recorded", "--workspace", "support", "--json"];
    const first = JSON.parse((await cli(argv)).out) as object;
    expect(first).toEqual({ dryRun: false, workspace: "support", runs: 2, calls: 2, proposed: 2, known: 0, bad: 1 });
    const up = await startUp(["--data", data, "--policy", refunds]);
    expect(JSON.parse((await cli(argv)).out)).toMatchObject({ proposed: 0, known: 2 });
    let routes: string[] = [];
    // Reading the log need not leave the loop of events: without a pause the workers in this process would never run.
    for (; routes.length < 2; await sleep(50))
      routes = lines<{ event: { route: string } }>((await cli(["tail", "--data", data, "--topic", "verdicts"])).out).map((l) => l.event.route);
    expect(routes.sort()).toEqual(["allow", "interrupt"]);
    expect((await up.stop()).code).toBe(0);
    expect(JSON.parse((await cli(["import", runs, "--data", data, "--dry-run", "--json"])).out)).toMatchObject({ workspace: "support" });
  });

  it("says what is wrong with a file", async () => {
    const bad = join(data, "bad.jsonl");
    writeFileSync(bad, '{"messages": 1}\n');
    expect(await cli(["import", bad, "--data", data])).toMatchObject({ code: 2, err: expect.stringContaining("bad.jsonl:1: /messages must be a list") });
    expect(await cli(["import", "/no/such", "--data", data])).toMatchObject({ code: 2 });
    expect(await cli(["import", runs, "--data", data, "--tools", bad])).toMatchObject({ code: 2, err: expect.stringContaining("[file_invalid]") });
  });
});
