import { type LoadedPolicy, loadPolicy } from "../../../src/policy/document/loaded.ts";
import { parseTests } from "../../../src/policy/testing/file.ts";
import type { Suite } from "../../../src/policy/testing/mutation.ts";
import { type CaseResult, runCases } from "../../../src/policy/testing/run.ts";

/** A policy from YAML text; head lines that every document needs are added. */
export function loaded(text: string): LoadedPolicy {
  return loadPolicy(`${text.includes("policy:") ? "" : "policy: p\n"}workspace: w\nowner: role:boss\n${text}`, "p.yaml", () => {
    throw new Error("no files here");
  });
}

/** Policies with the cases of a YAML list. */
export function suite(policies: readonly LoadedPolicy[], cases: string): Suite {
  return { policies, cases: parseTests(`policy: p.yaml\ncases:\n${cases}`, "p.policytest.yaml").cases };
}

/** How the cases of a YAML list end. */
export function ran({ policies, cases }: Suite): CaseResult[] {
  return runCases(
    policies.map(({ compiled }) => compiled),
    cases,
  );
}

/** What is wrong with a test file, one line each, without the first. */
export function faults(text: string): string[] {
  try {
    parseTests(text, "t.yaml");
  } catch (error) {
    return (error as Error).message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

/** Pays: high above 100, forbidden for frozen accounts. Reads: low. */
export const PAY = `
actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string } }, required: [amount] }
    reversibility: partially
    risk: medium
    amount: { path: /amount, unit: USD }
    card: { headline: "Pay {/amount|money}" }
    decisions: [approve, edit, reject]
    editable: [/amount]
    timeout: PT10M
    ladder: [{ to: role:lead, timeout: PT5M, page: true }]
  read: { arguments: { type: object, properties: {} }, reversibility: reversible, risk: low }
rules:
  - { id: large, when: { action: pay, args: { /amount: { above: 100 } } }, raise: { risk: high, approvals: 2 }, because: "More than 100" }
floors:
  - { id: frozen, when: { action: pay, target: { /frozen: { is: true } } }, forbid: true, because: "The account is frozen" }
routes:
  - { when: { action: pay, risk: { at_least: high } }, owner: role:cfo, separation: [proposer, agent_owner] }
`;
