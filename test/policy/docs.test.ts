import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../src/policy/compile.ts";
import { OPERATOR_NAMES } from "../../src/policy/conditions/operators.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { policyShape } from "../../src/policy/document/shape.ts";
import { judgeCall, policyFile, proposal, read, verdict } from "./helpers.ts";

const text = read("docs/policy.md");
const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] as string);

describe("docs/policy.md", () => {
  it("holds documents, all of which load", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    for (const block of blocks) expect(() => compilePolicy(parsePolicy(block, { file: "docs/policy.md" }))).not.toThrow();
  });

  it("names every key of a document and every operator", () => {
    for (const key of [...Object.keys(policyShape.shape), ...OPERATOR_NAMES]) expect([key, text.includes(key)]).toEqual([key, true]);
  });

  it("tells the truth of its example: a refund, a note under audit, and a note that the grant lets through", () => {
    const example = compilePolicy(parsePolicy(blocks[0] as string));
    const judged = (tool: string, args: object, more: object = {}) =>
      verdict([example], proposal({ tool, args, workspace: "support", evidence: ["order"], ...more }));
    const refund = { order_id: "A-1", customer_email: "ann@example.com", amount: 1200 };
    expect(judged("issue_refund", refund, { target: { state: "paid" } })).toMatchObject({
      route: "interrupt",
      risk: "critical",
      owner: "role:refund-approver",
      approvals: 2,
      approvalOrder: ["role:support-lead", "role:payments-lead"],
    });
    const note = { ticket_id: "T1", text: "Called back" };
    expect(judged("add_ticket_note", note)).toMatchObject({ route: "allow", gate: "audit" });
    const bot = { confidence: 0.95, more: { agent: { id: "triage-bot" }, run: { framework: "x", threadId: "t", step: 1, costUsd: "0.1", ended: false } } };
    expect(judged("add_ticket_note", note, bot)).toMatchObject({ route: "allow", gate: "none", matched: [{ rule: "notes-of-the-triage-bot" }] });
  });

  it("says what a tool comes to that nobody has described", () => {
    expect(judgeCall("actions: {}\n", { tool: "nuke" })).toMatchObject({ route: "interrupt", risk: "high", gate: "hard", reversibility: "irreversible" });
    expect(policyFile("policies/refunds.yaml").undescribed.execution).toBe("blind");
  });
});
