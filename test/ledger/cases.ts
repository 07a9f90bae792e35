import { sha256 } from "../../src/events/canonical.ts";
import { claim, decision, EXPIRES, edit, logs, NOT_AFTER, plan, proposal, receipt, release, resume, T0, verdict } from "./build.ts";
import type { GrantState, Logs, VerdictState } from "./oracle.ts";

/** A history short enough for all its interleavings, and where it must end. */
export interface Case {
  readonly title: string;
  readonly logs: Logs;
  /** What each event must be: E effective, S superseded, I illegal, P parked. */
  readonly events: { readonly [key: string]: "E" | "S" | "I" | "P" };
  readonly verdicts?: { readonly [id: string]: Partial<VerdictState> };
  readonly grants?: { readonly [id: string]: Partial<GrantState> };
  readonly resumes?: readonly string[];
  readonly undecodable?: readonly string[];
}

const P = proposal("p");
const V = verdict("v", "proposals/p");
const ALLOW = verdict("v", "proposals/p", { route: "allow", gate: "none" });
const AUDIT = verdict("v", "proposals/p", { route: "allow", gate: "audit" });
const GRANT = resume("proceed", "g", "verdicts/v", ["s1"]);
const onV = (kind: string, id: string, who = "dee", rest = {}) => decision(kind, id, "verdicts/v", who, rest);

export const CASES: readonly Case[] = [
  {
    title: "a withdrawal and an approval around a late verdict: the first of them settles, the other is superseded",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [onV("withdraw", "w", "agent"), onV("approve", "a")],
      resumes: [resume("proceed", "r1", "decisions/a", ["s1"]), resume("withdrawn", "r2", "decisions/w")],
      receipts: [receipt("started", "x", "resumes/r1", "L")],
    }),
    events: { "decisions/w": "E", "decisions/a": "S", "resumes/r1": "I", "resumes/r2": "E", "receipts/x": "I" },
    verdicts: { v: { open: false, closedBy: "withdraw w", votes: [] } },
    grants: {},
    resumes: ["withdrawn"],
  },
  {
    title: "of two decisions the first in the log stands, also where the second verdict is a copy",
    logs: logs({
      proposals: [P],
      verdicts: [V, verdict("v2", "proposals/p", { owner: "o2" })],
      decisions: [onV("reject", "r", "ann"), onV("approve", "a"), decision("approve", "a2", "verdicts/v2")],
      resumes: [resume("proceed", "g", "decisions/a", ["s1"]), resume("refused", "no", "decisions/r")],
    }),
    events: { "verdicts/v2": "S", "decisions/r": "E", "decisions/a": "S", "decisions/a2": "I", "resumes/g": "I", "resumes/no": "E" },
    verdicts: { v: { closedBy: "reject r" } },
    resumes: ["refused"],
  },
  {
    title: "an approval before the expiry wins, and the expiry approves nothing",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [onV("expire", "early", "clock"), onV("approve", "a"), onV("expire", "late", "clock", { occurredAt: EXPIRES })],
      resumes: [resume("expired", "r1", "decisions/late"), resume("proceed", "g", "decisions/a", ["s1"])],
    }),
    events: { "decisions/early": "I", "decisions/a": "E", "decisions/late": "S", "resumes/r1": "I", "resumes/g": "E" },
    verdicts: { v: { closedBy: "approve a", votes: ["dee"] } },
    grants: { g: { outcome: "proceed", done: 0, running: null, closedBy: null } },
  },
  {
    title: "an expiry that rejects settles as expired, and never as an approval",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [onV("expire", "x", "clock", { occurredAt: EXPIRES }), onV("approve", "a")],
      resumes: [resume("proceed", "g1", "decisions/x", ["s1"]), resume("proceed", "g2", "decisions/a", ["s1"]), resume("expired", "r", "decisions/x")],
    }),
    events: { "decisions/x": "E", "decisions/a": "S", "resumes/g1": "I", "resumes/g2": "I", "resumes/r": "E" },
    verdicts: { v: { closedBy: "expire x", votes: [] } },
    grants: {},
    resumes: ["expired"],
  },
  {
    title: "an expiry that holds settles nothing, once",
    logs: logs({
      proposals: [P],
      verdicts: [verdict("v", "proposals/p", { onExpiry: "hold" })],
      decisions: [onV("expire", "x", "clock", { occurredAt: EXPIRES }), onV("expire", "x2", "clock", { occurredAt: EXPIRES }), onV("approve", "a")],
      resumes: [resume("expired", "r", "decisions/x"), resume("proceed", "g", "decisions/a", ["s1"])],
    }),
    events: { "decisions/x": "E", "decisions/x2": "S", "decisions/a": "E", "resumes/r": "I", "resumes/g": "E" },
    verdicts: { v: { held: true, closedBy: "approve a" } },
  },
  {
    title: "an edit closes its verdict for good: approvals of the old hash count for nothing, the editor's vote for the new one",
    logs: logs({
      proposals: [P],
      verdicts: [V, verdict("v2", "decisions/e")],
      decisions: [edit("e", "verdicts/v", "dee", "a2"), onV("approve", "a", "ann"), decision("approve", "a2", "verdicts/v2", "ann")],
      resumes: [resume("proceed", "g1", "decisions/a", ["s1"]), resume("proceed_edited", "g2", "verdicts/v2", ["s1=a2"])],
    }),
    events: { "decisions/e": "E", "verdicts/v2": "E", "decisions/a": "S", "decisions/a2": "I", "resumes/g1": "I", "resumes/g2": "E" },
    verdicts: { v: { closedBy: "edit e", votes: [], open: false }, v2: { votes: ["dee"], open: false, closedBy: null } },
    grants: { g2: { outcome: "proceed_edited" } },
  },
  {
    title: "votes count per hash: a vote before the edit is none for the new arguments",
    logs: logs({
      proposals: [P],
      verdicts: [verdict("v", "proposals/p", { approvals: 2 }), verdict("v2", "decisions/e", { approvals: 2 })],
      decisions: [
        onV("approve", "a1", "ann"),
        onV("approve", "again", "ann"),
        edit("e", "verdicts/v", "dee", "a2"),
        decision("approve", "a2", "verdicts/v2", "ann"),
      ],
      resumes: [resume("proceed_edited", "g", "decisions/a2", ["s1=a2"])],
    }),
    events: { "decisions/a1": "E", "decisions/again": "S", "decisions/e": "E", "verdicts/v2": "E", "decisions/a2": "E", "resumes/g": "E" },
    verdicts: { v: { votes: ["ann"], closedBy: "edit e" }, v2: { votes: ["ann", "dee"], closedBy: "approve a2" } },
  },
  {
    title: "an editor's vote that does not satisfy calls for nothing, also after the last vote has come",
    logs: logs({
      proposals: [P],
      verdicts: [V, verdict("v2", "decisions/e", { approvals: 2 })],
      decisions: [edit("e", "verdicts/v", "dee", "a2"), decision("approve", "a", "verdicts/v2", "ann")],
      resumes: [resume("proceed_edited", "g1", "verdicts/v2", ["s1=a2"]), resume("proceed_edited", "g2", "decisions/a", ["s1=a2"])],
    }),
    events: { "verdicts/v2": "E", "decisions/a": "E", "resumes/g1": "I", "resumes/g2": "E" },
    verdicts: { v2: { votes: ["ann", "dee"], closedBy: "approve a" } },
  },
  {
    title: "a forbidden edit restores owner, votes and card under its own id, without the lease",
    logs: logs({
      proposals: [P],
      verdicts: [verdict("v", "proposals/p", { approvals: 2 }), verdict("v2", "decisions/e", { route: "forbid", owner: "o2" })],
      decisions: [
        onV("approve", "a1", "ann"),
        claim("c", "verdicts/v", "dee", "L"),
        edit("e", "verdicts/v", "dee", "a2"),
        decision("approve", "a2", "verdicts/v2", "bob", { seen: { cardSha256: "card of v2" } }),
        decision("approve", "a3", "verdicts/v2", "bob", { seen: { cardSha256: "card of v" } }),
      ],
      resumes: [resume("proceed", "g", "decisions/a3", ["s1"]), resume("forbidden", "f", "verdicts/v2")],
    }),
    events: { "verdicts/v2": "E", "decisions/a2": "I", "decisions/a3": "E", "resumes/g": "E", "resumes/f": "I" },
    verdicts: { v: { closedBy: "edit e", lease: "L", votes: ["ann"] }, v2: { owner: "o1", votes: ["ann", "bob"], lease: null, closedBy: "approve a3" } },
    resumes: ["proceed"],
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
    title: "parked answers are folded in the order of their log: the first claim and the first vote stand",
    logs: logs({
      proposals: [P],
      verdicts: [verdict("v", "proposals/p", { approvals: 2, approvalOrder: ["o1", "o2"] })],
      decisions: [
        claim("c1", "verdicts/v", "ann", "L1"),
        claim("c2", "verdicts/v", "bob", "L2"),
        onV("approve", "a", "ann"),
        release("r", "verdicts/v", "ann", "L1"),
        onV("approve", "a2", "dee"),
      ],
    }),
    events: { "decisions/c1": "E", "decisions/c2": "I", "decisions/a": "E", "decisions/r": "E", "decisions/a2": "E" },
    verdicts: { v: { lease: null, votes: ["ann", "dee"], closedBy: "approve a2" } },
  },
  {
    title: "an id is one event per topic: the same id on another topic is another event, the same again on the same topic is none",
    logs: logs({
      proposals: [proposal("x")],
      verdicts: [verdict("x", "proposals/x"), verdict("x", "proposals/x", { owner: "o2", route: "allow" })],
      decisions: [decision("approve", "x", "verdicts/x", "dee"), decision("reject", "x", "verdicts/x", "ann")],
      resumes: [resume("proceed", "x", "decisions/x", ["s1"])],
      receipts: [receipt("started", "x", "resumes/x", "L")],
    }),
    events: { "proposals/x": "E", "verdicts/x": "E", "decisions/x": "E", "resumes/x": "E", "receipts/x": "E" },
    verdicts: { x: { owner: "o1", closedBy: "approve x" } },
    grants: { x: { running: "s1" } },
  },
  {
    title: "an answer to the wrong event is illegal once that event is folded, and parked while it is not there",
    logs: logs({
      proposals: [P, proposal("p2", { answers: { topic: "verdicts", eventId: "v" } })],
      verdicts: [V, verdict("v2", "verdicts/v")],
      decisions: [
        decision("approve", "a", "proposals/p"),
        decision("approve", "lost", "verdicts/never"),
        decision("settle", "st", "verdicts/v", "dee", { settlement: { outcome: "failed" } }),
      ],
      resumes: [resume("proceed", "g", "verdicts/v", ["s1"])],
      receipts: [receipt("started", "s", "verdicts/v", "L")],
    }),
    events: {
      "proposals/p2": "I",
      "verdicts/v": "E",
      "verdicts/v2": "I",
      "decisions/a": "I",
      "decisions/lost": "P",
      "decisions/st": "I",
      "resumes/g": "I",
      "receipts/s": "I",
    },
    verdicts: { v: { open: true } },
    grants: {},
  },
  {
    title: "what answers itself, or a circle, stays parked",
    logs: logs({
      proposals: [P],
      verdicts: [verdict("self", "verdicts/self"), verdict("circle", "decisions/circle"), V],
      decisions: [edit("circle", "verdicts/circle", "dee", "a2"), onV("approve", "a")],
    }),
    events: { "verdicts/self": "P", "verdicts/circle": "P", "decisions/circle": "P", "verdicts/v": "E", "decisions/a": "E" },
  },
  {
    title: "garbage changes nothing around it and keeps its position",
    logs: logs({ proposals: [null, P], verdicts: [V, null], decisions: [null, onV("approve", "a")], resumes: [resume("proceed", "g", "decisions/a", ["s1"])] }),
    events: { "proposals/p": "E", "verdicts/v": "E", "decisions/a": "E", "resumes/g": "E" },
    undecodable: ["proposals@0", "verdicts@1", "decisions@0"],
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
    title: "a lease binds other persons, until it is taken over or released by its name",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [
        claim("c1", "verdicts/v", "ann", "L1"),
        onV("approve", "a1", "dee"),
        claim("c2", "verdicts/v", "bob", "L2", true),
        release("r1", "verdicts/v", "ann", "L1"),
        release("early", "verdicts/v", "clock", "L2", T0 + 999),
        release("r2", "verdicts/v", "clock", "L2"),
        onV("approve", "a2", "dee"),
      ],
    }),
    events: {
      "decisions/c1": "E",
      "decisions/a1": "I",
      "decisions/c2": "E",
      "decisions/r1": "S",
      "decisions/early": "I",
      "decisions/r2": "E",
      "decisions/a2": "E",
    },
    verdicts: { v: { lease: null, closedBy: "approve a2", votes: ["dee"] } },
  },
  {
    title: "an escalation moves the owner step by step, ends the lease and keeps the votes",
    logs: logs({
      proposals: [P],
      verdicts: [
        verdict("v", "proposals/p", {
          approvals: 2,
          ladder: [
            { step: 1, at: T0 + 10, to: "o2", page: false },
            { step: 2, at: T0 + 20, to: "o3", page: true },
          ],
        }),
      ],
      decisions: [
        onV("approve", "a1", "ann"),
        claim("c", "verdicts/v", "bob", "L"),
        onV("escalate", "early", "clock", { escalation: { step: 1, from: "o1", to: "o2" }, occurredAt: T0 + 9 }),
        onV("escalate", "skip", "clock", { escalation: { step: 2, from: "o1", to: "o3" }, occurredAt: T0 + 20 }),
        onV("escalate", "e", "clock", { escalation: { step: 1, from: "o1", to: "o2" }, occurredAt: T0 + 10 }),
        onV("escalate", "twice", "clock", { escalation: { step: 1, from: "o1", to: "o2" }, occurredAt: T0 + 11 }),
        onV("approve", "a2", "bob"),
        onV("approve", "a3", "cyd"),
      ],
    }),
    events: {
      "decisions/a1": "E",
      "decisions/early": "I",
      "decisions/skip": "I",
      "decisions/e": "E",
      "decisions/twice": "S",
      "decisions/a2": "I",
      "decisions/a3": "E",
    },
    verdicts: { v: { owner: "o2", step: 1, lease: null, votes: ["ann", "cyd"], closedBy: "approve a3" } },
  },
  {
    title: "a clear lifts a flag and is no decision, also after one",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [
        onV("clear", "c1", "dee", { cleared: "a".repeat(64) }),
        onV("approve", "a"),
        onV("clear", "c2", "ann", { cleared: "b".repeat(64) }),
        onV("clear", "c3", "clock", { cleared: "c".repeat(64) }),
      ],
    }),
    events: { "decisions/c1": "E", "decisions/a": "E", "decisions/c2": "E", "decisions/c3": "I" },
    verdicts: { v: { closedBy: "approve a" } },
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
  {
    title: "a question is answered and never approved, a forbid leaves nothing to decide",
    logs: logs({
      proposals: [proposal("p", { ask: "question" }), proposal("p2")],
      verdicts: [V, verdict("v2", "proposals/p2", { route: "forbid" })],
      decisions: [onV("approve", "a"), onV("respond", "r", "ann"), decision("approve", "a2", "verdicts/v2")],
      resumes: [resume("proceed", "g", "decisions/a"), resume("responded", "ok", "decisions/r")],
    }),
    events: { "proposals/p2": "S", "verdicts/v2": "I", "decisions/a": "I", "decisions/r": "E", "decisions/a2": "I", "resumes/g": "I", "resumes/ok": "E" },
    resumes: ["responded"],
    grants: {},
  },
  {
    title: "an edit that changes nothing, breaks its schema or leaves its paths is illegal; so is a decision on a card that was not seen",
    logs: logs({
      proposals: [P],
      verdicts: [V],
      decisions: [
        edit("same", "verdicts/v", "dee", "a1"),
        edit("path", "verdicts/v", "dee", "a2", {
          edits: [{ actionId: "s1", args: '{"v":"a1","w":1}', argsSha256: sha256('{"v":"a1","w":1}') }],
        }),
        onV("approve", "unseen", "dee", { seen: null }),
        onV("approve", "other", "dee", { seen: { cardSha256: "card of another" } }),
        onV("approve", "stranger", "cyd"),
        onV("approve", "a"),
      ],
    }),
    events: { "decisions/same": "I", "decisions/path": "I", "decisions/unseen": "I", "decisions/other": "I", "decisions/stranger": "I", "decisions/a": "E" },
  },
];
