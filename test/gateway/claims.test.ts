import { afterAll, beforeAll, expect, test } from "vitest";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import type { Write } from "../../src/workers/write.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
const clock = { at: Date.now() };
beforeAll(async () => {
  world = await openWorld({ now: () => clock.at });
});
afterAll(() => world.close());

const refund = (amount = 20) => world.judged({ tool: "issue_refund", args: { amount } });
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;

test("a claim lasts ten minutes unless it is renewed, others see it, and the clock gives it back", async () => {
  const item = await refund();
  const endsAt = async () => (await view(item.itemId)).claim?.endsAt;
  await world.decide("lead", item, { kind: "claim" });
  expect(await view(item.itemId)).toMatchObject({ claim: { person: "carol", endsAt: clock.at + 600_000 } });
  clock.at += 300_000;
  await world.decide("lead", item, { kind: "claim" });
  expect(await endsAt()).toBe(clock.at + 600_000);
  clock.at += 600_000;
  const timeline = await until(async () => {
    const now = await view(item.itemId);
    return now.claim === null ? now.timeline : undefined;
  });
  expect(timeline.filter((e) => e.what === "release")).toMatchObject([{ actor: "clock:timekeeper", status: "effective" }]);
});

test("who decides under the claim of somebody else is refused; with the role takeover it is taken over, and that is recorded", async () => {
  const item = await refund();
  await world.decide("lead", item, { kind: "claim" });
  expect(await world.decide("boss", item, { kind: "approve" })).toMatchObject({ status: 409, body: { code: "claimed" } });
  expect(await world.decide("lead2", item, { kind: "approve", lease: { takeOver: true } })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect(await world.decide("lead2", item, { kind: "claim", lease: { takeOver: true } })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect((await view(item.itemId)).claim?.person).toBe("carol");
  expect((await world.decide("boss", item, { kind: "approve", lease: { takeOver: true } })).status).toBe(200);
  const { timeline } = await view(item.itemId);
  expect(timeline.filter((e) => e.topic === "decisions").map((e) => `${e.what} ${e.actor}`)).toEqual([
    "claim person:carol",
    "claim person:bea",
    "approve person:bea",
  ]);
  const taken = timeline.findLast((e) => e.what === "claim")?.eventId as string;
  expect(await world.ledger.events.get(item.itemId, "decisions", taken)).toMatchObject({ lease: { takenOver: true } });
});

test("two of two: each vote counts once, the first voter's claim is given back, the second vote settles", async () => {
  const item = await refund(1500);
  expect(item).toMatchObject({ approvals: 2, votes: [] });
  await world.decide("lead", item, { kind: "claim" });
  expect((await world.decide("lead", item, { kind: "approve" })).body).toMatchObject({ item: { stage: "pending", votes: ["carol"] } });
  expect(await view(item.itemId)).toMatchObject({ claim: null, votes: ["carol"] });
  expect(await world.decide("lead", item, { kind: "approve" })).toMatchObject({ status: 409, body: { code: "already_voted" } });
  expect(await world.decide("intern", item, { kind: "approve" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect((await world.decide("lead2", item, { kind: "approve" })).status).toBe(200);
  expect((await view(item.itemId)).decision).toMatchObject({ kind: "approve", by: "person:dave" });
});

test("one reject refuses whatever has been approved before", async () => {
  const item = await refund(1500);
  await world.decide("lead", item, { kind: "approve" });
  await world.decide("lead2", item, { kind: "reject", message: "Too much" });
  expect(await until(async () => ((await view(item.itemId)).stage === "done" ? view(item.itemId) : undefined))).toMatchObject({ outcome: "refused" });
});

test("fields of another kind are refused by name", async () => {
  const item = await refund();
  expect((await world.decide("lead", item, { kind: "approve", lease: { minutes: 5 } })).body).toMatchObject({
    code: "request_invalid",
    field: "/lease/minutes",
  });
  expect((await world.decide("lead", item, { kind: "approve", scope: "branch" })).body).toMatchObject({ code: "request_invalid", field: "/scope" });
  expect((await world.decide("lead", item, { kind: "reject", scope: "branch" })).body).toMatchObject({ code: "request_invalid", field: "/scope" });
  expect((await world.decide("lead", item, { kind: "approve", steps: ["a1"] })).body).toMatchObject({ code: "request_invalid", field: "/steps" });
});

test("policy keeps the person who owns the agent from approving, by the owner that the key names", async () => {
  const key = world.keys.createKey({ scope: "agent", id: "owned-bot", owner: "carol" }).key;
  const claimed = await world.call(key, "POST", "/v1/proposals", { idempotencyKey: "o1", tool: "issue_refund", args: { amount: 5 }, agent: { owner: "zoe" } });
  expect(claimed).toMatchObject({ status: 422, body: { field: "/agent/owner" } });
  expect(await world.call("agent", "POST", "/v1/proposals", { idempotencyKey: "o1", tool: "pay_invoice", args: {}, agent: { owner: "zoe" } })).toMatchObject({
    ...{ status: 422, body: { code: "request_invalid", field: "/agent/owner", detail: expect.stringContaining("does not name its own") } },
  });
  const { body } = await world.call<{ item: ItemView }>(key, "POST", "/v1/proposals", { idempotencyKey: "o1", tool: "pay_invoice", args: {} });
  expect(body.item.agent).toMatchObject({ id: "owned-bot", owner: "carol" });
  const item = await until(async () => ((await view(body.item.itemId)).stage === "pending" ? view(body.item.itemId) : undefined));
  expect(await world.decide("lead", item, { kind: "approve" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect((await world.decide("lead2", item, { kind: "approve" })).status).toBe(200);
  expect(() => world.keys.createKey({ scope: "reviewer", id: "x", owner: "carol" })).toThrow("owner");
});

test("a decision that is refused takes no claim from anybody, whatever it is refused for", async () => {
  const item = await refund();
  await world.decide("lead", item, { kind: "claim" });
  const lease = { takeOver: true };
  const refused = [
    { kind: "edit", edits: [{ actionId: "a1", args: { amount: 20 } }], lease },
    { kind: "respond", message: "no", lease },
    { kind: "approve", standing: { max: 2, scope: "agent" }, lease },
  ];
  for (const request of refused) {
    expect((await world.decide("boss", item, request)).status, JSON.stringify(request)).toBeGreaterThan(400);
    expect((await view(item.itemId)).claim?.person).toBe("carol");
  }
  const claims = (await view(item.itemId)).timeline.filter((e) => e.what === "claim");
  expect(claims).toHaveLength(1);
  expect((await world.decide("lead", item, { kind: "approve" })).status).toBe(200);
});

test("whom separation of duties keeps from approving cannot hold the item with a claim, and may still reject it", async () => {
  const bot = world.keys.createKey({ scope: "agent", id: "pay-bot", owner: "carol" }).key;
  const item = await world.judged({ tool: "pay_invoice", args: {} }, bot);
  expect(await world.decide("lead", item, { kind: "claim", lease: { minutes: 600 } })).toMatchObject({
    status: 403,
    body: { code: "not_entitled", detail: expect.stringContaining("the agent's owner does not approve") },
  });
  expect((await view(item.itemId)).claim).toBeNull();
  expect((await world.decide("lead2", item, { kind: "claim" })).status).toBe(200);
  const other = await world.judged({ tool: "pay_invoice", args: {} }, bot);
  expect((await world.decide("lead", other, { kind: "reject" })).status).toBe(200);
});

test("whoever has approved already cannot hold the item from the others with a claim", async () => {
  const item = await world.judged({ tool: "issue_refund", args: { order_id: "A-1", amount: 1500 } });
  expect((await world.decide("lead", item, { kind: "approve" })).status).toBe(200);
  expect(await world.decide("lead", item, { kind: "claim", lease: { minutes: 600 } })).toMatchObject({
    status: 403,
    body: { code: "not_entitled", detail: expect.stringContaining("you have approved it already") },
  });
  expect((await world.decide("lead2", item, { kind: "approve" })).status).toBe(200);
});

test("a claim that meets the vote of its own holder is given back and told so: others can go on deciding", async () => {
  const item = await refund(1500);
  const { ledger } = world;
  const write: Write = async (topic, itemId, body) => {
    if ("kind" in body && body.kind === "claim") expect(await world.decide("lead", item, { kind: "approve" })).toMatchObject({ status: 200 });
    return ledger.write(topic, itemId, body);
  };
  const carol = inProcessTransport({ ...ledger, write }, { kind: "person", id: "carol", roles: ["support-lead"], workspace: "default" });
  const lease = { minutes: 1440 };
  await expect(carol.decide(item.itemId, { kind: "claim", lease })).rejects.toMatchObject({
    code: "not_entitled",
    message: expect.stringContaining("already"),
  });
  const after = await view(item.itemId);
  expect(after).toMatchObject({ claim: null, votes: ["carol"] });
  expect(after.timeline.filter((e) => e.topic === "decisions").map((e) => `${e.what} ${e.actor} ${e.status}`)).toEqual([
    "approve person:carol effective",
    "claim person:carol effective",
    "release person:carol effective",
  ]);
  expect((await world.decide("lead2", after, { kind: "approve" })).status).toBe(200);
});
