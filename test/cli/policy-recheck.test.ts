import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { MINUTE, openBench, POLICY, WORKSPACE } from "../support/bench-ledger.ts";
import { tempDir } from "../support/views.ts";
import { cli, lines } from "./harness.ts";

const OTHER = `
policy: limits
workspace: support
owner: role:lead
actions:
  "*": { reversibility: reversible, execution: idempotent, risk: low }
budgets: [{ id: hourly, action: "*", measure: { count: true }, per: agent, window: PT1H, limits: [{ above: 2, raise: { risk: high } }] }]
`;

/** A ledger with verdicts under one and under two documents, budgets, an edit and a forbidden edit. */
async function filled() {
  const dir = tempDir();
  const bench = await openBench({ dir });
  await bench.publish(POLICY);
  await bench.propose("k1", "note", { text: "hello" });
  await bench.publish(OTHER);
  const item = await bench.propose("k2", "refund", { order: "o1", amount: 10 });
  await bench.decide(item, "edit", { edits: [{ actionId: "a1", args: '{"amount":5,"order":"o1"}', argsSha256: await hash('{"amount":5,"order":"o1"}') }] });
  await bench.propose("k3", "unheard-of", {});
  const later = await bench.propose("k9", "refund", { order: "o9", amount: 10 });
  await bench.propose("k4", "note", { text: "a third within the hour" });
  await bench.publish(POLICY.replace("timeout: PT10M", "timeout: PT9M"));
  await bench.decide(later, "edit", { edits: [{ actionId: "a1", args: '{"amount":6,"order":"o9"}', argsSha256: await hash('{"amount":6,"order":"o9"}') }] });
  return { bench, dir };
}

async function hash(text: string): Promise<string> {
  const { sha256 } = await import("../../src/events/canonical.ts");
  return sha256(text);
}

describe("policy recheck", () => {
  test("finds every verdict as recorded, also those under documents that are no longer in force", async () => {
    const { dir } = await filled();
    const { code, out, err } = await cli(["policy", "recheck", "--log", `sqlite:${dir}`, "--data", dir]);
    expect({ code, out, err }).toEqual({ code: 0, out: "7 verdicts recomputed: all are as recorded.\n", err: "" });
  });

  test("finds an edit as recorded that two versions of one document judged, and an edit of that edit, of a plan as well", async () => {
    const version = (name: string) => `
policy: shop
workspace: support
owner: role:lead
actions:
  pay: { arguments: { type: object, properties: { amount: { type: number } }, required: [amount] }, reversibility: partially, risk: medium, approvals: 3 }
  buy: { arguments: { type: object, properties: { amount: { type: number } }, required: [amount] }, reversibility: partially, risk: medium, approvals: 3 }
rules:
  - { id: pay-${name}, when: { action: pay }, raise: { points: ${name.length + (name === "one" ? 1 : 0)} }, because: "pay, ${name}" }
  - { id: buy-${name}, when: { action: buy }, raise: { points: 1 }, because: "buy, ${name}" }
budgets: [{ id: day-${name}, action: [pay, buy], measure: { sum: /amount }, window: P1D, limits: [{ above: 1000, raise: { risk: high } }] }]
`;
    const dir = tempDir();
    const bench = await openBench({ dir });
    const step = (actionId: string, tool: string, amount: number) => ({ actionId, tool, ...canonicalArgs({ amount }) });
    const edited = (amount: number) => ({
      edits: [
        { actionId: "a1", ...canonicalArgs({ amount }) },
        { actionId: "a2", ...canonicalArgs({ amount: amount + 1 }) },
      ],
    });
    for (const [first, second] of [
      ["one", "two"],
      ["two", "one"],
    ] as const) {
      await bench.publish(version(first));
      const plan = await bench.propose(`from ${first}`, "pay", {}, { actions: [step("a1", "pay", 20), step("a2", "buy", 30)] });
      const single = await bench.propose(`single from ${first}`, "pay", { amount: 5 });
      await bench.at(bench.clock.now + 1000);
      await bench.publish(version(second));
      for (const amount of [4, 3]) {
        await bench.decide(plan, "edit", edited(amount));
        await bench.decide(single, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ amount }) }] });
      }
      await bench.at(bench.clock.now + 1000);
    }
    const { code, out } = await cli(["policy", "recheck", "--log", `sqlite:${dir}`]);
    expect({ code, out }).toEqual({ code: 0, out: "12 verdicts recomputed: all are as recorded.\n" });
  });

  test("names each field in which a verdict is not what its record leads to, and ends with 3", async () => {
    const { bench, dir } = await filled();
    await bench.stop("policy");
    const forged = await bench.propose("k5", "refund", { order: "o2", amount: 900 });
    const { proposal } = bench.view(forged).item;
    const real = bench.policies.judge({
      proposal: (await bench.ledger.events.get(forged, "proposals", proposal as string))!,
      actions: (await bench.ledger.events.get(forged, "proposals", proposal as string))!.actions,
      answers: "proposal",
      now: bench.clock.now,
      usage: bench.usage.judging(forged, WORKSPACE),
    });
    const { position } = await bench.ledger.write("verdicts", forged, {
      ...real,
      route: "allow",
      gate: "none",
      workspace: WORKSPACE,
      occurredAt: bench.clock.now,
      answers: { topic: "proposals", eventId: proposal as string },
      actor: { kind: "policy", id: "policy-worker" },
    });
    await bench.ledger.waitFor([position]);
    const { code, out } = await cli(["policy", "recheck", "--log", `sqlite:${dir}`, "--json"]);
    expect(code).toBe(3);
    const [report] = lines<{ checked: number; deviations: { itemId: string; differences: { field: string }[] }[] }>(out);
    expect(report).toMatchObject({ checked: 8, deviations: [{ itemId: forged }] });
    expect(report?.deviations[0]?.differences).toEqual([
      { field: "route", recorded: "allow", recomputed: "interrupt" },
      { field: "gate", recorded: "none", recomputed: "hard" },
    ]);
    const people = await cli(["policy", "recheck", "--log", `sqlite:${dir}`]);
    expect(people.out).toContain('  route: recorded "allow"\n         recomputed "interrupt"\n');
    expect(people.out).toContain("8 verdicts recomputed: 1 differs from the record.");
  });

  test("takes a range and a policy", async () => {
    const { bench, dir } = await filled();
    const now = new Date(bench.clock.now);
    const of = async (...more: string[]) =>
      lines<{ checked: number }>((await cli(["policy", "recheck", "--log", `sqlite:${dir}`, "--json", ...more])).out)[0]?.checked;
    expect(await of("--to", now.toISOString())).toBe(0);
    expect(await of("--from", now.toISOString(), "--to", new Date(bench.clock.now + MINUTE).toISOString())).toBe(7);
    expect(await of("--policy", "limits")).toBe(6);
    expect(await of("--policy", "nobody")).toBe(0);
  });

  test("a document that the log does not hold is told, not passed over", async () => {
    const { bench, dir } = await filled();
    await bench.stop("policy");
    const item = await bench.propose("k6", "note", { text: "x" });
    const { position } = await bench.ledger.write("verdicts", item, {
      workspace: WORKSPACE,
      answers: { topic: "proposals", eventId: bench.view(item).item.proposal as string },
      actor: { kind: "policy", id: "elsewhere" },
      policy: { id: "work", version: "9", sha256: "f".repeat(64) },
      engineVersion: "1",
      route: "interrupt",
      risk: "high",
      score: 60,
      reversibility: "irreversible",
      gate: "hard",
      approvals: 1,
      onExpiry: "reject",
    });
    await bench.ledger.waitFor([position]);
    const { code, out } = await cli(["policy", "recheck", "--log", `sqlite:${dir}`]);
    expect(code).toBe(3);
    expect(out).toContain(`cannot be recomputed: the log holds no document of policy work with sha256 ${"f".repeat(64)}`);
  });

  test("refuses a time that is none, and a log that is not there", async () => {
    const wrong = await cli(["policy", "recheck", "--from", "yesterday"]);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err).toContain("It must be a time such as 2026-11-01");
    expect(await cli(["policy", "recheck", "--log", "sqlite:/nonexistent/folder"])).toMatchObject({ code: 4 });
  });
});
