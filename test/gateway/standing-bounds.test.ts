import { afterAll, beforeAll, expect, test } from "vitest";
import type { HaltAnswer } from "../../src/producers/wire/halts.ts";
import type { StandingsAnswer } from "../../src/producers/wire/standing.ts";
import { openWorld, POLICY, publishPolicy, until, type World } from "./world.ts";

const BOUND = POLICY.replace(
  "actions:\n",
  "actions:\n  tag_order: { arguments: { type: object }, reversibility: reversible, risk: medium, require: { evidence: [order] } }\n",
)
  .replace("    separation: [agent_owner]", "    separation: [agent_owner]\n    approval_order: [role:payments-lead]")
  .replace(
    "floors:",
    `budgets:
  - id: gifts
    action: send_gift
    measure: { sum: /value }
    window: P1D
    limits: [{ above: 100, raise: { risk: high, gate: hard } }]
floors:
  - id: gift-person
    when: { action: send_gift, args: { /value: { above: 500 } } }
    raise: { gate: hard }
    because: "A person looks at every gift above 500"`,
  );
let world: World;
let bot: string;
let paul: string;
beforeAll(async () => {
  world = await openWorld({ policy: BOUND });
  bot = world.keys.createKey({ scope: "agent", id: "pay-bot", owner: "person:carol" }).key;
  paul = world.keys.createKey({ scope: "reviewer", id: "paul", roles: ["support-lead", "payments-lead"] }).key;
});
afterAll(() => world.close());

const invoice = () => world.judged({ tool: "pay_invoice", args: {}, run: { threadId: "t1" } }, bot);

test("a halt leaves to people what policy asks of them, whatever a standing approval let run before", async () => {
  const first = await invoice();
  expect((await world.decide("lead", first, { kind: "approve" })).body).toMatchObject({ code: "not_entitled", detail: expect.stringContaining("separation") });
  expect((await world.decide(paul, first, { kind: "approve", standing: { max: 5 } })).status).toBe(200);
  expect((await invoice()).standing).not.toBeNull();
  const { body } = await world.call<HaltAnswer>("halter", "POST", "/v1/halts", { reason: "stop" });
  const halted = await invoice();
  expect(halted).toMatchObject({ stage: "pending", standing: null, verdict: { error: { code: "halted" } }, expiresAt: expect.any(Number) });
  await world.call("halter", "POST", `/v1/halts/${body.halt.eventId}/lift`, {});
  expect((await world.decide("lead", halted, { kind: "approve" })).body).toMatchObject({ code: "not_entitled" });
  expect((await world.decide(paul, halted, { kind: "approve" })).status).toBe(200);
});

test("no standing approval stands in where a budget or a floor asks for a person", async () => {
  const gift = (value: number) => world.judged({ tool: "send_gift", args: { value }, run: { threadId: "g" } });
  expect((await world.decide("lead", await gift(50), { kind: "approve", standing: { max: 50 } })).status).toBe(200);
  expect(await gift(10)).toMatchObject({ standing: expect.any(String) });
  expect(await gift(95)).toMatchObject({ stage: "pending", standing: null });
  expect(await gift(900)).toMatchObject({ stage: "pending", standing: null });
});

test("a standing approval counts actions: a plan is alike only if all of its steps fit into what is left", async () => {
  const run = { threadId: "plans" };
  const plan = (steps: number) =>
    world.judged({ actions: Array.from({ length: steps }, (_, i) => ({ actionId: `a${i + 1}`, tool: "sync_crm", args: {} })), run });
  const { body } = await world.decide("lead", await world.judged({ tool: "sync_crm", args: {}, run }), { kind: "approve", standing: { max: 4 } });
  expect(await plan(5)).toMatchObject({ stage: "pending", standing: null });
  expect(await plan(3)).toMatchObject({ standing: body.eventId });
  expect(await plan(2)).toMatchObject({ stage: "pending", standing: null });
  expect(await world.judged({ tool: "sync_crm", args: {}, run })).toMatchObject({ standing: body.eventId });
  const { standing } = (await world.call<StandingsAnswer>("lead", "GET", "/v1/standing?all=true")).body;
  expect(standing.find((s) => s.eventId === body.eventId)).toMatchObject({
    usedActions: 4,
    inForce: false,
    overshot: false,
    used: [{}, {}].map(() => expect.any(String)),
  });
});

test("steps of plans in flight together never get past the bound", async () => {
  const run = { threadId: "racing" };
  const { body } = await world.decide("lead", await world.judged({ tool: "sync_crm", args: {}, run }), { kind: "approve", standing: { max: 7 } });
  const actions = [1, 2].map((n) => ({ actionId: `a${n}`, tool: "sync_crm", args: {} }));
  const items = await Promise.all(Array.from({ length: 12 }, () => world.judged({ actions, run })));
  expect(items.filter((item) => item.standing === body.eventId)).toHaveLength(3);
});

test("a hard gate asks for a person each time: no standing approval is given on it, and none lets it pass", async () => {
  const run = { threadId: "hard" };
  const rotate = () => world.judged({ tool: "rotate_key", args: { host: "a" }, run });
  const refused = await world.decide("lead", await rotate(), { kind: "approve", standing: { max: 5 } });
  expect(refused).toMatchObject({ status: 403, body: { code: "not_allowed", detail: expect.stringContaining("a hard gate asks for a person each time") } });
  const first = await world.judged({ tool: "sync_crm", args: {}, run });
  expect((await world.decide("lead", first, { kind: "approve", standing: { max: 5 } })).status).toBe(200);
  await publishPolicy(world.ledger, BOUND.replace(/(sync_crm:[\s\S]*?)gate: \{ kind: none \}/, "$1gate: { kind: hard }"));
  const hardened = await until(async () => {
    const item = await world.judged({ tool: "sync_crm", args: {}, run });
    return item.gate === "hard" ? item : undefined;
  });
  expect(hardened).toMatchObject({ stage: "pending", standing: null });
  await publishPolicy(world.ledger, BOUND);
});

test("the owner of an agent's key is a person, however it is written", () => {
  const listed = world.keys.listKeys().find(({ id }) => id === "pay-bot");
  expect(listed?.owner).toBe("carol");
  expect(() => world.keys.createKey({ scope: "agent", id: "x", owner: "role:lead" })).toThrow(
    expect.objectContaining({ code: "request_invalid", field: "owner" }),
  );
});

test("no standing approval stands in for evidence that is missing or blank", async () => {
  const tag = (...evidence: object[]) => world.judged({ tool: "tag_order", args: {}, evidence, run: { threadId: "e" } });
  const order = { label: "order", value: "4711" };
  const { body } = await world.decide("lead", await tag(order), { kind: "approve", standing: { max: 9 } });
  expect(await tag(order)).toMatchObject({ standing: body.eventId });
  for (const nothing of [[], [{ ...order, value: " " }], [{ ...order, label: "photo" }]])
    expect(await tag(...nothing)).toMatchObject({ stage: "pending", route: "interrupt", standing: null });
});
