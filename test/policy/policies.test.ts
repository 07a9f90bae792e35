import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isTestFile } from "../../src/policy/testing/file.ts";
import { MONDAY, policyFile, proposal, read, verdict } from "./helpers.ts";

const HOUR = 3_600_000;
const judgedOnMonday = (policies: Parameters<typeof verdict>[0], proposed: Parameters<typeof verdict>[1]) => verdict(policies, proposed, undefined, MONDAY);
const files = readdirSync(new URL("../../policies/", import.meta.url)).filter((name) => name.endsWith(".yaml") && !isTestFile(name));

describe("the shipped policies", () => {
  it.each(files)("%s loads as it is published, and begins by saying what it is for", (name) => {
    expect(policyFile(`policies/${name}`).mode).toBe("enforce");
    expect(read(`policies/${name}`)).toMatch(/^# [A-Z]/);
  });

  const support = ["refunds", "support-email", "crm-update"].map((name) => policyFile(`policies/${name}.yaml`));
  const platform = ["database-migration", "deploy"].map((name) => policyFile(`policies/${name}.yaml`));
  const judged = (tool: string, args: object, more: object = {}) =>
    judgedOnMonday(
      [...support, ...platform],
      proposal({ tool, args, workspace: support.some((p) => p.find(tool).length > 0) ? "support" : "platform", ...more }),
    );

  const refund = { order_id: "A-1042", customer_email: "ann@example.com", amount: 120, reason: "arrived broken" };
  const sound = { target: { state: "paid" }, evidence: ["order"] };
  it.each([
    [
      "a small refund is high and goes to the support lead",
      { ...refund },
      sound,
      { route: "interrupt", risk: "high", owner: "role:support-lead", approvals: 1 },
    ],
    [
      "a large one is critical and needs two of payments",
      { ...refund, amount: 1000.01 },
      sound,
      { risk: "critical", owner: "role:payments-oncall", approvals: 2 },
    ],
    ["exactly 1,000 is not large", { ...refund, amount: 1000 }, sound, { risk: "high", approvals: 1 }],
    ["a lawyer is critical", { ...refund, reason: "my Lawyer says" }, sound, { risk: "critical" }],
    ["another domain adds points", { ...refund, customer_email: "ann@other.test" }, sound, { risk: "high", score: 80 }],
    ["no reason is no lawyer", { order_id: "A-1042", customer_email: "ann@example.com", amount: 1 }, sound, { risk: "high" }],
    ["a charged-back order is forbidden", refund, { ...sound, target: { state: "charged_back" } }, { route: "forbid" }],
    ["a refund of nothing is no refund", { ...refund, amount: 0 }, sound, { route: "forbid", error: { code: "schema_invalid" } }],
  ])("refunds: %s", (_, args, more, expected) => {
    expect(judged("issue_refund", args, more)).toMatchObject(expected);
  });

  it("a refund whose order the agent said nothing of has no word about charge-backs on its card, which begins with what matters", () => {
    const { card, because } = judged("issue_refund", refund, { evidence: ["order"] });
    expect(because.join(" ")).not.toMatch(/charged-back|could not be checked/);
    expect(card?.why).not.toMatch(/charged-back/);
  });

  const sql = { database: "orders", environment: "staging", migration: "20250101_add_index", sql: "create index on orders (id)", estimated_rows: 10 };
  it.each([
    ["staging waits in a batch", sql, { route: "batch", owner: "role:database-team" }],
    ["production without a backup is critical", { ...sql, environment: "production" }, { route: "interrupt", risk: "critical", owner: "role:database-lead" }],
    ["production with a backup is high", { ...sql, environment: "production", backup_id: "b1" }, { route: "interrupt", risk: "high" }],
    ["dropping a table needs two", { ...sql, sql: "DROP  TABLE x" }, { risk: "critical", approvals: 2 }],
    ["dropping a production database is forbidden", { ...sql, environment: "production", sql: "drop database orders" }, { route: "forbid" }],
    ["a million rows add up to high", { ...sql, estimated_rows: 1_000_001 }, { risk: "high", route: "interrupt" }],
  ])("migrations: %s", (_, args, expected) => {
    expect(judged("run_migration", args)).toMatchObject(expected);
  });

  it.each([
    ["staging flows when the agent is sure", "deploy_to_staging", { service: "web", version: "1.2.3" }, { confidence: 0.9 }, { route: "allow" }],
    ["staging waits in a batch when nobody knows how sure it is", "deploy_to_staging", { service: "web", version: "1.2.3" }, {}, { route: "batch" }],
    [
      "production is a person, gradually",
      "deploy_to_production",
      { service: "web", version: "1.2.3", percent: 5, change_ref: "C1" },
      { target: { freeze: false, open_incidents: 0 } },
      { route: "interrupt", risk: "high", approvals: 1 },
    ],
    [
      "a deploy that does not say how gradual counts as at once",
      "deploy_to_production",
      { service: "web", version: "1.2.3", change_ref: "C1" },
      { target: { freeze: false, open_incidents: 0 } },
      { risk: "critical" },
    ],
    [
      "payments need two",
      "deploy_to_production",
      { service: "payments-api", version: "1.2.3", percent: 5, change_ref: "C1" },
      { target: { freeze: false, open_incidents: 0 } },
      { approvals: 2, owner: "role:platform-lead" },
    ],
    [
      "a freeze forbids",
      "deploy_to_production",
      { service: "web", version: "1.2.3", percent: 5 },
      { target: { freeze: true, open_incidents: 0 } },
      { route: "forbid" },
    ],
  ])("deploys: %s", (_, tool, args, more, expected) => {
    expect(judged(tool, args, more)).toMatchObject(expected);
  });

  it.each([
    ["reading flows", "get_customer", { customer_id: "c1" }, { route: "allow" }],
    [
      "a new email address waits in a batch",
      "update_customer",
      { customer_id: "c1", changes: { email: "ann@example.com" } },
      { route: "batch", gate: "soft", batchMax: 20, batchWindowMs: HOUR / 2 },
    ],
    ["a credit limit is a person", "update_customer", { customer_id: "c1", changes: { credit_limit: 5 } }, { route: "interrupt", risk: "high" }],
    ["merging records is irreversible", "merge_customers", { keep: "a", merge: ["b"] }, { route: "interrupt", gate: "hard" }],
    ["merging one record twice is refused", "merge_customers", { keep: "a", merge: ["b", "b"] }, { route: "forbid" }],
  ])("customer records: %s", (_, tool, args, expected) => {
    expect(judged(tool, args, { target: { locked: false } })).toMatchObject(expected);
  });

  it("customer records: a tax id is masked on the card, the rest of the change is not", () => {
    const v = judged("update_customer", { customer_id: "c1", changes: { tax_id: "CHE-123", name: "Ann" } }, { target: { locked: false } });
    expect(v.card?.headline).toBe('Change customer c1: {"name":"Ann","tax_id":"••••••"}');
    expect(JSON.stringify(v)).not.toContain("CHE-123");
  });
});

describe("the worked example", () => {
  const email = {
    to: "acct@example.com",
    subject: "Your ticket 18422",
    body: "We are sorry. We will refund the second charge of $42.00 to your card.",
    ticket_id: "18422",
  };
  const judged = (body: string) =>
    judgedOnMonday(
      [policyFile("policies/support-email.yaml")],
      proposal({ tool: "send_email", args: { ...email, body }, workspace: "support", more: { origin: { system: "helpdesk", id: "18422" } } }),
    );

  it("an email with refund language crosses the policy, and the support lead may approve, edit or reject it within four hours", () => {
    const v = judged(email.body);
    expect(v).toMatchObject({
      policy: { id: "external-communication" },
      route: "interrupt",
      risk: "high",
      gate: "hard",
      reversibility: "irreversible",
      owner: "role:support-lead",
      allowedDecisions: ["approve", "edit", "reject"],
      editablePaths: [{ path: "/body" }, { path: "/subject" }].reverse(),
      expiresAt: MONDAY + 4 * HOUR,
      onExpiry: "reject",
      receiptTarget: { system: "crm", id: "acct@example.com" },
      matched: [{ rule: "refund-language", path: "/body", operator: "matches", effect: "risk: high" }],
    });
    expect(v.because[0]).toBe("The email speaks of a refund: that crosses the external-communication policy");
    expect(v.card?.headline).toBe("Send an email to acct@example.com: Your ticket 18422");
    expect(v.card?.fields.find((field) => field.path === "/body")).toMatchObject({ unusual: true, value: email.body });
  });

  it("an email without it is medium, and still waits for a person", () => {
    expect(judged("We are looking into it.")).toMatchObject({ route: "interrupt", risk: "medium", matched: [] });
  });

  it("a password is never sent", () => {
    expect(judged("Your Password: hunter2").route).toBe("forbid");
  });
});

describe("the example of the design", () => {
  it("gives this verdict, to the letter", async () => {
    const v = verdict(
      [policyFile("test/policy/fixtures/example.yaml")],
      proposal({
        tool: "issue_refund",
        args: { order_id: "A-1042", customer_email: "bob@evil.test", amount: 1250.5, reason: "my lawyer says so" },
        workspace: "support",
        confidence: 0.82,
        target: { state: "paid" },
        evidence: ["order", "customer"],
      }),
    );
    await expect(`${JSON.stringify(v, null, 2)}\n`).toMatchFileSnapshot("fixtures/example.verdict.snap");
  });
});
