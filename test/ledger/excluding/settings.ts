import type { Topic } from "../../../src/events/topics.ts";
import { claim, decision, EXPIRES, edit, NOT_AFTER, plan, proposal, receipt, release, resume, T0, verdict } from "../build.ts";
import { ALLOW, AUDIT, GRANT, onV, P, V } from "../cases/case.ts";
import type { Logs, Loose } from "../oracle.ts";

/** A sibling group in a state, and every kind of event that may come next in it. */
export interface Setting {
  readonly title: string;
  /** The topic of the siblings. */
  readonly topic: Topic;
  /** What the item has before, on all topics: on `topic` the siblings that were first. */
  readonly base: Logs;
  /** What may come next, by name. */
  readonly next: { readonly [name: string]: Loose };
  /** What it calls for, by its name: the event that answers it. */
  readonly calls?: { readonly [name: string]: Loose };
}

const LADDER = [
  { step: 1, at: T0 + 10, to: "o2", page: false },
  { step: 2, at: T0 + 20, to: "o3", page: true },
];
const escalate = (id: string, step: number, from = "o1", to = "o2") =>
  onV("escalate", id, "clock", { escalation: { step, from, to }, occurredAt: T0 + 10 * step });
const expire = (id: string) => onV("expire", id, "clock", { occurredAt: EXPIRES });
const batch = (id: string) => ({
  ...decision("claim", id, "verdicts/v"),
  kind: undefined,
  actor: { kind: "batcher", id: "b", roles: [] },
  batchId: id,
  batchKey: "k",
  owner: "o1",
  members: ["i"],
  sealedBy: "size",
});
const settle = (id: string, outcome: string, who = "dee") =>
  decision("settle", id, "receipts/u", who, { settlement: { outcome, externalRef: outcome === "succeeded" ? { system: "crm", id: "1", url: null } : null } });

const onInterrupt = {
  approve: onV("approve", "a", "dee"),
  "approve of another": onV("approve", "a2", "ann"),
  edit: edit("e", "verdicts/v", "dee", "a2"),
  "edit of another": edit("e2", "verdicts/v", "ann", "a3"),
  reject: onV("reject", "r", "ann"),
  respond: onV("respond", "s", "dee"),
  acknowledge: onV("acknowledge", "k", "dee"),
  withdraw: onV("withdraw", "w", "agent"),
  "withdraw by the clock": onV("withdraw", "w2", "clock"),
  expire: expire("x"),
  claim: claim("c", "verdicts/v", "ann", "L1"),
  "claim of another": claim("c2", "verdicts/v", "dee", "L2"),
  "take-over": claim("c3", "verdicts/v", "bob", "L3", true),
  escalate: escalate("l", 1),
  clear: onV("clear", "f", "dee", { cleared: "a".repeat(64) }),
};

const settled = (grants = "proceed") => ({
  approve: resume(grants, "ra", "decisions/a", ["s1"]),
  "approve of another": resume(grants, "ra2", "decisions/a2", ["s1"]),
  reject: resume("refused", "rr", "decisions/r"),
  withdraw: resume("withdrawn", "rw", "decisions/w"),
  "withdraw by the clock": resume("withdrawn", "rw2", "decisions/w2"),
  expire: resume("expired", "rx", "decisions/x"),
  respond: resume("responded", "rs", "decisions/s"),
  acknowledge: resume("acknowledged", "rk", "decisions/k"),
  edit: verdict("ve", "decisions/e"),
  "edit of another": verdict("ve2", "decisions/e2"),
});

const started = receipt("started", "st", "resumes/g", "L1");
const unknown = receipt("unknown", "u", "resumes/g", "L1");

/** Every sibling group there is, in the states that matter. */
export const SETTINGS: readonly Setting[] = [
  {
    title: "proposals of one key",
    topic: "proposals",
    base: {},
    next: { propose: P, "the same again": proposal("p2"), "another under the key": proposal("p3", { intent: "something else" }) },
    calls: { propose: V, "the same again": verdict("v2", "proposals/p2"), "another under the key": verdict("v3", "proposals/p3") },
  },
  {
    title: "verdicts on a proposal",
    topic: "verdicts",
    base: { proposals: [P] },
    next: {
      interrupt: V,
      allow: { ...ALLOW, eventId: "v2" },
      forbid: verdict("v3", "proposals/p", { route: "forbid" }),
      batch: verdict("v4", "proposals/p", { route: "batch", risk: "medium", gate: "soft", batchKey: "k" }),
    },
    calls: { allow: resume("proceed", "g2", "verdicts/v2", ["s1"]), forbid: resume("forbidden", "g3", "verdicts/v3") },
  },
  {
    title: "verdicts on an edit",
    topic: "verdicts",
    base: { proposals: [P], verdicts: [V], decisions: [edit("e", "verdicts/v", "dee", "a2")] },
    next: {
      "judged again": verdict("v2", "decisions/e"),
      "allowed now": verdict("v3", "decisions/e", { route: "allow", gate: "none" }),
      "forbidden now": verdict("v4", "decisions/e", { route: "forbid" }),
    },
    calls: {
      "judged again": resume("proceed_edited", "g2", "verdicts/v2", ["s1=a2"]),
      "allowed now": resume("proceed_edited", "g3", "verdicts/v3", ["s1=a2"]),
    },
  },
  { title: "seals of a verdict", topic: "batches", base: { proposals: [P], verdicts: [V] }, next: { seal: batch("b1"), "another seal": batch("b2") } },
  {
    title: "decisions on an interrupt",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { ladder: LADDER })] },
    next: onInterrupt,
    calls: settled(),
  },
  {
    title: "decisions where the expiry holds",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { onExpiry: "hold" })] },
    next: { expire: expire("x"), "expire again": expire("x2"), approve: onInterrupt.approve, reject: onInterrupt.reject, claim: onInterrupt.claim },
    calls: settled(),
  },
  {
    title: "decisions where two approve",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { approvals: 2 })] },
    next: {
      approve: onInterrupt.approve,
      "approve once more": onV("approve", "a3", "dee"),
      "approve of another": onInterrupt["approve of another"],
      reject: onInterrupt.reject,
      edit: onInterrupt.edit,
      expire: onInterrupt.expire,
    },
    calls: { reject: resume("refused", "rr", "decisions/r"), expire: resume("expired", "rx", "decisions/x"), edit: verdict("ve", "decisions/e") },
  },
  {
    title: "decisions after the first of two approvals",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { approvals: 2 })], decisions: [onV("approve", "a0", "bob")] },
    next: {
      approve: onInterrupt.approve,
      "approve of another": onInterrupt["approve of another"],
      reject: onInterrupt.reject,
      edit: onInterrupt.edit,
      expire: onInterrupt.expire,
      withdraw: onInterrupt.withdraw,
    },
    calls: settled(),
  },
  {
    title: "decisions under a lease",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { ladder: LADDER })], decisions: [claim("c0", "verdicts/v", "ann", "L0")] },
    next: {
      "renew the claim": claim("c1", "verdicts/v", "ann", "L1"),
      "claim under the same id": claim("c2", "verdicts/v", "ann", "L0"),
      "take-over": claim("c3", "verdicts/v", "bob", "L3", true),
      release: release("q", "verdicts/v", "ann", "L0"),
      "release by the clock": release("q2", "verdicts/v", "clock", "L0"),
      "approve of the holder": onV("approve", "a", "ann"),
      "reject of the holder": onV("reject", "r", "ann"),
      escalate: escalate("l", 1),
      expire: expire("x"),
    },
    calls: { "approve of the holder": resume("proceed", "ra", "decisions/a", ["s1"]), "reject of the holder": resume("refused", "rr", "decisions/r") },
  },
  {
    title: "decisions after an escalation",
    topic: "decisions",
    base: { proposals: [P], verdicts: [verdict("v", "proposals/p", { ladder: LADDER })], decisions: [escalate("l", 1)] },
    next: {
      "next step": escalate("l2", 2, "o2", "o3"),
      "next step again": escalate("l3", 2, "o2", "o3"),
      approve: onV("approve", "a", "dee"),
      claim: claim("c", "verdicts/v", "cyd", "L1"),
      expire: expire("x"),
    },
    calls: settled(),
  },
  {
    title: "decisions on an audit gate",
    topic: "decisions",
    base: { proposals: [P], verdicts: [{ ...AUDIT, ladder: LADDER }] },
    next: {
      approve: onInterrupt.approve,
      "approve of another": onInterrupt["approve of another"],
      reject: onInterrupt.reject,
      withdraw: onInterrupt.withdraw,
      "withdraw by the clock": onInterrupt["withdraw by the clock"],
      claim: onInterrupt.claim,
      escalate: onInterrupt.escalate,
    },
    calls: { reject: resume("roll_back", "rb", "decisions/r", ["s1"]) },
  },
  {
    title: "decisions on a verdict that allows",
    topic: "decisions",
    base: { proposals: [P], verdicts: [ALLOW] },
    next: { withdraw: onInterrupt.withdraw, "withdraw by the clock": onInterrupt["withdraw by the clock"], clear: onInterrupt.clear },
  },
  {
    title: "decisions on a question",
    topic: "decisions",
    base: { proposals: [proposal("p", { ask: "question" })], verdicts: [V] },
    next: {
      respond: onInterrupt.respond,
      "respond of another": onV("respond", "s2", "ann"),
      withdraw: onInterrupt.withdraw,
      expire: onInterrupt.expire,
    },
    calls: settled(),
  },
  {
    title: "decisions on a notice",
    topic: "decisions",
    base: { proposals: [proposal("p", { ask: "notify" })], verdicts: [V] },
    next: {
      acknowledge: onInterrupt.acknowledge,
      "acknowledge of another": onV("acknowledge", "k2", "ann"),
      withdraw: onInterrupt.withdraw,
      expire: onInterrupt.expire,
    },
    calls: settled(),
  },
  {
    title: "settlements of an unknown outcome",
    topic: "decisions",
    base: { proposals: [P], verdicts: [ALLOW], resumes: [GRANT], receipts: [started, unknown] },
    next: {
      "it succeeded": settle("y1", "succeeded"),
      "it failed": settle("y2", "failed"),
      retry: settle("y3", "retry"),
      "retry by the clock": settle("y4", "retry", "clock"),
    },
    calls: { retry: resume("proceed", "g3", "decisions/y3", ["s1"]), "retry by the clock": resume("proceed", "g4", "decisions/y4", ["s1"]) },
  },
  {
    title: "reports on what has run",
    topic: "decisions",
    base: { proposals: [P], verdicts: [ALLOW], resumes: [GRANT], receipts: [started, receipt("succeeded", "ok", "resumes/g")] },
    next: {
      report: decision("report", "i1", "receipts/ok", "dee", { incident: { severity: "low", url: null } }),
      "another report": decision("report", "i2", "receipts/ok", "ann", { incident: { severity: "high", url: null } }),
    },
  },
  {
    title: "resumes of a verdict",
    topic: "resumes",
    base: { proposals: [P], verdicts: [ALLOW] },
    next: { grant: GRANT, "another grant": { ...GRANT, eventId: "g2" }, withhold: resume("withheld", "g3", "verdicts/v") },
    calls: { grant: started, "another grant": receipt("started", "st2", "resumes/g2", "L2") },
  },
  {
    title: "resumes of an approval",
    topic: "resumes",
    base: { proposals: [P], verdicts: [V], decisions: [onV("approve", "a")] },
    next: {
      grant: resume("proceed", "g", "decisions/a", ["s1"]),
      "another grant": resume("proceed", "g2", "decisions/a", ["s1"]),
      withhold: resume("withheld", "g3", "decisions/a"),
    },
    calls: { grant: started, "another grant": receipt("started", "st2", "resumes/g2", "L2") },
  },
  {
    title: "resumes of a rejection",
    topic: "resumes",
    base: { proposals: [P], verdicts: [V], decisions: [onV("reject", "r", "ann")] },
    next: { refuse: resume("refused", "g", "decisions/r"), "refuse again": resume("refused", "g2", "decisions/r") },
  },
  {
    title: "resumes of a rejected audit",
    topic: "resumes",
    base: { proposals: [P], verdicts: [AUDIT], decisions: [onV("reject", "r", "ann")] },
    next: {
      "roll back": resume("roll_back", "g", "decisions/r", ["s1"]),
      "roll back again": resume("roll_back", "g2", "decisions/r", ["s1"]),
      withhold: resume("withheld", "g3", "decisions/r"),
    },
    calls: { "roll back": started, "roll back again": receipt("started", "st2", "resumes/g2", "L2") },
  },
  {
    title: "receipts on a grant",
    topic: "receipts",
    base: { proposals: [P], verdicts: [ALLOW], resumes: [GRANT] },
    next: {
      start: started,
      "start of another": receipt("started", "st2", "resumes/g", "L2"),
      lapse: receipt("lapsed", "la", "resumes/g"),
      revoke: receipt("revoked", "re", "resumes/g"),
    },
  },
  {
    title: "receipts on what runs",
    topic: "receipts",
    base: { proposals: [P], verdicts: [ALLOW], resumes: [GRANT], receipts: [started] },
    next: {
      renew: receipt("renewed", "n", "resumes/g", "L2"),
      "renew under another id": receipt("renewed", "n2", "resumes/g", "L3"),
      "renew under that id again": receipt("renewed", "n3", "resumes/g", "L2"),
      succeed: receipt("succeeded", "ok", "resumes/g"),
      fail: receipt("failed", "no", "resumes/g"),
      "lose sight": unknown,
    },
    calls: { "lose sight": settle("y", "failed") },
  },
  {
    title: "receipts between the steps of a plan",
    topic: "receipts",
    base: {
      proposals: [proposal("p", plan)],
      verdicts: [ALLOW],
      resumes: [resume("proceed", "g", "verdicts/v", ["s1", "s2"])],
      receipts: [started, receipt("succeeded", "ok", "resumes/g")],
    },
    next: {
      "start the next": receipt("started", "st2", "resumes/g", "L2", { actionId: "s2" }),
      "start the next again": receipt("started", "st3", "resumes/g", "L3", { actionId: "s2" }),
      lapse: receipt("lapsed", "la", "resumes/g", null, { occurredAt: NOT_AFTER }),
      revoke: receipt("revoked", "re", "resumes/g"),
    },
  },
  {
    title: "receipts on what is undone",
    topic: "receipts",
    base: {
      proposals: [P],
      verdicts: [AUDIT],
      decisions: [onV("reject", "r", "ann")],
      resumes: [resume("roll_back", "g", "decisions/r", ["s1"])],
      receipts: [started],
    },
    next: { compensate: receipt("compensated", "co", "resumes/g"), fail: receipt("failed", "no", "resumes/g"), "lose sight": unknown },
  },
];
