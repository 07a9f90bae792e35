import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
const clock = { at: Date.now() };
beforeAll(async () => {
  world = await openWorld({ now: () => clock.at });
});
afterAll(() => world.close());

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const reaches = (itemId: string, stage: string) => until(async () => ((await view(itemId)).stage === stage ? view(itemId) : undefined));

/** Starts what is granted now and lets the lease run out. */
async function lose(itemId: string): Promise<ItemView> {
  const granted = await reaches(itemId, "granted");
  const [action] = granted.grant?.actions ?? [];
  const answer = await world.receipt("executor", itemId, { grant: granted.grant?.id, kind: "started", argsSha256: action?.argsSha256 });
  expect(answer.status).toBe(200);
  clock.at += 121_000;
  return until(async () => {
    const now = await view(itemId);
    return now.stage === "executing" ? undefined : now;
  });
}

test("the clock tries an idempotent action again as often as policy says, under the same effect key, then it is work for the owner", async () => {
  const { itemId, grant } = await world.granted({ tool: "send_gift", args: { value: 1 } });
  const key = grant.actions[0]?.effectKey;
  for (let tried = 0; tried < 2; tried++) {
    await lose(itemId);
    clock.at += 120_000;
    const again = await reaches(itemId, "granted");
    expect(again.grant?.actions[0]?.effectKey).toBe(key);
  }
  expect((await lose(itemId)).stage).toBe("in_doubt");
  const settles = (await view(itemId)).timeline.filter((e) => e.what === "settle");
  expect(settles.map((e) => [e.actor, e.status])).toEqual([
    ["clock:timekeeper", "effective"],
    ["clock:timekeeper", "effective"],
  ]);
  const queue = (await world.call<{ items: { itemId: string }[] }>("lead", "GET", "/v1/items?queue=true&mine=true")).body.items;
  expect(queue.map((i) => i.itemId)).toContain(itemId);
  const bare = { kind: "settle", settlement: { outcome: "succeeded" } };
  expect((await world.call("lead", "POST", `/v1/items/${itemId}/decisions`, bare)).body).toMatchObject({ field: "/settlement/externalRef" });
  const settled = { kind: "settle", settlement: { outcome: "succeeded", externalRef: { system: "shop", id: "gift-1" } } };
  expect((await world.call("intern", "POST", `/v1/items/${itemId}/decisions`, settled)).status).toBe(403);
  expect(await world.call("lead", "POST", `/v1/items/${itemId}/decisions`, settled)).toMatchObject({
    status: 200,
    body: { item: { outcome: "succeeded", execution: "succeeded" } },
  });
  expect((await world.call<{ items: { itemId: string }[] }>("lead", "GET", "/v1/items?queue=true")).body.items.map((i) => i.itemId)).not.toContain(itemId);
});

test("what policy names no retries for, or is not idempotent, waits for its owner, who settles it as failed or tries it again", async () => {
  const queryable = await world.granted();
  expect((await lose(queryable.itemId)).stage).toBe("in_doubt");
  expect((await world.call("lead", "POST", `/v1/items/${queryable.itemId}/decisions`, { kind: "settle", settlement: { outcome: "retry" } })).status).toBe(200);
  await reaches(queryable.itemId, "granted");
  const blind = await world.granted({ tool: "close_account", args: {} });
  expect((await lose(blind.itemId)).stage).toBe("in_doubt");
  const retry = await world.call("lead", "POST", `/v1/items/${blind.itemId}/decisions`, { kind: "settle", settlement: { outcome: "retry" } });
  expect(retry).toMatchObject({ status: 403, body: { code: "not_allowed", detail: expect.stringContaining("blind") } });
  await world.call("lead", "POST", `/v1/items/${blind.itemId}/decisions`, { kind: "settle", settlement: { outcome: "failed" } });
  expect(await view(blind.itemId)).toMatchObject({ stage: "done", outcome: "failed" });
});

test("a run that goes on from another thread or another checkpoint is a finding; the one it paused at is none", async () => {
  for (const [resumed, codes] of [
    [{ threadId: "t1", checkpointId: "c1" }, []],
    [{ threadId: "t1" }, []],
    [{ threadId: "t1", checkpointId: "c2" }, ["resumed_elsewhere"]],
    [{ threadId: "t2", checkpointId: "c1" }, ["resumed_elsewhere"]],
  ] as const) {
    const { itemId, grant } = await world.granted({ tool: "add_note", args: { text: "x" }, run: { threadId: "t1", checkpointId: "c1" } });
    const base = { grant: grant.id, argsSha256: grant.actions[0]?.argsSha256 };
    await world.receipt("executor", itemId, { ...base, kind: "started" });
    await world.receipt("executor", itemId, { ...base, kind: "succeeded", resumed });
    expect((await view(itemId)).findings.map((f) => f.code)).toEqual(codes);
  }
});
