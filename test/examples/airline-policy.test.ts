import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { complete } from "../../src/events/draft.ts";
import { itemIdOf, newEventId } from "../../src/events/ids.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { callsOf } from "../../src/producers/transcript-calls.ts";
import { readTranscripts } from "../../src/producers/transcripts.ts";
import { sharedData } from "../shared-data.ts";

const file = new URL("../../examples/airline/policy.yaml", import.meta.url);
const policy = compilePolicy(parsePolicy(readFileSync(file, "utf8"), { file: "policy.yaml" }));

const READS = ["get_user_details", "get_reservation_details", "list_all_airports", "search_direct_flight", "search_onestop_flight", "calculate", "think"];
const CONSEQUENTIAL = [
  "book_reservation",
  "cancel_reservation",
  "update_reservation_flights",
  "update_reservation_baggages",
  "update_reservation_passengers",
  "send_certificate",
  "transfer_to_human_agents",
];

function verdictOn(tool: string, args: object, answers: "proposal" | "edit" = "proposal") {
  const action = { actionId: "call", tool, ...canonicalArgs(args) };
  const proposal = complete("proposals", {
    eventId: newEventId(),
    itemId: itemIdOf("airline", "agent", "k"),
    workspace: "airline",
    occurredAt: 0,
    actor: { kind: "agent", id: "agent" },
    idempotencyKey: "k",
    ask: "review",
    agent: { id: "agent" },
    actions: [action],
  });
  return judge([policy], { proposal, actions: [action], answers, now: 0 });
}

const booking = (...amounts: unknown[]) => ({ cabin: "economy", payment_methods: amounts.map((amount, i) => ({ payment_id: `p${i}`, amount })) });

test.each(READS)("%s flows, whatever its arguments", (tool) => {
  for (const args of [{}, { user_id: "u" }, { thought: 1 }]) expect(verdictOn(tool, args).route).toBe("allow");
});

test.each(CONSEQUENTIAL)("%s reaches a person with every decision open, also when its arguments are malformed", (tool) => {
  for (const args of [
    {},
    { amount: "150", cabin: 7, payment_methods: "none", unknown: null },
    { payment_methods: [1, { amount: {} }], nonfree_baggages: "two" },
  ]) {
    const verdict = verdictOn(tool, args);
    expect(["batch", "interrupt"]).toContain(verdict.route);
    expect(verdict.error).toBeNull();
    expect(verdict.allowedDecisions).toEqual(expect.arrayContaining(["approve", "edit", "reject"]));
    expect(verdict.editablePaths).toEqual([{ actionId: "call", path: "" }]);
    expect(verdict.approvals).toBe(1);
  }
});

test("what cannot be undone interrupts the support lead", () => {
  for (const tool of ["cancel_reservation", "send_certificate"])
    expect(verdictOn(tool, { amount: 1 })).toMatchObject({ route: "interrupt", owner: "role:support-lead", gate: "hard" });
});

test.each([
  ["a small booking", "batch", booking(400)],
  ["a booking over two small payments", "batch", booking(400, 100)],
  ["exactly the limit", "batch", booking(500)],
  ["a large payment", "interrupt", booking(501)],
  ["a large payment behind a small one", "interrupt", booking(1, 2, 501)],
  ["an amount that is no number", "interrupt", booking("400")],
  ["more payments than a customer can have", "interrupt", booking(1, 1, 1, 1, 1, 501)],
  ["business class", "interrupt", { ...booking(100), cabin: "business" }],
])("the amount chooses between batch and interrupt: %s", (_, route, args) => {
  expect(verdictOn("book_reservation", args).route).toBe(route);
});

test("changes and bags batch until they are unusual", () => {
  expect(verdictOn("update_reservation_flights", { cabin: "economy" }).route).toBe("batch");
  expect(verdictOn("update_reservation_flights", { cabin: "business" }).route).toBe("interrupt");
  expect(verdictOn("update_reservation_baggages", { nonfree_baggages: 2 }).route).toBe("batch");
  expect(verdictOn("update_reservation_baggages", { nonfree_baggages: 3 }).route).toBe("interrupt");
  expect(verdictOn("send_certificate", { amount: 201 }).risk).toBe("critical");
});

test("a tool that the policy does not describe waits for a person", () => {
  expect(verdictOn("delete_everything", {}).route).toBe("interrupt");
});

test("a reviewer reads the call in a sentence with its real values", () => {
  expect(verdictOn("send_certificate", { user_id: "ann_7", amount: 150 }).card?.headline).toBe("Give ann_7 a travel certificate of USD 150.00");
});

const data = sharedData("tau-bench-airline");

describe.skipIf(data === null)("on the recorded airline runs (skipped without ../shared/data)", () => {
  test("454 reads flow and 167 consequential calls reach a person; no right call would be forbidden as an edit", () => {
    const runs = data === null ? [] : readTranscripts(readFileSync(`${data}/runs.jsonl`, "utf8"), { file: "runs.jsonl" });
    const routes = runs.flatMap((run) => callsOf(run).calls.map((c) => verdictOn(c.tool, JSON.parse(c.args)).route));
    const count = (...wanted: string[]) => routes.filter((r) => wanted.includes(r)).length;
    expect([count("allow"), count("batch", "interrupt"), count("forbid")]).toEqual([454, 167, 0]);
    expect(count("batch")).toBeGreaterThan(0);
    expect(count("interrupt")).toBeGreaterThan(0);
    const gold = runs.flatMap((run) => run.goldActions ?? []).filter((g) => CONSEQUENTIAL.includes(g.name));
    for (const g of gold) expect(["batch", "interrupt"]).toContain(verdictOn(g.name, g.arguments, "edit").route);
  });
});
