/** The documents that the simulated authority publishes, one after the other: each is stricter than the one before. */
export const VERSIONS = 3;

/** What an action of the simulation is, as the invariants read it: independent of what policy says of it. */
export const TOOLS = {
  note: { retries: 2, irreversible: false },
  sync: { retries: 1, irreversible: false },
  pay: { retries: 0, irreversible: false },
  wire: { retries: 0, irreversible: true },
} as const;
export type Tool = keyof typeof TOOLS;

/** At most so much is paid in an hour for one agent without a second person; nothing beyond `never`. */
export const BUDGET = { above: 1500, never: 3000 };
/** Above this it is critical: no standing approval stands in for whoever decides. */
export const CRITICAL = 250;

/** Above this two people look. */
export const TWO_PEOPLE = 300;

/** From this version on a note waits for a person. */
export const STRICT = 3;

/** Above this no version pays; the second version halves it. */
export const FLOOR = [5000, 400, 400];

/** One version of the document, as JSON. */
export function policyText(version: number): string {
  const floor = FLOOR[version - 1] as number;
  const text = (properties: object) => ({ type: "object", properties });
  return JSON.stringify({
    policy: "sim",
    version: String(version),
    workspace: "default",
    owner: "role:lead",
    actions: {
      note: {
        arguments: text({ text: { type: "string" } }),
        ...{ reversibility: "reversible", execution: "idempotent", risk: version >= STRICT ? "high" : "low", lease: "PT1M", retries: TOOLS.note.retries },
        ...{ gate: version >= STRICT ? { kind: "hard" } : { kind: "none" }, decisions: ["approve", "reject"], timeout: "PT30M", grant_ttl: "PT10M" },
      },
      sync: {
        arguments: text({ row: { type: "number" } }),
        ...{ reversibility: "reversible", execution: "idempotent", risk: "low", lease: "PT1M", retries: TOOLS.sync.retries, grant_ttl: "PT10M" },
        ...{ gate: { kind: "audit", window: "PT1H", review: "single" }, decisions: ["approve", "reject"] },
        ladder: [{ to: "role:director", timeout: "PT1H", page: false }],
      },
      pay: {
        arguments: text({ amount: { type: "number", exclusiveMinimum: 0 }, to: { type: "string" } }),
        ...{ reversibility: "partially", execution: "queryable", risk: "high", gate: { kind: "none" }, amount: { path: "/amount", unit: "EUR" } },
        ...{ decisions: ["approve", "edit", "reject", "respond"], editable: ["/amount"], claim: "PT5M", lease: "PT1M", grant_ttl: "PT10M" },
        ...{ timeout: "PT1H", ladder: [{ to: "role:director", timeout: "PT30M", page: true }], on_expiry: "reject" },
      },
      wire: {
        arguments: text({ amount: { type: "number" } }),
        ...{ reversibility: "irreversible", execution: "blind", risk: "critical", gate: { kind: "hard" }, separation: ["agent_owner"] },
        ...{ decisions: ["approve", "reject"], claim: "PT5M", lease: "PT1M", grant_ttl: "PT10M", timeout: "PT1H", on_expiry: "hold" },
      },
    },
    rules: [
      {
        id: "critical",
        when: { action: "pay", args: { "/amount": { above: CRITICAL } } },
        raise: { risk: "critical" },
        because: `Above ${CRITICAL} it is critical`,
      },
      {
        id: "two-people",
        when: { action: "pay", args: { "/amount": { above: TWO_PEOPLE } } },
        raise: { approvals: 2, approval_order: ["role:lead", "role:lead"] },
        because: "Above 300 two people look",
      },
    ],
    floors: [{ id: "floor", when: { action: "pay", args: { "/amount": { above: floor } } }, forbid: true, because: `Never above ${floor}` }],
    budgets: [
      {
        id: "paid",
        ...{ action: "pay", measure: { sum: "/amount" }, per: "agent", window: "PT1H" },
        limits: [
          { above: BUDGET.above, raise: { approvals: 2 } },
          { above: BUDGET.never, forbid: true },
        ],
      },
    ],
  });
}
