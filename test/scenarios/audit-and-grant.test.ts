import { expect, test } from "vitest";
import { recheckLog } from "../../src/cli/recheck.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { type Bench, MINUTE, openBench } from "../support/bench-ledger.ts";

const POLICY = `
policy: notes
workspace: support
owner: role:lead
actions:
  note:
    arguments: { type: object, properties: { text: { type: string } }, required: [text] }
    reversibility: partially
    risk: medium
    gate: { kind: audit, window: PT24H }
grants:
  - id: trusted
    when: { action: note, confidence: { at_least: 0.9 } }
    lower: { risk: low, gate: { kind: none } }
    cap: { max: 2, per: agent, window: P1D }
    expires: 2100-01-01
    evidence: backtest
    because: "Sure notes were always right"
`;

async function note(bench: Bench, key: string, confidence: number) {
  const item = await bench.propose(key, "note", {}, { actions: [{ actionId: "a1", tool: "note", ...canonicalArgs({ text: key }), confidence }] });
  const { life } = bench.view(item);
  return { item, life, verdict: (await bench.ledger.events.get(item, "verdicts", life.verdict?.id ?? ""))! };
}

test("an audited action is granted at once and its review escalates when the window closes; a grant frees two a day, and each verdict can be told again", async () => {
  const bench = await openBench();
  await bench.publish(POLICY);

  const audited = await note(bench, "n0", 0.8);
  expect(audited.verdict).toMatchObject({ route: "allow", gate: "audit", expiresAt: null, allowedDecisions: ["approve", "reject"] });
  expect(audited.life.resume).not.toBeNull();

  // What the audit let through uses up the grant as well: everything that ran without a person counts.
  const gates: string[] = [];
  for (const key of ["n1", "n2", "n3"]) {
    const { verdict } = await note(bench, key, 0.95);
    gates.push(`${verdict.gate} ${verdict.budgets.map(({ used, limit }) => `${used}/${limit}`)}`);
    bench.clock.now += MINUTE;
  }
  expect(gates).toEqual(["none 1/2", "audit 2/2", "audit 3/2"]);

  await bench.at(audited.verdict.ladder[0]?.at as number);
  expect(bench.story(audited.item).filter((line) => line.includes("escalate"))).toEqual(["decisions escalate effective"]);
  expect(bench.story(audited.item).join()).not.toContain("expire");

  const { signal } = new AbortController();
  expect(await recheckLog(bench.ledger, { from: 0, to: Number.POSITIVE_INFINITY }, { progress: () => {}, signal })).toEqual({ checked: 4, deviations: [] });
}, 60_000);
