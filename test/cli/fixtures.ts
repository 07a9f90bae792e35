import type { ItemView, ListedItem } from "../../src/producers/wire/answers.ts";

/** The moment at which the fixtures are looked at. */
export const NOW = Date.UTC(2026, 10, 21, 12, 5, 0);
const MINUTE = 60_000;
const id = (n: number) => `01a1fde0-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** A refund that waits for the support lead. */
export const REFUND: ItemView = {
  itemId: "4f2a91c0aa11bb22cc33dd44ee55ff66",
  workspace: "support",
  stage: "pending",
  outcome: null,
  ask: "review",
  proposedAt: NOW - MINUTE,
  agent: { id: "support-agent", version: "1.4", model: "gpt-9", owner: "team-support" },
  onBehalfOf: null,
  question: null,
  intent: "Make good for a lost parcel",
  reasoning: null,
  evidence: [{ label: "order", value: "A-1001", url: null }],
  origin: { system: "tickets", id: "18422", url: "https://tickets.example.com/18422" },
  run: {
    framework: "langgraph",
    frameworkVersion: null,
    threadId: "thread-9f2",
    checkpointId: "cp-7",
    checkpointNs: null,
    pauseRef: null,
    resumeUrl: null,
    step: 4,
    costUsd: null,
    ended: false,
  },
  traceUrl: "https://traces.example.com/9f2",
  retryOf: null,
  headline: "Refund USD 1,250.00 to jo@elsewhere.example for order A-1001",
  why: "A refund above 1,000 needs two people. The customer is not from a known domain.",
  risk: "critical",
  route: "interrupt",
  gate: "hard",
  reversibility: "irreversible",
  policy: { id: "refunds", version: "7", sha256: "0".repeat(64) },
  owner: "role:payments-oncall",
  step: 0,
  deadline: NOW + 9 * MINUTE,
  expiresAt: NOW + 14 * MINUTE,
  onExpiry: "reject",
  allowedDecisions: ["approve", "edit", "reject"],
  approvals: 2,
  votes: ["dana"],
  claim: { person: "sam", endsAt: NOW + 4 * MINUTE },
  held: false,
  flagged: true,
  actions: [
    {
      actionId: "a1",
      tool: "issue_refund",
      args: {
        amount: 1250,
        customer_email: "jo@elsewhere.example",
        order_id: "A-1001",
        reason: `Lost parcel. ${"The carrier has no trace of it. ".repeat(4)}`,
      },
      argsSha256: "ab".repeat(32),
    },
  ],
  editablePaths: [
    { actionId: "a1", path: "/amount" },
    { actionId: "a1", path: "/reason" },
  ],
  card: {
    headline: "Refund USD 1,250.00 to jo@elsewhere.example for order A-1001",
    why: "A refund above 1,000 needs two people. The customer is not from a known domain.",
    ifApproved: "jo@elsewhere.example gets USD 1,250.00 back within two days. It cannot be recalled.",
    ifRejected: "Nothing is paid. The agent is told to explain why to the customer.",
    rollback: "None. Charging again needs the customer's consent.",
    ifItFails: "The support lead checks the payment provider by the refund's reference.",
    fields: [
      { label: "Amount", actionId: "a1", path: "/amount", value: "USD 1,250.00", unusual: true },
      { label: "Customer", actionId: "a1", path: "/customer_email", value: "jo@elsewhere.example", unusual: false },
    ],
  },
  cardSha256: "cd".repeat(32),
  because: ["A refund above 1,000 needs two people"],
  matched: [],
  verdict: { eventId: id(2), error: null },
  standing: null,
  fellBack: null,
  decision: null,
  review: "none",
  execution: "none",
  dropped: [],
  edits: [],
  grant: null,
  receipts: [],
  incidents: [],
  receiptTarget: { system: "crm", id: "jo@elsewhere.example", url: null },
  timeline: [
    {
      topic: "proposals",
      partition: 3,
      offset: 17,
      eventId: id(1),
      what: "review",
      status: "effective",
      reason: null,
      answers: null,
      actor: "agent:support-agent",
      occurredAt: NOW - MINUTE,
    },
    {
      topic: "verdicts",
      partition: 3,
      offset: 17,
      eventId: id(2),
      what: "interrupt",
      status: "effective",
      reason: null,
      answers: `proposals/${id(1)}`,
      actor: "policy:policy-worker",
      occurredAt: NOW - MINUTE + 20,
    },
    {
      topic: "decisions",
      partition: 3,
      offset: 4,
      eventId: id(3),
      what: "approve",
      status: "illegal",
      reason: "not entitled: role:payments-oncall decides",
      answers: `verdicts/${id(2)}`,
      actor: "person:lee",
      occurredAt: NOW - 30_000,
    },
  ],
  findings: [{ code: "proposal_conflict", topic: "proposals", eventId: id(9), offset: 21 }],
  badRecords: [
    {
      topic: "receipts",
      partition: 3,
      offset: 2,
      reason: "undecodable",
      message: "the value has no schema frame",
      sha256: "ef".repeat(32),
      flags: true,
      cleared: false,
    },
  ],
  parked: [{ topic: "receipts", partition: 3, offset: 1, eventId: id(8), cause: `resumes/${id(7)}` }],
};

/** The same item after its end. */
export const DONE: ItemView = {
  ...REFUND,
  stage: "done",
  outcome: "succeeded",
  deadline: null,
  allowedDecisions: [],
  claim: null,
  flagged: false,
  actions: [{ ...REFUND.actions[0]!, args: { amount: 50, order_id: "A-1001" }, proposedArgs: { amount: 1250, order_id: "A-1001" } }],
  findings: [],
  badRecords: [],
  parked: [],
  timeline: [],
  grant: {
    id: id(5),
    outcome: "proceed_edited",
    notAfter: NOW + 30 * MINUTE,
    done: 1,
    running: null,
    actions: [
      {
        actionId: "a1",
        tool: "issue_refund",
        args: { amount: 50, order_id: "A-1001" },
        argsSha256: "ab".repeat(32),
        execution: "queryable",
        leaseMs: 120_000,
        effectKey: "12".repeat(32),
      },
    ],
  },
  receipts: [
    {
      eventId: id(6),
      kind: "succeeded",
      actionId: "a1",
      argsSha256: "ab".repeat(32),
      result: null,
      externalRef: { system: "psp", id: "re_123", url: null },
      error: null,
      actor: "executor:x",
      occurredAt: NOW,
    },
  ],
};

const step = (actionId: string, tool: string, args: Record<string, unknown>) => ({ actionId, tool, args, argsSha256: actionId.padEnd(64, "0") });

/** A plan under way: a step that is done, one that runs with edited arguments, one to come, and one that a reviewer took out. */
export const PLAN: ItemView = {
  ...REFUND,
  stage: "executing",
  execution: "executing",
  headline: "3 steps: 1. Refund USD 50.00 for order A-1001 · 2. Write to jo@elsewhere.example · 3. Close the ticket 18422",
  deadline: null,
  allowedDecisions: [],
  approvals: 1,
  claim: null,
  flagged: false,
  decision: { kind: "edit", eventId: id(3), by: "person:dana" },
  actions: [
    step("a1", "issue_refund", { amount: 50, order_id: "A-1001" }),
    {
      ...step("a3", "send_email", { to: "jo@elsewhere.example", subject: "Your refund" }),
      proposedArgs: { to: "jo@elsewhere.example", subject: "Sorry!" },
      patch: [{ op: "replace", path: "/subject", value: "Your refund" }],
    },
    step("a4", "close_ticket", { ticket: 18422 }),
  ],
  dropped: [{ actionId: "a2", tool: "issue_voucher", args: { value: 20 } }],
  card: {
    ...(REFUND.card as NonNullable<ItemView["card"]>),
    fields: [
      { label: "Amount", actionId: "a1", path: "/amount", value: "USD 50.00", unusual: false },
      { label: "Order", actionId: "a1", path: "/order_id", value: "A-1001", unusual: false },
      { label: "To", actionId: "a3", path: "/to", value: "jo@elsewhere.example", unusual: true },
      { label: "Subject", actionId: "a3", path: "/subject", value: "Your refund", unusual: false },
      { label: "ticket", actionId: "a4", path: "/ticket", value: "18422", unusual: false },
    ],
  },
  grant: {
    id: id(5),
    outcome: "proceed_edited",
    notAfter: NOW + 30 * MINUTE,
    done: 1,
    running: { actionId: "a3", lease: { id: id(12), endsAt: NOW + MINUTE } },
    actions: ["a1", "a3", "a4"].map((actionId) => ({
      ...step(actionId, { a1: "issue_refund", a3: "send_email", a4: "close_ticket" }[actionId] as string, {}),
      execution: "idempotent" as const,
      leaseMs: 120_000,
      effectKey: "12".repeat(32),
    })),
  },
  receipts: DONE.receipts,
  findings: [],
  badRecords: [],
  parked: [],
  timeline: REFUND.timeline.slice(0, 2),
};

/** Items as the queue lists them. */
export const QUEUE: readonly ListedItem[] = [
  listed({}),
  listed({
    itemId: "b1c2d3e4f5a60718293a4b5c6d7e8f90",
    owner: "role:support-lead",
    deadline: NOW - 2 * MINUTE,
    approvals: 1,
    votes: [],
    claim: null,
    flagged: false,
    allowedDecisions: ["respond"],
    summary: {
      headline: 'support-agent asks: Customer "Mia Berg" has two accounts, one of them closed in 2024. Which one is meant in this ticket?',
      why: "The agent waits for the answer.",
      risk: "medium",
    },
  }),
  listed({
    itemId: "c0ffee00112233445566778899aabbcc",
    owner: "role:database-lead",
    deadline: null,
    held: true,
    approvals: 1,
    votes: [],
    claim: null,
    flagged: false,
    summary: { headline: "Run 20261121_add_index on shop in production, about 900000 rows", why: "It changes a production database.", risk: "high" },
  }),
];

function listed(part: Partial<ListedItem>): ListedItem {
  const { itemId, stage, outcome, owner, deadline, proposedAt, flagged, allowedDecisions, approvals, votes, claim, held, review, execution } = REFUND;
  const summary = { headline: REFUND.headline as string, why: REFUND.why as string, risk: "critical" };
  return { itemId, stage, outcome, owner, deadline, proposedAt, flagged, allowedDecisions, approvals, votes, claim, held, review, execution, summary, ...part };
}
