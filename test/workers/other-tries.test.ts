import { expect, test } from "vitest";
import type { ResumeNode } from "../../src/ledger/item.ts";
import { untilItem } from "../../src/projector/until.ts";
import { type Bench, openBench } from "../support/bench-ledger.ts";

/** An executor starts what an item is granted, and sees it fail. */
async function fails({ ledger, view }: Bench, itemId: string): Promise<void> {
  const { id: eventId, actions } = view(itemId).life.resume as ResumeNode;
  const { actionId, argsSha256 } = actions[0] as ResumeNode["actions"][number];
  const by = { workspace: "default", answers: { topic: "resumes", eventId }, actor: { kind: "executor", id: "x" } } as const;
  const receipt = { ...by, actionId, argsSha256 };
  await ledger.write("receipts", itemId, { ...receipt, kind: "started", lease: { id: "l", endsAt: ledger.now() + 60_000 } });
  const { position } = await ledger.write("receipts", itemId, { ...receipt, kind: "failed", error: { code: "down", message: "It is down" } });
  await ledger.waitFor([position]);
}

test("several tries of one work that are approved while nobody grants are granted one at a time, also in the same breath", async () => {
  const bench = await openBench();
  await bench.publish();
  await bench.quiet();
  const first = await bench.propose("first", "refund", { order: "o", amount: 1 });
  const items = [first];
  for (const key of ["a", "b", "c"]) items.push(await bench.propose(key, "refund", { order: "o", amount: 1 }, { retryOf: first }));
  await bench.quiet();
  await bench.stop("dispatcher");
  for (const item of items) await bench.decide(item, "approve");
  for (const item of items) await untilItem(bench.ledger, item, ({ stage }) => (stage === "settled" ? true : undefined));
  bench.run("dispatcher");
  const granted = () => items.filter((item) => bench.view(item).stage === "granted");
  for (const left of [3, 2, 1, 0]) {
    await Promise.race(items.map((item) => untilItem(bench.ledger, item, ({ stage }) => (stage === "granted" ? true : undefined))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(granted()).toHaveLength(1);
    const [item = ""] = granted();
    await fails(bench, item);
    expect(items.filter((other) => bench.view(other).stage !== "done")).toHaveLength(left);
  }
});
