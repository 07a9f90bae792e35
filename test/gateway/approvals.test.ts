import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

/** Payments take the support lead first and a payments lead after; contracts any three of those who own them. */
const POLICY = `
policy: payments
workspace: default
owner: role:support-lead
mode: enforce
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number } }, required: [amount] }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    approvals: 2
    approval_order: [role:support-lead, role:payments-lead]
    decisions: [approve, edit, reject]
    editable: [/amount]
    timeout: PT4H
  sign:
    arguments: { type: object, properties: { rate: { type: number } }, required: [rate] }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    approvals: 3
    decisions: [approve, edit, reject]
    editable: [/rate]
    timeout: PT4H
`;
let world: World;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY });
});
afterAll(() => world.close());

const pay = () => world.judged({ tool: "pay", args: { amount: 90 } });
const sign = () => world.judged({ tool: "sign", args: { rate: 4 } });
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const outcome = async (itemId: string) =>
  (await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;
const approve = (who: string, item: ItemView) => world.decide(who, item, { kind: "approve" });

test("approvals in order: whose turn it is not is told whose it is, and the last in the order settles", async () => {
  const item = await pay();
  expect(item).toMatchObject({ approvals: 2, votes: [] });
  expect((await approve("lead", item)).body).toMatchObject({ item: { stage: "pending", votes: ["carol"] } });
  expect(await approve("lead2", item)).toMatchObject({ status: 403, body: { code: "not_entitled", detail: expect.stringContaining("role:payments-lead") } });
  expect((await view(item.itemId)).votes).toEqual(["carol"]);
  expect((await approve("payments", item)).status).toBe(200);
  expect(await outcome(item.itemId)).toMatchObject({ status: "proceed", grant: { actions: [{ args: { amount: 90 } }] } });
});

test("one person who holds both roles has one vote all the same", async () => {
  const item = await pay();
  expect((await approve("payments", item)).body).toMatchObject({ item: { votes: ["paul"] } });
  expect(await approve("payments", item)).toMatchObject({ status: 409, body: { code: "already_voted" } });
  expect((await view(item.itemId)).stage).toBe("pending");
});

test("the role whose turn it is does not stand in for the owner's", async () => {
  const key = world.keys.createKey({ scope: "reviewer", id: "pia", roles: ["payments-lead"] }).key;
  const item = await pay();
  await approve("lead", item);
  expect(await approve(key, item)).toMatchObject({ status: 403, body: { code: "not_entitled", detail: expect.stringContaining("role:support-lead") } });
});

test("an edit of what needs an order carries its editor's vote only where it is the editor's turn", async () => {
  const edit = { kind: "edit", edits: [{ actionId: "a1", args: { amount: 80 } }] };
  const item = await pay();
  expect((await world.decide("lead", item, edit)).body).toMatchObject({ rejudged: { state: "pending" }, item: { votes: ["carol"] } });
  const again = await view(item.itemId);
  expect((await approve("payments", again)).status).toBe(200);
  expect(await outcome(item.itemId)).toMatchObject({ status: "proceed_edited", grant: { actions: [{ args: { amount: 80 } }] } });
});

test("three of three: votes are for one set of arguments, and an edit starts them afresh with its editor's", async () => {
  const item = await sign();
  await approve("lead", item);
  await approve("lead2", item);
  const { body } = await world.decide("boss", item, { kind: "edit", edits: [{ actionId: "a1", args: { rate: 3 } }] });
  expect(body).toMatchObject({ rejudged: { state: "pending" }, item: { approvals: 3, votes: ["bea"] } });
  expect(await approve("lead", item)).toMatchObject({ status: 409, body: { code: "stale" } });
  const again = await view(item.itemId);
  expect((await approve("lead", again)).body).toMatchObject({ item: { stage: "pending", votes: ["bea", "carol"] } });
  expect((await approve("lead2", again)).status).toBe(200);
  const told = await outcome(item.itemId);
  expect(told).toMatchObject({ status: "proceed_edited", message: expect.stringContaining("/rate from 4 to 3"), grant: { actions: [{ args: { rate: 3 } }] } });
});

test("four people vote at once on what needs three: three votes count, and the fourth is told that it was settled", async () => {
  const item = await sign();
  const answers = await Promise.all(["lead", "lead2", "boss", "payments"].map((who) => approve(who, item)));
  expect(answers.map((a) => a.status).sort()).toEqual([200, 200, 200, 409]);
  expect(answers.find((a) => a.status === 409)?.body).toMatchObject({ code: "settled" });
  const { timeline } = await view(item.itemId);
  expect(timeline.filter((e) => e.what === "approve" && e.status === "effective")).toHaveLength(3);
  await outcome(item.itemId);
  expect((await view(item.itemId)).timeline.filter((e) => e.topic === "resumes")).toHaveLength(1);
});
