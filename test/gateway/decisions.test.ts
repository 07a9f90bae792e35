import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import type { ItemView, OutcomeAnswer, Problem } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

const refund = (amount = 10) => w.judged({ tool: "issue_refund", args: { amount, reason: "late" } });
const view = async (itemId: string) => (await w.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const outcome = async (itemId: string) => (await w.call<OutcomeAnswer>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body;
const edit = (args: object) => ({ kind: "edit", edits: [{ actionId: "a1", args }] });

describe("POST /v1/items/{id}/decisions", () => {
  it("approves: the grant names exactly the approved arguments", async () => {
    const item = await refund();
    const { status, body } = await w.decide("lead", item, { kind: "approve", message: "fine" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "effective", item: { decision: { kind: "approve", by: "person:carol" }, allowedDecisions: [] } });
    expect(await outcome(item.itemId)).toMatchObject({
      status: "proceed",
      grant: { actions: [{ tool: "issue_refund", args: { amount: 10, reason: "late" }, argsSha256: item.actions[0]?.argsSha256 }] },
    });
  });

  it("rejects: nothing runs, and the model is told why", async () => {
    const item = await refund();
    await w.decide("lead", item, { kind: "reject", reasonCodes: ["wrong_customer"], message: "Ask for the order" });
    expect(await outcome(item.itemId)).toMatchObject({ status: "refused", grant: null, message: "Ask for the order", stage: "done", finalOutcome: "refused" });
  });

  it("edits: policy judges the new arguments before the answer, and the editor's vote settles it", async () => {
    const item = await refund();
    const { body } = await w.decide("lead", item, edit({ amount: 5, reason: "late" }));
    expect(body).toMatchObject({ rejudged: { state: "settled" }, item: { decision: { kind: "edit", by: "person:carol" } } });
    expect(await outcome(item.itemId)).toMatchObject({ status: "proceed_edited", grant: { actions: [{ args: { amount: 5 } }] } });
    expect((await view(item.itemId)).actions[0]).toMatchObject({ args: { amount: 5 }, proposedArgs: { amount: 10 } });
  });

  it("edits: where the new arguments need a second person, the answer says that it is pending under the new verdict", async () => {
    const item = await refund();
    const { body } = await w.decide("lead", item, edit({ amount: 1500, reason: "late" }));
    expect(body).toMatchObject({ rejudged: { state: "pending" }, item: { stage: "pending", approvals: 2, votes: ["carol"] } });
    const stale = await w.decide("lead2", item, { kind: "approve" });
    expect([stale.status, stale.body.code]).toEqual([409, "stale"]);
    expect(stale.body.detail).toMatch(/after the edit of person:carol.*arguments changed at \/amount/);
    const now = await view(item.itemId);
    expect((await w.decide("lead2", now, { kind: "approve" })).status).toBe(200);
    expect(await outcome(item.itemId)).toMatchObject({ status: "proceed_edited" });
  });

  it("edits: what policy forbids falls back to the terms before, with the reason", async () => {
    const item = await refund();
    const { body } = await w.decide("lead", item, edit({ amount: 4100, reason: "late" }));
    expect(body).toMatchObject({
      rejudged: { state: "fell_back" },
      item: { stage: "pending", actions: [{ args: { amount: 10 } }], cardSha256: item.cardSha256 },
    });
    expect(JSON.stringify(body.rejudged)).toContain("never paid by an agent");
    const now = await view(item.itemId);
    expect(now.fellBack?.reason).toContain("never paid by an agent");
    expect(now.verdict?.eventId).not.toBe(item.verdict?.eventId);
    expect((await w.decide("lead", now, { kind: "approve" })).status).toBe(200);
  });

  it("edits: an edit that breaks the policy's schema falls back as well", async () => {
    const item = await refund();
    const { body } = await w.decide("lead", item, edit({ amount: "five", reason: "late" }));
    expect(body).toMatchObject({ rejudged: { state: "fell_back" }, item: { stage: "pending" } });
  });

  it("edits: arguments that the agent's schema cannot be checked with are refused at once, and the item stays as it is", async () => {
    const argsSchema = { properties: { reason: { items: { $ref: "#/properties/reason" }, allOf: [{ items: { $ref: "#/properties/reason" } }] } } };
    const item = await w.judged({ tool: "issue_refund", args: { amount: 10 }, argsSchema });
    const reason = JSON.parse(`${"[".repeat(50)}1${"]".repeat(50)}`);
    const before = process.cpuUsage();
    const { status, body } = await w.decide("lead", item, edit({ amount: 10, reason }));
    expect([status, body.code]).toEqual([422, "schema_invalid"]);
    expect(body.detail).toContain("more than 4000000 steps");
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
    expect((await view(item.itemId)).stage).toBe("pending");
  });

  it("responds to a question, which runs nothing", async () => {
    const item = await w.judged({ ask: "question", question: "Which account?" });
    expect(item).toMatchObject({ stage: "pending", allowedDecisions: ["respond"], question: "Which account?" });
    expect((await w.decide("lead", item, { kind: "respond" })).body).toMatchObject({ code: "request_invalid", field: "/message" });
    expect((await w.decide("lead", item, { kind: "approve" })).body).toMatchObject({ code: "not_allowed" });
    expect((await w.decide("lead", item, { kind: "respond", message: "The second" })).status).toBe(200);
    expect(await outcome(item.itemId)).toMatchObject({ status: "responded", message: "The second", grant: null });
  });

  it("acknowledges a notice", async () => {
    const item = await w.judged({ ask: "notify", question: "The backup failed" });
    expect((await w.decide("lead", item, { kind: "acknowledge" })).status).toBe(200);
    expect(await outcome(item.itemId)).toMatchObject({ status: "acknowledged", grant: null });
  });

  it("withdraws for the agent that proposed, and for nobody else", async () => {
    const item = await refund();
    expect((await w.decide("otherAgent", item, { kind: "withdraw" })).status).toBe(404);
    expect((await w.decide("lead", item, { kind: "withdraw" })).body).toMatchObject({ code: "forbidden" });
    expect((await w.decide("agent", item, { kind: "withdraw" })).status).toBe(200);
    expect(await outcome(item.itemId)).toMatchObject({ status: "withdrawn", grant: null });
    expect((await w.decide("agent", await view(item.itemId), { kind: "withdraw" })).body).toMatchObject({ code: "settled" });
  });

  it("tells both of two reviewers at once: one is effective, the other learns who was first", async () => {
    const item = await refund();
    const answers = await Promise.all([w.decide("lead", item, { kind: "approve" }), w.decide("lead2", item, { kind: "reject" })]);
    expect(answers.map((a) => a.status).sort()).toEqual([200, 409]);
    const lost = answers.find((a) => a.status === 409)?.body as unknown as Problem;
    const winner = answers[0]?.status === 200 ? "approve .* of person:carol" : "reject .* of person:dave";
    expect(lost.code).toBe("settled");
    expect(lost.detail).toMatch(new RegExp(`closed by ${winner}`));
    expect(await outcome(item.itemId)).toMatchObject({ status: answers[0]?.status === 200 ? "proceed" : "refused" });
  });

  it("counts one vote a person", async () => {
    const item = await refund(1500);
    expect((await w.decide("lead", item, { kind: "approve" })).body).toMatchObject({ item: { stage: "pending", votes: ["carol"], approvals: 2 } });
    expect((await w.decide("lead", item, { kind: "approve" })).body).toMatchObject({ code: "already_voted" });
    expect((await w.decide("lead2", item, { kind: "approve" })).status).toBe(200);
    expect(await outcome(item.itemId)).toMatchObject({ status: "proceed" });
  });

  it("keeps others out while somebody holds a claim, until it is given back or taken over", async () => {
    const item = await refund();
    const claimed = await w.decide("lead", item, { kind: "claim" });
    expect(claimed.status).toBe(200);
    const { claim } = claimed.body.item as ItemView;
    expect(claim?.person).toBe("carol");
    expect((claim?.endsAt ?? 0) - Date.now()).toBeGreaterThan(9 * 60_000);
    expect((claim?.endsAt ?? 0) - Date.now()).toBeLessThanOrEqual(10 * 60_000);
    expect((await w.decide("lead2", item, { kind: "approve" })).body).toMatchObject({ status: 409, code: "claimed", detail: expect.stringContaining("carol") });
    expect((await w.decide("lead2", item, { kind: "claim" })).body).toMatchObject({ code: "claimed" });
    expect((await w.decide("lead2", item, { kind: "release" })).body).toMatchObject({ code: "not_entitled" });
    expect((await w.decide("boss", item, { kind: "claim", lease: { minutes: 1, takeOver: true } })).body).toMatchObject({
      item: { claim: { person: "bea" } },
    });
    expect((await w.decide("lead", item, { kind: "approve" })).body).toMatchObject({ code: "claimed" });
    expect((await w.decide("boss", item, { kind: "release" })).body).toMatchObject({ item: { claim: null } });
    expect((await w.decide("boss", item, { kind: "release" })).body).toMatchObject({ code: "stale" });
    expect((await w.decide("lead", item, { kind: "approve" })).status).toBe(200);
  });

  it("makes a decision once when it is sent again with the same event id", async () => {
    const item = await refund();
    const eventId = "01a1fdee-0000-7000-8000-000000000001";
    const [first, twin] = await Promise.all([w.decide("lead", item, { kind: "approve", eventId }), w.decide("lead", item, { kind: "approve", eventId })]);
    const later = await w.decide("lead", item, { kind: "approve", eventId });
    expect([first.status, twin.status, later.status]).toEqual([200, 200, 200]);
    expect(later.body.position).toEqual(first.body.position);
    const { timeline, findings } = await view(item.itemId);
    expect(timeline.filter((e) => e.topic === "decisions")).toHaveLength(1);
    expect(findings).toEqual([]);
    expect((await w.decide("lead2", item, { kind: "approve", eventId })).body).toMatchObject({ code: "conflict", field: "eventId" });
    expect((await w.decide("lead", item, { kind: "reject", eventId })).body).toMatchObject({ code: "conflict" });
  });

  it("answers no other decision with an event id that is used: what it says has not taken effect", async () => {
    const item = await refund();
    const eventId = "01a1fdee-0000-7000-8000-000000000002";
    const edit = { kind: "edit", eventId, edits: [{ actionId: "a1", args: { amount: 30, reason: "late" } }], message: "Half", reasonCodes: ["policy"] };
    const first = await w.decide("lead", item, edit);
    expect(first.status).toBe(200);
    expect((await w.decide("lead", item, edit)).body).toMatchObject({ status: "effective", position: first.body.position });
    const others = [
      { edits: [{ actionId: "a1", args: { amount: 35, reason: "late" } }] },
      { message: "Other words" },
      { reasonCodes: [] },
      { verdict: "01a1fdee-0000-7000-8000-0000000000ff" },
      { seen: { cardSha256: "0".repeat(64) } },
    ];
    for (const other of others)
      expect((await w.decide("lead", item, { ...edit, ...other })).body).toMatchObject({
        code: "conflict",
        detail: expect.stringContaining(Object.keys(other)[0] as string),
      });
    expect((await view(item.itemId)).actions[0]?.args).toMatchObject({ amount: 30 });
  });
});

describe("a decision is refused", () => {
  const cases: [string, string, (item: ItemView) => object, number, string, string | undefined][] = [
    ["by somebody who is not the owner", "intern", () => ({ kind: "approve" }), 403, "not_entitled", undefined],
    ["in a way that the policy does not allow", "lead", () => ({ kind: "respond", message: "no" }), 403, "not_allowed", "/kind"],
    [
      "on a card that has changed since it was seen",
      "lead",
      () => ({ kind: "approve", seen: { cardSha256: "0".repeat(64) } }),
      409,
      "stale",
      "/seen/cardSha256",
    ],
    ["without saying which card was seen", "lead", () => ({ kind: "approve", seen: undefined }), 422, "request_invalid", "/seen"],
    ["without saying which verdict was seen", "lead", () => ({ kind: "approve", verdict: undefined }), 422, "request_invalid", "/verdict"],
    [
      "on a verdict that is not the item's",
      "lead",
      () => ({ kind: "approve", verdict: "01a1fdee-0000-7000-8000-0000000000ff" }),
      422,
      "request_invalid",
      "/verdict",
    ],
    ["as an edit that changes nothing", "lead", () => edit({ amount: 10, reason: "late" }), 422, "request_invalid", "edits"],
    ["as an edit of what is not editable", "lead", () => edit({ amount: 10, reason: "late", to: "me" }), 422, "request_invalid", "edits"],
    [
      "as an edit of an action that is not there",
      "lead",
      () => ({ kind: "edit", edits: [{ actionId: "zz", args: {} }] }),
      422,
      "request_invalid",
      "/edits/0/actionId",
    ],
    ["as an edit without edits", "lead", () => ({ kind: "edit" }), 422, "request_invalid", "/edits"],
    ["with the edits of another kind", "lead", () => ({ kind: "approve", edits: [{ actionId: "a1", args: { amount: 1 } }] }), 422, "request_invalid", "/edits"],
    ["as an expiry, which is the clock's", "lead", () => ({ kind: "expire" }), 422, "request_invalid", "/kind"],
    ["with a field that is not known", "lead", () => ({ kind: "approve", actor: { kind: "person", id: "boss" } }), 422, "request_invalid", "/actor"],
    ["as a settlement where nothing is in doubt", "lead", () => ({ kind: "settle", settlement: { outcome: "failed" } }), 403, "not_allowed", "/kind"],
    [
      "as a report about no receipt",
      "lead",
      () => ({ kind: "report", receipt: "01a1fdee-0000-7000-8000-0000000000ff", incident: { severity: "low" } }),
      422,
      "request_invalid",
      "/receipt",
    ],
    ["as the clearing of a record that is not bad", "lead", () => ({ kind: "clear", cleared: "0".repeat(64) }), 422, "request_invalid", "/cleared"],
    ["on an item of another workspace, which does not exist for the key", "elsewhere", () => ({ kind: "approve" }), 404, "not_found", "itemId"],
  ];
  it.each(cases)("%s", async (_what, who, request, status, code, field) => {
    const item = await refund();
    const before = item.timeline.length;
    const answer = await w.decide(who, item, request(item) as Record<string, unknown>);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([status, code, field]);
    expect(answer.body.fix).toBeTruthy();
    expect((await view(item.itemId)).timeline).toHaveLength(before);
  });

  it("once the item is settled, and who settled it is said", async () => {
    const item = await refund();
    await w.decide("lead", item, { kind: "reject" });
    const answer = await w.decide("lead2", item, { kind: "approve" });
    expect(answer.body).toMatchObject({ status: 409, code: "settled", detail: expect.stringContaining("of person:carol") });
  });

  it("where the agent's own schema forbids the edited arguments, and the place is named", async () => {
    const argsSchema = { type: "object", properties: { amount: { type: "number", maximum: 50 } } };
    const item = await w.judged({ tool: "issue_refund", args: { amount: 10 }, argsSchema });
    const answer = await w.decide("lead", item, edit({ amount: 60 }));
    expect(answer.body).toMatchObject({
      status: 422,
      code: "schema_invalid",
      field: "/edits/0/args/amount",
      value: 60,
      detail: expect.stringContaining("maximum"),
    });
  });

  it("before policy has judged: a withdrawal and a claim alike", async () => {
    const asleep = await openWorld({ workers: false });
    try {
      const { body } = await asleep.call<{ itemId: string; item: ItemView }>("agent", "POST", "/v1/proposals", {
        idempotencyKey: "k",
        tool: "issue_refund",
        args: { amount: 1 },
      });
      expect(body.item).toMatchObject({ stage: "proposed", verdict: null, allowedDecisions: [] });
      expect((await asleep.decide("agent", body.item, { kind: "withdraw" })).body).toMatchObject({ status: 409, code: "not_judged_yet", retryable: true });
      expect((await asleep.decide("lead", body.item, { kind: "claim" })).body).toMatchObject({ status: 409, code: "not_judged_yet" });
    } finally {
      await asleep.close();
    }
  });
});

describe("settle, report and clear", () => {
  async function inDoubt() {
    const { itemId, grant } = await w.granted({ tool: "sync_crm", args: { id: Math.random() } });
    const [action] = grant.actions;
    await w.receipt("executor", itemId, { kind: "started", grant: grant.id, argsSha256: action?.argsSha256 });
    return until(async () => {
      const item = await view(itemId);
      return item.stage === "in_doubt" ? item : undefined;
    });
  }

  it("settles an unknown outcome with the record that proves it, once, and only as its owner", async () => {
    const item = await inDoubt();
    expect((await w.decide("intern", item, { kind: "settle", settlement: { outcome: "failed" } })).body).toMatchObject({ code: "not_entitled" });
    expect((await w.decide("lead", item, { kind: "settle", settlement: { outcome: "succeeded" } })).body).toMatchObject({
      code: "request_invalid",
      field: "/settlement/externalRef",
    });
    const settled = await w.decide("lead", item, { kind: "settle", settlement: { outcome: "succeeded", externalRef: { system: "crm", id: "1" } } });
    expect(settled.body).toMatchObject({ status: "effective", item: { stage: "done", outcome: "succeeded" } });
    expect((await w.decide("lead2", item, { kind: "settle", settlement: { outcome: "failed" } })).body).toMatchObject({ code: "settled" });
  });

  it("settles as retry: a new grant with the same effect key", async () => {
    const item = await inDoubt();
    const before = item.grant;
    expect((await w.decide("lead", item, { kind: "settle", settlement: { outcome: "retry" } })).status).toBe(200);
    const after = await until(async () => {
      const { grant } = await outcome(item.itemId);
      return grant !== null && grant.id !== before?.id ? grant : undefined;
    });
    expect(after.actions[0]?.effectKey).toBe(before?.actions[0]?.effectKey);
  });

  it("reports an incident about a receipt that ended an execution", async () => {
    const { itemId, grant } = await w.granted();
    const argsSha256 = grant.actions[0]?.argsSha256;
    await w.receipt("executor", itemId, { kind: "started", grant: grant.id, argsSha256 });
    const ended = await w.receipt("executor", itemId, { kind: "succeeded", grant: grant.id, argsSha256 });
    const answer = await w.decide("intern", await view(itemId), { kind: "report", receipt: ended.body.eventId, incident: { severity: "high" } });
    expect(answer.body).toMatchObject({ status: "effective", item: { stage: "done", incidents: [{ eventId: answer.body.eventId, severity: "high" }] } });
    const newest = await w.decide("intern", await view(itemId), { kind: "report", incident: { severity: "low", url: "https://tracker.example/1" } });
    expect((newest.body.item as ItemView).incidents.map((i: { severity: string }) => i.severity).sort()).toEqual(["high", "low"]);
  });

  it("refuses a report on an item on which nothing was executed", async () => {
    const answer = await w.decide("intern", await refund(), { kind: "report", incident: { severity: "low" } });
    expect(answer).toMatchObject({ status: 403, body: { code: "not_allowed" } });
  });

  it("keeps rubric scores with the decision, and refuses a criterion that is scored twice or out of range", async () => {
    const item = await refund();
    const score = (criterion: string, score: number) => ({ criterion, score });
    const twice = await w.decide("lead", item, { kind: "reject", scores: [score("tone", 4), score("tone", 5)] });
    expect(twice).toMatchObject({ status: 422, body: { code: "request_invalid", field: "/scores" } });
    expect((await w.decide("lead", item, { kind: "reject", scores: [score("tone", 6)] })).status).toBe(422);
    const kept = await w.decide("lead", item, { kind: "reject", scores: [score("tone", 4)] });
    const event = await w.ledger.events.get(item.itemId, "decisions", kept.body.eventId as string);
    expect(event?.scores).toEqual([score("tone", 4)]);
  });

  it("shows the criteria of the rubric with their labels, and none where no policy names any", async () => {
    expect((await refund()).rubric).toEqual([
      { id: "tone", label: null },
      { id: "right_amount", label: "The amount is right" },
    ]);
    expect((await w.judged({ tool: "send_gift", args: { value: 5, to: "x" } })).rubric).toEqual([]);
  });

  it("refuses a criterion that no policy names for the action, by its name, and says which there are", async () => {
    const item = await refund();
    const wrong = { criterion: "mood", score: 4 };
    const answer = await w.decide("lead", item, { kind: "approve", scores: [{ criterion: "right_amount", score: 5 }, wrong] });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: "request_invalid", field: "/scores/1/criterion", value: "mood", fix: "score tone, right_amount" },
    });
    const gift = await w.judged({ tool: "send_gift", args: { value: 5, to: "x" } });
    const none = await w.decide("lead", gift, { kind: "approve", scores: [{ criterion: "tone", score: 4 }] });
    expect(none).toMatchObject({
      status: 422,
      body: { field: "/scores/0/criterion", value: "tone", fix: expect.stringContaining("no policy names criteria") },
    });
    expect((await view(item.itemId)).decision).toBe(null);
  });

  it("tells the run that a secret was edited, and neither the old nor the new one", async () => {
    const item = await w.judged({ tool: "rotate_key", args: { password: "hunterabc", host: "db-1" } });
    await w.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: { password: "plainsecret", host: "db-2" } }] });
    const told = await outcome(item.itemId);
    expect(told.message).toBe('Approved with changes: rotate_key /host from "db-1" to "db-2"; rotate_key /password.');
    expect(told.grant?.actions[0]?.args).toEqual({ password: "plainsecret", host: "db-2" });
  });

  it("says why policy forbade an edit in sentences that do not repeat each other", async () => {
    const item = await w.judged({ tool: "rotate_key", args: { password: "hunterabc", host: "db-1" } });
    await w.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: { password: "HUNTER", host: "db-1" } }] });
    const { fellBack } = await view(item.itemId);
    expect(fellBack?.reason).toMatch(/^\/password must match pattern .*\.$/);
    expect(fellBack?.reason.match(/must match/g)).toHaveLength(1);
  });

  it("shows an item whose arguments are no JSON, as policy left it", async () => {
    const itemId = itemIdOf("default", "support-bot", "no-json");
    const args = "rm -rf";
    const { position } = await w.ledger.write("proposals", itemId, {
      workspace: "default",
      actor: { kind: "agent", id: "support-bot" },
      idempotencyKey: "no-json",
      ask: "review",
      agent: { id: "support-bot" },
      actions: [{ actionId: "a1", tool: "add_note", args, argsSha256: sha256(args) }],
    });
    await w.ledger.waitFor([position]);
    const item = await until(async () => ((await view(itemId)).stage === "done" ? await view(itemId) : undefined));
    expect(item).toMatchObject({ outcome: "forbidden", actions: [{ args: "rm -rf" }], verdict: { error: { code: "json_syntax" } } });
    expect((await w.call("lead", "GET", `/v1/items/${itemId}/record`)).status).toBe(200);
  });

  it("clears the flag of a bad record, after which the run goes on", async () => {
    const item = await refund();
    await w.ledger.log.append([{ topic: "decisions", key: item.itemId, value: new Uint8Array([1, 2, 3]) }]);
    const flagged = await until(async () => {
      const now = await view(item.itemId);
      return now.flagged ? now : undefined;
    });
    await w.decide("lead", flagged, { kind: "approve" });
    expect(await w.call<OutcomeAnswer>("agent", "GET", `/v1/items/${item.itemId}/outcome`, undefined, { prefer: "wait=1" })).toMatchObject({
      body: { status: "pending", grant: null, flagged: true },
    });
    const cleared = await w.decide("lead", flagged, { kind: "clear", cleared: flagged.badRecords[0]?.sha256 });
    expect(cleared.body).toMatchObject({ item: { flagged: false, badRecords: [{ cleared: true }] } });
    expect(await outcome(item.itemId)).toMatchObject({ status: "proceed" });
  });
});
