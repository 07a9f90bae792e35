import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ItemView, ListAnswer } from "../../src/producers/wire/answers.ts";
import type { HaltAnswer, HaltsAnswer } from "../../src/producers/wire/halts.ts";
import { type Answer, openWorld, until, type World } from "./world.ts";

const MINUTE = 60_000;
const POLICY = `
policy: work
workspace: default
owner: role:support-lead
mode: enforce
actions:
  note:
    arguments: { type: object, properties: { text: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: none }
    lease: PT2M
    grant_ttl: PT5M
    retries: 1
  ask:
    arguments: { type: object, properties: { n: { type: number } } }
    reversibility: partially
    execution: queryable
    risk: high
    gate: { kind: hard }
    decisions: [approve, reject]
    timeout: PT30M
    on_expiry: reject
  tag:
    arguments: { type: object, properties: { tag: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: audit, window: PT24H }
    lease: PT2M
    grant_ttl: PT5M
  move:
    arguments: { type: object, properties: { n: { type: number } } }
    reversibility: partially
    execution: queryable
    risk: high
    gate: { kind: hard }
    decisions: [approve, reject]
    lease: PT20M
    grant_ttl: PT5M
`;

let world: World;
const clock = { at: Date.UTC(2026, 10, 2, 9) };
beforeAll(async () => {
  world = await openWorld({ now: () => clock.at, policy: POLICY });
});
afterAll(() => world.close());
beforeEach(async () => {
  for (const made of (await world.call<HaltsAnswer>("halter", "GET", "/v1/halts")).body.halts) await lift({ halt: made });
});

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const reaches = (itemId: string, stage: string) => until(async () => ((await view(itemId)).stage === stage ? view(itemId) : undefined));
const codes = async (itemId: string) => (await view(itemId)).findings.map((f) => f.code);
/** Long enough for the clock to notice that it was turned, and to write what it owes. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1500));
const queue = async () => (await world.call<ListAnswer>("lead", "GET", "/v1/items?queue=true")).body.items.map((i) => i.itemId);
const settle = (itemId: string, outcome: string) => {
  const settlement = { outcome, ...(outcome === "succeeded" && { externalRef: { system: "crm", id: "1" } }) };
  return world.call<{ code?: string; detail?: string }>("lead", "POST", `/v1/items/${itemId}/decisions`, { kind: "settle", settlement });
};
const halt = async (body: object = {}) => (await world.call<HaltAnswer>("halter", "POST", "/v1/halts", { reason: "look", ...body })).body;
const lift = (made: Pick<HaltAnswer, "halt">) => world.call("halter", "POST", `/v1/halts/${made.halt.eventId}/lift`, {});

/** A receipt on the grant in force, about its first action or the one named. */
async function say(itemId: string, kind: string, actionId?: string): Promise<Answer> {
  const { grant } = await view(itemId);
  const action = grant?.actions.find((a) => a.actionId === actionId) ?? grant?.actions[0];
  return world.receipt("executor", itemId, {
    grant: grant?.id,
    kind,
    actionId: action?.actionId,
    argsSha256: action?.argsSha256,
    ...(kind === "failed" && { error: { code: "down", message: "The system is down" } }),
  });
}

/** Starts, and lets the lease run out. */
async function lose(itemId: string, actionId?: string): Promise<void> {
  expect((await say(itemId, "started", actionId)).status).toBe(200);
  clock.at += 21 * MINUTE;
}

/** Lets the clock try again what is in doubt: not before its owner had as long as the action may take. */
async function again(itemId: string): Promise<ItemView> {
  await reaches(itemId, "in_doubt");
  clock.at += 2 * MINUTE;
  return reaches(itemId, "granted");
}

test("a retry that nobody starts is never lost: its time does not run out, and it can be started after days", async () => {
  const { itemId } = await world.granted({ tool: "note", args: { text: "a" } });
  await lose(itemId);
  expect((await again(itemId)).grant?.notAfter).toBeNull();
  clock.at += 3 * 24 * 60 * MINUTE;
  await aWhile();
  expect((await view(itemId)).stage).toBe("granted");
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "succeeded")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded", findings: [] });
});

test("a halt and a withdrawal take no retry back: it is named as waiting, refused before the lift, and goes on after it", async () => {
  const { itemId } = await world.granted({ tool: "note", args: { text: "b" } });
  await lose(itemId);
  await again(itemId);
  const made = await halt();
  expect(made).toMatchObject({ started: [], revoked: 0, waiting: [itemId] });
  expect((await world.call("agent", "POST", `/v1/items/${itemId}/decisions`, { kind: "withdraw" })).body).toMatchObject({ code: "settled" });
  expect((await say(itemId, "started")).body).toMatchObject({ code: "halted" });
  await lift(made);
  await aWhile();
  expect((await view(itemId)).stage).toBe("granted");
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "succeeded")).status).toBe(200);
});

test("a withdrawal that came after the start changes nothing, as its agent is told: what is in doubt is tried again, by the clock and by a person", async () => {
  const { itemId } = await world.granted({ tool: "note", args: { text: "c" } });
  expect((await say(itemId, "started")).status).toBe(200);
  // Straight to the log, as one that lost the race against the start has come to lie there.
  const { position } = await world.ledger.write("decisions", itemId, {
    ...{ workspace: "default", kind: "withdraw", scope: "action" },
    answers: { topic: "verdicts", eventId: (await view(itemId)).verdict?.eventId as string },
    actor: { kind: "agent", id: "support-bot" },
  });
  await world.ledger.waitFor([position]);
  expect((await world.call("agent", "POST", `/v1/items/${itemId}/decisions`, { kind: "withdraw" })).body).toMatchObject({ code: "settled" });
  clock.at += 3 * MINUTE;
  await again(itemId);
  expect((await say(itemId, "started")).status).toBe(200);
  clock.at += 3 * MINUTE;
  await reaches(itemId, "in_doubt");
  await aWhile();
  expect(await queue()).toContain(itemId);
  expect((await settle(itemId, "retry")).status).toBe(200);
  await reaches(itemId, "granted");
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "succeeded")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded", findings: [] });
});

test("a roll_back that is in doubt may be tried again in a rejected branch: undoing is what was asked for", async () => {
  const { itemId } = await world.granted({ tool: "tag", args: { tag: "x" }, run: { threadId: "undone" } });
  await say(itemId, "started");
  await say(itemId, "succeeded");
  expect((await world.decide("lead", await view(itemId), { kind: "reject", scope: "branch" })).status).toBe(200);
  await reaches(itemId, "granted");
  await lose(itemId);
  await reaches(itemId, "in_doubt");
  expect((await settle(itemId, "retry")).status).toBe(200);
  await reaches(itemId, "granted");
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "compensated")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "compensated" });
});

test("the clock tries again what a halt kept it from once that is lifted, or ends by itself", async () => {
  for (const end of ["lift", "expiry"]) {
    const { itemId } = await world.granted({ tool: "note", args: { text: end } });
    expect((await say(itemId, "started")).status).toBe(200);
    const made = await halt(end === "expiry" ? { expiresAt: clock.at + 10 * MINUTE } : {});
    clock.at += 3 * MINUTE;
    await reaches(itemId, "in_doubt");
    clock.at += 2 * MINUTE;
    await aWhile();
    expect((await view(itemId)).stage).toBe("in_doubt");
    if (end === "lift") await lift(made);
    else clock.at += 10 * MINUTE;
    await reaches(itemId, "granted");
  }
});

test("a roll_back has no time that runs out and waits for the lift of a halt; one that fails is a finding", async () => {
  const { itemId } = await world.granted({ tool: "tag", args: { tag: "vip" } });
  await say(itemId, "started");
  await say(itemId, "succeeded");
  await world.decide("lead", await view(itemId), { kind: "reject" });
  expect((await reaches(itemId, "granted")).grant).toMatchObject({ outcome: "roll_back", notAfter: null });
  const made = await halt();
  expect(made).toMatchObject({ started: [], revoked: 0, waiting: expect.arrayContaining([itemId]) });
  expect((await say(itemId, "started")).body).toMatchObject({ code: "halted" });
  clock.at += 24 * 60 * MINUTE;
  await aWhile();
  await lift(made);
  expect((await view(itemId)).stage).toBe("granted");
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "failed")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "failed", review: "failed" });
  expect(await codes(itemId)).toEqual(["not_rolled_back"]);
});

const plan = () => world.granted({ actions: [1, 2, 3].map((n) => ({ actionId: `a${n}`, tool: "move", args: { n } })) });

test("a plan whose unknown step is settled as succeeded did not succeed while steps are left, and says so", async () => {
  const { itemId } = await plan();
  await lose(itemId, "a1");
  await reaches(itemId, "in_doubt");
  expect((await settle(itemId, "succeeded")).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "failed" });
  expect(await codes(itemId)).toEqual(["plan_cut_short"]);
});

test("the time to start binds a plan's first step; each further one has as long again, and what nobody goes on with is taken back and found", async () => {
  const { itemId } = await plan();
  expect((await say(itemId, "started", "a1")).status).toBe(200);
  clock.at += 15 * MINUTE;
  expect((await say(itemId, "succeeded", "a1")).status).toBe(200);
  clock.at += 4 * MINUTE;
  await aWhile();
  expect((await say(itemId, "started", "a2")).status).toBe(200);
  expect((await say(itemId, "succeeded", "a2")).status).toBe(200);
  clock.at += 6 * MINUTE;
  expect(await reaches(itemId, "done")).toMatchObject({ outcome: "revoked" });
  expect(await codes(itemId)).toEqual(["plan_cut_short"]);
  const told = await world.call("agent", "GET", `/v1/items/${itemId}/outcome`);
  expect(told.body).toMatchObject({ grant: null, message: expect.stringContaining("next step") });
});

test("what a halt kept from being approved does not expire by it: after the lift its owner has the time that was left", async () => {
  const { itemId, deadline } = await world.judged({ tool: "ask", args: { n: 1 } });
  expect(deadline).toBe(clock.at + 30 * MINUTE);
  clock.at += 10 * MINUTE;
  const made = await halt();
  clock.at += 60 * MINUTE;
  await aWhile();
  expect((await view(itemId)).stage).toBe("pending");
  await lift(made);
  clock.at += 15 * MINUTE;
  await aWhile();
  expect((await view(itemId)).stage).toBe("pending");
  clock.at += 6 * MINUTE;
  expect(await reaches(itemId, "done")).toMatchObject({ outcome: "expired" });
});
