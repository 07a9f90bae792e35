import { expect, it } from "vitest";
import { backtest } from "../../src/policy/backtest.ts";
import { NOW, proposal } from "./helpers.ts";
import { loaded, PAY } from "./testing/helpers.ts";

it("a backtest crosses old and new routes with what people decided, and lists what would have gone unseen", () => {
  const { compiled } = loaded(PAY.replace("risk: medium", "risk: low"));
  const pay = (amount: number) => proposal({ tool: "pay", args: { amount }, target: { frozen: false }, confidence: 0.9 });
  const old = { route: "batch", owner: "role:boss", at: NOW };
  const result = backtest(compiled, [
    { ...old, proposal: pay(5), decision: "approve" },
    { ...old, proposal: pay(6), decision: "reject" },
    { ...old, proposal: pay(101), decision: "edit" },
  ]);
  expect(result.cells).toEqual([
    { before: "batch", after: "allow", decision: "approve", count: 1 },
    { before: "batch", after: "allow", decision: "reject", count: 1 },
    { before: "batch", after: "interrupt", decision: "edit", count: 1 },
  ]);
  expect(result.letThrough).toMatchObject([{ decision: "reject", tool: "pay" }]);
  expect(result.reviews).toMatchObject([
    { owner: "role:boss", before: 3, after: 0 },
    { owner: "role:cfo", before: 0, after: 1 },
  ]);
});
