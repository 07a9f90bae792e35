import { describe, expect, test } from "vitest";
import { recheckLog } from "../../src/cli/recheck.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { type Bench, MINUTE, openBench } from "../support/bench-ledger.ts";

const POLICY = `
policy: operations
workspace: support
owner: role:lead
actions:
  issue_refund:
    arguments: { type: object, properties: { order: { type: string }, amount: { type: number } }, required: [order, amount] }
    reversibility: partially
    execution: queryable
    effects: [money]
    risk: low
    timeout: PT12H
    amount: { path: /amount, unit: USD }
  send_notice:
    arguments: { type: object, properties: { invoice: { type: string }, text: { type: string } }, required: [invoice, text] }
    reversibility: partially
    execution: blind
    risk: low
    gate: { kind: none }
  set_campaign_budget:
    arguments: { type: object, properties: { campaign: { type: string }, daily: { type: number } }, required: [campaign, daily] }
    reversibility: reversible
    execution: idempotent
    risk: low
    amount: { path: /daily, unit: USD }
budgets:
  - id: refunds-per-night
    action: issue_refund
    measure: { sum: /amount }
    per: agent
    window: PT12H
    limits: [{ above: 1000, raise: { risk: high, gate: hard } }, { above: 5000, forbid: true, because: "An agent refunds at most 5,000 a night" }]
  - id: campaign-spend
    action: set_campaign_budget
    measure: { sum: /daily }
    per: /campaign
    window: P1D
    limits: [{ above: 500, forbid: true, because: "A campaign has 500 a day" }]
duplicates:
  - id: notice-twice
    action: send_notice
    by: [/invoice]
    window: P7D
    forbid: true
    because: "This invoice was reminded of already"
`;

/** One action that the agent is sure of. */
function call(tool: string, args: { [key: string]: string | number }) {
  return { actions: [{ actionId: "a1", tool, ...canonicalArgs(args), confidence: 1 }] };
}

async function told(bench: Bench, itemId: string) {
  const { life } = bench.view(itemId);
  const verdict = (await bench.ledger.events.get(itemId, "verdicts", life.verdict?.id ?? ""))!;
  const resume = life.resume === null ? undefined : await bench.ledger.events.get(itemId, "resumes", life.resume.id);
  return { verdict, stage: life.stage, outcome: life.outcome, message: resume?.message ?? null };
}

/** Runs what was granted, as an executor does. */
async function run(bench: Bench, itemId: string): Promise<void> {
  await bench.receipt(itemId, "started");
  await bench.receipt(itemId, "succeeded");
}

/** A verdict is worth something only if the log alone leads to it again. */
async function everyVerdictCanBeRecomputed(bench: Bench, verdicts: number): Promise<void> {
  const range = { from: 0, to: Number.POSITIVE_INFINITY };
  const { signal } = new AbortController();
  expect(await recheckLog(bench.ledger, range, { progress: () => {}, signal })).toEqual({ checked: verdicts, deviations: [] });
}

describe("a blast radius", () => {
  test("$40,000 of small misrouted refunds over a night: 1,000 flow, then people see them, and nothing above 5,000 can even be asked", async () => {
    const bench = await openBench();
    await bench.publish(POLICY);
    const t0 = bench.clock.now;
    let [flowed, waiting, forbidden] = [0, 0, 0];
    let last = "";
    for (let i = 0; i < 80; i++) {
      bench.clock.now = t0 + i * 6 * MINUTE;
      const item = await bench.propose(`r${i}`, "issue_refund", {}, call("issue_refund", { order: `o${i}`, amount: 500 }));
      const { verdict } = await told(bench, item);
      if (verdict.route === "allow") {
        flowed += 500;
        await run(bench, item);
      } else if (verdict.route === "interrupt") waiting += 500;
      else {
        forbidden += 500;
        last = item;
      }
    }
    expect({ flowed, waiting, forbidden }).toEqual({ flowed: 1000, waiting: 4000, forbidden: 35_000 });
    const seen = await told(bench, last);
    expect(seen).toMatchObject({ stage: "done", outcome: "forbidden" });
    expect(seen.verdict.matched).toContainEqual(expect.objectContaining({ rule: "refunds-per-night" }));
    expect(seen.verdict.because[0]).toMatch(
      /^An agent refunds at most 5,000 a night: Budget refunds-per-night: USD 5,500\.00 in 12 hours for agent helper is above USD 5,000\.00/,
    );
    expect(seen.message).toContain("refunds-per-night");
    await everyVerdictCanBeRecomputed(bench, 80);
  }, 60_000);

  test("200 overdue notices sent twice: the second run is stopped notice by notice, whatever its words", async () => {
    const bench = await openBench();
    await bench.publish(POLICY);
    const routes = { allow: 0, forbid: 0 };
    let last = "";
    for (const round of [1, 2])
      for (let i = 0; i < 200; i += 1) {
        const item = await bench.propose(`n${round}-${i}`, "send_notice", {}, call("send_notice", { invoice: `inv-${i}`, text: `Reminder, take ${round}` }));
        const { route } = (await told(bench, item)).verdict;
        routes[route as "allow" | "forbid"]++;
        last = item;
      }
    expect(routes).toEqual({ allow: 200, forbid: 200 });
    const { verdict, message } = await told(bench, last);
    expect(verdict.budgets).toMatchObject([{ name: "operations/notice-twice", used: "1", limit: "1" }]);
    expect(verdict.matched).toContainEqual(expect.objectContaining({ rule: "notice-twice", effect: "forbid" }));
    expect(message).toBe(
      "Forbidden by policy: This invoice was reminded of already: notice-twice: the same again within 7 days: 1 before it count (tenant support)",
    );
  }, 120_000);

  test("a campaign that would spend a thousand times its plan is stopped, at once and in small steps", async () => {
    const bench = await openBench();
    await bench.publish(POLICY);
    const set = async (key: string, campaign: string, daily: number) => {
      const item = await bench.propose(key, "set_campaign_budget", {}, call("set_campaign_budget", { campaign, daily }));
      const seen = await told(bench, item);
      if (seen.verdict.route === "allow") await run(bench, item);
      return seen;
    };
    const huge = await set("c1", "spring", 500_000);
    expect(huge).toMatchObject({ outcome: "forbidden", verdict: { route: "forbid", budgets: [{ key: '/campaign="spring"', used: "0", limit: "500" }] } });
    expect(huge.verdict.because[0]).toContain("A campaign has 500 a day: Budget campaign-spend: USD 500,000.00");
    expect(huge.verdict.matched[0]).toMatchObject({ rule: "campaign-spend", path: "/daily", threshold: "500", operand: "500000" });
    const steps = [];
    for (let i = 0; i < 12; i++) steps.push((await set(`c2-${i}`, "summer", 50)).verdict.route);
    expect(steps).toEqual([...Array.from({ length: 10 }, () => "allow"), "forbid", "forbid"]);
    expect((await set("c3", "autumn", 500)).verdict.route).toBe("allow");
    await everyVerdictCanBeRecomputed(bench, 14);
  });
});
