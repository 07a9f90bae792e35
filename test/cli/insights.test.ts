import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { InsightsReport } from "../../src/evals/insights.ts";
import { openLog } from "../../src/log/open.ts";
import { story } from "../evals/story.ts";
import { cli } from "./harness.ts";

let folder: string;
let log: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-insights-"));
  log = `sqlite:${folder}`;
  const opened = await openLog(log);
  for await (const { records } of (await story()).log.read({}, { until: "heads" }))
    await opened.log.append(records.map((r) => ({ topic: r.topic, key: r.key as string, value: r.value as Uint8Array })));
  await opened.registry.close();
  await opened.log.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const insights = (...args: string[]) => cli(["insights", "evals", "--log", log, ...args]);
async function report(...args: string[]): Promise<InsightsReport> {
  const { code, out, err } = await insights("--json", ...args);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
}

test("edits point at fields and agents, rejections at rules and reasons, timeouts at owners, failures at executors, each with its count", async () => {
  expect(await report()).toEqual({
    items: 12,
    judgedByPeople: 11,
    share: 0.917,
    routes: [
      { what: "interrupt", count: 11 },
      { what: "batch", count: 1 },
    ],
    stepsBeforePerson: { runs: 12, median: 2, mean: 2, neverNeeded: 0 },
    edits: {
      total: 3,
      cosmeticOnly: 0,
      fields: [
        { what: "bank/pay /amount", count: 3 },
        { what: "bank/pay /note", count: 1 },
      ],
      agents: [{ what: "payer", count: 3 }],
    },
    rejections: { total: 1, withoutRule: [], byRule: [{ what: "large", count: 1 }], reasons: [{ what: "not_due", count: 1 }] },
    timeouts: {
      expired: 1,
      escalated: 1,
      owners: [
        { what: "role:boss", count: 1 },
        { what: "role:lead", count: 1 },
      ],
    },
    failures: { total: 1, tools: [{ what: "bank/pay", count: 1 }], errors: [{ what: "closed", count: 1 }] },
    incidents: [
      { what: "high", count: 1 },
      { what: "low", count: 1 },
    ],
    rubrics: [{ what: "bank/pay right_amount", count: 1, mean: 2 }],
  } satisfies InsightsReport);
});

test("the sentences say where each finding points", async () => {
  const text = (await insights()).out.replace(/\s+/g, " ");
  for (const sentence of [
    "People judged 11 of 12 items (91.7 %)",
    "Before a person was needed, runs did 2 steps by themselves",
    "Edits (3, 0 of them cosmetic only) point at prompts and context. Fields: bank/pay /amount 3, bank/pay /note 1. Agents: payer 3.",
    "Rejections (1) point at holes in the policy.",
    "Timeouts (1 expired, 1 escalated) point at ownership and routing: role:boss 1, role:lead 1.",
    "Failures (1) point at executors: bank/pay 1; closed 1.",
    "Incidents reported afterwards: high 1, low 1.",
    "Rubric bank/pay right_amount: 2 of 5 in 1 review.",
  ])
    expect(text).toContain(sentence);
});

test("a range counts only what lies in it: two halves are the whole", async () => {
  const at = "2023-11-14T22:13:20.030Z";
  const [whole, before, after] = [await report(), await report("--to", at), await report("--from", at)];
  expect(before.edits.total + before.rejections.total).toBeGreaterThan(0);
  for (const of of [(r: InsightsReport) => r.items, (r: InsightsReport) => r.edits.total, (r: InsightsReport) => r.rejections.total] as const)
    expect(of(before) + of(after)).toBe(of(whole));
  expect(after.items).toBeLessThan(whole.items);
});

test("a workspace without items has nothing to say, in words and in numbers", async () => {
  expect(await report("--workspace", "other")).toMatchObject({ items: 0, share: null, stepsBeforePerson: null, edits: { total: 0 }, rubrics: [] });
  expect((await insights("--workspace", "other")).out).toBe("No item lies in the range.\n");
});

test("a place that is none is refused with a way out", async () => {
  const { code, err } = await insights("--from", "someday", "--json");
  expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field: "--from", fix: expect.any(String) }]);
});
