import { afterAll, beforeAll, expect, test } from "vitest";
import { itemIdOf, newEventId } from "../../src/events/ids.ts";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import type { StandingsAnswer, StandingView } from "../../src/producers/wire/standing.ts";
import { openWorld, POLICY, publishPolicy, until, type World } from "./world.ts";

let world: World;
const clock = { at: Date.now() };
beforeAll(async () => {
  world = await openWorld({ now: () => clock.at });
});
afterAll(() => world.close());

let serial = 0;
const thread = () => `run-${serial++}`;
const gift = (threadId: string, value: unknown = 10, who = "agent") => world.judged({ tool: "send_gift", args: { value }, run: { threadId } }, who);
const give = (item: ItemView, standing: object, who = "lead") => world.decide(who, item, { kind: "approve", standing });
const list = async (query = "?all=true") => (await world.call<StandingsAnswer>("lead", "GET", `/v1/standing${query}`)).body.standing;
const revoke = (id: string, who = "lead") => world.call<StandingView & { code?: string }>(who, "POST", `/v1/standing/${id}/revoke`, { reason: "enough" });

test("this and alike run for this run, at most so many: the next one waits for a person again", async () => {
  const t = thread();
  const first = await gift(t);
  const { body } = await give(first, { max: 2 });
  expect(await gift(t)).toMatchObject({
    route: "allow",
    standing: body.eventId,
    because: [expect.stringContaining("Standing approval of carol (at most 2)"), expect.anything()],
  });
  expect(await gift(thread())).toMatchObject({ route: "interrupt", standing: null });
  expect(await world.judged({ tool: "sync_crm", args: {}, run: { threadId: t } })).toMatchObject({ route: "interrupt" });
  expect(await gift(t)).toMatchObject({ route: "allow" });
  expect(await gift(t)).toMatchObject({ route: "interrupt", stage: "pending" });
  expect((await list()).find((s) => s.eventId === body.eventId)).toMatchObject({
    by: "carol",
    max: 2,
    inForce: false,
    overshot: false,
    used: [expect.any(String), expect.any(String)],
  });
});

test("the amount bounds the sum of what runs, exactly; an amount that cannot be told is never within it", async () => {
  const t = thread();
  await give(await gift(t), { max: 100, amount: "0.3" });
  expect(await gift(t, 0.1)).toMatchObject({ route: "allow" });
  expect(await gift(t, "lots")).toMatchObject({ outcome: "forbidden" });
  expect(await world.judged({ tool: "send_gift", args: {}, run: { threadId: t } })).toMatchObject({ route: "interrupt" });
  expect(await gift(t, -5)).toMatchObject({ route: "interrupt" });
  expect(await gift(t, 0.2)).toMatchObject({ route: "allow" });
  expect(await gift(t, 0.01)).toMatchObject({ route: "interrupt" });
});

test("it ends with its time, and another agent never uses it", async () => {
  const t = thread();
  await give(await gift(t), { max: 9, until: clock.at + 60_000 });
  expect(await gift(t)).toMatchObject({ route: "allow" });
  expect(await gift(t, 10, "otherAgent")).toMatchObject({ route: "interrupt" });
  clock.at += 60_000;
  expect(await gift(t)).toMatchObject({ route: "interrupt" });
});

test("a policy that is off asks for a person whom no standing approval stands in for", async () => {
  const t = thread();
  await give(await gift(t), { max: 9 });
  expect(await gift(t)).toMatchObject({ route: "allow" });
  await publishPolicy(world.ledger, POLICY.replace("mode: enforce", "mode: off"));
  await until(async () => (world.ledger.queries.policies()[0]?.document.includes('"off"') ? true : undefined));
  expect(await gift(t)).toMatchObject({ route: "interrupt", standing: null, risk: "high" });
  await publishPolicy(world.ledger, POLICY);
  await until(async () => (world.ledger.queries.policies()[0]?.document.includes('"enforce"') ? true : undefined));
  expect(await gift(t)).toMatchObject({ route: "allow" });
});

test("it is revoked by who gave it or by who halts, and then lets nothing pass", async () => {
  const t = thread();
  const { body } = await give(await gift(t), { max: 9 });
  const id = body.eventId as string;
  expect(await revoke(id, "lead2")).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect(await revoke(id)).toMatchObject({ status: 200, body: { inForce: false, revoked: { by: "carol", reason: "enough" } } });
  expect(await revoke(id, "halter")).toMatchObject({ status: 409, body: { code: "settled" } });
  expect(await revoke("01a1fdee-0000-7000-8000-0000000000ff")).toMatchObject({ status: 404 });
  expect(await gift(t)).toMatchObject({ route: "interrupt" });
  expect((await list("")).map((s) => s.eventId)).not.toContain(id);
});

test("what rests on a standing approval that is revoked, and nobody has started, is taken back; what runs goes on", async () => {
  const t = thread();
  const { body } = await give(await gift(t), { max: 9 });
  const send = () => world.granted({ tool: "send_gift", args: { value: 1 }, run: { threadId: t } });
  const [running, unstarted] = [await send(), await send()];
  const start = ({ itemId, grant }: typeof running) =>
    world.receipt("executor", itemId, { grant: grant.id, kind: "started", argsSha256: grant.actions[0]?.argsSha256 });
  expect((await start(running)).status).toBe(200);
  await revoke(body.eventId as string);
  const view = async ({ itemId }: typeof running) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
  expect(await until(async () => ((await view(unstarted)).stage === "done" ? view(unstarted) : undefined))).toMatchObject({ outcome: "revoked" });
  expect((await start(unstarted)).status).toBe(409);
  const { body: told } = await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${unstarted.itemId}/outcome`);
  expect(told.message).toContain("The standing approval of carol was revoked by carol");
  expect((await view(running)).stage).toBe("executing");
});

test("never for what is irreversible or needs more than one, and not without a run, a bound or a time that is near", async () => {
  const irreversible = await world.judged({ tool: "issue_refund", args: { amount: 10 }, run: { threadId: thread() } });
  expect(await give(irreversible, { max: 2 })).toMatchObject({ status: 403, body: { code: "not_allowed", detail: expect.stringContaining("irreversible") } });
  const item = await gift(thread());
  expect(await give(item, {})).toMatchObject({ status: 422, body: { field: "/standing/max" } });
  expect(await give(item, { max: 5000 })).toMatchObject({ status: 422, body: { field: "/standing/max" } });
  expect(await give(item, { max: 2, until: clock.at + 8 * 86_400_000 })).toMatchObject({ status: 422, body: { field: "/standing/until" } });
  expect((await give(await world.judged({ tool: "send_gift", args: { value: 1 } }), { max: 2 })).body).toMatchObject({ field: "/standing/scope" });
  const crm = await world.judged({ tool: "sync_crm", args: {}, run: { threadId: thread() } });
  expect(await give(crm, { max: 2, amount: "5" })).toMatchObject({ status: 422, body: { field: "/standing/amount", value: "sync_crm" } });
  expect((await world.decide("lead", item, { kind: "reject", standing: { max: 2 } })).body).toMatchObject({ field: "/standing" });
});

test("40 proposals in flight together never get past the bound", async () => {
  const t = thread();
  const { body } = await give(await gift(t), { max: 7 });
  const items = await Promise.all(Array.from({ length: 40 }, () => gift(t, 1)));
  expect(items.filter((item) => item.route === "allow")).toHaveLength(7);
  expect((await list()).find((s) => s.eventId === body.eventId)).toMatchObject({ overshot: false });
});

test("what a second judge let pass beyond the bound is withheld at the grant, or shown as a finding", async () => {
  const t = thread();
  const { body } = await give(await gift(t), { max: 1 });
  const used = await gift(t);
  expect(used).toMatchObject({ route: "allow" });
  const waiting = await gift(t);
  const verdict = (await world.ledger.events.get(used.itemId, "verdicts", used.verdict?.eventId as string))!;
  // As a second runtime would have written it, had it not seen the first use.
  const itemId = itemIdOf("default", "support-bot", "over");
  const proposal = (await world.ledger.events.get(waiting.itemId, "proposals", waiting.timeline[0]?.eventId as string))!;
  const eventId = newEventId();
  const { eventId: _a, itemId: _b, occurredAt: _c, ...again } = proposal;
  const { eventId: _d, itemId: _e, occurredAt: _f, ...beyond } = verdict;
  // The verdict stands in the log before its proposal, so that it is folded right after it and no other comes first.
  await world.ledger.write("verdicts", itemId, { ...beyond, answers: { topic: "proposals", eventId } });
  await world.ledger.write("proposals", itemId, { ...again, eventId, idempotencyKey: "over" });
  const ended = await until(async () => {
    const { body: view } = await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`);
    return view.stage === "done" ? view : undefined;
  });
  expect(ended.outcome).toBe("withheld");
  expect(ended.findings).toMatchObject([{ code: "standing_overshot", topic: "verdicts" }]);
  expect((await list()).find((s) => s.eventId === body.eventId)).toMatchObject({ overshot: true, inForce: false });
});
