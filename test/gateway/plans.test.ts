import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inProcessClient } from "../../src/gateway/in-process.ts";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const refund = (actionId: string, amount: number) => ({ actionId, tool: "issue_refund", args: { amount, reason: "late" } });
const note = { actionId: "a3", tool: "add_note", args: { text: "told" } };
const plan = () => world.judged({ actions: [refund("a1", 40), refund("a2", 50), note] });
const outcome = async (itemId: string) =>
  (await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;
const client = (executor = "worker-1") =>
  inProcessClient(
    world.ledger,
    { kind: "agent", id: "support-bot", roles: [], workspace: "default" },
    { kind: "executor", id: executor, roles: [], workspace: "default" },
  );

test("a plan is edited, shortened and reordered in one decision, judged again, granted in the new order, and the model is told", async () => {
  const item = await plan();
  const { status, body } = await world.decide("lead", item, {
    kind: "edit",
    edits: [{ actionId: "a1", args: { amount: 30, reason: "late" } }],
    dropped: ["a2"],
    order: ["a3", "a1"],
  });
  expect([status, body.rejudged]).toMatchObject([200, { state: "settled" }]);
  const view = body.item as ItemView;
  expect(view.actions.map((a) => a.actionId)).toEqual(["a3", "a1"]);
  expect(view.actions[1]).toMatchObject({ proposedArgs: { amount: 40 }, args: { amount: 30 }, patch: [{ op: "replace", path: "/amount", value: 30 }] });
  expect(view.dropped).toEqual([{ actionId: "a2", tool: "issue_refund", args: { amount: 50, reason: "late" } }]);
  expect(view.edits).toMatchObject([
    {
      by: "person:carol",
      dropped: ["a2"],
      order: ["a3", "a1"],
      fellBack: false,
      actions: [{ actionId: "a1", before: { amount: 40 }, after: { amount: 30 }, patch: [{ op: "replace", path: "/amount", value: 30 }] }],
    },
  ]);
  const told = await outcome(item.itemId);
  expect(told).toMatchObject({ status: "proceed_edited", grant: { actions: [{ actionId: "a3" }, { actionId: "a1", args: { amount: 30 } }] } });
  expect(told.message).toBe(
    "Approved with changes: issue_refund /amount from 40 to 30; a2 (issue_refund) is dropped: do not run it; the order is a3 (add_note), then a1 (issue_refund).",
  );
});

test("the steps run in their order, each with its own receipt, and a step that fails closes the grant", async () => {
  const item = await plan();
  await world.decide("lead", item, { kind: "approve" });
  const handle = client().executor(item.itemId);
  await outcome(item.itemId);
  await expect(handle.start("a2")).rejects.toMatchObject({ code: "not_allowed" });
  const first = await handle.start();
  expect([first.actionId, first.tool]).toEqual(["a1", "issue_refund"]);
  await expect(handle.start("a2")).rejects.toMatchObject({ code: "not_allowed" });
  await first.succeed({ externalRef: { system: "psp", id: "re_1" } });
  const second = await handle.start();
  expect(second.actionId).toBe("a2");
  const { item: after } = await second.fail({ code: "declined", message: "The bank said no" });
  expect(after).toMatchObject({ stage: "done", outcome: "failed" });
  await expect(handle.start("a3")).rejects.toMatchObject({ code: "no_grant" });
  const view = (await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
  expect(view.receipts.map((r) => [r.kind, r.actionId])).toEqual([
    ["succeeded", "a1"],
    ["failed", "a2"],
  ]);
  expect([view.grant?.done, view.execution]).toEqual([1, "failed"]);
});

test("a rejected plan tells the model which steps were the reason, and why", async () => {
  const item = await plan();
  expect((await world.decide("lead", item, { kind: "reject", steps: ["a9"] })).body).toMatchObject({ code: "request_invalid", field: "/steps/0", value: "a9" });
  await world.decide("lead", item, { kind: "reject", steps: ["a2"], message: "One refund is enough." });
  expect(await outcome(item.itemId)).toMatchObject({
    status: "refused",
    grant: null,
    message: "Refused because of a2 (issue_refund); nothing of the plan runs. One refund is enough.",
  });
});

describe("an edit of a plan is refused with what is wrong", () => {
  test.each([
    [{ dropped: ["a1", "a2", "a3"] }, { code: "request_invalid", detail: expect.stringContaining("nothing is left") }],
    [{ order: ["a1", "a1", "a3"] }, { detail: expect.stringContaining("every remaining action once") }],
    [{ dropped: ["a7"] }, { detail: expect.stringContaining("no action a7") }],
    [{ order: ["a1", "a2", "a3"] }, { detail: expect.stringContaining("changes nothing") }],
    [{ dropped: ["a2"], edits: [{ actionId: "a2", args: { amount: 1 } }] }, { detail: expect.stringContaining("edited and dropped") }],
  ])("%j", async (edit, problem) => {
    const item = await plan();
    expect((await world.decide("lead", item, { kind: "edit", ...edit })).body).toMatchObject(problem);
  });
});

test("who looks at a card from before the edit is told what has changed: the steps, the order, the arguments", async () => {
  const item = await world.judged({ actions: [refund("a1", 40), refund("a2", 50), note] });
  const edit = { kind: "edit", edits: [{ actionId: "a1", args: { amount: 1500, reason: "late" } }], dropped: ["a2"], order: ["a3", "a1"] };
  expect((await world.decide("lead", item, edit)).body).toMatchObject({ rejudged: { state: "pending" } });
  const { status, body } = await world.decide("lead2", item, { kind: "approve" });
  expect([status, body.code]).toEqual([409, "stale"]);
  for (const part of ["edit of person:carol", "a1 /amount", "a2 was dropped", "the order is a3, a1 now"]) expect(body.detail).toContain(part);
});
