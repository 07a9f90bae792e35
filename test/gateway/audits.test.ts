import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView, ListAnswer, OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
const clock = { at: Date.UTC(2026, 10, 2, 9) };
const HOUR = 3_600_000;
/** Notes run at once and are looked at within a day; then the auditors are asked, and asked again. */
const POLICY = `
policy: notes
workspace: default
owner: role:support-lead
mode: enforce
actions:
  add_note:
    arguments: { type: object, properties: { text: { type: string } }, required: [text] }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: audit, window: PT24H }
    owner: role:support-lead
    ladder: [{ to: role:auditor, timeout: PT12H }, { to: role:support-lead, timeout: PT1H, page: true }]
    lease: PT2M
  tag_ticket:
    arguments: { type: object, properties: { tag: { type: string } }, required: [tag] }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: audit, window: PT24H }
rules:
  - id: about-money
    when: { action: add_note, args: { /text: { matches: "(?i)refund" } } }
    raise: { risk: high }
    because: "What promises money is read before it is written"
`;

beforeAll(async () => {
  world = await openWorld({ now: () => clock.at, policy: POLICY });
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

test("what policy finds too risky to be audited afterwards waits for a person first", async () => {
  const item = await world.judged({ tool: "add_note", args: { text: "You get a refund" } });
  expect(item).toMatchObject({ stage: "pending", route: "interrupt", risk: "high", execution: "none", review: "none" });
  await world.decide("lead", item, { kind: "reject" });
});

test("only the owner reviews, on the card that is shown, and with no other decision than approve and reject", async () => {
  const { itemId } = await granted();
  const item = await view(itemId);
  expect(await world.decide("intern", item, { kind: "approve" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  const edit = { kind: "edit", edits: [{ actionId: "a1", args: { text: "y" } }] };
  expect(await world.decide("lead", item, edit)).toMatchObject({ status: 403, body: { code: "not_allowed" } });
  const stale = { kind: "approve", verdict: item.verdict?.eventId, seen: { cardSha256: "0".repeat(64) } };
  expect((await world.call("lead", "POST", `/v1/items/${itemId}/decisions`, stale)).body).toMatchObject({ code: "stale" });
  expect(await view(itemId)).toMatchObject({ review: "open", execution: "granted" });
});

test("a window that closes unreviewed goes up the ladder step by step, and never expires or passes", async () => {
  const { itemId, grant } = await granted();
  await receipt(itemId, grant, "started");
  await receipt(itemId, grant, "succeeded");
  const becomes = (owner: string, step: number) =>
    until(async () => {
      const now = await view(itemId);
      return now.owner === owner && now.step === step ? now : undefined;
    });
  expect(await view(itemId)).toMatchObject({ owner: "role:support-lead", deadline: clock.at + 24 * HOUR, expiresAt: null });
  clock.at += 24 * HOUR;
  expect(await becomes("role:auditor", 1)).toMatchObject({ held: false });
  expect(await world.decide("lead", await view(itemId), { kind: "approve" })).toMatchObject({ status: 403, body: { code: "not_entitled" } });
  clock.at += 12 * HOUR;
  await becomes("role:support-lead", 2);
  clock.at += 1000 * HOUR;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const last = await view(itemId);
  expect(last).toMatchObject({ review: "open", execution: "succeeded", outcome: "succeeded", step: 2, held: true, deadline: null });
  expect(last.timeline.filter((e) => e.topic === "decisions").map((e) => `${e.what} ${e.status}`)).toEqual(["escalate effective", "escalate effective"]);
  expect((await queue()).map((i) => i.itemId)).toContain(itemId);
  expect((await world.decide("lead", last, { kind: "approve" })).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ review: "passed" });
});

test("an audit without a ladder goes to the owner of the document, who is paged", async () => {
  const { itemId } = await world.granted({ tool: "tag_ticket", args: { tag: "vip" } });
  const verdict = await world.ledger.events.get(itemId, "verdicts", (await view(itemId)).verdict?.eventId as string);
  expect(verdict).toMatchObject({ gate: "audit", ladder: [{ step: 1, to: "role:support-lead", page: true }], expiresAt: null, onExpiry: "hold" });
});
