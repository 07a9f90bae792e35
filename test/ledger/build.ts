import { sha256 } from "../../src/events/canonical.ts";
import { complete } from "../../src/events/draft.ts";
import type { Topic } from "../../src/events/topics.ts";
import { ITEM } from "./generator.ts";
import type { Logs, Loose } from "./oracle.ts";

/** Times of the hand-written histories, in milliseconds. */
export const T0 = 1_767_225_600_000;
export const EXPIRES = T0 + 60_000;
export const NOT_AFTER = T0 + 90_000;

export const args = (v: string) => `{"v":"${v}"}`;
const action = (actionId: string, v = "a1") => ({ actionId, tool: `tool_${actionId}`, args: args(v), argsSha256: sha256(args(v)) });

/** Reviewers: each may act for the owners named. dee and ann are owners of the first step. */
const ROLES: Record<string, string[]> = { dee: ["o1", "o2"], ann: ["o1"], bob: ["o1"], cyd: ["o2"] };
const person = (id: string) => ({ kind: "person", id, roles: ROLES[id] ?? [] });
const clock = { kind: "clock", id: "t1", roles: [] };

function event(topic: Topic, eventId: string, answers: string | null, rest: Loose): Loose {
  const [on, id] = answers?.split("/") ?? [];
  return complete(topic, { eventId, itemId: ITEM, workspace: "ws", occurredAt: T0, answers: answers ? { topic: on, eventId: id } : null, ...rest });
}

/** A proposal of these actions, or a question or a notice. */
export function proposal(eventId: string, rest: Loose = {}): Loose {
  const ask = rest.ask ?? "review";
  return event("proposals", eventId, null, {
    actor: { kind: "agent", id: "ag", roles: [] },
    agent: { id: "ag", owner: "boss" },
    idempotencyKey: "key",
    ask,
    actions: ask === "review" ? [action("s1")] : [],
    ...rest,
  });
}

/** Two actions in order. */
export const plan = { actions: [action("s1"), action("s2")] };

/** A verdict that asks one person of the owner o1, unless told otherwise. */
export function verdict(eventId: string, answers: string, rest: Loose = {}): Loose {
  return event("verdicts", eventId, answers, {
    actor: { kind: "policy", id: "pw", roles: [] },
    engineVersion: "1",
    route: "interrupt",
    risk: "high",
    gate: "hard",
    reversibility: "partially",
    score: 0,
    approvals: 1,
    allowedDecisions: ["approve", "edit", "reject", "respond", "acknowledge"],
    editablePaths: [{ actionId: "s1", path: "/v" }],
    owner: "o1",
    expiresAt: EXPIRES,
    onExpiry: "reject",
    steps: ["s1", "s2"].map((actionId) => ({ actionId, execution: "idempotent", leaseMs: 1000, reversibility: "partially", because: [] })),
    cardSha256: `card of ${eventId}`,
    ...rest,
  });
}

const OF_THE_CLOCK = ["escalate", "expire"];

/** A decision: a person's with that verdict's card seen, the clock's where only the clock may. */
export function decision(kind: string, eventId: string, answers: string, who = "dee", rest: Loose = {}): Loose {
  const actor = who === "agent" ? { kind: "agent", id: "ag", roles: [] } : who === "clock" || OF_THE_CLOCK.includes(kind) ? clock : person(who);
  const card = `card of ${answers.split("/")[1]}`;
  return event("decisions", eventId, answers, { actor, kind, scope: "action", seen: actor.kind === "person" ? { cardSha256: card } : null, ...rest });
}

/** An edit of the first action. */
export function edit(eventId: string, answers: string, who: string, v: string, rest: Loose = {}): Loose {
  return decision("edit", eventId, answers, who, { edits: [{ actionId: "s1", args: args(v), argsSha256: sha256(args(v)) }], ...rest });
}

export function claim(eventId: string, answers: string, who: string, id: string, takenOver = false): Loose {
  return decision("claim", eventId, answers, who, { lease: { id, endsAt: T0 + 1000, takenOver } });
}

export function release(eventId: string, answers: string, who: string, id: string, occurredAt = T0 + 1000): Loose {
  return decision("release", eventId, answers, who, { lease: { id, endsAt: T0 + 1000, takenOver: false }, occurredAt });
}

/** A resume; a grant where it names actions, written `s1` or `s1=a2`. */
export function resume(outcome: string, eventId: string, answers: string, actions: string[] = []): Loose {
  return event("resumes", eventId, answers, {
    actor: { kind: "dispatcher", id: "d", roles: [] },
    outcome,
    actions: actions.map((text) => {
      const [actionId, v] = text.split("=");
      return { ...action(actionId as string, v), execution: "idempotent", leaseMs: 1000, effectKey: "k" };
    }),
    notAfter: NOT_AFTER,
  });
}

const RECEIPTS_OF_THE_CLOCK = ["unknown", "lapsed", "revoked"];

/** A receipt on the action s1; `lease` names the lease of started, renewed and unknown. */
export function receipt(kind: string, eventId: string, answers: string, lease: string | null = null, rest: Loose = {}): Loose {
  const byClock = RECEIPTS_OF_THE_CLOCK.includes(kind);
  return event("receipts", eventId, answers, {
    actor: byClock ? clock : { kind: "executor", id: "x1", roles: [] },
    kind,
    occurredAt: byClock ? NOT_AFTER : T0,
    actionId: kind === "lapsed" || kind === "revoked" ? null : "s1",
    argsSha256: byClock ? null : sha256(args("a1")),
    lease: lease ? { id: lease, endsAt: T0 + 1000 } : null,
    ...rest,
  });
}

/** Logs from lists of events; a topic that is left out is empty. */
export function logs(parts: { [topic in Topic]?: (Loose | null)[] }): Logs {
  return parts;
}
