import { sha256 } from "../../../src/events/canonical.ts";
import { claim, decision, EXPIRES, edit, logs, proposal, release, resume, T0, verdict } from "../build.ts";
import { type Case, onV, P, V } from "./case.ts";

/** Short histories around decisions. */
export const DECIDING: readonly Case[] = [
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
