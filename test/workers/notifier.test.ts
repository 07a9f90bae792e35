import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openLocalDb } from "../../src/local/local-db.ts";
import { openWorld } from "../gateway/world.ts";
import { SILENT, until } from "../notify/endpoints.ts";
import { clock, closing, folders, hook, idle, item, kept, noticesOf, POLICY, refund, routed, start, world } from "./notifying.ts";

describe("the notifier", () => {
  it("tells of what interrupts, once, and of nothing that flows or waits for a batch", async () => {
    const [on, inbox] = [await world(), await hook()];
    const { deliveries } = start(on, kept(), routed(inbox.url));
    await on.judged({ tool: "add_note", args: { text: "hello" } });
    await on.judged({ tool: "set_plan", args: { plan: "pro" } });
    const { itemId } = await on.judged(refund());
    await inbox.seen(1);
    // Claimed and given back: events of the item that are nothing new to its owner.
    await on.decide("lead", await item(on, itemId), { kind: "claim" });
    await on.decide("lead", await item(on, itemId), { kind: "release" });
    await idle();
    expect(noticesOf(inbox.got)).toMatchObject([{ kind: "decide", items: [itemId], owner: "role:support-lead", risk: "high", tools: ["issue_refund"] }]);
    expect(deliveries.list()).toMatchObject([{ state: "sent", attempts: 1, answer: "200", channel: "hook" }]);
  });

  it("tells once of a whole batch, and not of its members; nothing more comes while a member of it still waits", async () => {
    const [on, inbox] = [await world(), await hook()];
    const { deliveries } = start(on, kept(), routed(inbox.url));
    const items = [];
    for (const plan of ["a", "b", "c"]) items.push((await on.judged({ tool: "set_plan", args: { plan } })).itemId);
    await inbox.seen(1);
    const [notice] = noticesOf(inbox.got);
    expect({ ...notice, items: new Set(notice?.items) }).toMatchObject({ kind: "batch", items: new Set(items), risk: "medium", owner: "role:support-lead" });
    for (const itemId of items.slice(1)) expect(await on.decide("lead", await item(on, itemId), { kind: "approve" })).toMatchObject({ status: 200 });
    await idle();
    expect(deliveries.open().map(({ key }) => key)).toEqual([`batch/${(notice as { batchId?: string }).batchId}`]);
    expect(await on.decide("lead", await item(on, items[0] as string), { kind: "approve" })).toMatchObject({ status: 200 });
    await until(() => (deliveries.open().length === 0 ? true : undefined));
    expect(inbox.got).toHaveLength(1);
  });

  it("tells of what leaves its batch because it is escalated", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook()];
    start(on, kept(), routed(inbox.url));
    const { itemId } = await on.judged({ tool: "set_plan", args: { plan: "pro" } });
    time.turn(31 * 60_000);
    await inbox.seen(1);
    time.turn(90 * 60_000);
    await inbox.seen(2);
    expect(noticesOf(inbox.got)).toMatchObject([
      { kind: "batch", items: [itemId], owner: "role:support-lead" },
      { kind: "decide", items: [itemId], owner: "role:oncall", step: 1 },
    ]);
  });

  it("tells of a retry that no executor starts once its time is over, though nothing happens then, and also where it starts only afterwards", async () => {
    const time = clock();
    const [on, inbox, second] = [await world({ now: time.now }), await hook(), await hook()];
    start(on, kept(), routed(inbox.url));
    const { itemId, grant } = await on.granted({ tool: "add_note", args: { text: "hello" } });
    const base = { actionId: grant.actions[0]?.actionId, argsSha256: grant.actions[0]?.argsSha256 };
    expect(await on.receipt("executor", itemId, { ...base, grant: grant.id, kind: "started" })).toMatchObject({ status: 200 });
    time.turn(3 * 60_000);
    await inbox.seen(1);
    expect(await on.decide("lead", await item(on, itemId), { kind: "settle", settlement: { outcome: "retry" } })).toMatchObject({ status: 200 });
    const retry = await until(async () => {
      const { awaitsStart, grant: again } = await item(on, itemId);
      return awaitsStart === null ? undefined : again?.id;
    });
    time.turn(59 * 60_000);
    await idle();
    expect(inbox.got).toHaveLength(1);
    time.turn(60_000);
    await inbox.seen(2);
    expect(noticesOf(inbox.got)).toMatchObject([
      { kind: "doubt", items: [itemId] },
      { kind: "unstarted", items: [itemId], owner: "role:support-lead" },
    ]);
    const { deliveries } = start(on, kept(), routed(second.url));
    await second.seen(1);
    expect(noticesOf(second.got)).toMatchObject([{ kind: "unstarted", items: [itemId] }]);
    expect(await on.receipt("executor", itemId, { ...base, grant: retry, kind: "started" })).toMatchObject({ status: 200 });
    await until(() => (deliveries.open().length === 0 ? true : undefined));
  });

  it("tells of what ran at low risk only when the ladder calls", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook()];
    start(on, kept(), routed(inbox.url));
    const { itemId } = await on.judged({ tool: "tag_order", args: { tag: "late" } });
    await idle();
    expect(inbox.got).toEqual([]);
    time.turn(11 * 60_000);
    await inbox.seen(1);
    expect(noticesOf(inbox.got)).toMatchObject([{ kind: "review", items: [itemId], step: 1 }]);
  });

  it("sends nothing that the agent wrote into arguments, question or tool name", async () => {
    const [on, inbox] = [await world(), await hook()];
    start(on, kept(), routed(inbox.url));
    await on.judged({ tool: "issue_refund", args: { amount: 987654, to: "jo.smith@example.com" } });
    await on.judged({ ask: "question", question: "May I call jo.smith@example.com?" });
    await on.judged({ tool: "mail jo.smith@example.com", args: { to: "jo.smith@example.com" } });
    const got = await inbox.seen(3);
    expect(got.map(({ body }) => body).join("\n")).not.toMatch(/smith|987654/);
    expect(noticesOf(got).map(({ kind }) => kind)).toEqual(["decide", "decide", "decide"]);
  });

  it("tells nobody twice after a restart, after a rebuild of the views, or where two run at once", async () => {
    const inbox = await hook();
    const local = kept();
    const first = await openWorld({ policy: POLICY });
    folders.push(first.dir);
    const before = start(first, local, routed(inbox.url));
    const second = start(first, local, routed(inbox.url));
    const items = [await first.judged(refund()), await first.judged(refund("b@example.com"))].map(({ itemId }) => itemId);
    await inbox.seen(2);
    await before.running.stop();
    await second.running.stop();
    await first.close({ keep: true });
    // Views thrown away: the fold finds everything anew.
    for (const name of ["views.db", "views.db-wal", "views.db-shm"]) rmSync(join(first.dir, name), { force: true });
    const again = await world({ dir: first.dir, key: first.key });
    const { deliveries } = start(again, local, routed(inbox.url));
    const { itemId } = await again.judged(refund("c@example.com"));
    await inbox.seen(3);
    await idle();
    expect(noticesOf(inbox.got).map((n) => n.items[0])).toEqual([...items, itemId]);
    expect(deliveries.list().map(({ state, attempts }) => [state, attempts])).toEqual(Array(3).fill(["sent", 1]));
  });

  it("tells of what waits where a route was forgotten, once there is one", async () => {
    const [on, inbox] = [await world(), await hook()];
    const local = kept();
    const without = start(on, local, routed(inbox.url, ", owner: role:somebody-else"));
    const { itemId } = await on.judged(refund());
    await idle();
    expect(without.deliveries.list()).toEqual([]);
    await without.running.stop();
    start(on, local, routed(inbox.url));
    await inbox.seen(1);
    expect(noticesOf(inbox.got)).toMatchObject([{ items: [itemId] }]);
  });

  it("tells what waited already when it is started for the first time: more than a few in one message", async () => {
    const [on, inbox] = [await world(), await hook()];
    const waiting = [];
    for (const to of ["a@x.com", "b@x.com", "c@x.com", "d@x.com", "e@x.com"]) waiting.push((await on.judged(refund(to))).itemId);
    start(on, kept(), routed(inbox.url));
    await inbox.seen(1);
    await idle();
    expect(inbox.got).toHaveLength(1);
    expect(new Set(noticesOf(inbox.got).map((n) => n.items[0]))).toEqual(new Set(waiting));
  });

  it("tries again where a channel fails, under the same id, and says so; the ledger goes on meanwhile", async () => {
    const [on, inbox] = [await world(), await hook({ status: 503 }, SILENT, { status: 200 })];
    const { deliveries, troubles } = start(on, kept(), routed(inbox.url));
    const one = await on.judged(refund());
    await inbox.seen(1);
    await until(() => deliveries.list({ failed: true })[0]);
    expect((await on.judged({ tool: "add_note", args: { text: "x" } })).stage).not.toBe("proposed");
    await inbox.seen(3);
    await until(() => (deliveries.list()[0]?.state === "sent" ? true : undefined));
    expect(deliveries.list()).toMatchObject([{ key: expect.stringContaining(one.itemId), attempts: 3, state: "sent" }]);
    expect(new Set(inbox.got.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(troubles).toEqual(["Channel hook: answered 503", "Channel hook: no answer: it took too long"]);
    expect(deliveries.list({ failed: true })).toEqual([]);
  });

  it("leaves a channel alone that fails, and sends what came meanwhile as one message once it is well", async () => {
    const [on, inbox] = [await world(), await hook({ status: 503, headers: { "retry-after": "1" } }, { status: 200 })];
    start(on, kept(), routed(inbox.url));
    const items = [(await on.judged(refund())).itemId];
    await inbox.seen(1);
    for (const to of ["b@x.com", "c@x.com", "d@x.com", "e@x.com"]) items.push((await on.judged(refund(to))).itemId);
    await inbox.seen(3);
    await idle();
    expect(inbox.got.map((request) => noticesOf([request]).length).sort()).toEqual([1, 1, 4]);
    expect(new Set(noticesOf(inbox.got).map((n) => n.items[0]))).toEqual(new Set(items));
  });

  it("says of a batch that is sent late what waits of it then", async () => {
    const [on, inbox] = [await world(), await hook({ status: 503, headers: { "retry-after": "2" } }, { status: 200 })];
    const { deliveries } = start(on, kept(), routed(inbox.url));
    const items: string[] = [];
    for (const plan of ["a", "b", "c"]) items.push((await on.judged({ tool: "set_plan", args: { plan } })).itemId);
    await inbox.seen(1);
    for (const itemId of items.slice(1)) expect(await on.decide("lead", await item(on, itemId), { kind: "approve" })).toMatchObject({ status: 200 });
    expect(inbox.got).toHaveLength(1);
    await inbox.seen(2);
    await until(() => (deliveries.list()[0]?.state === "sent" ? true : undefined));
    const told = inbox.got.map(({ body }) => (JSON.parse(body) as { data: { subject: string } }).data.subject);
    expect(told).toEqual(["3 of set_plan wait together for support-lead", "1 of set_plan waits for support-lead, in its batch"]);
    expect(noticesOf(inbox.got).map((notice) => notice.items.length)).toEqual([3, 1]);
  });

  it("drops what was decided before it could be sent", async () => {
    const [on, inbox] = [await world(), await hook({ status: 500 })];
    const { deliveries } = start(on, kept(), routed(inbox.url));
    const { itemId } = await on.judged(refund());
    await inbox.seen(1);
    await on.decide("lead", await item(on, itemId), { kind: "reject", message: "no" });
    const [delivery] = await until(() => (deliveries.list()[0]?.state === "dropped" ? deliveries.list() : undefined));
    expect(delivery?.state).toBe("dropped");
    const sent = inbox.got.length;
    await idle();
    expect(inbox.got).toHaveLength(sent);
  });

  it("names a message alike on two machines that know nothing of each other", async () => {
    const [on, inbox] = [await world(), await hook()];
    for (const local of [kept(), kept()]) start(on, local, routed(inbox.url));
    await on.judged(refund());
    const [one, two] = await inbox.seen(2);
    expect(one?.headers["webhook-id"]).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(two?.headers["webhook-id"]).toBe(one?.headers["webhook-id"]);
  });

  it("gathers what may wait into a digest, and lets through what would be over before it comes", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook()];
    const yaml = routed(inbox.url).replace("notify: [hook]", "notify: [{ to: hook, digest: daily }]");
    const { deliveries } = start(on, kept(), yaml);
    // Until the end of its time there are ten minutes: tomorrow's digest would come too late.
    const soon = await on.judged(refund());
    await inbox.seen(1);
    // What is held has no deadline any more, so it can wait for the digest.
    time.turn(11 * 60_000);
    await until(async () => ((await item(on, soon.itemId)).step === 1 ? true : undefined));
    time.turn(10 * 60_000);
    await until(async () => ((await item(on, soon.itemId)).held ? true : undefined));
    const due = await until(() => deliveries.list().find(({ kind, state }) => kind === "held" && state === "due"));
    expect(due.due).toBeGreaterThan(time.now());
    expect(noticesOf(inbox.got).filter(({ kind }) => kind === "held")).toEqual([]);
    time.turn(due.due - time.now() + 1000);
    await until(() => noticesOf(inbox.got).find(({ kind }) => kind === "held"));
  });

  it("does not make the ledger wait for a local.db that somebody else holds", async () => {
    const [on, inbox] = [await world(), await hook()];
    const folder = mkdtempSync(join(tmpdir(), "countersign-notifier-"));
    folders.push(folder);
    const [local, other] = [openLocalDb(folder, 100), openLocalDb(folder)];
    closing.push(async () => [local, other].map((db) => db.close()));
    const { troubles } = start(on, local, routed(inbox.url));
    await idle();
    other.db.exec("BEGIN IMMEDIATE");
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const { itemId } = await on.judged(refund());
    await until(() => (troubles.some((text) => text.includes("locked")) ? true : undefined));
    clearInterval(ticking);
    // Without patience of its own it would be five seconds.
    expect(longest).toBeLessThan(2500);
    other.db.exec("ROLLBACK");
    await inbox.seen(1);
    expect(noticesOf(inbox.got)).toMatchObject([{ items: [itemId] }]);
  });

  it("does not end, and does not stop the ledger, where its own file cannot be written", async () => {
    const [on, inbox] = [await world(), await hook()];
    const local = kept();
    const { troubles } = start(on, local, routed(inbox.url));
    await idle();
    local.db.exec("ALTER TABLE notice RENAME TO elsewhere");
    const { itemId } = await on.judged(refund());
    await until(() => (troubles.length > 0 ? true : undefined));
    expect(await on.decide("lead", await item(on, itemId), { kind: "claim" })).toMatchObject({ status: 200 });
    local.db.exec("ALTER TABLE elsewhere RENAME TO notice");
    await inbox.seen(1);
    expect(noticesOf(inbox.got)).toMatchObject([{ items: [itemId] }]);
  });
});
