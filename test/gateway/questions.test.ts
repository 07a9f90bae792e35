import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../src/producers/client.ts";
import type { ItemView, ListAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

const MINUTE = 60_000;
const POLICY = `
policy: desk
workspace: default
owner: role:support-lead
mode: enforce
actions:
  add_note:
    arguments: { type: object, properties: { text: { type: string } }, required: [text] }
    reversibility: reversible
    execution: idempotent
    risk: low
questions: { owner: role:support-lead, timeout: PT1H, ladder: [{ to: role:auditor, timeout: PT30M }] }
notices: { owner: role:auditor, timeout: P1D }
`;
let world: World;
const clock = { at: Date.UTC(2026, 10, 2, 9) };
beforeAll(async () => {
  world = await openWorld({ policy: POLICY, now: () => clock.at });
});
afterAll(() => world.close());

const ask = (question = "Which of the two accounts is meant?") => world.judged({ ask: "question", question, run: { threadId: "t1" } });
const notice = () => world.judged({ ask: "notify", question: "The import skipped 3 rows" });
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const handle = (itemId: string) => createClient({ url: world.gateway.url, apiKey: world.key.agent ?? "", executorKey: world.key.executor ?? "" }).item(itemId);

test("a question goes to a person and the answer back to the agent that waits for it; nothing runs", async () => {
  const item = await ask();
  expect(item).toMatchObject({ stage: "pending", ask: "question", actions: [], owner: "role:support-lead", allowedDecisions: ["respond"] });
  const queue = (await world.call<ListAnswer>("lead", "GET", "/v1/items?queue=true&mine=true")).body.items;
  expect(queue.find((i) => i.itemId === item.itemId)?.summary.headline).toContain("Which of the two accounts is meant?");
  const waiting = handle(item.itemId).outcome({ timeoutMs: 10_000 });
  expect((await world.decide("lead", item, { kind: "respond", message: "The one from 2024" })).status).toBe(200);
  const outcome = await waiting;
  expect(outcome).toMatchObject({ status: "responded", message: "The one from 2024", run: { threadId: "t1" } });
  expect(outcome).not.toHaveProperty("grant");
  await expect(handle(item.itemId).start()).rejects.toMatchObject({ code: "no_grant" });
  expect(await view(item.itemId)).toMatchObject({ stage: "done", outcome: "responded", decision: { kind: "respond", by: "person:carol" } });
});

test("a question admits nothing but an answer with words, from who owns it, and the first answer stands", async () => {
  const item = await ask();
  for (const kind of ["approve", "reject", "acknowledge"])
    expect(await world.decide("lead", item, { kind })).toMatchObject({
      status: 403,
      body: { code: "not_allowed", detail: expect.stringContaining("respond") },
    });
  expect((await world.decide("lead", item, { kind: "respond" })).body).toMatchObject({ code: "request_invalid", field: "/message" });
  expect(await world.decide("auditor", item, { kind: "respond", message: "Me" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  const both = await Promise.all([
    world.decide("lead", item, { kind: "respond", message: "The first" }),
    world.decide("lead2", item, { kind: "respond", message: "The second" }),
  ]);
  expect(both.map((a) => a.status).sort()).toEqual([200, 409]);
  const outcome = await handle(item.itemId).outcome({ timeoutMs: 10_000 });
  expect(outcome).toMatchObject({ message: both[0]?.status === 200 ? "The first" : "The second" });
});

test("a question that nobody answers goes up the ladder, and then the run is told that nobody did", async () => {
  const item = await ask();
  clock.at += 60 * MINUTE;
  const escalated = await until(async () => {
    const now = await view(item.itemId);
    return now.owner === "role:auditor" ? now : undefined;
  });
  expect(await world.decide("lead", escalated, { kind: "respond", message: "Late" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  clock.at += 30 * MINUTE;
  expect(await handle(item.itemId).outcome({ timeoutMs: 10_000 })).toMatchObject({ status: "expired", message: expect.stringContaining("not a refusal") });
});

test("a notice lets the run go on, and is closed by who acknowledges it", async () => {
  const item = await notice();
  expect(item).toMatchObject({ stage: "pending", owner: "role:auditor", allowedDecisions: ["acknowledge"], actions: [] });
  expect(await world.decide("lead", item, { kind: "acknowledge" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  expect(await world.decide("auditor", item, { kind: "respond", message: "Thanks" })).toMatchObject({ status: 403, body: { code: "not_allowed" } });
  expect((await world.decide("auditor", item, { kind: "acknowledge", message: "Known; fixed tomorrow" })).status).toBe(200);
  expect(await handle(item.itemId).outcome({ timeoutMs: 10_000 })).toMatchObject({ status: "acknowledged", message: "Known; fixed tomorrow" });
  expect(await view(item.itemId)).toMatchObject({ stage: "done", outcome: "acknowledged" });
});

test("the agent takes its question back when it is answered otherwise", async () => {
  const item = await ask();
  await handle(item.itemId).withdraw();
  expect(await handle(item.itemId).outcome({ timeoutMs: 10_000 })).toMatchObject({ status: "withdrawn" });
  expect(await world.decide("lead", item, { kind: "respond", message: "Too late" })).toMatchObject({ status: 409, body: { code: "settled" } });
});
