import { expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { openBench } from "../support/bench-ledger.ts";

/** pay counts toward a budget; a and b each ask two roles. */
const document = (limits: string, more = "") => `
policy: spending
workspace: support
owner: role:lead
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number } }, required: [amount] }
    reversibility: partially
    execution: queryable
    risk: low
    separation: [agent_owner]
  a: { arguments: { type: object }, reversibility: partially, risk: high, approvals: 2, approval_order: [role:legal, role:cfo] }
  b: { arguments: { type: object }, reversibility: partially, risk: high, approvals: 2, approval_order: [role:ops, role:ciso] }
budgets: [{ id: day, action: pay, measure: { sum: /amount }, per: agent, window: P1D, limits: [${limits}] }]
${more}`;
const as = (id: string, role: string) => ({ actor: { kind: "person", id, roles: ["lead", role] } }) as const;

test("a plan whose steps ask different roles waits for all of them, each in its order", async () => {
  const bench = await openBench();
  await bench.publish(document("{ above: 1000, forbid: true }"));
  const step = (actionId: string, tool: string) => ({ actionId, tool, ...canonicalArgs({}) });
  const item = await bench.propose("k", "a", {}, { actions: [step("a1", "a"), step("a2", "b")] });
  expect(bench.view(item).life.verdict?.terms).toMatchObject({ approvals: 4, approvalOrder: ["role:legal", "role:cfo", "role:ops", "role:ciso"] });
  for (const role of ["legal", "cfo", "ops"]) await bench.decide(item, "approve", as(`${role}-1`, role));
  expect(bench.view(item).stage).toBe("pending");
  await bench.decide(item, "approve", as("ciso-1", "ciso"));
  expect(bench.view(item).stage).toBe("granted");
});

test("an edit keeps what a budget asked for when the item was judged, also where a newer version raised the limit", async () => {
  const bench = await openBench();
  await bench.publish(document("{ above: 1000, raise: { risk: high, approvals: 2 } }"));
  const item = await bench.propose("k", "pay", { amount: 5000 }, { agent: { id: "helper", owner: "ann" } });
  await bench.publish(document("{ above: 100000, raise: { risk: high, approvals: 2 } }"));
  await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ amount: 4999 }) }] });
  expect(bench.view(item).stage).toBe("pending");
  expect(bench.view(item).life.verdict?.terms).toMatchObject({ route: "interrupt", approvals: 2, separation: ["agent_owner"] });
  expect(bench.view(item).life.verdict?.group.votes).toEqual([]);
});

test("a verdict that knew of a mild limit has not met the strict one of the same budget", async () => {
  const bench = await openBench();
  await bench.publish(document("{ above: 100, raise: { risk: high, gate: hard } }, { above: 1000, raise: { approvals: 3 } }"));
  await bench.stop("dispatcher");
  const late = await bench.propose("late", "pay", { amount: 200 });
  const verdict = bench.view(late).life.verdict;
  const known = (await bench.ledger.events.get(late, "verdicts", verdict?.id ?? ""))!;
  expect(known.matched.map(({ rule }) => rule)).toEqual(["day"]);
  // Another ledger judged the other one a moment before, and its verdict was not read here.
  await bench.stop("policy");
  const other = await bench.propose("other", "pay", { amount: 900 });
  const { eventId: _id, itemId: _item, answers: _cause, ...said } = known;
  const { position } = await bench.ledger.write("verdicts", other, {
    ...said,
    occurredAt: bench.clock.now - 1,
    answers: { topic: "proposals", eventId: bench.view(other).item.proposal as string },
  });
  await bench.ledger.waitFor([position]);
  await bench.decide(late, "approve");
  bench.run("dispatcher");
  await bench.quiet();
  expect(bench.view(late).life.outcome).toBe("withheld");
});

test("a floor of any document in force is held at the grant of what none of them describes", async () => {
  const bench = await openBench();
  await bench.publish(document("{ above: 1000, forbid: true }"));
  const item = await bench.propose("k", "wipe_disk", {});
  await bench.publish(`
policy: zoo
workspace: support
owner: role:zoo
actions: { feed: { reversibility: reversible, risk: low } }
floors: [{ id: frozen, when: { agent: { id: { is: helper } } }, forbid: true, because: "The helper is frozen" }]`);
  await bench.decide(item, "approve");
  expect(bench.view(item).life.outcome).toBe("withheld");
});

test("a floor in force is held at the grant of what no document describes as well", async () => {
  const bench = await openBench();
  await bench.publish(document("{ above: 1000, forbid: true }"));
  const item = await bench.propose("k", "wipe_disk", {});
  const floors = 'floors: [{ id: frozen, when: { agent: { id: { is: helper } } }, forbid: true, because: "The helper is frozen" }]';
  await bench.publish(document("{ above: 1000, forbid: true }", floors));
  await bench.decide(item, "approve");
  expect(bench.view(item).life.outcome).toBe("withheld");
});
