import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import type { BatchAnswer, BatchDecisionAnswer, BatchDecisionRequest, BatchesAnswer } from "../../src/producers/wire/batches.ts";
import { collected } from "../evals/collected.ts";
import { openWorld, until, type World } from "./world.ts";

const POLICY = `
policy: crm
workspace: default
owner: role:support-lead
mode: enforce
batch: { max: 5, window: PT30M }
actions:
  change_discount:
    arguments: { type: object, properties: { percent: { type: number, maximum: 50 }, customer: { type: string } }, required: [percent, customer], additionalProperties: false }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: none }
    amount: { path: /percent, unit: USD }
    fields:
      /customer: { label: Customer }
      /percent: { label: Percent }
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [/percent]
    timeout: PT4H
floors:
  - id: never-that-much
    when: { action: change_discount, args: { /percent: { above: 40 } } }
    forbid: true
    because: "More than 40 percent is never given"
`;

let world: World;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY });
});
afterAll(() => world.close());

let serial = 0;

/** Five items that are sealed together, and the batch as the lead sees it. */
async function sealed(values: readonly { percent?: number; customer?: string; confidence?: number }[] = [{}, {}, {}, {}, {}]): Promise<BatchAnswer> {
  const items: ItemView[] = [];
  for (const { percent = 10, customer = `c${serial++}@example.com`, confidence = 0.95 } of values)
    items.push(await world.judged({ actions: [{ tool: "change_discount", args: { percent, customer }, confidence }] }));
  const ids = items.map((item) => item.itemId);
  return until(async () => {
    const { batches } = (await world.call<ItemView>("lead", "GET", `/v1/items/${ids[0]}`)).body;
    return batches[0] === undefined ? undefined : await read(batches[0].batchId).then((b) => (b.open === values.length ? b : undefined));
  });
}

const read = async (batchId: string, who = "lead"): Promise<BatchAnswer> => (await world.call<BatchAnswer>(who, "GET", `/v1/batches/${batchId}`)).body;

/** What a reviewer sends who has opened the drawn member. */
async function opened(batch: BatchAnswer, who = "lead"): Promise<Pick<BatchDecisionRequest, "seen" | "opened">> {
  const { cardSha256 } = (await world.call<ItemView>(who, "GET", `/v1/items/${batch.toOpen}`)).body;
  return { seen: { membersSha256: batch.membersSha256 }, opened: { itemId: batch.toOpen as string, cardSha256, openedAt: 1000, activeMs: 7000 } };
}

const send = (batch: BatchAnswer, request: Partial<BatchDecisionRequest>, who = "lead") =>
  world.call<BatchDecisionAnswer & { code?: string; field?: string; fix?: string }>(who, "POST", `/v1/batches/${batch.batchId}/decisions`, request);

async function decisionOf(itemId: string): Promise<EventOf["decisions"]> {
  const entry = world.ledger.queries.timeline(itemId).find((e) => e.topic === "decisions" && e.status === "effective" && e.what !== "release");
  return (await world.ledger.events.get(itemId, "decisions", entry!.eventId)) as EventOf["decisions"];
}

describe("a batch", () => {
  test("shows its members with their key fields, those that are unlike first, and says how they differ", async () => {
    const batch = await sealed([{}, {}, {}, { percent: 35, customer: "x@elsewhere.net" }, { confidence: 0.72 }]);
    expect(batch).toMatchObject({ owner: "role:support-lead", sealedBy: "size", size: 5, open: 5, workspace: "default" });
    const unlike = batch.members.map((m) => m.unlike);
    expect(unlike.map((u) => u.length)).toEqual([2, 1, 0, 0, 0]);
    expect(unlike[0]).toEqual(["the amount is 35, where the others have 10 in the middle", "Customer is at elsewhere.net, where 4 of 5 are at example.com"]);
    expect(unlike[1]![0]).toContain("confidence is 0.72");
    expect(batch.members[0]!.fields).toEqual(expect.arrayContaining([expect.objectContaining({ label: "Customer", value: "x@elsewhere.net" })]));
    expect(JSON.stringify(batch)).not.toContain("cardSha256");
  });

  test("is listed while something of it waits, for its owner, and by the beginning of its id", async () => {
    const batch = await sealed();
    const list = async (query: string, who = "lead") =>
      (await world.call<BatchesAnswer>(who, "GET", `/v1/batches?${query}`)).body.batches.map((b) => b.batchId);
    expect(await list("mine=true")).toContain(batch.batchId);
    expect(await list("owner=role:nobody")).toEqual([]);
    expect(await list(`idPrefix=${batch.batchId.slice(0, 9)}`)).toEqual([batch.batchId]);
    await send(batch, { ...(await opened(batch)), all: { kind: "reject", message: "no" } });
    expect(await list("mine=true")).not.toContain(batch.batchId);
    expect(await list("mine=true&all=true")).toContain(batch.batchId);
  });

  test("is paged without loss", async () => {
    await sealed();
    await sealed();
    const all = (await world.call<BatchesAnswer>("lead", "GET", "/v1/batches?all=true")).body.batches.map((b) => b.batchId);
    const paged: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const page: BatchesAnswer = (await world.call<BatchesAnswer>("lead", "GET", `/v1/batches?all=true&limit=2${after === "" ? "" : `&after=${after}`}`)).body;
      paged.push(...page.batches.map((b) => b.batchId));
      after = page.next;
    }
    expect(paged).toEqual(all);
    expect((await world.call("lead", "GET", "/v1/batches?after=nonsense")).body).toMatchObject({ code: "request_invalid", field: "after" });
  });

  test("is not for agents, and not there for others' workspaces or under another id", async () => {
    const batch = await sealed();
    expect((await world.call("agent", "GET", `/v1/batches/${batch.batchId}`)).status).toBe(403);
    expect((await world.call("elsewhere", "GET", `/v1/batches/${batch.batchId}`)).status).toBe(404);
    expect((await world.call("lead", "GET", "/v1/batches/b000000")).body).toMatchObject({ code: "not_found", field: "batchId" });
  });
});

describe("before a batch is decided", () => {
  test("the member that was drawn must be opened: it is the same for a reviewer each time, and its card's hash stands nowhere else", async () => {
    const batch = await sealed();
    expect((await read(batch.batchId)).toOpen).toBe(batch.toOpen);
    const seen = { seen: { membersSha256: batch.membersSha256 }, all: { kind: "approve" } } as const;
    const none = await send(batch, seen);
    expect(none).toMatchObject({ status: 409, body: { code: "not_opened", field: "/opened", fix: expect.stringContaining(batch.toOpen!) } });
    const other = batch.members.find((m) => m.itemId !== batch.toOpen)!.itemId;
    const { cardSha256 } = (await world.call<ItemView>("lead", "GET", `/v1/items/${other}`)).body;
    expect((await send(batch, { ...seen, opened: { itemId: other, cardSha256 } })).body).toMatchObject({ code: "not_opened", field: "/opened/itemId" });
    expect((await send(batch, { ...seen, opened: { itemId: batch.toOpen!, cardSha256 } })).body).toMatchObject({
      code: "not_opened",
      field: "/opened/cardSha256",
    });
    // A decision on the drawn member alone that guesses the card is told that it is another one, not which.
    const drawn = (await world.call<ItemView>("lead", "GET", `/v1/items/${batch.toOpen}`)).body;
    const guess = await world.decide("lead", drawn, { kind: "approve", seen: { cardSha256 } });
    expect(guess).toMatchObject({
      status: 409,
      body: { code: "stale", field: "/seen/cardSha256", detail: expect.stringContaining("the card is another one now") },
    });
    expect(JSON.stringify(guess.body)).not.toContain(drawn.cardSha256);
    expect((await read(batch.batchId)).open).toBe(5);
  });

  test("it must have been seen as it is, and a request that cannot be meant is refused as a whole", async () => {
    const batch = await sealed();
    const right = await opened(batch);
    const [a] = batch.members;
    const bad: [Partial<BatchDecisionRequest>, object][] = [
      [
        { ...right, seen: { membersSha256: "0".repeat(64) }, all: { kind: "approve" } },
        { code: "stale", field: "/seen/membersSha256" },
      ],
      [{ ...right }, { code: "request_invalid", field: "/members" }],
      [
        { ...right, members: [{ itemId: "f".repeat(32), kind: "approve" }] },
        { code: "request_invalid", field: "/members/0/itemId" },
      ],
      [
        {
          ...right,
          members: [
            { itemId: a!.itemId, kind: "approve" },
            { itemId: a!.itemId, kind: "reject" },
          ],
        },
        { code: "request_invalid", field: "/members/1/itemId" },
      ],
      [
        { ...right, members: [{ itemId: a!.itemId, kind: "edit" }] },
        { code: "request_invalid", field: "/members/0/edits" },
      ],
    ];
    for (const [request, expected] of bad) expect((await send(batch, request)).body).toMatchObject(expected);
    expect((await read(batch.batchId)).open).toBe(5);
  });
});

describe("deciding a batch", () => {
  test("is one decision for each member, which names the batch and the attention that it had", async () => {
    const batch = await sealed();
    const answer = await send(batch, { ...(await opened(batch)), all: { kind: "approve" }, review: { activeMs: 15_000, channel: "console" } });
    expect(answer).toMatchObject({ status: 200, body: { effective: 5, refused: 0 } });
    const decisions = await Promise.all(batch.members.map((m) => decisionOf(m.itemId)));
    expect(decisions.map((d) => [d.kind, d.batchId])).toEqual(batch.members.map(() => ["approve", batch.batchId]));
    // The opened one has its own time; the others share what is left of 15 seconds.
    const reviews = new Map(decisions.map((d) => [d.itemId, d.review]));
    expect(reviews.get(batch.toOpen!)).toEqual({ openedAt: 1000, activeMs: 7000, channel: "console" });
    const others = batch.members.filter((m) => m.itemId !== batch.toOpen).map((m) => reviews.get(m.itemId));
    expect(others).toEqual(others.map(() => ({ openedAt: null, activeMs: 2000, channel: "console" })));
    const after = await read(batch.batchId);
    expect(after).toMatchObject({ open: 0, toOpen: null });
    expect(after.members.every((m) => m.decision?.together === true && m.why === "decided")).toBe(true);
  });

  test("leaves, edits and rejects single members as told, and each stands by itself", async () => {
    const batch = await sealed();
    const right = await opened(batch);
    const [left, edited, forbidden, rejected, approved] = batch.members.map((m) => m.itemId) as [string, string, string, string, string];
    const args = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body.actions[0]!.args as Record<string, unknown>;
    const { body } = await send(batch, {
      ...right,
      all: { kind: "approve" },
      members: [
        { itemId: left, kind: "skip" },
        { itemId: edited, kind: "edit", edits: [{ actionId: "a1", args: { ...(await args(edited)), percent: 5 } }] },
        { itemId: forbidden, kind: "edit", edits: [{ actionId: "a1", args: { ...(await args(forbidden)), percent: 45 } }] },
        { itemId: rejected, kind: "reject", reasonCodes: ["wrong_customer"], message: "Not theirs" },
      ],
    });
    const byId = new Map(body.results.map((r) => [r.itemId, r]));
    expect(byId.get(left)).toMatchObject({ status: "skipped", stage: "pending" });
    expect(byId.get(edited)).toMatchObject({ status: "effective", rejudged: "settled" });
    expect(byId.get(forbidden)).toMatchObject({ status: "effective", rejudged: "fell_back", stage: "pending" });
    expect(byId.get(rejected)).toMatchObject({ status: "effective" });
    expect(byId.get(approved)).toMatchObject({ status: "effective" });
    expect(await decisionOf(rejected)).toMatchObject({ kind: "reject", reasonCodes: ["wrong_customer"], message: "Not theirs", batchId: batch.batchId });
    const after = await read(batch.batchId);
    expect(Object.fromEntries(after.members.map((m) => [m.itemId, m.why]))).toEqual({
      [left]: null,
      [edited]: "edited",
      [forbidden]: "edited",
      [rejected]: "decided",
      [approved]: "decided",
    });
    // What fell back to its terms of before waits for a batch anew.
    expect((await world.call<ItemView>("lead", "GET", `/v1/items/${forbidden}`)).body.stage).toBe("pending");
  });

  test("refuses one member with its reason and field, and decides the others", async () => {
    const batch = await sealed();
    const right = await opened(batch);
    const [broken] = batch.members.filter((m) => m.itemId !== batch.toOpen);
    const { status, body } = await send(batch, {
      ...right,
      all: { kind: "approve" },
      members: [{ itemId: broken!.itemId, kind: "edit", edits: [{ actionId: "a1", args: { percent: 10 } }] }],
    });
    expect([status, body.effective, body.refused]).toEqual([200, 4, 1]);
    expect(body.results.find((r) => r.itemId === broken!.itemId)).toMatchObject({ status: "refused", detail: expect.any(String), fix: expect.any(String) });
    expect((await read(batch.batchId)).open).toBe(1);
  });

  test("leaves alone what was decided meanwhile, and two reviewers at once decide each member once", async () => {
    const batch = await sealed();
    const item = (await world.call<ItemView>("lead", "GET", `/v1/items/${batch.members.find((m) => m.itemId !== batch.toOpen)!.itemId}`)).body;
    await world.decide("lead", item, { kind: "reject" });
    const right = await opened(batch);
    const [one, two] = await Promise.all([send(batch, { ...right, all: { kind: "approve" } }), send(batch, { ...right, all: { kind: "reject" } })]);
    // Who comes when the drawn member, or all, is decided already is refused as a whole.
    for (const { status, body } of [one, two]) expect([200, "not_opened", "settled"]).toContain(status === 200 ? status : body.code);
    const [ones = 0, twos = 0] = [one.body.effective, two.body.effective];
    expect(ones + twos).toBe(4);
    const kinds = await Promise.all(batch.members.map(async (m) => (await decisionOf(m.itemId)).kind));
    expect(kinds.filter((k) => k === "reject").length).toBe(1 + twos);
    const after = await read(batch.batchId);
    expect(after.members.find((m) => m.itemId === item.itemId)).toMatchObject({ state: "out", why: "decided", decision: { together: false, kind: "reject" } });
    const third = await send(batch, { ...right, all: { kind: "approve" } });
    expect(third).toMatchObject({ status: 409, body: { code: "settled" } });
  });

  test("can be sent again with its event ids: what is recorded is answered as before, the rest is decided, and nothing twice", async () => {
    const batch = await sealed();
    const right = await opened(batch);
    const members = batch.members.map(({ itemId }) => ({ itemId, kind: "approve" as const, eventId: randomUUID() }));
    // The first time ends in the middle, the drawn member being decided.
    const drawn = members.filter((m) => m.itemId === batch.toOpen);
    const first = await send(batch, { ...right, members: drawn });
    expect(first).toMatchObject({ status: 200, body: { effective: 1 } });
    const notOpened = { ...right.opened!, cardSha256: "0".repeat(64) };
    expect(await send(batch, { ...right, opened: notOpened, members })).toMatchObject({ status: 409, body: { code: "not_opened" } });
    expect(await send(batch, { ...right, members: members.filter((m) => m !== drawn[0]) })).toMatchObject({ status: 409, body: { code: "not_opened" } });
    expect(await send(batch, { ...right, members })).toMatchObject({ status: 200, body: { effective: 5, refused: 0 } });
    const again = await send(batch, { ...right, members });
    expect(again).toMatchObject({ status: 200, body: { effective: 5, refused: 0, batch: { open: 0, toOpen: null } } });
    expect(again.body.results.map((r) => [r.itemId, r.status, r.eventId])).toEqual(members.map((m) => [m.itemId, "effective", m.eventId]));
    for (const { itemId } of members)
      expect(world.ledger.queries.timeline(itemId).filter((e) => e.topic === "decisions" && e.what === "approve").length).toBe(1);
    const other = await send(batch, { ...right, members: members.map((m, i) => (i === 0 ? { ...m, kind: "reject" as const } : m)) });
    expect(other).toMatchObject({ status: 200, body: { effective: 4, refused: 1 } });
    expect(other.body.results[0]).toMatchObject({ status: "refused", code: "conflict" });
  });

  test("refuses attention that cannot have been, naming the field", async () => {
    const batch = await sealed();
    const right = await opened(batch);
    const { itemId } = batch.members.find((m) => m.itemId !== batch.toOpen)!;
    const future = Date.now() + 120_000;
    const bad: [Partial<BatchDecisionRequest>, string][] = [
      [{ opened: { ...right.opened!, openedAt: Date.UTC(3000, 0) } }, "/opened/openedAt"],
      [{ opened: { ...right.opened!, activeMs: 8e14 } }, "/opened/activeMs"],
      [{ review: { openedAt: future } }, "/review/openedAt"],
      [{ review: { activeMs: 8e14 } }, "/review/activeMs"],
      [{ review: { openedAt: Date.now() - 5000, activeMs: 70_000 } }, "/review/activeMs"],
      [{ members: [{ itemId, kind: "approve", openedAt: future }] }, "/members/0/openedAt"],
      [{ members: [{ itemId, kind: "approve", openedAt: 0, activeMs: 8e14 }] }, "/members/0/activeMs"],
    ];
    for (const [more, field] of bad)
      expect(await send(batch, { ...right, all: { kind: "approve" }, ...more })).toMatchObject({ status: 422, body: { code: "request_invalid", field } });
    const item = (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
    const alone: [object, string][] = [
      [{ openedAt: future }, "/review/openedAt"],
      [{ activeMs: 8e14 }, "/review/activeMs"],
      [{ openedAt: Date.now() - 1000, activeMs: 90_000 }, "/review/activeMs"],
    ];
    for (const [review, field] of alone)
      expect(await world.decide("lead", item, { kind: "approve", review })).toMatchObject({ status: 422, body: { code: "request_invalid", field } });
    expect((await read(batch.batchId)).open).toBe(5);
    // A clock that is half a minute ahead is no reason to refuse, and a share is never longer than its member was open.
    const openedAt = Date.now() + 30_000;
    const members = [{ itemId, kind: "approve" as const, openedAt }];
    const answer = await send(batch, {
      ...right,
      opened: { ...right.opened!, openedAt, activeMs: 30_000 },
      all: { kind: "approve" },
      members,
      review: { activeMs: 50_000 },
    });
    expect(answer).toMatchObject({ status: 200, body: { effective: 5 } });
    expect((await decisionOf(itemId)).review).toMatchObject({ openedAt, activeMs: 0 });
  });

  test("is for the owner: another reviewer is refused for each member", async () => {
    const batch = await sealed();
    const seen = await read(batch.batchId, "intern");
    const { body } = await send(batch, { ...(await opened(seen, "intern")), all: { kind: "approve" } }, "intern");
    expect([body.effective, body.refused, new Set(body.results.map((r) => r.code))]).toEqual([0, 5, new Set(["not_entitled"])]);
  });
});

describe("a member that is decided by itself", () => {
  test("names the batch in which it was shown, counts there as decided in it, and its row in a dataset has size and position", async () => {
    const batch = await sealed();
    const item = (await world.call<ItemView>("lead", "GET", `/v1/items/${batch.toOpen}`)).body;
    const request = { kind: "approve", eventId: randomUUID(), batchId: batch.batchId };
    expect(await world.decide("lead", item, request)).toMatchObject({ status: 200, body: { status: "effective" } });
    expect(await decisionOf(item.itemId)).toMatchObject({ batchId: batch.batchId });
    expect((await read(batch.batchId)).members.find((m) => m.itemId === item.itemId)).toMatchObject({ decision: { together: true } });
    // The same request again is the same decision; without the batch it is another one.
    expect((await world.decide("lead", item, request)).status).toBe(200);
    expect((await world.decide("lead", item, { ...request, batchId: undefined })).body).toMatchObject({ code: "conflict" });
    const { examples } = await collected({ log: world.ledger.log, codec: world.ledger.codec });
    const { named } = world.ledger.batches.batch(batch.batchId)!;
    const row = examples.find((example) => example.itemId === item.itemId);
    expect(row?.review.batch).toEqual({ id: batch.batchId, size: 5, position: named.indexOf(item.itemId) + 1 });
  });

  test("cannot name a batch that does not hold it with the verdict that is answered, and is told which does", async () => {
    const [one, two] = [await sealed(), await sealed()];
    const item = (await world.call<ItemView>("lead", "GET", `/v1/items/${one.toOpen}`)).body;
    for (const batchId of [two.batchId, "b000000"])
      expect(await world.decide("lead", item, { kind: "approve", batchId })).toMatchObject({
        status: 422,
        body: { code: "request_invalid", field: "/batchId", value: batchId, fix: `name ${one.batchId}, or leave it out` },
      });
    const alone = await world.judged({ actions: [{ tool: "change_discount", args: { percent: 10, customer: "alone@example.com" } }] });
    expect((await world.decide("lead", alone, { kind: "approve", batchId: one.batchId })).body).toMatchObject({
      field: "/batchId",
      fix: "leave it out: the item is in no batch",
    });
    expect((await world.decide("lead", item, { kind: "claim", batchId: one.batchId })).body).toMatchObject({ code: "request_invalid", field: "/batchId" });
    expect((await read(one.batchId)).open).toBe(5);
    await world.decide("lead", alone, { kind: "reject" });
  });
});

test("a batch of which nothing can be decided takes no other one's place in the list", async () => {
  const older = await sealed();
  const newer = await sealed();
  const [one, two] = newer.members.map((m) => m.itemId) as [string, string];
  // What policy forbids falls back: these two still wait, out of their batch.
  const forbidden = newer.members
    .filter((m) => m.itemId === one || m.itemId === two)
    .map(({ itemId, fields }) => {
      const customer = fields.find((f) => f.label === "Customer")?.value as string;
      return { itemId, kind: "edit" as const, edits: [{ actionId: "a1", args: { percent: 45, customer } }] };
    });
  await send(newer, { ...(await opened(newer)), all: { kind: "reject" }, members: forbidden });
  expect(await read(newer.batchId)).toMatchObject({ open: 0 });
  expect((await world.call<ItemView>("lead", "GET", `/v1/items/${one}`)).body.stage).toBe("pending");
  const { body } = await world.call<BatchesAnswer>("lead", "GET", "/v1/batches?limit=1");
  expect(body).toMatchObject({ batches: [{ batchId: older.batchId, open: 5 }], next: expect.any(String) });
  const whole = (await world.call<BatchesAnswer>("lead", "GET", "/v1/batches")).body;
  const second = await world.call<BatchesAnswer>("lead", "GET", `/v1/batches?limit=1&after=${body.next}`);
  expect(second.body.batches).toEqual([whole.batches[1]]);
  const full = await world.call<BatchesAnswer>("lead", "GET", `/v1/batches?limit=${whole.batches.length}`);
  expect([whole.next, full.body.next]).toEqual([null, null]);
});
