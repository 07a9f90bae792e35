import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

let serial = 0;
const run = (threadId: string) => ({ run: { threadId } });
const refund = (more: object = {}) => world.judged({ tool: "issue_refund", args: { amount: 20 }, ...more });
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const done = (itemId: string) => until(async () => ((await view(itemId)).stage === "done" ? view(itemId) : undefined));
const withdraw = (itemId: string, who = "agent") =>
  world.call<{ item: ItemView; code?: string; status?: unknown }>(who, "POST", `/v1/items/${itemId}/decisions`, { kind: "withdraw" });
const outcome = async (itemId: string) =>
  (await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;
const start = ({ itemId, grant }: Awaited<ReturnType<World["granted"]>>) =>
  world.receipt("executor", itemId, { grant: grant.id, kind: "started", argsSha256: grant.actions[0]?.argsSha256 });
const propose = (body: object) =>
  world.call<{ itemId: string; code?: string; detail?: string }>("agent", "POST", "/v1/proposals", {
    idempotencyKey: `w-${serial++}`,
    tool: "issue_refund",
    args: { amount: 3 },
    ...body,
  });

test("the rejection of a branch withdraws what is pending in the run and takes back its unstarted grants, each by its own event", async () => {
  const rejected = await refund(run("t1"));
  const pending = await refund(run("t1"));
  const elsewhere = await refund(run("t2"));
  const granted = await world.granted({ tool: "add_note", args: { text: "x" }, ...run("t1") });
  const running = await world.granted({ tool: "add_note", args: { text: "y" }, ...run("t1") });
  await start(running);
  const { status, body } = await world.decide("lead", rejected, { kind: "reject", scope: "branch", message: "Wrong customer" });
  expect([status, body.branch]).toEqual([200, { withdrawn: [pending.itemId], revoked: [granted.itemId], withheld: [], running: [running.itemId], open: [] }]);
  expect(await done(pending.itemId)).toMatchObject({ outcome: "withdrawn", decision: { kind: "withdraw", by: "clock:timekeeper" } });
  expect(await outcome(pending.itemId)).toMatchObject({ status: "withdrawn", message: `The branch was rejected with item ${rejected.itemId}: Wrong customer` });
  expect(await done(granted.itemId)).toMatchObject({ outcome: "revoked" });
  expect((await outcome(granted.itemId)).message).toContain("Wrong customer");
  expect((await start(granted)).status).toBe(409);
  expect((await view(running.itemId)).stage).toBe("executing");
  expect((await view(elsewhere.itemId)).stage).toBe("pending");
  // The run goes on: what it proposes after the rejection is another matter.
  expect((await refund(run("t1"))).stage).toBe("pending");
});

test("the rejection of a branch stays within the agent: another one's run with the same thread id goes on", async () => {
  const rejected = await refund(run("shared"));
  const own = await refund(run("shared"));
  const other = await world.judged({ tool: "issue_refund", args: { amount: 20 }, ...run("shared") }, "otherAgent");
  const { body } = await world.decide("lead", rejected, { kind: "reject", scope: "branch" });
  expect(body.branch).toMatchObject({ withdrawn: [own.itemId], revoked: [], withheld: [], running: [], open: [] });
  expect((await view(other.itemId)).stage).toBe("pending");
  expect((await world.decide("lead", other, { kind: "approve" })).status).toBe(200);
  const { body: answer } = await world.call<OutcomeAnswer>("otherAgent", "GET", `/v1/items/${other.itemId}/outcome`, undefined, { prefer: "wait=10" });
  expect(answer.status).toBe("proceed");
});

test("a rejected branch reaches what was still being judged, and what was approved on its way to a grant", async () => {
  const rejected = await refund(run("t3"));
  const { body } = await propose(run("t3"));
  await world.decide("lead", rejected, { kind: "reject", scope: "branch" });
  expect(["withdrawn", "withheld", "revoked"]).toContain((await done(body.itemId)).outcome);
});

test("a rejection of an action leaves the rest of its run alone", async () => {
  const rejected = await refund(run("t4"));
  const other = await refund(run("t4"));
  await world.decide("lead", rejected, { kind: "reject" });
  await done(rejected.itemId);
  expect((await view(other.itemId)).stage).toBe("pending");
});

test("an agent withdraws what is pending; what is granted is taken back; what has started is not", async () => {
  const pending = await refund();
  expect(await withdraw(pending.itemId)).toMatchObject({ status: 200, body: { status: "effective" } });
  expect((await done(pending.itemId)).outcome).toBe("withdrawn");
  const granted = await world.granted();
  expect(await withdraw(granted.itemId)).toMatchObject({ status: 200, body: { status: "superseded", item: { outcome: "revoked" } } });
  expect((await outcome(granted.itemId)).message).toContain("withdrew");
  expect((await start(granted)).status).toBe(409);
  const running = await world.granted();
  await start(running);
  expect(await withdraw(running.itemId)).toMatchObject({ status: 409, body: { code: "settled" } });
  expect((await view(running.itemId)).stage).toBe("executing");
});

test("a withdrawal before the verdict waits for it, and is refused as not_judged_yet when none comes", async () => {
  const quiet = await openWorld({ workers: false });
  try {
    const { body } = await quiet.call<{ itemId: string }>("agent", "POST", "/v1/proposals", { idempotencyKey: "k", tool: "issue_refund", args: { amount: 1 } });
    const from = performance.now();
    const answer = await quiet.call("agent", "POST", `/v1/items/${body.itemId}/decisions`, { kind: "withdraw" });
    expect(answer).toMatchObject({ status: 409, body: { code: "not_judged_yet", retryable: true } });
    expect(performance.now() - from).toBeGreaterThan(1000);
  } finally {
    await quiet.close();
  }
  const { body } = await propose({});
  expect((await withdraw(body.itemId)).status).toBe(200);
});

test("a proposal that replaces another withdraws it first, and is judged only after that", async () => {
  const old = await refund();
  const { status, body } = await propose({ retryOf: old.itemId, replaces: true });
  expect(status).toBe(201);
  const replaced = await done(old.itemId);
  expect(replaced.outcome).toBe("withdrawn");
  const next = await until(async () => ((await view(body.itemId)).stage === "pending" ? view(body.itemId) : undefined));
  expect(next.verdict?.error).toBeNull();
  const granted = await world.granted();
  expect((await propose({ retryOf: granted.itemId, replaces: true })).status).toBe(201);
  expect((await view(granted.itemId)).outcome).toBe("revoked");
});

test("what runs or has run is not replaced", async () => {
  const running = await world.granted();
  await start(running);
  expect((await propose({ retryOf: running.itemId, replaces: true })).body).toMatchObject({ code: "conflict", detail: expect.stringContaining("executing") });
  await world.receipt("executor", running.itemId, { grant: running.grant.id, kind: "succeeded", argsSha256: running.grant.actions[0]?.argsSha256 });
  expect((await propose({ retryOf: running.itemId, replaces: true })).body).toMatchObject({ code: "conflict", detail: expect.stringContaining("succeeded") });
});

test("straight from the log: a proposal whose predecessor still runs waits for its end, and then for a person", async () => {
  const { ledger } = world;
  const running = await world.granted();
  await start(running);
  const template = (await ledger.events.get(running.itemId, "proposals", (await view(running.itemId)).timeline[0]?.eventId as string))!;
  const itemId = itemIdOf("default", "support-bot", "direct-1");
  const { eventId: _id, itemId: _item, occurredAt: _at, ...body } = template;
  const { position } = await ledger.write("proposals", itemId, { ...body, idempotencyKey: "direct-1", retryOf: running.itemId, replaces: true });
  await ledger.waitFor([position]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await view(itemId)).stage).toBe("proposed");
  await world.receipt("executor", running.itemId, { grant: running.grant.id, kind: "succeeded", argsSha256: running.grant.actions[0]?.argsSha256 });
  const judged = await until(async () => ((await view(itemId)).stage === "pending" ? view(itemId) : undefined));
  expect(judged.verdict?.error).toMatchObject({ code: "not_replaced", message: expect.stringContaining("ended as succeeded") });
});

test("only the executor that started an action ends or renews it", async () => {
  const granted = await world.granted();
  await start(granted);
  const base = { grant: granted.grant.id, argsSha256: granted.grant.actions[0]?.argsSha256 };
  for (const kind of ["renewed", "succeeded"])
    expect(await world.receipt("executor2", granted.itemId, { ...base, kind })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect((await world.receipt("executor", granted.itemId, { ...base, kind: "succeeded" })).status).toBe(200);
});

test("a withdrawal that an edit came before takes back what the edit leads to, without a restart", async () => {
  const item = await refund();
  const { args, argsSha256 } = canonicalArgs({ amount: 19 });
  const base = { workspace: "default", answers: { topic: "verdicts", eventId: item.verdict?.eventId as string }, scope: "action" } as const;
  const lead = { kind: "person", id: "carol", roles: ["support-lead"] } as const;
  const { ledger } = world;
  await Promise.all([
    ledger.write("decisions", item.itemId, {
      ...base,
      actor: lead,
      kind: "edit",
      edits: [{ actionId: "a1", args, argsSha256 }],
      seen: { cardSha256: item.cardSha256 },
    }),
    ledger.write("decisions", item.itemId, { ...base, actor: { kind: "agent", id: "support-bot" }, kind: "withdraw" }),
  ]);
  const { timeline, outcome: how } = await done(item.itemId);
  expect(timeline.find((e) => e.what === "withdraw")).toMatchObject({ status: "superseded" });
  expect(how).toBe("revoked");
});

const note = () => world.granted({ tool: "add_note", args: { text: "x" } });

test("what flows is withdrawn only until it is started: the agent is told so, and never finds running what was answered as withdrawn", async () => {
  const running = await note();
  await start(running);
  expect(await withdraw(running.itemId)).toMatchObject({ status: 409, body: { code: "settled", detail: expect.stringContaining("started before") } });
  const unstarted = await note();
  expect(await withdraw(unstarted.itemId)).toMatchObject({ status: 200, body: { item: { outcome: "revoked" } } });
  const counts = { withdrawn: 0, started: 0 };
  for (let i = 0; i < 12; i++) {
    const granted = await note();
    const [taken, started] = await Promise.all([withdraw(granted.itemId), start(granted)]);
    expect([taken.status, started.status].sort(), JSON.stringify([taken.body, started.body])).toEqual([200, 409]);
    expect((await view(granted.itemId)).stage).toBe(taken.status === 200 ? "done" : "executing");
    counts[taken.status === 200 ? "withdrawn" : "started"]++;
  }
  expect(counts.withdrawn + counts.started).toBe(12);
});

test("a withdrawal that races an approval says what became of the item: withdrawn, or not granted, or taken back before anybody started it", async () => {
  for (let i = 0; i < 12; i++) {
    const item = await refund();
    const [approved, taken] = await Promise.all([world.decide("lead", item, { kind: "approve" }), withdraw(item.itemId)]);
    expect(taken.status, JSON.stringify(taken.body)).toBe(200);
    expect(approved.status === 200 ? ["revoked", "withheld"] : ["withdrawn"]).toContain((await done(item.itemId)).outcome);
  }
});

test("a proposal that replaces what is approved at the same moment goes through where the old one is gone", async () => {
  for (let i = 0; i < 6; i++) {
    const old = await refund();
    const [, next] = await Promise.all([world.decide("lead", old, { kind: "approve" }), propose({ retryOf: old.itemId, replaces: true })]);
    expect(next.status, JSON.stringify(next.body)).toBe(201);
    expect(["revoked", "withheld", "withdrawn"]).toContain((await done(old.itemId)).outcome);
  }
});

test.each([
  ["was approved", "issue_refund", { amount: 5 }],
  ["flows", "add_note", { text: "x" }],
])("between two steps of a plan that %s, what is left of it is taken back; while a step runs it is not", async (_how, tool, args) => {
  const actions = [1, 2, 3].map((n) => ({ actionId: `a${n}`, tool, args }));
  const plan = await world.granted({ actions });
  const receipt = (kind: string, n: number) =>
    world.receipt("executor", plan.itemId, { grant: plan.grant.id, kind, actionId: `a${n}`, argsSha256: plan.grant.actions[n - 1]?.argsSha256 });
  expect((await receipt("started", 1)).status).toBe(200);
  expect(await withdraw(plan.itemId)).toMatchObject({ status: 409, body: { code: "settled" } });
  expect((await receipt("succeeded", 1)).status).toBe(200);
  expect((await withdraw(plan.itemId)).status).toBe(200);
  expect((await receipt("started", 2)).status).toBe(409);
  expect((await view(plan.itemId)).stage).toBe("done");
});
