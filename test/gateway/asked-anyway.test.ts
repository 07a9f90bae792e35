import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { cli } from "../cli/harness.ts";
import { type GrantShape, openWorld, POLICY, until, type World } from "./world.ts";

/** What flows, and two of one kind whose outcome is soon unknown; the first says who would have to decide. */
const FLOWS = `  flow:
    reversibility: partially
    execution: blind
    risk: low
    owner: role:support-lead
    separation: [agent_owner]
    approvals: 2
    approval_order: [role:payments-lead, role:support-lead]
    lease: PT1S
  two:
    reversibility: partially
    execution: blind
    risk: high
    approvals: 2
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [""]
  one:
    reversibility: reversible
    execution: idempotent
    risk: high
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [""]
  add_note:`;

let world: World;
let tried: string;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY.replace("  add_note:", FLOWS) });
  const { key } = world.keys.createKey({ scope: "agent", id: "support-bot", roles: [], workspace: "default", owner: "carol" });
  Object.assign(world.key, { agent: key });
  tried = await inDoubtBefore();
});
afterAll(() => world.close());

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const at = (itemId: string, stage: string) => until(async () => ((await view(itemId)).stage === stage ? view(itemId) : undefined));

async function receipt(itemId: string, kind: string): Promise<void> {
  const grant = await until(async () => ((await world.call("executor", "GET", `/v1/items/${itemId}/outcome`)).body.grant as GrantShape | null) ?? undefined);
  const { actionId, argsSha256 } = grant.actions[0] as GrantShape["actions"][number];
  expect(await world.receipt("executor", itemId, { grant: grant.id, kind, actionId, argsSha256 })).toMatchObject({ status: 200 });
}

/** An item that flowed, was in doubt and is settled as failed: nobody knows for certain that it did nothing. */
async function inDoubtBefore(): Promise<string> {
  const { itemId } = await world.judged({ tool: "flow", args: { x: 1 } });
  await receipt(itemId, "started");
  const settled = await world.decide("boss", await at(itemId, "in_doubt"), { kind: "settle", settlement: { outcome: "failed" } });
  expect(settled.status, JSON.stringify(settled.body)).toBe(200);
  return itemId;
}

test("why a person is asked whatever policy says stands on the card, and on that of an edit as well", async () => {
  const words = `It is to try again ${tried}, which was in doubt and ended as failed`;
  const told = (item: ItemView) => [item.verdict?.error?.code, item.because[0], item.card?.why.startsWith(`${words}. `)];
  const item = await world.judged({ tool: "two", args: { x: 1 }, retryOf: tried });
  expect(told(item)).toEqual(["tried_before", words, true]);
  const { status } = await world.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: { x: 2 } }] });
  expect(status).toBe(200);
  const edited = await at(item.itemId, "pending");
  expect([edited.votes, ...told(edited)]).toEqual([["carol"], "tried_before", words, true]);
  expect(edited.cardSha256).not.toBe(item.cardSha256);
});

test("an editor has not read what only the judgement of the edit says: what has happened meanwhile withholds it", async () => {
  const first = await world.judged({ tool: "add_note", args: { text: "x" } });
  await receipt(first.itemId, "started");
  const again = await world.judged({ tool: "one", args: { x: 1 }, retryOf: first.itemId });
  await receipt(first.itemId, "succeeded");
  expect(await world.decide("lead2", again, { kind: "edit", edits: [{ actionId: "a1", args: { x: 2 } }] })).toMatchObject({ status: 200 });
  expect(await at(again.itemId, "done")).toMatchObject({ outcome: "withheld", because: [expect.stringContaining("ended as succeeded"), expect.anything()] });
});

test("what would have flowed is decided by as many, and in the order and apart from whom, as its policy says", async () => {
  const again = await world.judged({ tool: "flow", args: { x: 1 }, retryOf: tried });
  expect(again).toMatchObject({ stage: "pending", approvals: 2 });
  expect(await world.decide("lead2", again, { kind: "approve" })).toMatchObject({ status: 403, body: { detail: expect.stringContaining("out of order") } });
  expect(await world.decide("payments", again, { kind: "approve" })).toMatchObject({ status: 200 });
  expect(await world.decide("lead", again, { kind: "approve" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  const halt = await world.call<{ halt: { eventId: string } }>("halter", "POST", "/v1/halts", { reason: "audit" });
  const halted = await world.judged({ tool: "flow", args: { x: 3 } });
  expect(halted).toMatchObject({ verdict: { error: { code: "halted" } }, approvals: 2 });
  expect(halted.card?.why).toMatch(/^Halted by hana/);
  const both = await world.judged({ tool: "flow", args: { x: 1 }, retryOf: tried });
  expect(both.because).toEqual([expect.stringContaining(tried), expect.stringMatching(/^Halted by hana/), expect.anything()]);
  await world.call("halter", "POST", `/v1/halts/${halt.body.halt.eventId}/lift`, {});
});

test("verdicts that ask a person whatever policy says are found as recorded when they are recomputed from the log", async () => {
  const { code, out } = await cli(["policy", "recheck", "--log", `sqlite:${world.dir}`, "--data", world.dir]);
  expect([code, out]).toEqual([0, expect.stringMatching(/^\d+ verdicts recomputed: all are as recorded\.\n$/)]);
});
