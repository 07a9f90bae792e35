import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ItemView, OutcomeAnswer, ProposalAnswer, ReceiptAnswer } from "../../src/producers/wire/answers.ts";
import { cli, lines, makeKey } from "./harness.ts";

const main = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const refunds = fileURLToPath(new URL("../../policies/refunds.yaml", import.meta.url));
const folders: string[] = [];
const children: ChildProcess[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "countersign-up-"));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
});
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** The program as a process of its own. */
function program(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...argv], { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : (error.code as unknown as number), out, err }),
    );
  });
}

async function up(data: string, ...argv: string[]): Promise<{ url: string; child: ChildProcess; output: () => string }> {
  const child = spawn(process.execPath, [main, "up", "--data", data, "--port", "0", ...argv], { env: { PATH: process.env.PATH } });
  children.push(child);
  let text = "";
  child.stderr.on("data", (chunk) => {
    text += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const found = /answers at (\S+)/.exec(text);
      if (found) resolve(found[1] as string);
    });
    child.on("exit", (code) => reject(new Error(`up ended with ${code}:\n${text}`)));
  });
  return { url, child, output: () => text };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  await once(child, "exit");
  return child.exitCode;
}

describe("up as a process", () => {
  it("takes a chain through real invocations, survives kill -9 in the middle of it, and ends with 0 on SIGTERM", async () => {
    const data = folder();
    const first = await up(data, "--policy", refunds);
    // What it says to type fits the policy in force: its workspace, and the roles that it asks.
    expect(first.output()).toContain("keys create --workspace support --scope reviewer --id me --roles support-lead,payments-oncall");
    expect(first.output()).toContain("keys create --workspace support --scope agent --id my-agent");
    for (const file of ["log.db", "log.db-wal", "log.db-shm", "views.db", "views.db-wal", "views.db-shm", "local.db", "local.db-wal"])
      expect([file, (statSync(join(data, file)).mode & 0o777).toString(8)]).toEqual([file, "600"]);
    const agent = { COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "agent", "--id", "a", "--workspace", "support") };
    const reviewer = { COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "reviewer", "--id", "r", "--roles", "support-lead", "--workspace", "support") };
    const executor = { COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "executor", "--id", "x", "--workspace", "support") };
    const at = (url: string, env: Record<string, string>) => ({ ...env, COUNTERSIGN_URL: url });
    const args = '{"order_id": "A-1", "customer_email": "jo@example.com", "amount": 40}';
    const proposed = await program(
      ["propose", "--tool", "issue_refund", "--args", args, "--evidence", "order=A-1", "--key", "k1", "--json"],
      at(first.url, agent),
    );
    const { itemId } = JSON.parse(proposed.out) as ProposalAnswer;
    const queue = await program(["queue"], at(first.url, reviewer));
    expect(queue).toMatchObject({ code: 0, err: "", out: expect.stringContaining("Refund USD 40.00 to jo@example.com for order A-1") });

    await end(first.child, "SIGKILL");
    const second = await up(data, "--policy", refunds);
    expect(second.output()).not.toContain("published");
    const decided = await program(["decide", itemId.slice(0, 6), "--approve"], at(second.url, reviewer));
    expect(decided).toMatchObject({ code: 0, out: expect.stringContaining("Approved.") });
    const outcome = await program(["outcome", itemId, "--wait", "20", "--json"], at(second.url, agent));
    expect(JSON.parse(outcome.out) as OutcomeAnswer).toMatchObject({ status: "proceed", grant: { actions: [{ args: JSON.parse(args) }] } });
    const started = await cli(["receipt", itemId, "started", "--json"], { env: at(second.url, executor) });
    expect(JSON.parse(started.out) as ReceiptAnswer).toMatchObject({ status: "effective" });

    await end(second.child, "SIGKILL");
    const third = await up(data);
    expect(await program(["receipt", itemId, "succeeded", "--ref", "psp:re_1"], at(third.url, executor))).toMatchObject({ code: 0 });
    const shown = await cli(["show", itemId, "--json"], { env: at(third.url, reviewer) });
    expect(JSON.parse(shown.out) as ItemView).toMatchObject({ stage: "done", outcome: "succeeded" });
    expect(await program(["up", "--data", data, "--port", "0"])).toMatchObject({ code: 3, err: expect.stringContaining(`process ${third.child.pid}`) });
    expect(await end(third.child, "SIGTERM")).toBe(0);
    expect(third.output()).not.toMatch(/\n\s+at /);

    expect(await cli(["rebuild", "--data", data, "--json"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\{"records":[1-9]/) });
    expect(await cli(["doctor", "--data", data])).toMatchObject({ code: 0, out: expect.stringContaining("nothing runs") });
  }, 60_000);

  it("ends with 0 on SIGINT", async () => {
    const { child } = await up(folder());
    expect(await end(child, "SIGINT")).toBe(0);
  });
});

describe("up that cannot start", () => {
  it("shows line and column of a bad policy file, and publishes nothing", async () => {
    const data = folder();
    const file = join(data, "bad.yaml");
    writeFileSync(file, "policy: bad\nworkspace: default\nowner: role:x\nmode: enforce\nactions:\n  pay:\n    risk: enormous\n");
    const told = await program(["up", "--data", data, "--port", "0", "--policy", file]);
    expect(told.code).toBe(2);
    expect(told.err).toContain(`${file}:7:5 actions.pay.risk: must be one of low, medium, high, critical, not "enormous"`);
    expect(told.err).toContain("[policy_invalid]");
    expect(await cli(["tail", "--data", data])).toMatchObject({ code: 4 });
  });

  it("says that a folder cannot be used, that a log URL is wrong, and that no broker answers", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const table: [string[], number, string][] = [
      [["--log", "mysql:x"], 2, "log_url_invalid"],
      [["--log", `kafka://127.0.0.1:${port}?registry=http://127.0.0.1:${port}`], 5, "log_unavailable"],
      [["--demo", "--log", `kafka://127.0.0.1:${port}?registry=http://127.0.0.1:${port}`], 2, "usage"],
      [["--data", "/dev/null/x"], 1, "file_unreadable"],
      [["--port", "70000"], 2, "usage"],
      [["--policy", "/no/such.yaml"], 2, "usage"],
      [["--host", "203.0.113.1"], 3, "conflict"],
    ];
    const seen: unknown[] = [];
    for (const [argv] of table) {
      const { code, out, err } = await cli(["up", "--port", "0", "--data", folder(), ...argv, "--json"]);
      expect(out).toBe("");
      const last = lines<{ code: string }>(
        err
          .split("\n")
          .filter((line) => line.startsWith("{"))
          .join("\n"),
      ).at(-1);
      seen.push([argv, code, last?.code]);
    }
    expect(seen).toEqual(table);
  }, 60_000);
});
