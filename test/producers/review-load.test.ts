import { expect, test } from "vitest";
import { type JudgedCall, renderReviewLoad, summarize } from "../../src/producers/review-load.ts";

function judged(runId: string, tool: string, route: "allow" | "batch" | "interrupt" | "forbid", owner: string | null = null): JudgedCall {
  const risk = route === "allow" ? "low" : route === "batch" ? "medium" : "high";
  return { runId, tool, verdict: { route, owner, risk, because: route === "allow" ? [] : [`${tool} needs a look`] } };
}

const calls = [
  judged("a", "look", "allow"),
  judged("a", "pay", "interrupt", "role:lead"),
  judged("a", "note", "batch", "role:desk"),
  judged("b", "pay", "interrupt", "role:lead"),
  judged("c", "look", "allow"),
  judged("c", "wipe", "forbid"),
];

test("the load counts by route, owner, action and risk, and only people's work counts as review", () => {
  const load = summarize(calls, { runs: 4 });
  expect(load.total).toEqual({ calls: 6, allow: 2, batch: 1, interrupt: 2, forbid: 1, review: 3 });
  expect(load.byOwner.map((o) => [o.owner, o.batch, o.interrupt])).toEqual([
    ["role:lead", 0, 2],
    ["role:desk", 1, 0],
  ]);
  expect(load.byAction.map((a) => [a.tool, a.review])).toEqual([
    ["pay", 2],
    ["note", 1],
    ["look", 0],
    ["wipe", 0],
  ]);
  expect(load.byRisk.map((r) => [r.risk, r.calls])).toEqual([
    ["high", 3],
    ["medium", 1],
    ["low", 2],
  ]);
  expect(load.reasons[0]).toEqual({ because: "pay needs a look", calls: 2 });
});

test("runs without any call count in the averages per run", () => {
  expect(summarize(calls, { runs: 4 }).perRun).toEqual({ mean: 0.75, median: 0.5, most: 2, runsWithoutReview: 2 });
});

test("a day is scaled from the recorded runs, and left out where no number of runs is given", () => {
  expect(summarize(calls, { runs: 4, runsPerDay: 200 }).perDay).toEqual({ runs: 200, calls: 300, review: 150, batch: 50, interrupt: 100 });
  expect(summarize(calls).perDay).toBeNull();
});

test("nothing judged is an empty load, not a division by zero", () => {
  const load = summarize([], { runsPerDay: 10 });
  expect([load.perRun.mean, load.perRun.median, load.perRun.most, load.perDay]).toEqual([0, 0, 0, null]);
  expect(renderReviewLoad(load)).toContain("0 runs, 0 calls: 0 for people");
});

test("the order of the calls does not change the summary", () => {
  expect(summarize(calls.toReversed(), { runs: 4, runsPerDay: 7 })).toEqual(summarize(calls, { runs: 4, runsPerDay: 7 }));
});

test("the text stays within 80 columns whatever the names are, and control characters do not reach the terminal", () => {
  const text = renderReviewLoad(summarize([...calls, judged("d", `x\u001b[2J${"long_".repeat(40)}`, "interrupt", "role:lead")], { runsPerDay: 12345 }));
  expect(Math.max(...text.split("\n").map((l) => l.length))).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\u001b");
});

test("the summary reads like this", () => {
  expect(renderReviewLoad(summarize(calls, { runs: 4, runsPerDay: 200 }))).toMatchInlineSnapshot(`
    "4 runs, 6 calls: 3 for people, 2 flow, 1 forbidden

    by action                               calls   allow   batch  interrupt  forbid
      pay                                       2       0       0          2       0
      note                                      1       0       1          0       0
      look                                      2       2       0          0       0
      wipe                                      1       0       0          0       1

    by owner                                calls   allow   batch  interrupt  forbid
      role:lead                                 2       0       0          2       0
      role:desk                                 1       0       1          0       0

    by risk                                 calls   allow   batch  interrupt  forbid
      high                                      3       0       0          2       1
      medium                                    1       0       1          0       0
      low                                       2       2       0          0       0

    why
           2  pay needs a look
           1  note needs a look
           1  wipe needs a look

    per run  0.8 reviews on average, median 0.5, at most 2;
             2 of 4 runs need nobody
    per day  150 reviews at 200 runs a day:
             100 interrupts and 50 in batches, of 300 calls
    "
  `);
});
