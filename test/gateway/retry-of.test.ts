import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { type GrantShape, openWorld, POLICY, until, type World } from "./world.ts";

/** What flows and is never tried again after its outcome is unknown; and what flows, and is tried again by the clock. */
const FLOWS = `  ping:
    arguments: { type: object }
    reversibility: partially
    execution: blind
    risk: low
    gate: { kind: none }
    owner: role:support-lead
    lease: PT1S
  poll:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: none }
    owner: role:support-lead
    lease: PT1S
    retries: 1
  add_note:`;

let world: World;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY.replace("  add_note:", FLOWS) });
});
afterAll(() => world.close());

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const at = (itemId: string, stage: string) => until(async () => ((await view(itemId)).stage === stage ? view(itemId) : undefined));
const note = (more: object = {}) => world.judged({ tool: "add_note", args: { text: "x" }, ...more });
const ping = (more: object = {}) => world.judged({ tool: "ping", args: {}, ...more });
const grantOf = (itemId: string) =>
  until(async () => ((await world.call<OutcomeAnswer>("executor", "GET", `/v1/items/${itemId}/outcome`)).body.grant as GrantShape | null) ?? undefined);
const outcome = async (itemId: string) =>
  (await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;

async function receipt(itemId: string, kind: string, step = 0, more: object = {}) {
  const grant = await grantOf(itemId);
  const { actionId, argsSha256 } = grant.actions[step] as GrantShape["actions"][number];
  const error = kind === "failed" ? { error: { code: "down", message: "It is down" } } : {};
  return world.receipt("executor", itemId, { grant: grant.id, kind, actionId, argsSha256, ...error, ...more });
}

async function ran(itemId: string, end: "succeeded" | "failed", step = 0): Promise<void> {
  expect((await receipt(itemId, "started", step)).status).toBe(200);
  expect((await receipt(itemId, end, step)).status).toBe(200);
}

const why = (item: ItemView) => [item.stage, item.verdict?.error?.code, item.verdict?.error?.message];
const approve = (item: ItemView) => world.decide("lead", item, { kind: "approve" });

test("what tries again an item that is granted, executes, is in doubt or has succeeded asks a person, who is told of that item and its state", async () => {
  const first = await ping();
  await grantOf(first.itemId);
  const says = (state: string) => ["pending", "tried_before", `It is to try again ${first.itemId}, which ${state}`];
  const again = async () => why(await ping({ retryOf: first.itemId }));
  expect(await again()).toEqual(says("is granted"));
  await receipt(first.itemId, "started");
  expect(await again()).toEqual(says("is executing"));
  await at(first.itemId, "in_doubt");
  expect(await again()).toEqual(says("is in doubt"));
  const settled = await world.decide("lead", await view(first.itemId), { kind: "settle", settlement: { outcome: "failed" } });
  expect(settled.status, JSON.stringify(settled.body)).toBe(200);
  expect(await again()).toEqual(says("was in doubt and ended as failed"));
  const done = await note();
  await ran(done.itemId, "succeeded");
  expect(why(await note({ retryOf: done.itemId }))).toEqual(["pending", "tried_before", `It is to try again ${done.itemId}, which ended as succeeded`]);
});

test("what tries again an item that never began, or that its executor saw fail, is judged as any other", async () => {
  const failed = await note();
  await ran(failed.itemId, "failed");
  const again = await note({ retryOf: failed.itemId });
  expect((await grantOf(again.itemId)).actions[0]?.effectKey).toBe((await grantOfDone(failed.itemId)).actions[0]?.effectKey);
  const refund = await world.judged({ tool: "issue_refund", args: { amount: 5 } });
  await world.decide("lead", refund, { kind: "reject" });
  const other = await note({ retryOf: refund.itemId });
  expect((await grantOf(other.itemId)).id).toBeTruthy();
});

/** The last grant of an item that is done. */
async function grantOfDone(itemId: string) {
  const { life } = world.ledger.queries.item(itemId)!;
  return (await world.ledger.events.get(itemId, "resumes", life.resume?.id as string))!;
}

test("an approved retry is not granted while the other item runs or is in doubt, and is withheld where that has succeeded since", async () => {
  const first = await note();
  await receipt(first.itemId, "started");
  const again = await note({ retryOf: first.itemId });
  expect((await approve(again)).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await view(again.itemId)).stage).toBe("settled");
  await receipt(first.itemId, "succeeded");
  expect(await outcome(again.itemId)).toMatchObject({ status: "withheld", message: expect.stringContaining(`${first.itemId}, which ended as succeeded`) });
  // Asked again, a person knows that it has happened, and may want it once more.
  const knowing = await note({ retryOf: again.itemId });
  expect(why(knowing)).toEqual(["pending", "tried_before", `The same work is that of ${first.itemId}, which ended as succeeded`]);
  await approve(knowing);
  expect((await grantOf(knowing.itemId)).id).toBeTruthy();
});

test("an approved retry is granted once the item that was in doubt is settled as failed", async () => {
  const first = await ping();
  await receipt(first.itemId, "started");
  await at(first.itemId, "in_doubt");
  const again = await ping({ retryOf: first.itemId });
  await approve(again);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await view(again.itemId)).stage).toBe("settled");
  await world.decide("lead", await view(first.itemId), { kind: "settle", settlement: { outcome: "failed" } });
  expect((await receipt(again.itemId, "started")).status).toBe(200);
});

test("of several retries of one item only one can be started at a time, also where they flow in the same breath", async () => {
  const first = await note();
  await ran(first.itemId, "failed");
  const tries = await Promise.all(Array.from({ length: 6 }, () => note({ retryOf: first.itemId })));
  const granted = () => tries.filter(({ itemId }) => world.ledger.queries.item(itemId)?.stage === "granted");
  await until(async () => (granted().length > 0 ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const one = granted();
  expect(one).toHaveLength(1);
  const { itemId } = one[0] as ItemView;
  await ran(itemId, "succeeded");
  // The others were not asked about, or were judged while nothing had run.
  for (const other of tries.filter((t) => t.itemId !== itemId && t.stage !== "pending")) expect((await outcome(other.itemId)).status).toBe("withheld");
});

test("a start beside another try of the same work is refused, also where another process has granted both", async () => {
  const { ledger } = world;
  const first = await note();
  const other = await grantOf(first.itemId);
  const again = await note({ retryOf: first.itemId });
  const { body } = await approve(again);
  const copied = (await ledger.events.get(first.itemId, "resumes", other.id))!;
  const { eventId: _id, itemId: _item, occurredAt: _at, ...grant } = copied;
  const { position } = await ledger.write("resumes", again.itemId, { ...grant, answers: { topic: "decisions", eventId: body.eventId as string } });
  await ledger.waitFor([position]);
  const refused = { status: 409, body: { code: "conflict", retryable: true, detail: expect.stringContaining(`It is to try again ${first.itemId}, which is`) } };
  expect(await receipt(again.itemId, "started")).toMatchObject(refused);
  expect((await receipt(first.itemId, "started")).status).toBe(200);
  expect(await receipt(again.itemId, "started")).toMatchObject(refused);
  await receipt(first.itemId, "failed");
  expect((await receipt(again.itemId, "started")).status).toBe(200);
});

test("what is left of a plan is tried again freely, and a step that has succeeded is not", async () => {
  const actions = [1, 2].map((n) => ({ actionId: `a${n}`, tool: "add_note", args: { text: `step ${n}` } }));
  const plan = await world.judged({ actions });
  await ran(plan.itemId, "succeeded", 0);
  await ran(plan.itemId, "failed", 1);
  const rest = await world.judged({ actions: actions.slice(1), retryOf: plan.itemId });
  await ran(rest.itemId, "failed");
  const whole = await world.judged({ actions, retryOf: plan.itemId });
  expect(why(whole)).toEqual(["pending", "tried_before", `It is to try again ${plan.itemId}, which ended as failed after its a1 had succeeded`]);
});

const settle = async (itemId: string, outcome: string, more: object = {}) =>
  (await world.decide("lead", await view(itemId), { kind: "settle", settlement: { outcome, ...more } })).status;
const PINGS = [1, 2].map((n) => ({ actionId: `a${n}`, tool: "ping", args: { n } }));

test("a step that was settled as succeeded is named to whoever is asked about a further try", async () => {
  const plan = await world.judged({ actions: PINGS });
  await receipt(plan.itemId, "started");
  await at(plan.itemId, "in_doubt");
  expect(await settle(plan.itemId, "succeeded", { externalRef: { system: "psp", id: "re_1" } })).toBe(200);
  const whole = await world.judged({ actions: PINGS, retryOf: plan.itemId });
  expect(why(whole)[2]).toBe(`It is to try again ${plan.itemId}, which was in doubt and ended as failed after its a1 had succeeded`);
  const rest = await world.judged({ actions: PINGS.slice(1), retryOf: plan.itemId });
  expect(why(rest)[2]).toBe(`It is to try again ${plan.itemId}, which was in doubt and ended as failed`);
});

test("a doubt about one step does not hide that another has succeeded since a further try was approved", async () => {
  const plan = await world.judged({ actions: PINGS });
  await receipt(plan.itemId, "started");
  const again = await world.judged({ actions: PINGS, retryOf: plan.itemId });
  expect((await approve(again)).status).toBe(200);
  await receipt(plan.itemId, "succeeded");
  await receipt(plan.itemId, "started", 1);
  await at(plan.itemId, "in_doubt");
  expect(await settle(plan.itemId, "failed")).toBe(200);
  expect(await outcome(again.itemId)).toMatchObject({ status: "withheld", message: expect.stringContaining("after its a1 had succeeded") });
});

test("whoever approved a further try while the other executed is asked again where that ended in doubt", async () => {
  const first = await ping();
  await receipt(first.itemId, "started");
  const again = await ping({ retryOf: first.itemId });
  await approve(again);
  await at(first.itemId, "in_doubt");
  expect(await settle(first.itemId, "failed")).toBe(200);
  expect(await outcome(again.itemId)).toMatchObject({ status: "withheld", message: expect.stringContaining("was in doubt and ended as failed") });
});

const REF = { externalRef: { system: "psp", id: "re_2" } };
const THOUGH = "though an executor said that it had succeeded";

/** The executor says that the last grant of an item has succeeded, whatever became of that. */
async function saysSucceeded(itemId: string): Promise<number> {
  const { eventId: grant, actions } = await grantOfDone(itemId);
  const { actionId, argsSha256 } = actions[0]!;
  return (await world.receipt("executor", itemId, { grant, kind: "succeeded", actionId, argsSha256, ...REF })).status;
}

test("a success that comes after a failure makes a further try ask a person, who is told of it", async () => {
  const first = await ping();
  await ran(first.itemId, "failed");
  expect(await saysSucceeded(first.itemId)).toBe(409);
  expect(why(await ping({ retryOf: first.itemId }))).toEqual([
    "pending",
    "tried_before",
    `It is to try again ${first.itemId}, which ended as failed, ${THOUGH}`,
  ]);
});

test("a success that comes after an approval in doubt withholds the further try", async () => {
  const first = await ping();
  await receipt(first.itemId, "started");
  await at(first.itemId, "in_doubt");
  const again = await ping({ retryOf: first.itemId });
  await approve(again);
  expect(await saysSucceeded(first.itemId)).toBe(409);
  expect(await settle(first.itemId, "failed")).toBe(200);
  expect(await outcome(again.itemId)).toMatchObject({ status: "withheld", message: expect.stringContaining(THOUGH) });
});

test("the clock leaves to its owner what an executor said had succeeded after its lease", async () => {
  const { itemId } = await world.judged({ tool: "poll", args: {} });
  await receipt(itemId, "started");
  await at(itemId, "in_doubt");
  expect(await saysSucceeded(itemId)).toBe(409);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect((await view(itemId)).stage).toBe("in_doubt");
  expect(await settle(itemId, "succeeded", REF)).toBe(200);
  expect((await view(itemId)).outcome).toBe("succeeded");
});

test("what is approved and waits for another try says for which, and its agent withdraws it, also by replacing it", async () => {
  const first = await note();
  await receipt(first.itemId, "started");
  const waiting = async () => {
    const again = await note({ retryOf: first.itemId });
    expect((await approve(again)).status).toBe(200);
    return again.itemId;
  };
  const itemId = await waiting();
  const detail = `It is to try again ${first.itemId}, which is executing`;
  expect((await view(itemId)).findings).toEqual([expect.objectContaining({ code: "awaits_other_try", detail })]);
  const { body: told } = await world.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`);
  expect(told).toMatchObject({ status: "pending", message: `It is approved, and granted once that has ended. ${detail}.` });
  const withdrawn = await world.call("agent", "POST", `/v1/items/${itemId}/decisions`, { kind: "withdraw" });
  expect(withdrawn).toMatchObject({ status: 200, body: { status: "superseded", item: { stage: "done", outcome: "withheld", findings: [] } } });
  expect(await outcome(itemId)).toMatchObject({ status: "withheld", message: "It was withdrawn before anything was granted." });
  const replaced = await waiting();
  const next = await note({ retryOf: replaced, replaces: true });
  expect(next.itemId).toBeTruthy();
  expect((await view(replaced)).outcome).toBe("withheld");
  await receipt(first.itemId, "failed");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const of of [itemId, replaced]) expect((await view(of)).outcome).toBe("withheld");
});

test("a standing approval does not stand in for a retry of what may have run", async () => {
  const given = await world.judged({ tool: "sync_crm", args: { row: 1 } });
  await world.decide("lead", given, { kind: "approve", standing: { scope: "agent", max: 10 } });
  const used = await world.judged({ tool: "sync_crm", args: { row: 2 } });
  expect(used.stage).not.toBe("pending");
  await receipt(used.itemId, "started");
  await at(used.itemId, "in_doubt");
  const again = await world.judged({ tool: "sync_crm", args: { row: 2 }, retryOf: used.itemId });
  expect(why(again)).toEqual(["pending", "tried_before", `It is to try again ${used.itemId}, which is in doubt`]);
});
