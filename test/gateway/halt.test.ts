import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import type { HaltAnswer, HaltsAnswer } from "../../src/producers/wire/halts.ts";
import type { StoredItemView } from "../../src/projector/reading.ts";
import type { Write } from "../../src/workers/write.ts";
import { openWorld, until, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  for (const { eventId } of (await world.call<HaltsAnswer>("halter", "GET", "/v1/halts")).body.halts) await lift(eventId);
});

const halt = (body: Record<string, unknown>, who = "halter") =>
  world.call<HaltAnswer & { code?: string }>(who, "POST", "/v1/halts", { reason: "wrong refunds", ...body });
const lift = (id: string, who = "halter") => world.call(who, "POST", `/v1/halts/${id}/lift`, {});
const outcome = (itemId: string) => world.call<Record<string, unknown>>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" });

test("under a halt new proposals wait for a person, who cannot approve before it is lifted", async () => {
  const { body } = await halt({});
  expect(body).toMatchObject({ started: [], revoked: 0, revoking: 0, halt: { by: "hana", reason: "wrong refunds", scope: {} } });
  const item = await world.judged({ tool: "add_note", args: { text: "x" } });
  expect(item).toMatchObject({
    stage: "pending",
    route: "interrupt",
    verdict: { error: { code: "halted", message: "Halted by hana (everything): wrong refunds" } },
  });
  expect((await world.decide("lead", item, { kind: "approve" })).body).toMatchObject({ code: "halted", detail: expect.stringContaining("wrong refunds") });
  await lift(body.halt.eventId);
  expect((await world.decide("lead", item, { kind: "approve" })).status).toBe(200);
  expect((await outcome(item.itemId)).body).toMatchObject({ status: "proceed" });
});

test("a grant that nobody has started is taken back, and the run is told who halted and why; what runs is listed and may end", async () => {
  const waiting = await world.granted();
  const running = await world.granted();
  const [action] = running.grant.actions as [(typeof running.grant.actions)[number]];
  const start = { grant: running.grant.id, actionId: action.actionId, argsSha256: action.argsSha256 };
  expect((await world.receipt("executor", running.itemId, { ...start, kind: "started" })).status).toBe(200);
  const { status, body } = await halt({ scope: { action: "issue_refund" } });
  expect(status).toBe(201);
  expect(body.started).toMatchObject([{ itemId: running.itemId, tool: "issue_refund", agent: "support-bot", stage: "executing" }]);
  expect(body).toMatchObject({ revoked: 1, revoking: 0 });
  expect((await outcome(waiting.itemId)).body).toMatchObject({
    grant: null,
    finalOutcome: "revoked",
    message: "Halted by hana (action issue_refund): wrong refunds",
  });
  const late = await world.receipt("executor", waiting.itemId, { grant: waiting.grant.id, kind: "started", argsSha256: waiting.grant.actions[0]?.argsSha256 });
  expect(late).toMatchObject({ status: 409, body: { code: "halted" } });
  expect((await world.receipt("executor", running.itemId, { ...start, kind: "succeeded" })).status).toBe(200);
});

test("what was approved and not granted yet when the halt came is withheld with the reason", async () => {
  const item = await world.judged({ tool: "issue_refund", args: { amount: 12 } });
  const { ledger } = world;
  // Both go into the log before either is folded: the approval is not refused by the gateway, and the dispatcher meets the halt.
  const verdict = item.verdict?.eventId as string;
  const [, { position }] = await Promise.all([
    ledger.write("policies", "policy:default:halts", {
      workspace: "default",
      actor: { kind: "authority", id: "hana" },
      kind: "halt",
      policyId: "halts",
      scope: '{"agent":"support-bot"}',
      reason: "audit",
    }),
    ledger.write("decisions", item.itemId, {
      workspace: "default",
      answers: { topic: "verdicts", eventId: verdict },
      actor: { kind: "person", id: "carol", roles: ["support-lead"] },
      kind: "approve",
      scope: "action",
      seen: { cardSha256: item.cardSha256 },
    }),
  ]);
  await ledger.waitFor([position]);
  const told = (await outcome(item.itemId)).body;
  // Either the dispatcher met the halt, or the grant was out before it was folded: in both cases nothing runs.
  expect(["withheld", "proceed"]).toContain(told.status);
  const ended = await until(async () => {
    const view = (await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
    return view.stage === "done" ? view : undefined;
  });
  expect(["withheld", "revoked"]).toContain(ended.outcome);
  expect((await outcome(item.itemId)).body.message).toContain("Halted by hana (agent support-bot): audit");
});

test("an approval that takes over a claim meets the halt that comes in between: it is refused, and the item goes on waiting", async () => {
  const item = await world.judged({ tool: "issue_refund", args: { amount: 12 } });
  await world.decide("lead", item, { kind: "claim" });
  const { ledger } = world;
  const write: Write = async (topic, itemId, body) => {
    if ("kind" in body && body.kind === "claim") await halt({});
    return ledger.write(topic, itemId, body);
  };
  const bea = inProcessTransport({ ...ledger, write }, { kind: "person", id: "bea", roles: ["support-lead", "takeover"], workspace: "default" });
  const seen = { verdict: item.verdict?.eventId as string, seen: { cardSha256: item.cardSha256 as string } };
  await expect(bea.decide(item.itemId, { kind: "approve", ...seen, lease: { takeOver: true } })).rejects.toMatchObject({ code: "halted" });
  expect((await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body).toMatchObject({ stage: "pending", claim: { person: "bea" } });
});

test("a halt of one agent or one action leaves the others alone", async () => {
  await halt({ scope: { agent: "other-bot" } });
  await halt({ scope: { action: "issue_refund" } });
  expect(await world.judged({ tool: "add_note", args: { text: "x" } })).toMatchObject({ route: "allow" });
  expect(await world.judged({ tool: "add_note", args: { text: "x" } }, "otherAgent")).toMatchObject({
    stage: "pending",
    verdict: { error: { code: "halted" } },
  });
  expect(await world.judged({ tool: "issue_refund", args: { amount: 5 } })).toMatchObject({ verdict: { error: { code: "halted" } } });
});

test("a halt of an agent or an action that nothing goes by stands, and says so: it is most likely a slip", async () => {
  await world.judged({ tool: "add_note", args: { text: "x" } });
  expect((await halt({ scope: { agent: "support-bto", action: "add_noet" } })).body).toMatchObject({ unknown: ["agent", "action"], halt: expect.anything() });
  expect((await halt({ scope: { agent: "support-bot", action: "add_note" } })).body).toMatchObject({ unknown: [] });
  expect((await halt({})).body).toMatchObject({ unknown: [] });
});

test("only a person with the role halts and lifts, in the own workspace, and an agent never does", async () => {
  expect(await halt({}, "lead")).toMatchObject({ status: 403, body: { code: "not_entitled", detail: expect.stringContaining("halt or authority") } });
  expect(await halt({}, "agent")).toMatchObject({ status: 403, body: { code: "forbidden" } });
  const { body } = await halt({});
  expect(await lift(body.halt.eventId, "lead")).toMatchObject({ status: 403 });
  expect((await world.call<HaltsAnswer>("elsewhere", "GET", "/v1/halts")).body.halts).toEqual([]);
  expect((await world.call<HaltsAnswer>("agent", "GET", "/v1/halts")).body.halts).toMatchObject([{ eventId: body.halt.eventId }]);
  expect(await lift(body.halt.eventId)).toMatchObject({ status: 200 });
  expect(await lift(body.halt.eventId)).toMatchObject({ status: 404, body: { code: "not_found" } });
});

test("a halt needs its reason and a time in the future", async () => {
  expect(await world.call("halter", "POST", "/v1/halts", {})).toMatchObject({ status: 422, body: { field: "/reason" } });
  expect(await halt({ expiresAt: 5 })).toMatchObject({ status: 422, body: { field: "/expiresAt", value: 5 } });
});

test("what is forbidden stays forbidden under a halt", async () => {
  await halt({});
  expect(await world.judged({ tool: "issue_refund", args: { amount: 4500 } })).toMatchObject({ stage: "done", outcome: "forbidden" });
});

test("a halt whose scope this version cannot read covers everything", async () => {
  const { position, eventId } = await world.ledger.write("policies", "policy:default:halts", {
    workspace: "default",
    actor: { kind: "authority", id: "hana" },
    kind: "halt",
    policyId: "halts",
    scope: '{"team":"north"}',
  });
  await world.ledger.waitFor([position]);
  expect(await world.judged({ tool: "add_note", args: { text: "x" } })).toMatchObject({ stage: "pending", verdict: { error: { code: "halted" } } });
  await lift(eventId);
});

test("halting 10,000 items, of which 2,000 are granted, takes seconds, and every grant is taken back", async () => {
  const { ledger } = world;
  const [agent, granted, pending] = ["support-bot", [] as string[], [] as string[]];
  for (let at = 0; at < 10_000; at += 1000) {
    const positions = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const idempotencyKey = `bulk-${at + i}`;
        const itemId = itemIdOf("default", agent, idempotencyKey);
        const flows = i % 5 === 0;
        (flows ? granted : pending).push(itemId);
        const actions = [{ actionId: "a1", tool: flows ? "add_note" : "close_account", ...canonicalArgs({ text: "x" }) }];
        const { position } = await ledger.write("proposals", itemId, {
          workspace: "default",
          actor: { kind: "agent", id: agent },
          ask: "review",
          idempotencyKey,
          agent: { id: agent },
          actions,
        });
        return position;
      }),
    );
    await ledger.waitFor(positions, { timeoutMs: 60_000 });
  }
  const all = (ids: readonly string[], is: (view: StoredItemView | undefined) => boolean) =>
    until(async () => (ids.every((id) => is(ledger.queries.item(id))) ? true : undefined), 90_000);
  await all(granted, (view) => view?.stage === "granted");
  await all(pending, (view) => view?.stage === "pending");
  const from = performance.now();
  const { body } = await halt({});
  console.log(`halting 10,000 items took ${Math.round(performance.now() - from)} ms; taken back: ${body.revoked}`);
  expect(body).toMatchObject({ revoked: granted.length, revoking: 0, started: [] });
  expect(performance.now() - from).toBeLessThan(30_000);
  await all(granted, (view) => view?.outcome === "revoked");
  expect(ledger.queries.item(pending[0] as string)?.stage).toBe("pending");
}, 240_000);

test("a halt whose time is over before it can be answered is told so", async () => {
  let at = Date.now();
  // Each look at the clock takes a minute.
  const slow = await openWorld({ workers: false, now: () => (at += 60_000) });
  const { status, body } = await slow.call<{ code: string; detail: string }>("halter", "POST", "/v1/halts", { reason: "soon over", expiresAt: at + 90_000 });
  expect([status, body.code]).toEqual([409, "late"]);
  expect(body.detail).toContain("is over already");
  await slow.close();
});
