import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { summaryOf } from "../../src/cli/commands/doctor.ts";
import type { Check } from "../../src/cli/doctor/checks.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { complete } from "../../src/events/draft.ts";
import { itemIdOf, newEventId } from "../../src/events/ids.ts";
import { openLog } from "../../src/log/open.ts";
import { openLedger } from "../../src/runtime.ts";
import { openWorld, until } from "../gateway/world.ts";
import { cli, makeKey, startUp } from "./harness.ts";

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "countersign-doctor-"));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

async function examine(data: string): Promise<{ code: number; checks: Map<string, Check> }> {
  const { code, out } = await cli(["doctor", "--data", data, "--json"]);
  const { checks } = JSON.parse(out) as { checks: Check[] };
  return { code, checks: new Map(checks.map((c) => [c.check, c])) };
}

const ITEM = "0a".repeat(16);
const CAUSE = "01a1fde0-0000-7000-8000-000000000001";

describe("doctor", () => {
  it("ends with what should be looked at, also where nothing is wrong", () => {
    const summary = (...of: Check["status"][]) => summaryOf(of.map((status, i) => ({ check: `c${i}`, status })));
    expect(summary("ok", "ok")).toBe("Nothing is wrong.");
    expect(summary("ok", "look")).toBe("Nothing is wrong; 1 thing should be looked at: c1.");
    expect(summary("look", "wrong", "look")).toBe("1 thing is wrong; 2 things should be looked at: c0, c2.");
  });

  it("says that there is no log, and makes none", async () => {
    const data = folder();
    expect(await examine(data)).toMatchObject({ code: 1 });
    const { code, out } = await cli(["doctor", "--data", data]);
    expect(code).toBe(1);
    expect(out).toContain("There is no log in");
    expect(await cli(["tail", "--data", data])).toMatchObject({ code: 4 });
  });

  it("notices keys of a workspace without a policy, and owners whose role no reviewer's key holds", async () => {
    const data = folder();
    const policy = fileURLToPath(new URL("../../policies/refunds.yaml", import.meta.url));
    await (await startUp(["--data", data, "--policy", policy])).stop();
    expect((await examine(data)).checks.get("keys")).toMatchObject({ status: "look", detail: "there are none, so nobody can use the API" });
    await makeKey(data, "--scope", "agent", "--id", "lost");
    await makeKey(data, "--scope", "reviewer", "--id", "dana", "--roles", "support-lead", "--workspace", "support");
    const keys = (await examine(data)).checks.get("keys");
    expect(keys?.status).toBe("look");
    expect(keys?.found).toEqual([
      expect.stringMatching(/^key_\S+: agent lost is in workspace default, which no policy is for$/),
      "role:payments-oncall decides in workspace support, and no reviewer's key there is of that role",
    ]);
    await makeKey(data, "--scope", "reviewer", "--id", "lee", "--roles", "payments-oncall", "--workspace", "support");
    expect((await examine(data)).checks.get("keys")?.found).toHaveLength(1);
  });

  it("shows undecodable bytes, an unknown schema, a wrong key and an event without its cause, with positions and what to do", async () => {
    const data = folder();
    const { log, registry } = await openLog(`sqlite:${data}`);
    const [bad] = await log.append([{ topic: "decisions", key: ITEM, value: Buffer.from("garbage") }]);
    const [unknown] = await log.append([{ topic: "receipts", key: ITEM, value: Buffer.from([0, 0, 0, 99, 1, 7]) }]);
    await registry.close();
    await log.close();
    const ledger = await openLedger({ log: `sqlite:${data}`, data });
    const question = complete("proposals", {
      eventId: newEventId(),
      itemId: itemIdOf("default", "a", "k"),
      workspace: "default",
      occurredAt: Date.now(),
      actor: { kind: "agent", id: "a" },
      idempotencyKey: "k",
      ask: "question",
      agent: { id: "a" },
      question: "?",
    });
    const [wrong] = await ledger.log.append([{ topic: "proposals", key: "1b".repeat(16), value: ledger.codec.encode("proposals", question) }]);
    const { position: parked } = await ledger.write("decisions", "2c".repeat(16), {
      workspace: "default",
      actor: { kind: "person", id: "p" },
      answers: { topic: "verdicts", eventId: CAUSE },
      kind: "claim",
      scope: "action",
      lease: { id: "l", endsAt: 1, takenOver: false },
    });
    await ledger.close();
    const { code, checks } = await examine(data);
    expect(code).toBe(1);
    const records = checks.get("bad records");
    expect(records).toMatchObject({ status: "wrong", fix: expect.stringContaining("register the missing schema") });
    // A clear answers a verdict, and there is none here: what cannot be typed is not advised.
    expect(records?.fix).not.toContain("--clear");
    const found = records?.found?.join("\n");
    for (const p of [bad, unknown, wrong]) expect(found).toContain(`${p?.topic} ${p?.partition}:${p?.offset}`);
    expect(found).toMatch(/undecodable: the value has no schema frame, key "0a0a[0a]+", which is no item/);
    expect(found).toMatch(/unknown_schema: schema id 25345 is not in the registry, key "0a0a/);
    expect(found).toMatch(/wrong_key: the event is of item [0-9a-f]{32}, the record's key is 1b1b/);
    expect(checks.get("parked")).toMatchObject({
      status: "wrong",
      found: [`item ${"2c".repeat(16)}: decisions at offset ${parked.offset} answers verdicts/${CAUSE}`],
    });
    expect(checks.get("views")).toMatchObject({ status: "ok" });
    const { out } = await cli(["doctor", "--data", data]);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("names a retry that no executor has started for longer than a grant may wait, whose it is, and how it ends all the same", async () => {
    let at = Date.now() - 3 * 3_600_000;
    const world = await openWorld({ now: () => at });
    folders.push(world.dir);
    const { itemId, grant } = await world.granted({ tool: "send_gift", args: { value: 1 } });
    await world.receipt("executor", itemId, { grant: grant.id, kind: "started", argsSha256: grant.actions[0]?.argsSha256 });
    at += 121_000;
    const settled = () => world.call("lead", "POST", `/v1/items/${itemId}/decisions`, { kind: "settle", settlement: { outcome: "retry" } });
    await until(async () => ((await settled()).status === 200 ? true : undefined));
    await until(async () => (world.ledger.queries.item(itemId)?.stage === "granted" ? true : undefined));
    await world.close({ keep: true });
    const { code, checks } = await examine(world.dir);
    expect(code).toBe(0);
    expect(checks.get("unstarted")).toMatchObject({
      status: "look",
      detail: expect.stringMatching(/^1 grant of a retry or a roll_back that no executor has started/),
      fix: expect.stringContaining("by hand, with an executor key"),
      found: [expect.stringMatching(new RegExp(`^item ${itemId}: retry of send_gift, late for .*, owner role:support-lead$`))],
    });
    expect(checks.get("todos")?.found?.join() ?? "").not.toContain("start on");
  });

  it("does not call wrong what is approved and waits for another try of the same work, and names that", async () => {
    const world = await openWorld();
    folders.push(world.dir);
    const args = { tool: "add_note", args: { text: "x" } };
    const first = await world.granted(args);
    const { actionId, argsSha256 } = first.grant.actions[0]!;
    expect((await world.receipt("executor", first.itemId, { grant: first.grant.id, kind: "started", actionId, argsSha256 })).status).toBe(200);
    const again = await world.judged({ ...args, retryOf: first.itemId });
    expect((await world.decide("lead", again, { kind: "approve" })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1600));
    await world.close({ keep: true });
    const { checks } = await examine(world.dir);
    expect(checks.get("todos")).toMatchObject({
      status: "ok",
      detail: "1 approved item waiting until another try of the same work has ended",
      found: [`item ${again.itemId} waits for its grant. It is to try again ${first.itemId}, which is executing`],
    });
  });

  it("shows a proposal that broke a rule, until a legal one of its key has come", async () => {
    const data = folder();
    const ledger = await openLedger({ log: `sqlite:${data}`, data });
    const itemId = itemIdOf("default", "a", "k");
    const body = { workspace: "default", actor: { kind: "agent", id: "a" }, idempotencyKey: "k", ask: "review", agent: { id: "a" } } as const;
    const action = { actionId: "a1", tool: "t", ...canonicalArgs({}) };
    await ledger.write("proposals", itemId, { ...body, actions: [{ ...action, argsSha256: "0".repeat(64) }] });
    await ledger.close();
    expect((await examine(data)).checks.get("proposals")).toMatchObject({
      status: "look",
      detail: expect.stringMatching(/^1 proposal written to the log against the rules/),
      found: [expect.stringMatching(new RegExp(`^key ${itemId}: proposals at offset 0, by agent:a: .*hash`))],
    });
    const again = await openLedger({ log: `sqlite:${data}`, data });
    await again.write("proposals", itemId, { ...body, actions: [action] });
    await again.close();
    expect((await examine(data)).checks.get("proposals")).toMatchObject({ status: "ok" });
  });

  it("reads the views of the folder only where they are current, and never writes them", async () => {
    const data = folder();
    const ledger = await openLedger({ log: `sqlite:${data}`, data });
    await ledger.start({ workers: false });
    await ledger.close();
    await makeKey(data, "--scope", "agent", "--id", "a");
    expect(await examine(data)).toMatchObject({ code: 0 });
    expect((await examine(data)).checks.get("views")?.detail).toBe("they have folded the whole log");
    const { log, registry } = await openLog(`sqlite:${data}`);
    await log.append([{ topic: "decisions", key: ITEM, value: Buffer.from("garbage") }]);
    await registry.close();
    await log.close();
    const behind = await examine(data);
    expect(behind.checks.get("bad records")).toMatchObject({ status: "look", fix: expect.stringContaining("nothing has to be done") });
    expect(behind.code).toBe(0);
    expect(behind.checks.get("views")?.detail).toBe("1 record behind the log; the log was folded in memory to look at it");
    expect((await examine(data)).checks.get("views")?.detail).toBe("1 record behind the log; the log was folded in memory to look at it");
  });
});
