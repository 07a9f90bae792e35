import { describe, expect, onTestFinished, test } from "vitest";
import type { Check } from "../../src/cli/doctor/checks.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { effectKeyOf, itemIdOf } from "../../src/events/ids.ts";
import { itemView } from "../../src/gateway/service/item-view.ts";
import { nodeOf } from "../../src/ledger/item.ts";
import { overshootsOf } from "../../src/workers/overshoots.ts";
import { cli, lines } from "../cli/harness.ts";
import { AGENT, type Bench, MINUTE, openBench, WORKSPACE } from "../support/bench-ledger.ts";
import { ledgerKinds, type Place } from "../support/ledgers.ts";
import { tempDir } from "../support/views.ts";

const policyWith = (budget: string) => `
policy: spending
workspace: support
owner: role:lead
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string } }, required: [amount, to] }
    reversibility: reversible
    execution: queryable
    risk: low
  ask:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string } }, required: [amount, to] }
    reversibility: reversible
    risk: high
budgets: [{ id: day, action: [pay, ask], per: /to, window: P1D, ${budget} }]
`;
const LIMIT = policyWith("measure: { sum: /amount }, limits: [{ above: 1000, forbid: true }]");

async function overshoots({ ledger: { queries, events }, policies, usage, clock }: Bench, itemId?: string) {
  return overshootsOf({ queries, events, policies, usage }, clock.now, itemId);
}

/** Proposes to pay and waits for nothing. */
async function pay({ ledger }: Bench, key: string, to: string, amount: number): Promise<string> {
  const itemId = itemIdOf(WORKSPACE, AGENT, key);
  await ledger.write("proposals", itemId, {
    workspace: WORKSPACE,
    actor: { kind: "agent", id: AGENT },
    ask: "review",
    idempotencyKey: key,
    agent: { id: AGENT },
    actions: [{ actionId: "a1", tool: "pay", ...canonicalArgs({ amount, to }), confidence: 1 }],
  });
  return itemId;
}

/** The verdict that a ledger reaches on an item from what it has folded, still to be written. */
async function judgedBy({ ledger, policies, usage, clock, view }: Bench, itemId: string): Promise<() => Promise<string>> {
  const proposal = (await ledger.events.get(itemId, "proposals", view(itemId).item.proposal as string))!;
  const body = policies.judge({ proposal, actions: proposal.actions, answers: "proposal", now: clock.now, usage: usage.judging(itemId, WORKSPACE) });
  return async () => {
    const answers = { topic: "proposals", eventId: proposal.eventId } as const;
    const actor = { kind: "policy", id: "policy-worker" } as const;
    return (await ledger.write("verdicts", itemId, { ...body, workspace: WORKSPACE, occurredAt: clock.now, answers, actor })).eventId;
  };
}

/** The grant of a dispatcher that has read no other ledger's verdict. */
async function grantBlindly({ ledger, view }: Bench, itemId: string, verdict: string): Promise<void> {
  const { item } = view(itemId);
  const { tool, args, argsSha256 } = nodeOf(item, "proposals", item.proposal)!.actions[0]!;
  await ledger.write("resumes", itemId, {
    workspace: WORKSPACE,
    answers: { topic: "verdicts", eventId: verdict },
    actor: { kind: "dispatcher", id: "dispatcher" },
    outcome: "proceed",
    actions: [{ actionId: "a1", tool, args, argsSha256, execution: "queryable", leaseMs: MINUTE, effectKey: effectKeyOf(itemId, "a1", argsSha256) }],
  });
}

async function budgetsOf({ log, data }: Place, now: number): Promise<Check | undefined> {
  const { out } = await cli(["doctor", "--log", log, "--data", data, "--json"], { now: () => now });
  return lines<{ checks: Check[] }>(out)[0]?.checks.find(({ check }) => check === "budgets");
}

for (const { name, why, place } of await ledgerKinds())
  describe.skipIf(why !== null)(`two ledgers over ${name}`, () => {
    async function both(): Promise<{ at: Place; one: Bench; two: Bench }> {
      const at = await place();
      onTestFinished(() => at.remove());
      const one = await openBench({ log: at.log, data: at.data, workers: [] });
      const two = await openBench({ log: at.log, data: tempDir(), workers: [], clock: one.clock });
      await one.publish(LIMIT);
      await two.quiet();
      return { at, one, two };
    }

    test("that race end each budget within its limit, or in the finding, never silently", async () => {
      const { at, one, two } = await both();
      for (const bench of [one, two]) for (const kind of ["policy", "dispatcher"] as const) bench.run(kind);
      const rounds = await Promise.all(
        Array.from({ length: 30 }, async (_, i) => Promise.all([pay(one, `a${i}`, `shop${i}`, 600), pay(two, `b${i}`, `shop${i}`, 600)])),
      );
      await Promise.all([one.quiet(), two.quiet()]);
      const found = new Set((await overshoots(one)).map(({ key }) => key));
      let [within, over] = [0, 0];
      for (const [i, items] of rounds.entries()) {
        const ends = items.map((item) => one.view(item).life.outcome ?? one.view(item).stage);
        const granted = ends.filter((end) => end === "granted").length;
        for (const end of ends) expect(["granted", "forbidden", "withheld"]).toContain(end);
        expect(granted).toBeGreaterThan(0);
        expect(found.has(`/to="shop${i}"`), `shop${i}: ${ends}`).toBe(granted > 1);
        if (granted > 1) over++;
        else within++;
      }
      expect(within + over).toBe(30);
      expect(await overshoots(two)).toEqual(await overshoots(one));
      expect((await budgetsOf(at, one.clock.now))?.status).toBe(over > 0 ? "look" : "ok");
    }, 120_000);

    test("that judged and granted without having read each other are told by doctor, by the item that was judged last", async () => {
      const { at, one, two } = await both();
      const [a, b] = [await pay(one, "k1", "shop", 600), await pay(one, "k2", "shop", 600)];
      await Promise.all([one.quiet(), two.quiet()]);
      const [writeA, writeB] = [await judgedBy(one, a), await judgedBy(two, b)];
      const [verdictA, verdictB] = [await writeA(), await writeB()];
      expect(await budgetsOf(at, one.clock.now)).toMatchObject({ status: "ok" });
      await grantBlindly(one, a, verdictA);
      await grantBlindly(two, b, verdictB);
      await Promise.all([one.quiet(), two.quiet()]);
      const [first, last] = [a, b].sort() as [string, string];
      expect(await overshoots(one)).toEqual([
        {
          workspace: WORKSPACE,
          budget: "spending/day",
          key: '/to="shop"',
          windowMs: 24 * 60 * MINUTE,
          used: "1200",
          items: [{ itemId: last, limit: "1000", total: "1200", forbids: true, verdict: last === a ? verdictA : verdictB }],
        },
      ]);
      expect([await overshoots(one, first), await overshoots(one, last)].map((found) => found.length)).toEqual([0, 1]);
      const identity = { kind: "person", id: "ann", roles: ["lead"], workspace: WORKSPACE } as const;
      expect((await itemView({ ledger: one.ledger, identity }, first)).findings).toEqual([]);
      expect((await itemView({ ledger: two.ledger, identity }, last)).findings).toMatchObject([
        {
          code: "budget_overshot",
          topic: "verdicts",
          detail: 'budget spending/day for /to="shop": 1200 granted in 1 day, above 1000, which forbids it',
        },
      ]);
      expect(await budgetsOf(at, one.clock.now)).toMatchObject({
        status: "look",
        found: [
          `spending/day of workspace support, /to="shop": 1200 granted in 1 day: item ${last.slice(0, 8)} brought it to 1200, above 1000, which forbids it`,
        ],
      });
      // What has left the window is over.
      for (const item of [a, b]) await one.receipt(item, "started");
      expect(await budgetsOf(at, one.clock.now + 24 * 60 * MINUTE)).toMatchObject({ status: "ok" });
    }, 120_000);
  });

describe("an overshoot", () => {
  const RAISING = policyWith("measure: { count: true }, limits: [{ above: 1, raise: { risk: high, gate: hard } }]");

  test("of a raising limit is only what ran without a person, and what a later document forbids is one as well", async () => {
    const bench = await openBench();
    await bench.publish(RAISING);
    const [, second] = [await bench.propose("k1", "ask", { amount: 1, to: "x" }), await bench.propose("k2", "ask", { amount: 2, to: "x" })];
    await bench.decide(second, "approve");
    const first = itemIdOf(WORKSPACE, AGENT, "k1");
    await bench.decide(first, "approve");
    expect([first, second].map((item) => bench.view(item).stage)).toEqual(["granted", "granted"]);
    expect(await overshoots(bench)).toEqual([]);
    await bench.publish(RAISING.replace("raise: { risk: high, gate: hard }", "forbid: true"));
    expect(await overshoots(bench)).toMatchObject([{ used: "2", items: [{ limit: "1", total: "2", forbids: true }] }]);
  });

  test("of a limit that a document in force raised for what had run without a person is told with that limit", async () => {
    const bench = await openBench();
    await bench.publish(RAISING.replace("above: 1,", "above: 5,"));
    for (const key of ["k1", "k2", "k3"]) {
      await pay(bench, key, "x", 1);
      await bench.quiet();
    }
    expect(await overshoots(bench)).toEqual([]);
    await bench.publish(RAISING.replace("above: 1,", "above: 2,"));
    expect(await overshoots(bench)).toMatchObject([{ used: "3", items: [{ limit: "2", total: "3", forbids: false }] }]);
  });

  test("of a document that only watches is none", async () => {
    const bench = await openBench();
    await bench.publish(LIMIT.replace("above: 1000", "above: 5000"));
    for (const key of ["k1", "k2"]) {
      await pay(bench, key, "x", 600);
      await bench.quiet();
    }
    await bench.publish(LIMIT.replace("owner: role:lead", "owner: role:lead\nmode: shadow"));
    expect(await overshoots(bench)).toEqual([]);
    await bench.publish(LIMIT);
    expect(await overshoots(bench)).toHaveLength(1);
  });
});
