/** The packed form of an item's state and summary: ids and hashes as bytes, nodes referring to each other by their place in the list, -1 for none. */
const ref = "int";
const opt = (type: unknown) => ["null", type];
const list = (items: unknown) => ({ type: "array", items });
const record = (name: string, fields: Record<string, unknown>) => ({
  type: "record",
  name,
  fields: Object.entries(fields).map(([n, type]) => ({ name: n, type })),
});

const action = record("Action", { actionId: "string", tool: "string", args: "string", argsSchema: opt("bytes") });
const lease = record("Lease", { id: "string", person: "string", endsAt: "long" });
const hashed = record("Hashed", { actionId: "string", argsSha256: "bytes" });
const edit = record("Edit", { actionId: "string", args: "string" });
const path = record("Path", { actionId: "string", path: "string" });
const rung = record("Rung", { step: "int", at: "long", to: "string", page: "boolean" });
const step = record("Step", { actionId: "string", execution: "string", leaseMs: "long" });
const running = record("Running", { actionId: "string", leaseId: "string", endsAt: "long" });
const closed = record("Closed", { kind: "string", by: ref });

const nodes = [
  record("P", {
    id: "bytes",
    ask: "string",
    agentId: "string",
    agentOwner: opt("string"),
    onBehalfOf: opt("string"),
    threadId: opt("string"),
    checkpointId: opt("string"),
    retryOf: opt("string"),
    actions: list(action),
    contentSha256: "bytes",
    verdict: ref,
  }),
  record("V", {
    id: "bytes",
    cause: ref,
    fallback: "boolean",
    judgedAt: "long",
    /** Terms of the verdict at this place, where they are the same. */
    sameTerms: ref,
    terms: opt(
      record("Terms", {
        route: "string",
        gate: "string",
        owner: opt("string"),
        approvals: "int",
        approvalOrder: list("string"),
        separation: list("string"),
        allowedDecisions: list("string"),
        editablePaths: list(path),
        ladder: list(rung),
        expiresAt: opt("long"),
        onExpiry: "string",
        cardSha256: opt("bytes"),
        steps: list(step),
        grantTtlMs: opt("long"),
        batch: opt(record("BatchTerms", { key: "string", max: "int", windowMs: "long" })),
      }),
    ),
    /** Null: those of the proposal. */
    actions: opt(list("Action")),
    earlierApprovers: list("string"),
    owner: opt("string"),
    step: "int",
    lease: opt(lease),
    leaseIds: list("string"),
    votes: list("string"),
    held: "boolean",
    escalatedAt: opt("long"),
    withdrawn: "boolean",
    withdrawnAt: opt("long"),
    closedBy: opt(closed),
    batch: opt("bytes"),
    resume: ref,
  }),
  record("D", {
    id: "bytes",
    kind: "string",
    cause: ref,
    person: "string",
    roles: list("string"),
    edits: list(edit),
    dropped: list("string"),
    order: list("string"),
    settlement: opt("string"),
    calls: "boolean",
    verdict: ref,
    resume: ref,
  }),
  record("R", {
    id: "bytes",
    cause: ref,
    outcome: "string",
    /** Null: exactly the actions of the verdict at `granted`. */
    actions: opt(list(hashed)),
    granted: ref,
    notAfter: opt("long"),
    grantedAt: "long",
    done: "int",
    running: opt(running),
    leaseIds: list("string"),
    startedAt: opt("long"),
    endedAt: opt("long"),
    closedBy: opt("Closed"),
  }),
  record("X", { id: "bytes", kind: "string", cause: ref, actionId: opt("string"), settle: ref }),
  record("Doc", { id: "bytes", kind: "string" }),
];

/** Avro schema of the packed state. It never leaves the views file, which is rebuilt when it changes. */
export const STATE_SCHEMA = record("State", {
  workspace: opt("string"),
  proposal: ref,
  cleared: list("bytes"),
  incidents: list(record("Incident", { id: "bytes", severity: "string" })),
  nodes: list(nodes),
  summary: record("Summary", {
    traceUrl: opt("string"),
    headline: opt("string"),
    why: opt("string"),
    risk: opt("string"),
    route: opt("string"),
    policy: opt("string"),
    card: ref,
  }),
});
