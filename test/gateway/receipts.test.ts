import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

const view = async (itemId: string) => (await w.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const OTHER_HASH = "f".repeat(64);

async function fresh(request?: Record<string, unknown>) {
  const { itemId, grant } = await w.granted(request);
  const argsSha256 = grant.actions[0]?.argsSha256 as string;
  const say = (request: Record<string, unknown>, who = "executor") => w.receipt(who, itemId, { grant: grant.id, argsSha256, ...request });
  return { itemId, grant, argsSha256, say };
}

describe("POST /v1/items/{id}/receipts", () => {
  it("starts, renews and ends an execution, and the item is done", async () => {
    const { itemId, say } = await fresh();
    const started = await say({ kind: "started" });
    expect(started.body).toMatchObject({ status: "effective", item: { stage: "executing" }, lease: { id: expect.any(String) } });
    expect((started.body.lease as { endsAt: number }).endsAt).toBeGreaterThan(Date.now() + 100_000);
    const renewed = await say({ kind: "renewed" });
    expect((renewed.body.lease as { id: string }).id).not.toBe((started.body.lease as { id: string }).id);
    const ended = await say({ kind: "succeeded", result: { paid: true }, externalRef: { system: "psp", id: "re_1" } });
    expect(ended.body).toMatchObject({ status: "effective", findings: [], item: { stage: "done", outcome: "succeeded" } });
    expect((await view(itemId)).receipts).toMatchObject([
      { kind: "succeeded", result: { paid: true }, externalRef: { system: "psp", id: "re_1" }, actor: "executor:worker-1" },
    ]);
  });

  it("lets one of two executors that start at once act, and tells the other who was first", async () => {
    const { say } = await fresh();
    const answers = await Promise.all([say({ kind: "started" }, "executor"), say({ kind: "started" }, "executor2")]);
    expect(answers.map((a) => a.status).sort()).toEqual([200, 409]);
    const [won, lost] = answers[0]?.status === 200 ? ["worker-1", answers[1]] : ["worker-2", answers[0]];
    expect(lost?.body).toMatchObject({ code: "already_started", detail: expect.stringContaining(`executor:${won}`) });
  });

  it("knows a start again by its event id while its lease stands, and never after", async () => {
    const { say } = await fresh({ tool: "sync_crm", args: { id: 1 } });
    const eventId = "01a1fdee-0000-7000-8000-000000000011";
    const first = await say({ kind: "started", eventId });
    const again = await say({ kind: "started", eventId });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body.lease).toEqual(first.body.lease);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const late = await say({ kind: "started", eventId });
    expect([late.status, late.body.code]).toEqual([409, "late"]);
    expect((await say({ kind: "started", eventId }, "executor2")).body).toMatchObject({ code: "conflict" });
  });

  it("answers no other receipt with an event id that is used: nothing that it says has happened", async () => {
    const { itemId, say } = await fresh();
    const eventId = "01a1fdee-0000-7000-8000-000000000012";
    expect((await say({ kind: "started", eventId })).status).toBe(200);
    for (const other of [{ argsSha256: OTHER_HASH }, { actionId: "zzz" }])
      expect((await say({ kind: "started", eventId, ...other })).body).toMatchObject({ code: "conflict", field: "eventId" });
    const end = { kind: "succeeded", eventId: "01a1fdee-0000-7000-8000-000000000013", result: { paid: [1, null] }, externalRef: { system: "psp", id: "re_1" } };
    const ended = await say(end);
    expect((await say(end)).body).toMatchObject({ status: "effective", position: ended.body.position });
    for (const other of [
      { result: { paid: [2] } },
      { externalRef: { system: "psp", id: "re_2" } },
      { kind: "failed", error: { code: "x", message: "y" }, result: undefined },
    ])
      expect((await say({ ...end, ...other })).body).toMatchObject({ code: "conflict" });
    expect((await view(itemId)).receipts).toMatchObject([{ kind: "succeeded", result: { paid: [1, null] } }]);
  });

  it("records a success that comes after the lease ran out as a finding, and says that it is late", async () => {
    const { itemId, say } = await fresh({ tool: "sync_crm", args: { id: 2 } });
    await say({ kind: "started" });
    await until(async () => ((await view(itemId)).stage === "in_doubt" ? true : undefined));
    const late = await say({ kind: "succeeded" });
    expect([late.status, late.body.code]).toEqual([409, "late"]);
    expect((await view(itemId)).findings).toMatchObject([{ code: "late_receipt" }]);
  });

  it("records a success with other arguments than those granted as a finding", async () => {
    const { itemId, say } = await fresh();
    await say({ kind: "started" });
    const ended = await say({ kind: "succeeded", argsSha256: OTHER_HASH });
    expect(ended.body).toMatchObject({ status: "effective", findings: ["args_differ"] });
    expect((await view(itemId)).findings).toMatchObject([{ code: "args_differ" }]);
  });

  it("records a run that went on elsewhere than its checkpoint's thread as a finding", async () => {
    const { say } = await fresh({ tool: "add_note", args: { text: "x" }, run: { threadId: "thread-9f2" } });
    await say({ kind: "started" });
    expect((await say({ kind: "succeeded", resumed: { threadId: "another" } })).body).toMatchObject({ findings: ["resumed_elsewhere"] });
  });

  it("keeps a success that nobody had started as a finding, as its answer says, and the grant may still be started", async () => {
    const { itemId, say } = await fresh();
    const ended = await say({ kind: "succeeded", externalRef: { system: "psp", id: "re_9" } });
    expect(ended.body).toMatchObject({ status: 409, code: "not_running", detail: expect.stringContaining("shown as a finding") });
    expect((await view(itemId)).findings).toMatchObject([{ code: "receipt_without_start" }]);
    expect((await say({ kind: "started" })).status).toBe(200);
  });

  it("takes the word of nobody but the executor that started: another is refused, and told the way out", async () => {
    const { itemId, say } = await fresh();
    await say({ kind: "started" }, "executor");
    for (const request of [{ kind: "renewed" }, { kind: "succeeded" }, { kind: "failed", error: { code: "x", message: "y" } }])
      expect((await say(request, "executor2")).body).toMatchObject({ status: 403, code: "not_entitled", fix: expect.stringContaining("settles") });
    expect((await view(itemId)).stage).toBe("executing");
    expect((await say({ kind: "succeeded" }, "executor")).body).toMatchObject({ status: "effective" });
    expect((await say({ kind: "succeeded" }, "executor2")).body).toMatchObject({ status: 403, code: "not_entitled" });
  });

  it("ends an execution as failed with its reason", async () => {
    const { itemId, say } = await fresh();
    await say({ kind: "started" });
    expect((await say({ kind: "failed" })).body).toMatchObject({ code: "request_invalid", field: "/error" });
    expect((await say({ kind: "failed", error: { code: "declined", message: "The card was declined" } })).body).toMatchObject({
      item: { stage: "done", outcome: "failed" },
    });
    expect((await view(itemId)).receipts).toMatchObject([{ kind: "failed", error: { code: "declined" } }]);
  });

  it("refuses a start on a flagged item until the flag is cleared", async () => {
    const { itemId, say } = await fresh();
    await w.ledger.log.append([{ topic: "receipts", key: itemId, value: new Uint8Array([0, 0, 0, 0, 99]) }]);
    await until(async () => ((await view(itemId)).flagged ? true : undefined));
    expect((await say({ kind: "started" })).body).toMatchObject({ status: 409, code: "flagged" });
    const item = await view(itemId);
    expect(item.timeline.some((e) => e.topic === "receipts")).toBe(false);
    await w.decide("lead", item, { kind: "clear", cleared: item.badRecords[0]?.sha256 });
    expect((await say({ kind: "started" })).status).toBe(200);
  });

  it.each<[string, Record<string, unknown>, number, string]>([
    ["a start with other arguments than those granted", { kind: "started", argsSha256: OTHER_HASH }, 403, "not_allowed"],
    ["a start without the hash of its arguments", { kind: "started", argsSha256: undefined }, 422, "request_invalid"],
    ["a start of an action that was not granted", { kind: "started", actionId: "a9" }, 409, "no_grant"],
    ["a grant that is not the item's", { kind: "started", grant: "01a1fdee-0000-7000-8000-0000000000ff" }, 409, "no_grant"],
    ["a renewal of what does not run", { kind: "renewed" }, 409, "not_running"],
    ["a success of what was never started", { kind: "succeeded" }, 409, "not_running"],
    ["a compensation where nothing is rolled back", { kind: "compensated" }, 422, "request_invalid"],
    ["a revocation, which is the clock's", { kind: "revoked" }, 422, "request_invalid"],
    ["an unknown field", { kind: "started", lease: { id: "x", endsAt: 1 } }, 422, "request_invalid"],
    ["a result over its limit", { kind: "succeeded", result: "x".repeat(70_000) }, 413, "field_too_large"],
  ])("refuses %s", async (_what, request, status, code) => {
    const { say } = await fresh();
    const answer = await say(request);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body.fix).toBeTruthy();
  });

  it("refuses a start after the grant's time, also before the clock has lapsed it", async () => {
    let ahead = 0;
    const later = await openWorld({ now: () => Date.now() + ahead });
    try {
      const { itemId, grant } = await later.granted();
      ahead = 2 * 60 * 60 * 1000;
      const answer = await later.receipt("executor", itemId, { kind: "started", grant: grant.id, argsSha256: grant.actions[0]?.argsSha256 });
      expect([answer.status, answer.body.code]).toEqual([409, "late"]);
    } finally {
      await later.close();
    }
  });

  it("tells an outcome without a grant once nothing may run any more", async () => {
    const { itemId, say } = await fresh();
    const open = await w.call<OutcomeAnswer>("executor", "GET", `/v1/items/${itemId}/outcome`);
    expect(open.body).toMatchObject({ status: "proceed", grant: { done: 0, running: null } });
    await say({ kind: "started" });
    await say({ kind: "succeeded" });
    const closed = await w.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`);
    expect(closed.body).toMatchObject({ status: "proceed", grant: null, finalOutcome: "succeeded" });
  });
});
