import { describe, expect, it } from "vitest";
import type { ActionProposed } from "../../src/events/types.generated.ts";
import { backtest, type Recorded, wayOf } from "../../src/policy/backtest.ts";
import type { JudgedAction } from "../../src/policy/judgement/subjects.ts";
import { NOW, proposal } from "./helpers.ts";
import { loaded, PAY } from "./testing/helpers.ts";

const { compiled: paying } = loaded(PAY.replace("risk: medium", "risk: low"));

let items = 0;
const pay = (amount: number, to = "x"): ActionProposed => ({
  ...proposal({ tool: "pay", args: { amount, to }, target: { frozen: false }, confidence: 0.9 }),
  itemId: String(++items).padStart(32, "0"),
});

function recorded(of: ActionProposed, more: Partial<Recorded> = {}): Recorded {
  return { proposal: of, way: "batch", owner: "role:boss", at: NOW, decision: "none", settledAt: null, ran: [], others: [], counts: true, ...more };
}

/** Pays up to 100 in all are low; each that goes beyond is critical. */
const { compiled: capped } = loaded(`
actions:
  pay: { arguments: { type: object, properties: { amount: { type: number }, to: { type: string } } }, reversibility: partially, execution: idempotent, risk: low }
budgets:
  - { id: spending, action: pay, measure: { sum: /amount }, per: agent, window: PT1H, limits: [{ above: 100, raise: { risk: critical } }] }
`);
const MINUTE = 60_000;
const ways = (list: readonly Recorded[]) => backtest(capped, list).cells.map(({ before, after, decision, count }) => `${before} ${after} ${decision} ${count}`);

describe("backtest", () => {
  it("crosses old and new ways with what people decided, and lists what would have gone unseen, contested items first", () => {
    const result = backtest(paying, [
      recorded(pay(5), { decision: "approve" }),
      recorded(pay(6), { decision: "edit" }),
      recorded(pay(7), { decision: "reject" }),
      recorded(pay(101), { decision: "edit" }),
      recorded(pay(102), { way: "allow", owner: null }),
    ]);
    expect(result.cells).toEqual([
      { before: "allow", after: "interrupt", decision: "none", count: 1 },
      { before: "batch", after: "allow", decision: "approve", count: 1 },
      { before: "batch", after: "allow", decision: "edit", count: 1 },
      { before: "batch", after: "allow", decision: "reject", count: 1 },
      { before: "batch", after: "interrupt", decision: "edit", count: 1 },
    ]);
    expect(result.letThrough).toMatchObject({
      count: 3,
      edited: 1,
      rejected: 1,
      items: [{ decision: "reject" }, { decision: "edit" }, { decision: "approve" }],
    });
    expect(result.stopped).toEqual({ asked: 1, forbidden: 0 });
    expect(result.reviews).toMatchObject([
      { owner: "role:boss", before: 4, after: 0 },
      { owner: "role:cfo", before: 0, after: 2 },
    ]);
  });

  it("counts toward budgets what came before in time, whatever the order of the list", () => {
    const list = [60, 30, 20].map((amount, i) => recorded(pay(amount), { at: NOW + i * MINUTE, way: "allow" }));
    for (const order of [list, [...list].reverse()]) {
      const result = backtest(capped, order);
      expect(result.budgetHits).toEqual([{ budget: "spending", count: 1, items: [list[2]?.proposal.itemId] }]);
    }
    expect(ways(list.map((item, i) => ({ ...item, at: NOW + i * 61 * MINUTE })))).toEqual(["allow allow none 3"]);
  });

  it("keeps what waits reserved until its recorded decision, and counts it as it was approved afterwards", () => {
    const large = pay(150);
    const edited: JudgedAction[] = [{ ...(pay(90).actions[0] as JudgedAction) }];
    const waits = { way: "interrupt", at: NOW } as const;
    const small = (at: number) => recorded(pay(20), { at, way: "allow" });
    const rejected = recorded(large, { ...waits, decision: "reject", settledAt: NOW + 10 * MINUTE });
    expect(ways([rejected, small(NOW + 9 * MINUTE)])).toEqual(["allow interrupt none 1", "interrupt interrupt reject 1"]);
    expect(ways([rejected, small(NOW + 11 * MINUTE)])).toEqual(["allow allow none 1", "interrupt interrupt reject 1"]);
    const open = recorded(large, waits);
    expect(ways([open, small(NOW + 300 * MINUTE)])).toEqual(["allow interrupt none 1", "interrupt interrupt none 1"]);
    const lessened = recorded(large, { ...waits, decision: "edit", settledAt: NOW + 10 * MINUTE, ran: edited });
    expect(backtest(capped, [lessened, small(NOW + 11 * MINUTE)]).budgetHits).toMatchObject([{ count: 2 }]);
    const ten = recorded(pay(10), { at: NOW + 11 * MINUTE, way: "allow" });
    expect(backtest(capped, [lessened, ten]).budgetHits).toMatchObject([{ count: 1 }]);
  });

  it("lets what lies before the range use up budgets, and counts it nowhere else", () => {
    const before = recorded(pay(90), { at: NOW - MINUTE, way: "allow", counts: false });
    const result = backtest(capped, [before, recorded(pay(20), { way: "allow" })]);
    expect(result).toMatchObject({ proposals: 1, budgetHits: [{ count: 1 }], stopped: { asked: 1 } });
  });

  it("judges with the other documents that judged then", () => {
    const { compiled: mail } = loaded("policy: mail\nactions:\n  send: { reversibility: reversible, execution: idempotent, risk: low }\n");
    const sent = { ...proposal({ tool: "send", args: {} }), itemId: "f".repeat(32) };
    const cell = (others: Recorded["others"]) => backtest(paying, [recorded(sent, { way: "allow", others })]).cells[0]?.after;
    expect([cell([]), cell([mail])]).toEqual(["interrupt", "allow"]);
  });

  it("tells an audit from what nobody reviews: it flows and is reviewed", () => {
    const { compiled } = loaded("actions:\n  pay: { reversibility: reversible, execution: idempotent, risk: low, gate: { kind: audit, window: PT1H } }\n");
    const result = backtest(compiled, [recorded(pay(1), { decision: "reject" })]);
    expect(result.letThrough).toMatchObject({ count: 1, rejected: 1, items: [{ after: "audit" }] });
    expect(result.reviews).toMatchObject([{ owner: "role:boss", before: 1, after: 1 }]);
    expect(["allow", "forbid"].map((route) => wayOf({ route, gate: "audit" }))).toEqual(["audit", "forbid"]);
  });

  it("is empty for no proposals, and tells how far it is", () => {
    expect(backtest(paying, [])).toMatchObject({ proposals: 0, cells: [], letThrough: { count: 0 }, budgetHits: [], errors: {} });
    const told: number[] = [];
    const many = Array.from({ length: 501 }, () => recorded(pay(1)));
    backtest(paying, many, (n) => told.push(n));
    expect(told).toEqual([0, 500]);
  });
});
