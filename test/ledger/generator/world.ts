import { itemIdOf } from "../../../src/events/ids.ts";
import type { Topic } from "../../../src/events/topics.ts";
import type { Loose, Node } from "../oracle/model.ts";
import type { Action } from "../oracle/terms.ts";
import { hashOf } from "../oracle/terms.ts";
import { judge as judgeEvent } from "../oracle.ts";
import type { Rng } from "./rng.ts";

export const WORKSPACE = "ws";
export const AGENT = "ag";
export const ITEM = itemIdOf(WORKSPACE, AGENT, "key");
export const TOPICS_OF_AN_ITEM = ["proposals", "verdicts", "batches", "decisions", "resumes", "receipts"] as const;

/** What kinds of items a history may have. */
export type Kind = "basic" | "full";

/** What a writer of the generator means an event to say; whether the rules agree is the oracle's business. */
export interface Meant {
  /** verdicts: what is approved. */
  readonly actions?: readonly Action[];
  /** verdicts: the verdict whose card, ladder and deadlines people read. */
  readonly ruling?: Loose;
  readonly edited?: boolean;
}

/** A history under way. */
export interface World {
  readonly rng: Rng;
  readonly kind: Kind;
  readonly logs: { [topic in Topic]: (Loose | null)[] };
  readonly meant: Map<string, Meant>;
  /** Events that took effect as far as one pass in the order of writing can tell; it only steers what the writers try. */
  readonly nodes: Map<string, Node>;
  /** The same events, for a quick look. */
  readonly effective: Set<Loose>;
  /** Milliseconds; every event moves it a little. */
  now: number;
  ids: number;
}

/** Remembers an event that seems to take effect. */
export function learn({ nodes, effective }: World, topic: Topic, event: Loose): void {
  const name = `${topic}/${event.eventId}`;
  const cause = event.answers ? nodes.get(`${event.answers.topic}/${event.answers.eventId}`) : null;
  if (cause === undefined || nodes.has(name)) return;
  const before = [...nodes.values()].filter((n) => n.topic === topic && n.cause === cause);
  if (judgeEvent(topic, cause, before, event) !== null) return;
  nodes.set(name, { topic, id: event.eventId, event, cause, before });
  effective.add(event);
}

/** How much of each topic a writer has read. */
export type View = { readonly [topic in Topic]: readonly Loose[] };

export const agent = (id = AGENT) => ({ kind: "agent", id, roles: [] });
export const clock = (rng: Rng) => ({ kind: "clock", id: rng.pick(["t1", "t2"]), roles: [] });
export const executor = (rng: Rng) => ({ kind: "executor", id: rng.pick(["x1", "x2"]), roles: [] });
export const dispatcher = (rng: Rng) => ({ kind: "dispatcher", id: rng.pick(["d1", "d2"]), roles: [] });
export const policy = (rng: Rng) => ({ kind: "policy", id: rng.pick(["p1", "p2"]), roles: [] });

/** Reviewers: dee may do everything, the agent's owner and the principal are under separation of duties. */
const PEOPLE: [string, string[]][] = [
  ["dee", ["o1", "o2", "o3"]],
  ["ann", ["o1"]],
  ["bob", ["o1", "o2"]],
  ["cyd", ["o2", "o3"]],
  ["boss", ["o1", "o2"]],
  ["usr", ["o1"]],
];
export const person = (rng: Rng) => {
  const [id, roles] = rng.chance(0.35) ? (PEOPLE[0] as [string, string[]]) : rng.pick(PEOPLE);
  return { kind: "person", id, roles };
};

export const newId = (world: World): string => `01930000-0000-7000-8000-${(++world.ids).toString(16).padStart(12, "0")}`;
export const answersTo = (topic: Topic, event: Loose) => ({ topic, eventId: event.eventId });

const SCHEMA =
  '{"additionalProperties":false,"properties":{"n":{"type":"object"},"v":{"pattern":"^a\\\\d$","type":"string"}},"required":["v"],"type":"object"}';

/** Arguments that differ in one path or the other; `bad` breaks the schema. */
export function argsOf(v: number, n: number | null, bad = false): { args: string; argsSha256: string } {
  const args = JSON.stringify(n === null ? { v: bad ? "zz" : `a${v}` } : { n: { x: n }, v: bad ? "zz" : `a${v}` });
  return { args, argsSha256: hashOf(args) };
}

export function newAction(rng: Rng, index: number): Action {
  return { actionId: `s${index}`, tool: `tool${index}`, ...argsOf(1, rng.chance(0.3) ? 1 : null), argsSchema: rng.chance(0.7) ? SCHEMA : null };
}

/** Events of a topic that answer one event, in the order of the view. */
export function answering(view: View, topic: Topic, id: string): Loose[] {
  return view[topic].filter((e) => e.answers?.eventId === id);
}
