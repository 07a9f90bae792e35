import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { canonicalArgs, canonicalize, sha256 } from "../../src/events/canonical.ts";
import { policyItemId } from "../../src/events/ids.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { UsageReader } from "../../src/policy/budgets/usage.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { cli, lines } from "../cli/harness.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";

const rule = (id: string, when: string) => `  - { id: ${id}, when: { action: pay, ${when} }, raise: { risk: high }, because: "${id}" }\n`;
const POLICY = `policy: pay
workspace: w
version: "1"
owner: role:lead
calendar: { time_zone: UTC, hours: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00" }] }
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string }, pin: { type: string } } }
    reversibility: reversible
    risk: low
    fields: { /to: { label: Payee, class: personal }, /pin: { label: PIN, class: secret } }
rules:
${rule("state", "target: { /state: { is: closed } }")}${rule("system", "origin: { system: { is: mail } }")}${rule("cost", "run: { cost_usd: { above: 5 } }")}${rule("night", "time: { business: false }")}${rule("payee", "all: [{ args: { /to: { exists: true } } }, { args: { /to: { is: Mallory } } }]")}${rule("pin", "all: [{ args: { /pin: { exists: true } } }, { args: { /pin: { is: '0000' } } }]")}budgets:
  - { id: daily, action: pay, measure: { sum: /amount }, per: agent, window: P1D, limits: [{ above: 1000, raise: { risk: high } }] }
`;
const NOON = Date.parse("2026-01-06T12:00:00Z");

/** One item for each rule, that only this rule stopped and a person then rejected. */
const STOPPED: { readonly [rule: string]: { args?: object; at?: number; used?: string; target?: object; more?: object } } = {
  state: { target: { state: "closed" } },
  system: { more: { origin: { system: "mail", id: "4711" } } },
  cost: { more: { run: { framework: "test", threadId: "t", costUsd: "7.5", step: 2, ended: false } } },
  night: { at: Date.parse("2026-01-06T23:00:00Z") },
  payee: { args: { to: "Mallory" } },
  pin: { args: { pin: "0000" } },
  daily: { used: "5000" },
};

let folder: string;
let left: { class: string; reason: string }[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-policy-tests-"));
  const script = await Script.open();
  await script.append("policies", {
    itemId: policyItemId("w", "pay"),
    actor: { kind: "authority", id: "ci" },
    ...{ kind: "policy", policyId: "pay", version: "1", document: POLICY },
  });
  const policy = compilePolicy(parsePolicy(POLICY));
  for (const [name, { args = {}, at = NOON, used = "0", target = { state: "open" }, more }] of Object.entries(STOPPED)) {
    const given = { amount: 1, ...args };
    const json = canonicalize(target as never);
    const proposed = await script.propose(name, given, {
      actions: [{ actionId: "a", tool: "pay", ...canonicalArgs(given), targetState: { json, sha256: sha256(json), readAt: at } }] as never,
      origin: { system: "chat", id: "1" },
      run: { framework: "test", threadId: "t", costUsd: "0.1", step: 2, ended: false },
      ...more,
    });
    const proposal = proposed.event as EventOf["proposals"];
    const usage: UsageReader = () => ({ count: 0, sum: used });
    const verdict = judge([policy], { proposal, actions: proposal.actions, answers: "proposal", now: at, usage });
    expect([name, verdict.route === "allow", [...new Set(verdict.matched?.map((m) => m.rule))]]).toEqual([name, false, [name]]);
    const asked = await script.judge(proposed, verdict.route, { ...(verdict as object), card: null, cardSha256: null, occurredAt: at });
    await script.decide(asked, "reject", { reasonCodes: [name] });
  }

  const { rejected } = await exportDataset(folder, "policy-tests", { log: script.log, codec: script.codec, key: TEST_KEY });
  left = lines(readFileSync(join(folder, "rejected-rows.jsonl"), "utf8"));
  expect(rejected.reduce((n, { rows }) => n + rows, 0)).toBe(left.length);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("exported policy tests", () => {
  test("pass under the policy that stopped them, by target state, origin, cost and time", async () => {
    const { code, out } = await cli(["policy", "test", folder]);
    expect([code, out]).toMatchObject([0, expect.stringContaining("4 of 4 cases")]);
  });

  test("fail, each for its own rule, once the policy has the hole", async () => {
    const file = join(folder, "w", "pay.yaml");
    for (const id of ["state", "system", "cost", "night"]) {
      writeFileSync(file, POLICY.replace(new RegExp(`  - \\{ id: ${id}, .*\\n`), ""));
      const { code, out, err } = await cli(["policy", "test", folder]);
      expect([code, out + err]).toEqual([3, expect.stringContaining("1 of 4 cases failed")]);
    }
    writeFileSync(file, POLICY);
  });

  test("are left out with the reason where a hidden value or a budget decided", () => {
    expect(left.map(({ class: of, reason }) => `${of} ${reason}`).sort()).toEqual([
      "policy_test budget_decided",
      "policy_test redacted_value_decided",
      "policy_test redacted_value_decided",
    ]);
  });
});
