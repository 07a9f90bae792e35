import { afterAll, beforeAll, expect, test } from "vitest";
import type { HaltAnswer } from "../../src/producers/wire/halts.ts";
import { openWorld, POLICY, type World } from "./world.ts";

const BOUND = POLICY.replace("    separation: [agent_owner]", "    separation: [agent_owner]\n    approval_order: [role:payments-lead]").replace(
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

test("the owner of an agent's key is a person, however it is written", () => {
  const listed = world.keys.listKeys().find(({ id }) => id === "pay-bot");
  expect(listed?.owner).toBe("carol");
  expect(() => world.keys.createKey({ scope: "agent", id: "x", owner: "role:lead" })).toThrow(
    expect.objectContaining({ code: "request_invalid", field: "owner" }),
  );
});
