import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import { AGENT, type Bench, MINUTE, openBench, WORKSPACE } from "../support/bench-ledger.ts";
import { tempDir } from "../support/views.ts";

const HOUR = 60 * MINUTE;

/** pay flows below its budgets; ask waits for a person within 10 minutes. */
const policyWith = (more: string) => `
policy: spending
workspace: support
owner: role:lead
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string } }, required: [amount] }
    reversibility: reversible
    execution: queryable
    risk: low
    lease: PT2M
    grant_ttl: PT30M
  ask:
    arguments: { type: object, properties: { amount: { type: number } }, required: [amount] }
    reversibility: reversible
    risk: high
    decisions: [approve, edit, reject]
    timeout: PT10M
${more}`;

const DAY = policyWith(
  "budgets: [{ id: day, action: [pay, ask], measure: { sum: /amount }, per: agent, window: P1D, limits: [{ above: 1000, forbid: true }] }]",
);

async function verdictOf(bench: Bench, itemId: string) {
  const id = bench.view(itemId).life.verdict?.id;
  return (await bench.ledger.events.get(itemId, "verdicts", id ?? ""))!;
}

/** What a verdict found used before it, by a proposal that counts nothing. */
async function used(bench: Bench): Promise<string | undefined> {
  const itemId = await bench.propose(`probe-${randomUUID()}`, "pay", { amount: 0 });
  return (await verdictOf(bench, itemId)).budgets[0]?.used;
}

describe("a budget over a ledger", () => {
  test("200 proposals at once cannot together overshoot it, and none is turned away that would have fitted", async () => {
    const bench = await openBench({ workers: ["policy"] });
    await bench.publish(DAY);
    const amounts = Array.from({ length: 200 }, (_, i) => 3 + (i % 17));
    const items = await Promise.all(
      amounts.map(async (amount, i) => {
        const itemId = itemIdOf(WORKSPACE, AGENT, `k${i}`);
        await bench.ledger.write("proposals", itemId, {
          workspace: WORKSPACE,
          actor: { kind: "agent", id: AGENT },
          ask: "review",
          idempotencyKey: `k${i}`,
          agent: { id: AGENT },
          actions: [{ actionId: "a1", tool: "pay", ...canonicalArgs({ amount }), confidence: 1 }],
        });
        return { itemId, amount };
      }),
    );
    await bench.quiet();
    let allowed = 0;
    const refused: number[] = [];
    for (const { itemId, amount } of items) {
      const { route, budgets } = await verdictOf(bench, itemId);
      expect(budgets).toMatchObject([{ name: "spending/day", key: "agent=helper", limit: "1000" }]);
      if (route === "forbid") refused.push(amount);
      else allowed += amount;
    }
    expect(allowed).toBeLessThanOrEqual(1000);
    expect(refused.length).toBeGreaterThan(50);
    expect(Math.min(...refused)).toBeGreaterThan(1000 - allowed);
    expect(bench.errors).toEqual([]);
  });

  test("is reserved by the verdict, and released by a refusal, an expiry and a withdrawal", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    for (const end of ["reject", "expire", "withdraw"] as const) {
      const item = await bench.propose(end, "ask", { amount: 400 });
      expect(await used(bench), end).toBe("400");
      if (end === "expire") await bench.at(bench.clock.now + 11 * MINUTE);
      else if (end === "withdraw") await bench.decide(item, "withdraw", { actor: { kind: "agent", id: AGENT }, seen: null });
      else await bench.decide(item, end);
      expect(bench.view(item).stage).toBe("done");
      expect(await used(bench), end).toBe("0");
    }
  });

  test("is kept by what is granted until the grant lapses, and by what failed no more", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    const lapsing = await bench.propose("lapsing", "pay", { amount: 300 });
    const failing = await bench.propose("failing", "pay", { amount: 200 });
    await bench.receipt(failing, "started");
    expect(await used(bench)).toBe("500");
    await bench.receipt(failing, "failed");
    expect(await used(bench)).toBe("300");
    await bench.at(bench.clock.now + 31 * MINUTE);
    expect(bench.view(lapsing).life.outcome).toBe("lapsed");
    expect(await used(bench)).toBe("0");
  });

  test("counts what ran, and what may have run, from its start on for one window", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    const t0 = bench.clock.now;
    const ran = await bench.propose("ran", "pay", { amount: 600 });
    await bench.at(t0 + 20 * MINUTE);
    await bench.receipt(ran, "started");
    await bench.receipt(ran, "succeeded", { argsSha256: bench.view(ran).life.verdict?.actions[0]?.argsSha256 });
    const doubtful = await bench.propose("doubtful", "pay", { amount: 100 });
    await bench.receipt(doubtful, "started");
    await bench.at(t0 + 23 * MINUTE);
    expect(bench.view(doubtful).stage).toBe("in_doubt");
    expect(await used(bench)).toBe("700");
    await bench.at(t0 + 20 * MINUTE + 24 * HOUR - 1);
    expect(await used(bench)).toBe("700");
    await bench.at(t0 + 20 * MINUTE + 24 * HOUR);
    expect(await used(bench)).toBe("0");
    // A clock that is set back finds them again.
    bench.clock.now = t0 + 23 * HOUR;
    expect(await used(bench)).toBe("700");
  });

  test("a settled failure gives back what was in doubt", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    const item = await bench.propose("k", "pay", { amount: 600 });
    await bench.receipt(item, "started");
    await bench.at(bench.clock.now + 3 * MINUTE);
    const unknown = bench.ledger.queries.timeline(item).find((e) => e.what === "unknown")!.eventId;
    await bench.decide(item, "settle", { answers: { topic: "receipts", eventId: unknown }, settlement: { outcome: "failed" }, seen: null });
    expect(await used(bench)).toBe("0");
  });

  test("an edit's verdict replaces what the one before reserved; a forbidden edit leaves it", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    const item = await bench.propose("k", "ask", { amount: 900 });
    await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ amount: 5000 }) }] });
    expect((await verdictOf(bench, item)).route).toBe("forbid");
    expect(await used(bench)).toBe("900");
    await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ amount: 950 }) }] });
    const { budgets, route } = await verdictOf(bench, item);
    expect({ route, used: budgets[0]?.used }).toEqual({ route: "interrupt", used: "0" });
    expect(await used(bench)).toBe("950");
  });

  test("a restart, and views made anew, lose nothing of it", async () => {
    const [log, first, second] = [`sqlite:${tempDir()}`, tempDir(), tempDir()];
    const bench = await openBench({ log, data: first });
    await bench.publish(DAY);
    const begun = await bench.propose("begun", "pay", { amount: 300.25 });
    await bench.receipt(begun, "started");
    await bench.propose("granted", "pay", { amount: 200 });
    await bench.propose("pending", "ask", { amount: 100.5 });
    const { clock } = bench;
    for (const kind of ["policy", "dispatcher", "clock"] as const) await bench.stop(kind);
    await bench.ledger.close();
    for (const data of [first, second]) {
      const again = await openBench({ log, data, clock });
      expect(await used(again)).toBe("600.75");
      for (const kind of ["policy", "dispatcher", "clock"] as const) await again.stop(kind);
      await again.ledger.close();
    }
  });

  test("that is published later counts what was there before it", async () => {
    const bench = await openBench();
    await bench.publish(policyWith(""));
    await bench.propose("k1", "pay", { amount: 700 });
    await bench.propose("k2", "pay", { amount: 200 });
    await bench.publish(DAY);
    const item = await bench.propose("k3", "pay", { amount: 101 });
    expect(await verdictOf(bench, item)).toMatchObject({ route: "forbid", budgets: [{ used: "900" }] });
    expect((await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id))?.message).toContain(
      "Budget day: 1001 in 1 day for agent helper is above 1000 (900 used before it, 101 more)",
    );
  });

  test("of different values counts each value once, also over several items", async () => {
    const bench = await openBench();
    await bench.publish(policyWith("budgets: [{ id: people, action: pay, measure: { distinct: /to }, window: P1D, limits: [{ above: 2, forbid: true }] }]"));
    const pay = (key: string, to: string) => bench.propose(key, "pay", { amount: 1, to });
    await pay("k1", "ann");
    await pay("k2", "bob");
    expect(await verdictOf(bench, await pay("k3", "ann"))).toMatchObject({ route: "allow", budgets: [{ used: "1" }] });
    expect(await verdictOf(bench, await pay("k4", "cid"))).toMatchObject({ route: "forbid", budgets: [{ used: "2" }] });
  });
});

describe("the check at the grant", () => {
  const floor = 'floors: [{ id: frozen, when: { action: ask }, forbid: true, because: "The account is frozen" }]';

  test("a floor published between verdict and approval withholds, and says which floor", async () => {
    const bench = await openBench();
    await bench.publish(policyWith(""));
    const item = await bench.propose("k", "ask", { amount: 5 });
    await bench.publish(policyWith(floor));
    await bench.decide(item, "approve");
    expect(bench.view(item).life).toMatchObject({ stage: "done", outcome: "withheld" });
    const resume = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    expect(resume).toMatchObject({
      actions: [],
      message: expect.stringMatching(
        /^Withheld: the floor frozen of policy spending \(version \w+\), in force now, forbids it\. The account is frozen\. Nothing was run\.$/,
      ),
    });
  });

  test("a floor that now asks for two approvals withholds what one person approved; one that the verdict knew of does not", async () => {
    const two = 'floors: [{ id: pairs, when: { action: ask }, raise: { approvals: 2 }, because: "Two people" }]';
    const bench = await openBench();
    await bench.publish(policyWith(""));
    const before = await bench.propose("k1", "ask", { amount: 5 });
    await bench.publish(policyWith(two));
    const after = await bench.propose("k2", "ask", { amount: 5 });
    await bench.decide(before, "approve");
    expect(bench.view(before).life.outcome).toBe("withheld");
    await bench.decide(after, "approve");
    await bench.decide(after, "approve", { actor: { kind: "person", id: "bob", roles: ["lead"] } });
    expect(bench.view(after).stage).toBe("granted");
  });

  test.each([
    ["approvals: 3", "asks for 3 approvals"],
    ["separation: [agent_owner]", "asks for somebody other than the agent owner"],
    ["approval_order: [legal]", "asks for the approval of legal"],
  ])("a floor that the verdict knew of, and that now says `%s` under the same id, withholds", async (raise, says) => {
    const known = (effect: string) => policyWith(`floors: [{ id: big, when: { action: ask }, raise: { ${effect} }, because: "Big" }]`);
    const bench = await openBench();
    await bench.publish(known("risk: high"));
    const item = await bench.propose("k", "ask", { amount: 5 });
    expect((await verdictOf(bench, item)).matched).toMatchObject([{ rule: "big" }]);
    await bench.publish(known(raise));
    await bench.decide(item, "approve");
    expect(bench.view(item).life.outcome).toBe("withheld");
    expect((await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id))?.message).toContain(says);
  });

  test("a limit that the verdict knew of, and that now asks for more under the same id, withholds", async () => {
    const bench = await openBench();
    await bench.publish(DAY.replace("above: 1000, forbid: true", "above: 1, raise: { risk: high }"));
    const item = await bench.propose("k", "ask", { amount: 900 });
    await bench.publish(DAY.replace("above: 1000, forbid: true", "above: 1, raise: { approvals: 2 }"));
    await bench.decide(item, "approve");
    expect(bench.view(item).life.outcome).toBe("withheld");
  });

  test.each(["single", "run_end"])("a floor that asks for a person withholds what would run under an audit gate first (review: %s)", async (review) => {
    const audit = policyWith("").replace(
      "    reversibility: reversible\n    execution: queryable",
      `    reversibility: partially\n    gate: { kind: audit, window: PT1H, review: ${review} }\n    execution: queryable`,
    );
    const bench = await openBench({ workers: ["policy"] });
    await bench.publish(audit);
    const item = await bench.propose("k", "pay", { amount: 5 });
    expect((await verdictOf(bench, item)).gate).toBe("audit");
    await bench.publish(`${audit}floors: [{ id: eyes, when: { action: pay }, raise: { gate: hard }, because: "Eyes first" }]`);
    bench.run("dispatcher");
    await bench.quiet();
    const resume = bench.view(item).life.resume;
    expect((await bench.ledger.events.get(item, "resumes", resume?.id ?? ""))?.outcome).toBe("withheld");
  });

  test("a rule published between verdict and approval does not bind: the item keeps the version that judged it", async () => {
    const bench = await openBench();
    await bench.publish(policyWith(""));
    const item = await bench.propose("k", "ask", { amount: 5 });
    await bench.publish(policyWith(floor.replace("floors", "rules")));
    await bench.decide(item, "approve");
    expect(bench.view(item).stage).toBe("granted");
  });

  test("a limit lowered between verdict and approval withholds", async () => {
    const bench = await openBench();
    await bench.publish(DAY);
    const item = await bench.propose("k", "ask", { amount: 900 });
    await bench.publish(DAY.replace("above: 1000", "above: 500"));
    await bench.decide(item, "approve");
    expect(bench.view(item).life.outcome).toBe("withheld");
    expect((await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id))?.message).toContain("the budget day of policy spending");
  });

  test("what others reserved later, and may yet be refused, is not in the way of what came first", async () => {
    const bench = await openBench();
    await bench.publish(DAY.replace("above: 1000, forbid: true", "above: 1000, raise: { approvals: 2 }"));
    const first = await bench.propose("k1", "ask", { amount: 900 });
    const second = await bench.propose("k2", "ask", { amount: 900 });
    expect((await verdictOf(bench, second)).approvals).toBe(2);
    await bench.decide(second, "approve");
    await bench.decide(second, "approve", { actor: { kind: "person", id: "bob", roles: ["lead"] } });
    await bench.decide(first, "approve");
    expect(bench.view(second).stage).toBe("granted");
    expect(bench.view(first).stage).toBe("granted");
  });

  test("two ledgers over one log that judge at the same moment: the later one of two that do not fit is withheld", async () => {
    const log = `sqlite:${tempDir()}`;
    const one = await openBench({ log, data: tempDir(), workers: [] });
    const two = await openBench({ log, data: tempDir(), workers: [], clock: one.clock });
    await one.publish(DAY);
    const [a, b] = [await one.propose("k1", "pay", { amount: 600 }), await one.propose("k2", "pay", { amount: 600 })];
    // Each judges one of them without having seen the other's verdict.
    const judged = async (bench: Bench, itemId: string) => {
      const proposal = (await bench.ledger.events.get(itemId, "proposals", bench.view(itemId).item.proposal as string))!;
      const body = bench.policies.judge({
        proposal,
        actions: proposal.actions,
        answers: "proposal",
        now: bench.clock.now,
        usage: bench.usage.judging(itemId, WORKSPACE),
      });
      return () =>
        bench.ledger.write("verdicts", itemId, {
          ...body,
          workspace: WORKSPACE,
          occurredAt: bench.clock.now,
          answers: { topic: "proposals", eventId: proposal.eventId },
          actor: { kind: "policy", id: "policy-worker" },
        });
    };
    await two.quiet();
    const [writeA, writeB] = [await judged(one, a), await judged(two, b)];
    await Promise.all([writeA(), writeB()]);
    await Promise.all([one.quiet(), two.quiet()]);
    for (const item of [a, b]) expect((await verdictOf(one, item)).route).toBe("allow");
    one.run("dispatcher");
    two.run("dispatcher");
    await Promise.all([one.quiet(), two.quiet()]);
    const outcomes = [a, b].map((item) => one.view(item).life.outcome ?? one.view(item).stage).sort();
    expect(outcomes).toEqual(["granted", "withheld"]);
    expect([a, b].sort().map((item) => one.view(item).stage)[0]).toBe("granted");
  });
});

describe("an edit", () => {
  const ask = (approvals: number) => policyWith("").replace("    timeout: PT10M", `    approvals: ${approvals}\n    timeout: PT10M`);
  const fifty = { edits: [{ actionId: "a1", ...canonicalArgs({ amount: 50 }) }] };

  test("is judged no more mildly than by the version that judged what it edits", async () => {
    const bench = await openBench();
    await bench.publish(ask(2));
    const item = await bench.propose("k", "ask", { amount: 5 });
    await bench.publish(ask(1));
    await bench.decide(item, "edit", fifty);
    const { approvals, policy, policies } = await verdictOf(bench, item);
    expect({ approvals, stage: bench.view(item).stage, named: new Set([policy, ...policies].map((ref) => ref?.version)).size }).toEqual({
      approvals: 2,
      stage: "pending",
      named: 2,
    });
    await bench.decide(item, "approve", { actor: { kind: "person", id: "bob", roles: ["lead"] } });
    expect(bench.view(item).stage).toBe("granted");
  });

  test("is judged by the version in force as well, where that asks for more", async () => {
    const bench = await openBench();
    await bench.publish(ask(1));
    const item = await bench.propose("k", "ask", { amount: 5 });
    await bench.publish(ask(3));
    await bench.decide(item, "edit", fifty);
    expect((await verdictOf(bench, item)).approvals).toBe(3);
  });

  test("is judged as what nobody describes where the version in force has taken the action out: the stricter of both", async () => {
    const bench = await openBench();
    const junior = policyWith("").replace(
      "    risk: low\n    lease",
      "    risk: low\n    gate: { kind: soft, below_confidence: 0.9 }\n    owner: role:lead\n    decisions: [approve, edit, reject]\n    timeout: PT10M\n    lease",
    );
    await bench.publish(junior.replace("\nowner: role:lead", "\nowner: role:boss"));
    const item = await bench.propose("k", "pay", { amount: 5 });
    expect(await verdictOf(bench, item)).toMatchObject({ risk: "low", owner: "role:lead", gate: "soft" });
    await bench.publish(junior.replace("\nowner: role:lead", "\nowner: role:boss").replace(/ {2}pay:[\s\S]*? {2}ask:/, "  ask:"));
    await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ amount: 999999 }) }] });
    expect(bench.view(item).stage).toBe("pending");
    expect(await verdictOf(bench, item)).toMatchObject({
      ...{ route: "interrupt", risk: "high", reversibility: "irreversible", gate: "hard", owner: "role:boss" },
      allowedDecisions: ["approve", "reject"],
    });
  });
});
