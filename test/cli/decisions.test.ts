import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DecisionAnswer, ItemView } from "../../src/producers/wire/answers.ts";
import type { HaltAnswer, LiftAnswer } from "../../src/producers/wire/halts.ts";
import type { StandingView } from "../../src/producers/wire/standing.ts";
import { openWorld, until, type World } from "../gateway/world.ts";
import { cli, type Ended, lines } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const as = (who: string, ...argv: string[]): Promise<Ended> =>
  cli(argv, { env: { COUNTERSIGN_URL: world.gateway.url, COUNTERSIGN_API_KEY: world.key[who] ?? "" } });

async function json<T>(who: string, ...argv: string[]): Promise<T> {
  const { code, out, err } = await as(who, ...argv, "--json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out) as T;
}

/** What a command refuses, with its exit code, and its stable code as JSON. */
async function refused(who: string, ...argv: string[]): Promise<[number, string, string | undefined]> {
  const { code, out, err } = await as(who, ...argv, "--json");
  expect(out).toBe("");
  const problem = JSON.parse(err) as { code: string; field?: string };
  return [code, problem.code, problem.field];
}

const gift = (value: number, threadId: string) => world.judged({ tool: "send_gift", args: { value }, run: { framework: "x", threadId } });
const refund = (actionId: string, amount: number) => ({ actionId, tool: "issue_refund", args: { amount, reason: "late" } });
const plan = (threadId = "plans") => world.judged({ actions: [refund("a1", 40), refund("a2", 50), refund("a3", 60)], run: { framework: "x", threadId } });
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;

describe("a plan on the command line", () => {
  it("is edited by step, shortened and put into another order in one decision", async () => {
    const { itemId } = await plan();
    const told = await as("lead", "decide", itemId.slice(0, 12), "--drop", "a2", "--order", "a3,a1", "--edit", '{"a1/amount": 30, "a3/reason": "very late"}');
    expect(told).toMatchObject({ code: 0, out: expect.stringMatching(/^Edited\.\n {2}Policy lets the new arguments run on your word\./) });
    const after = await view(itemId);
    expect(after.actions.map((a) => [a.actionId, a.args])).toEqual([
      ["a3", { amount: 60, reason: "very late" }],
      ["a1", { amount: 30, reason: "late" }],
    ]);
    expect(after.dropped.map((a) => a.actionId)).toEqual(["a2"]);
    const { out } = await as("lead", "show", itemId);
    expect(out).toMatch(/\n {2}Step a3\n {2}amount {2}60\n {2}reason {2}very late\n {2}Step a1\n {2}amount {2}30\n/);
    expect(out).toContain("Plan of 2 steps, in this order\n  1 a3 issue_refund: ");
    expect(out).toContain("  - a2 issue_refund: dropped by a reviewer");
  });

  it("is refused by name where a step is unknown, or an order leaves one out", async () => {
    const { itemId } = await plan();
    expect(await refused("lead", "decide", itemId, "--drop", "a9")).toEqual([3, "request_invalid", expect.any(String)]);
    expect(await refused("lead", "decide", itemId, "--order", "a1")).toEqual([3, "request_invalid", expect.any(String)]);
    expect(await refused("lead", "decide", itemId, "--edit", '{"/amount": 1}')).toEqual([2, "usage", "--action"]);
    expect(await refused("lead", "decide", itemId, "--edit", '{"a9/amount": 1}')).toEqual([2, "usage", "--action"]);
    expect(await refused("lead", "decide", itemId, "--approve", "--drop", "a1")).toEqual([2, "usage", "--drop"]);
    expect((await view(itemId)).stage).toBe("pending");
  });

  it("is rejected with the steps that were the reason, which the model is told", async () => {
    const { itemId } = await plan();
    expect(await refused("lead", "decide", itemId, "--reject", "--step", "a7")).toEqual([3, "request_invalid", "/steps/0"]);
    expect(await refused("lead", "decide", itemId, "--approve", "--step", "a2")).toEqual([2, "usage", "--step"]);
    const { item } = await json<DecisionAnswer>("lead", "decide", itemId, "--reject", "--step", "a2,a3", "--message", "Too much");
    expect(item.decision?.kind).toBe("reject");
    const told = await as("agent", "outcome", itemId, "--wait", "20");
    expect(told.code).toBe(3);
    expect(told.out).toMatch(/a2 .*a3 .*Too much|Too much.*a2.*a3/s);
  });
});

describe("a rejected branch on the command line", () => {
  it("names what it reached in the run, and what had started already", async () => {
    const [rejected, pending] = [await gift(1, "branch-1"), await gift(2, "branch-1")];
    const running = await world.granted({ tool: "add_note", args: { text: "x" }, run: { framework: "x", threadId: "branch-1" } });
    await world.receipt("executor", running.itemId, { grant: running.grant.id, kind: "started", argsSha256: running.grant.actions[0]?.argsSha256 });
    const { code, out } = await as("lead", "decide", rejected.itemId, "--reject", "--branch", "--message", "Wrong customer");
    expect(code).toBe(0);
    expect(out).toContain(`  Withdrawn with it: ${pending.itemId.slice(0, 8)}\n  Had started already, and goes on: ${running.itemId.slice(0, 8)}\n`);
    const alone = await gift(3, "branch-2");
    expect((await as("lead", "decide", alone.itemId, "--reject", "--branch")).out).toContain("Nothing else of the run was open.");
    const [other, second] = [await gift(4, "branch-3"), await gift(5, "branch-3")];
    const answer = await json<DecisionAnswer>("lead", "decide", other.itemId, "--reject", "--branch");
    expect(answer.branch).toEqual({ withdrawn: [second.itemId], revoked: [], withheld: [], running: [], open: [] });
  });

  it("needs a run, and a rejection", async () => {
    const { itemId } = await world.judged({ tool: "send_gift", args: { value: 1 } });
    expect(await refused("lead", "decide", itemId, "--reject", "--branch")).toEqual([3, "request_invalid", "/scope"]);
    expect(await refused("lead", "decide", itemId, "--approve", "--branch")).toEqual([2, "usage", "--branch"]);
  });
});

describe("a claim of somebody else on the command line", () => {
  it("keeps others out; with the role takeover it is taken over, and both stand in the timeline", async () => {
    const { itemId } = await gift(6, "claims");
    expect(await as("lead", "decide", itemId, "--claim", "--minutes", "5")).toMatchObject({ code: 0, out: expect.stringMatching(/^Claimed\./) });
    expect((await as("lead2", "queue")).out).toContain("carol");
    expect((await refused("lead2", "decide", itemId, "--approve")).slice(0, 2)).toEqual([3, "claimed"]);
    expect(await refused("lead2", "decide", itemId, "--approve", "--take-over")).toEqual([3, "not_entitled", "authorization"]);
    expect(await refused("boss", "decide", itemId, "--settle", "failed", "--take-over")).toEqual([2, "usage", "--take-over"]);
    const { item } = await json<DecisionAnswer>("boss", "decide", itemId, "--approve", "--take-over");
    const decisions = item.timeline.filter((e) => e.topic === "decisions").map((e) => [e.what, e.actor, e.status]);
    expect(decisions.slice(0, 3)).toEqual([
      ["claim", "person:carol", "effective"],
      ["claim", "person:bea", "effective"],
      ["approve", "person:bea", "effective"],
    ]);
  });
});

describe("standing approvals on the command line", () => {
  it("are given with an approval, listed with what was used, and revoked", async () => {
    expect((await as("lead", "standing", "list")).out).toBe("There are no standing approvals.\n");
    const { itemId } = await gift(10, "standing-1");
    const given = await as("lead", "decide", itemId, "--approve", "--standing", "run", "--max", "3", "--up-to", "40", "--for", "PT1H");
    expect(given).toMatchObject({ code: 0, out: expect.stringMatching(/^Approved\./) });
    const alike = await gift(15, "standing-1");
    expect(alike.route).toBe("allow");
    const [one] = lines<StandingView>((await as("lead", "standing", "list", "--json")).out);
    expect(one).toMatchObject({ itemId, by: "carol", max: 3, amount: "40", used: [alike.itemId], inForce: true, scope: { thread: "standing-1" } });
    const listed = await as("lead", "standing", "list");
    expect(listed.out).toContain("send_gift of support-bot in run standing-1, given by carol");
    expect(listed.out).toContain(`1 of 3 used, 15 of 40; until`);
    expect((await as("lead", "show", alike.itemId)).out).toContain(`let run by the standing approval`);
    const id = one?.eventId ?? "";
    expect(await refused("intern", "standing", "revoke", id)).toEqual([3, "not_entitled", expect.anything()]);
    expect(await as("lead", "standing", "revoke", id, "--reason", "Wrong customer")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Revoked: send_gift/),
    });
    expect((await as("lead", "standing", "list")).out).toBe("There are no standing approvals.\n");
    expect((await as("lead", "standing", "list", "--all")).out).toContain("revoked by carol");
    expect(await refused("lead", "standing", "revoke", "ffffffff")).toEqual([4, "not_found", "id"]);
    expect((await gift(1, "standing-1")).stage).toBe("pending");
  });

  it("need a bound, and nothing that is irreversible has one", async () => {
    const { itemId } = await gift(1, "standing-2");
    expect(await refused("lead", "decide", itemId, "--approve", "--standing", "run")).toEqual([2, "usage", "--max"]);
    expect(await refused("lead", "decide", itemId, "--approve", "--max", "3")).toEqual([2, "usage", "--max"]);
    expect(await refused("lead", "decide", itemId, "--reject", "--standing", "run", "--max", "3")).toEqual([2, "usage", "--standing"]);
    expect((await as("lead", "decide", itemId, "--approve", "--standing", "all", "--max", "3")).code).toBe(2);
    const hard = await world.judged({ tool: "issue_refund", args: { amount: 5 }, run: { framework: "x", threadId: "standing-2" } });
    expect((await refused("lead", "decide", hard.itemId, "--approve", "--standing", "run", "--max", "3")).slice(0, 2)).toEqual([3, "not_allowed"]);
  });
});

describe("halts on the command line", () => {
  it("are refused without a scope, a reason or the role, and a lift without a halt", async () => {
    expect(await refused("halter", "halt", "--reason", "x")).toEqual([2, "usage", "--all"]);
    expect(await refused("halter", "halt", "--all", "--agent", "a", "--reason", "x")).toEqual([2, "usage", "--all"]);
    expect(await refused("halter", "halt", "--all")).toEqual([2, "usage", "--reason"]);
    expect((await refused("halter", "halt", "--all", "--reason", "x", "--for", "soon"))[0]).toBe(2);
    expect((await refused("lead", "halt", "--all", "--reason", "x")).slice(0, 2)).toEqual([3, "not_entitled"]);
    expect((await refused("agent", "halt", "--all", "--reason", "x")).slice(0, 2)).toEqual([3, "forbidden"]);
    expect((await refused("halter", "lift", "--all")).slice(0, 2)).toEqual([4, "not_found"]);
  });

  it("stop what has not begun, print what had, are listed with their reach and end, and are lifted one or all", async () => {
    const running = await world.granted({ tool: "add_note", args: { text: "runs" } });
    await world.receipt("executor", running.itemId, { grant: running.grant.id, kind: "started", argsSha256: running.grant.actions[0]?.argsSha256 });
    const waiting = await world.granted({ tool: "add_note", args: { text: "waits" } });
    const { code, out } = await as("halter", "halt", "--action", "add_note", "--reason", "Wrong notes", "--for", "PT2H");
    expect(code).toBe(0);
    expect(out).toContain(running.itemId.slice(0, 8));
    expect(out).toMatch(/1 grant/);
    expect((await view(waiting.itemId)).outcome).toBe("revoked");
    const second = await json<HaltAnswer>("halter", "halt", "--agent", "other-bot", "--reason", "Looks wrong");
    expect(second).toMatchObject({ started: [], halt: { scope: { agent: "other-bot" }, expiresAt: null } });
    const listed = await as("lead", "halt", "--list");
    expect(listed.out).toContain("Wrong notes");
    expect(listed.out).toContain("other-bot");
    expect(lines((await as("lead", "halt", "--list", "--json")).out)).toHaveLength(2);
    expect((await refused("halter", "lift")).slice(0, 2)).toEqual([2, "usage"]);
    expect(await json<LiftAnswer>("halter", "lift", second.halt.eventId.slice(0, 30), "--reason", "Fixed")).toMatchObject({
      halt: { eventId: second.halt.eventId },
    });
    expect((await refused("lead", "lift", "--all")).slice(0, 2)).toEqual([3, "not_entitled"]);
    expect(await as("halter", "lift", "--all")).toMatchObject({ code: 0, out: expect.stringMatching(/^Lifted: /) });
    expect((await as("halter", "halt", "--list")).out).toMatch(/Nothing is halted/);
    const after = await until(async () => {
      const item = await world.judged({ tool: "add_note", args: { text: "again" } });
      return item.route === "allow" ? item : undefined;
    });
    expect(after.route).toBe("allow");
  });
});
