import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView, ListAnswer, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
const clock = { at: Date.now() };
const HOUR = 3_600_000;
beforeAll(async () => {
  // What an audit gate with a window of a day and one step of a ladder says.
  world = await openWorld({
    now: () => clock.at,
    judge: (engine) => (input) => {
      const verdict = engine(input);
      if (verdict.route !== "allow") return verdict;
      const ladder = [{ step: 1, at: input.now + 24 * HOUR, to: "role:auditor", page: false }];
      return {
        ...verdict,
        gate: "audit",
        owner: "role:support-lead",
        approvals: 1,
        allowedDecisions: ["approve", "reject"],
        ladder,
        expiresAt: null,
        onExpiry: "hold",
      };
    },
  });
});
afterAll(() => world.close());

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const queue = async () => (await world.call<ListAnswer>("lead", "GET", "/v1/items?queue=true")).body.items;
const granted = () => world.granted({ tool: "add_note", args: { text: "x" } });
const outcome = async (itemId: string) =>
  (await world.call<OutcomeAnswer>("executor", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;
const receipt = (itemId: string, grant: { id: string; actions: readonly { argsSha256: string }[] }, kind: string) =>
  world.receipt("executor", itemId, { grant: grant.id, kind, argsSha256: grant.actions[0]?.argsSha256 });

test("what is audited runs at once and is reviewed at the same time: two fields, and the review stays in the queue", async () => {
  const { itemId, grant } = await granted();
  expect(await view(itemId)).toMatchObject({ stage: "granted", execution: "granted", review: "open", allowedDecisions: ["approve", "reject"] });
  await receipt(itemId, grant, "started");
  await receipt(itemId, grant, "succeeded");
  expect(await view(itemId)).toMatchObject({ stage: "done", execution: "succeeded", review: "open" });
  expect((await queue()).find((i) => i.itemId === itemId)).toMatchObject({ execution: "succeeded", review: "open", owner: "role:support-lead" });
  expect((await world.decide("lead", await view(itemId), { kind: "approve" })).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ execution: "succeeded", review: "passed", outcome: "succeeded" });
  expect((await queue()).map((i) => i.itemId)).not.toContain(itemId);
});

test("a review that fails after the execution is rolled back: granted, started, compensated", async () => {
  const { itemId, grant } = await granted();
  await receipt(itemId, grant, "started");
  await receipt(itemId, grant, "succeeded");
  await world.decide("lead", await view(itemId), { kind: "reject", message: "Wrong customer" });
  const back = await until(async () => {
    const told = await outcome(itemId);
    return told.status === "roll_back" && told.grant !== null ? told : undefined;
  });
  expect(back).toMatchObject({ message: "Wrong customer", grant: { actions: [{ actionId: "a1" }] } });
  await receipt(itemId, back.grant!, "started");
  expect((await receipt(itemId, back.grant!, "compensated")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "compensated", review: "failed", execution: "compensated" });
});

test("a review that fails before the execution takes the grant back, and nothing is rolled back", async () => {
  const { itemId, grant } = await granted();
  await world.decide("lead", await view(itemId), { kind: "reject" });
  const ended = await until(async () => ((await view(itemId)).stage === "done" ? view(itemId) : undefined));
  expect(ended).toMatchObject({ outcome: "revoked", review: "failed" });
  expect((await receipt(itemId, grant, "started")).status).toBe(409);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await view(itemId)).timeline.filter((e) => e.topic === "resumes").map((e) => e.what)).toEqual(["proceed"]);
});

test("a window that closes unreviewed goes to the next owner, and never expires or passes", async () => {
  const { itemId, grant } = await granted();
  await receipt(itemId, grant, "started");
  await receipt(itemId, grant, "succeeded");
  clock.at += 24 * HOUR;
  await until(async () => ((await view(itemId)).owner === "role:auditor" ? true : undefined));
  clock.at += 1000 * HOUR;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await view(itemId)).toMatchObject({ review: "open", execution: "succeeded", owner: "role:auditor" });
  expect((await queue()).map((i) => i.itemId)).toContain(itemId);
});
