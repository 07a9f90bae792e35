import type { Bug } from "./planting.ts";

/** Deviations in workers, gateway and projector, each with the invariant that a history breaks because of it. */
export const BUGS: { readonly [bug: string]: Bug } = {
  "what is halted is granted": {
    file: "workers/halted.ts",
    line: "return halt === undefined ? null : `",
    becomes: "return halt === undefined || halt !== undefined ? null : `",
    breaks: "nothing barred is granted",
  },
  "what its review refused is granted": {
    file: "workers/dispatcher.ts",
    line: 'if (closedBy?.kind === "reject")',
    becomes: 'if (closedBy?.kind === "rejected")',
    breaks: "nothing barred is granted",
  },
  "a grant never lapses": {
    file: "workers/dispatcher.ts",
    line: "notAfter: isGrant(outcome) && !hasBegun(node, outcome) ? now() + (verdict.terms.grantTtlMs ?? GRANT_TTL_MS) : null,",
    becomes: "notAfter: null,",
    breaks: "nothing barred is granted",
  },
  "the effect key is that of each try": {
    file: "workers/effect-keys.ts",
    line: "if (before === null || seen.has(before)) return { root, isKnown: true };",
    becomes: "if (before === null || before !== null) return { root, isKnown: true };",
    breaks: "one effect key",
  },
  "a publication is not noticed": {
    file: "workers/published-policies.ts",
    line: 'batch.rebuilt || batch.effective.some((e) => e.topic === "policies")',
    becomes: "batch.rebuilt",
    breaks: "judged by the policy in force",
  },
  "an edit is judged by the arguments of before": {
    file: "workers/policy-worker.ts",
    line: "edited ? editedActions((view.item.nodes.get(node.cause) as VerdictNode).actions, node) : proposal.actions;",
    becomes: "edited ? (view.item.nodes.get(node.cause) as VerdictNode).actions : proposal.actions;",
    breaks: "judged on the arguments",
  },
  "a verdict under a halt lets flow": {
    file: "workers/halted.ts",
    line: "return halt === undefined ? verdict :",
    becomes: "return halt !== null ? verdict :",
    breaks: "nothing flows under a halt",
  },
  "the clock is ahead of its deadlines": {
    file: "workers/worker.ts",
    line: "if (due <= now) consider(todo);",
    becomes: "if (due <= now + 600_000) consider(todo);",
    breaks: "not before its time",
  },
  "nobody escalates": {
    file: "workers/timekeeper.ts",
    line: 'else if (todo.duty === "escalate") {',
    becomes: 'else if (todo.duty === "judge") {',
    breaks: "what is owed is written",
  },
  "a step of the ladder is left out": {
    file: "workers/timekeeper.ts",
    line: "escalation: { step: Number(todo.names),",
    becomes: "escalation: { step: Number(todo.names) + 1,",
    breaks: "workers stay within the rules",
  },
  "a rejected branch is not swept": {
    file: "workers/branches.ts",
    line: "if (view === undefined || rejection === undefined) continue;",
    becomes: "if (view === undefined || rejection !== null) continue;",
    breaks: "what is taken back is swept",
  },
  "the gateway takes starts and approvals under a halt": {
    file: "gateway/service/halt.ts",
    line: 'if (standing !== undefined)\n    throw new CountersignError("halted"',
    becomes: 'if (standing === null)\n    throw new CountersignError("halted"',
    breaks: "nothing is decided under a halt",
  },
  "the gateway tells of a start whose lease has ended": {
    file: "gateway/service/receipt.ts",
    line: "if (!mine || running.endsAt <= ledger.now())",
    becomes: "if (mine === null)",
    breaks: "within its lease",
  },
  "an append whose answer was lost is done again under another id": {
    file: "runtime.ts",
    line: "if (error instanceof AppendOutcomeUnknown) unknown = error;",
    becomes: "if (error instanceof AppendOutcomeUnknown) return writer(log, codec, now)(topic, itemId, { ...body, eventId: newEventId() });",
    breaks: "what is told is true",
  },
  "whoever waits for an event is not kept waiting": {
    file: "projector/projector.ts",
    line: "if (!isBehind(folded, positions)) return Promise.resolve();",
    becomes: "if (!isBehind(folded, positions) || positions.length > 0) return Promise.resolve();",
    breaks: "refused by name",
  },
  "what waits for its cause is forgotten with the process": {
    file: "projector/rows.ts",
    line: "if (!cached.released.includes(cause)) addParked.run(",
    becomes: "if (cached.released.includes(cause)) addParked.run(",
    breaks: "one view for all",
    kind: "files",
  },
  "what was owed before a restart stays on the list": {
    file: "projector/fold-batch.ts",
    line: "if (cached.stored) for (const owed of owedBy(cached))",
    becomes: "if (!cached) for (const owed of owedBy(cached))",
    breaks: "what is owed is written",
    kind: "files",
  },
  "items are numbered from the start after a restart": {
    file: "projector/fold-batch.ts",
    line: "lastNumber = (highest.get() as number | null) ?? 0;",
    becomes: "lastNumber = 0;",
    breaks: "one view for all",
    kind: "files",
  },
  "what is withheld is told as refused": {
    file: "workers/dispatcher.ts",
    line: 'const outcome = barred === null ? called.outcome : "withheld";',
    becomes: 'const outcome = barred === null ? called.outcome : "refused";',
    breaks: "workers stay within the rules",
  },
  "the clock gives up another lease": {
    file: "workers/timekeeper.ts",
    line: 'kind: "unknown", actionId, lease: { id, endsAt } });',
    becomes: 'kind: "unknown", actionId, lease: { id: actionId, endsAt } });',
    breaks: "what is owed is written",
  },
  "the gateway tells everybody that it took effect": {
    file: "gateway/service/write.ts",
    line: "return { eventId, position, status: event.status, reason: event.reason, again: false };",
    becomes: 'return { eventId, position, status: "effective", reason: null, again: false };',
    breaks: "what is told is true",
  },
};
