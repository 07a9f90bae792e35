import { decision, logs, NOT_AFTER, plan, proposal, receipt, resume, T0, verdict } from "../build.ts";
import type { Loose } from "../oracle.ts";
import { ALLOW, AUDIT, type Case, GRANT, onV, P, V } from "./case.ts";

const withAction = (grant: Loose, part: object): Loose => ({ ...grant, actions: grant.actions.map((a: object) => ({ ...a, ...part })) });

/** Short histories around grants, receipts and settlements. */
export const EXECUTING: readonly Case[] = [
  {
    title: "a grant names the approved tool and arguments: another tool under the same hash is not what was approved",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      resumes: [
        withAction(resume("proceed", "tool", "verdicts/v", ["s1"]), { tool: "another" }),
        withAction(resume("proceed", "text", "verdicts/v", ["s1"]), { args: '{"v":"a9"}' }),
        GRANT,
      ],
      receipts: [receipt("started", "s0", "resumes/tool", "L0"), receipt("started", "s", "resumes/g", "L")],
    }),
    events: { "resumes/tool": "I", "resumes/text": "I", "resumes/g": "E", "receipts/s0": "I", "receipts/s": "E" },
    grants: { g: { running: "s1" } },
  },
  {
    title: "a retried roll-back names the unknown action and those after it, in their order",
    logs: logs({
      proposals: [proposal("p", plan)],
      verdicts: [AUDIT],
      decisions: [onV("reject", "r"), decision("settle", "st", "receipts/u", "dee", { settlement: { outcome: "retry", externalRef: null } })],
      resumes: [
        resume("roll_back", "b", "decisions/r", ["s2", "s1"]),
        resume("roll_back", "part", "decisions/st", ["s1"]),
        resume("roll_back", "b2", "decisions/st", ["s2", "s1"]),
      ],
      receipts: [receipt("started", "s", "resumes/b", "L", { actionId: "s2" }), receipt("unknown", "u", "resumes/b", "L", { actionId: "s2" })],
    }),
    events: { "resumes/b": "E", "receipts/u": "E", "decisions/st": "E", "resumes/part": "I", "resumes/b2": "E" },
    grants: { b: { closedBy: "unknown u" }, b2: { outcome: "roll_back", closedBy: null } },
  },
  {
    title: "what has started is neither lapsed nor revoked, and ends once",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      resumes: [GRANT],
      receipts: [
        receipt("started", "s", "resumes/g", "L"),
        receipt("lapsed", "l", "resumes/g"),
        receipt("revoked", "r", "resumes/g"),
        receipt("started", "s2", "resumes/g", "L2"),
        receipt("succeeded", "ok", "resumes/g"),
        receipt("failed", "bad", "resumes/g"),
      ],
    }),
    events: { "receipts/s": "E", "receipts/l": "S", "receipts/r": "S", "receipts/s2": "S", "receipts/ok": "E", "receipts/bad": "S" },
    grants: { g: { done: 1, running: null, closedBy: "done ok" } },
  },
  {
    title: "what has lapsed or been revoked never starts",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      resumes: [GRANT],
      receipts: [
        receipt("lapsed", "early", "resumes/g", null, { occurredAt: NOT_AFTER - 1 }),
        receipt("revoked", "r", "resumes/g"),
        receipt("lapsed", "l", "resumes/g"),
        receipt("started", "s", "resumes/g", "L"),
      ],
    }),
    events: { "receipts/early": "I", "receipts/r": "E", "receipts/l": "S", "receipts/s": "S" },
    grants: { g: { done: 0, closedBy: "revoked r" } },
  },
  {
    title: "a start after its time stays legal until the grant is declared lapsed",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      resumes: [GRANT],
      receipts: [receipt("started", "s", "resumes/g", "L", { occurredAt: NOT_AFTER + 1 }), receipt("lapsed", "l", "resumes/g")],
    }),
    events: { "receipts/s": "E", "receipts/l": "S" },
    grants: { g: { running: "s1", closedBy: null } },
  },
  {
    title: "one cause gets one grant: receipts on a second one are illegal, whenever they arrive",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [onV("approve", "a")],
      resumes: [resume("proceed", "g", "decisions/a", ["s1"]), resume("proceed", "g2", "decisions/a", ["s1"])],
      receipts: [receipt("started", "s2", "resumes/g2", "L2"), receipt("started", "s", "resumes/g", "L")],
    }),
    events: { "resumes/g": "E", "resumes/g2": "S", "receipts/s2": "I", "receipts/s": "E" },
    grants: { g: { running: "s1" } },
  },
  {
    title: "a renewed lease cannot be declared lost by its old name",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      resumes: [GRANT],
      receipts: [
        receipt("started", "s", "resumes/g", "L1"),
        receipt("unknown", "early", "resumes/g", "L1", { occurredAt: T0 }),
        receipt("renewed", "n", "resumes/g", "L2"),
        receipt("renewed", "n2", "resumes/g", "L1"),
        receipt("unknown", "stale", "resumes/g", "L1"),
        receipt("unknown", "u", "resumes/g", "L2"),
      ],
    }),
    events: { "receipts/s": "E", "receipts/early": "I", "receipts/n": "E", "receipts/n2": "S", "receipts/stale": "S", "receipts/u": "E" },
    grants: { g: { running: null, done: 0, closedBy: "unknown u" } },
  },
  {
    title: "an unknown outcome is settled once; a late receipt and a second settle change nothing",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      decisions: [
        decision("settle", "blind", "receipts/u", "dee", { settlement: { outcome: "succeeded", externalRef: null } }),
        decision("settle", "retry", "receipts/u", "ann", { settlement: { outcome: "retry", externalRef: null } }),
        decision("settle", "second", "receipts/u", "dee", { settlement: { outcome: "failed", externalRef: null } }),
      ],
      resumes: [GRANT, resume("proceed", "g2", "decisions/retry", ["s1"])],
      receipts: [receipt("started", "s", "resumes/g", "L"), receipt("unknown", "u", "resumes/g", "L"), receipt("succeeded", "late", "resumes/g")],
    }),
    events: { "decisions/blind": "I", "decisions/retry": "E", "decisions/second": "S", "resumes/g2": "E", "receipts/u": "E", "receipts/late": "S" },
    grants: { g: { closedBy: "unknown u" }, g2: { outcome: "proceed", closedBy: null } },
    resumes: ["proceed", "proceed"],
  },
  {
    title: "a blind action is never retried, and the clock retries idempotent ones only",
    logs: logs({
      proposals: [P],
      verdicts: [
        verdict("v", "proposals/p", {
          route: "allow",
          gate: "none",
          steps: [{ actionId: "s1", execution: "blind", leaseMs: 1, reversibility: "partially", because: [] }],
        }),
      ],
      decisions: [
        decision("settle", "t", "receipts/u", "clock", { settlement: { outcome: "retry", externalRef: null } }),
        decision("settle", "r", "receipts/u", "dee", { settlement: { outcome: "retry", externalRef: null } }),
        decision("settle", "f", "receipts/u", "dee", { settlement: { outcome: "failed", externalRef: null } }),
      ],
      resumes: [GRANT],
      receipts: [receipt("started", "s", "resumes/g", "L"), receipt("unknown", "u", "resumes/g", "L")],
    }),
    events: { "decisions/t": "I", "decisions/r": "I", "decisions/f": "E" },
  },
  {
    title: "a rejected audit is rolled back under a grant of its own, and its approval calls for nothing",
    logs: logs({
      proposals: [P],
      verdicts: [AUDIT],
      decisions: [onV("respond", "no", "ann"), onV("reject", "r"), onV("approve", "a", "ann")],
      resumes: [GRANT, resume("proceed", "g2", "decisions/a", ["s1"]), resume("roll_back", "back", "decisions/r", ["s1"])],
      receipts: [receipt("started", "s", "resumes/g", "L"), receipt("compensated", "c0", "resumes/g")],
    }),
    events: { "decisions/no": "I", "decisions/r": "E", "decisions/a": "S", "resumes/g2": "I", "resumes/back": "E", "receipts/s": "E", "receipts/c0": "I" },
    grants: { g: { running: "s1", closedBy: null }, back: { outcome: "roll_back", done: 0 } },
    resumes: ["proceed", "roll_back"],
  },
  {
    title: "the steps of a plan run in order, and one that fails closes the grant",
    logs: logs({
      proposals: [proposal("p", plan)],
      verdicts: [ALLOW],
      resumes: [resume("proceed", "half", "verdicts/v", ["s1"]), resume("proceed", "g", "verdicts/v", ["s1", "s2"])],
      receipts: [
        receipt("started", "jump", "resumes/g", "L0", { actionId: "s2" }),
        receipt("started", "s1", "resumes/g", "L1"),
        receipt("succeeded", "ok", "resumes/g"),
        receipt("started", "s2", "resumes/g", "L2", { actionId: "s2" }),
        receipt("failed", "bad", "resumes/g", null, { actionId: "s2" }),
        receipt("succeeded", "late", "resumes/g", null, { actionId: "s2" }),
      ],
    }),
    events: { "resumes/half": "I", "resumes/g": "E", "receipts/jump": "I", "receipts/ok": "E", "receipts/bad": "E", "receipts/late": "S" },
    grants: { g: { done: 1, running: null, closedBy: "failed bad" } },
  },
  {
    title: "a withdrawal of what was allowed settles nothing: the grant that is out stands until it is revoked",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      decisions: [onV("withdraw", "w", "agent"), onV("withdraw", "w2", "clock")],
      resumes: [resume("withdrawn", "no", "decisions/w"), GRANT, resume("withheld", "h", "verdicts/v")],
      receipts: [receipt("revoked", "r", "resumes/g"), receipt("started", "s", "resumes/g", "L")],
    }),
    events: { "decisions/w": "E", "decisions/w2": "S", "resumes/no": "I", "resumes/g": "E", "resumes/h": "S", "receipts/r": "E", "receipts/s": "S" },
    verdicts: { v: { closedBy: null } },
    grants: { g: { closedBy: "revoked r" } },
  },
  {
    title: "a withdrawal and a start do not see each other: they are on different topics",
    logs: logs({
      proposals: [P],
      verdicts: [ALLOW],
      decisions: [onV("withdraw", "w", "agent")],
      resumes: [GRANT],
      receipts: [receipt("started", "s", "resumes/g", "L"), receipt("revoked", "r", "resumes/g"), receipt("succeeded", "ok", "resumes/g")],
    }),
    events: { "decisions/w": "E", "receipts/s": "E", "receipts/r": "S", "receipts/ok": "E" },
    grants: { g: { done: 1, closedBy: "done ok" } },
    resumes: ["proceed"],
  },
];
