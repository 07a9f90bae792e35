import { claim, decision, edit, logs, proposal, receipt, release, resume, verdict } from "../build.ts";
import { type Case, onV, P, V } from "./case.ts";

/** Short histories around identity, causes and what arrives before them. */
export const ARRIVING: readonly Case[] = [
  {
    title: "garbage changes nothing around it and keeps its position",
    logs: logs({ proposals: [null, P], verdicts: [V, null], decisions: [null, onV("approve", "a")], resumes: [resume("proceed", "g", "decisions/a", ["s1"])] }),
    events: { "proposals/p": "E", "verdicts/v": "E", "decisions/a": "E", "resumes/g": "E" },
    undecodable: ["proposals@0", "verdicts@1", "decisions@0"],
  },
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
];
