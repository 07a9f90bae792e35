import { complete } from "../../src/events/draft.ts";
import type { Topic } from "../../src/events/topics.ts";
import { execute, reap, report, resume, settle } from "./generator/executing.ts";
import { type Draft, judge, propose, review, seal, tick, withdraw } from "./generator/reviewing.ts";
import { createRng } from "./generator/rng.ts";
import { ITEM, type Kind, learn, newId, TOPICS_OF_AN_ITEM, type View, WORKSPACE, type World } from "./generator/world.ts";
import type { Logs, Loose } from "./oracle/model.ts";

export { type Delivery, interleavings, visitInterleavings } from "./generator/interleave.ts";
export { createRng, type Rng } from "./generator/rng.ts";
export { ITEM, type Kind } from "./generator/world.ts";

type Writer = (world: World, view: View) => Draft | null;

const WRITERS: Record<string, { topic: Topic; weight: number; write: Writer }> = {
  agent: { topic: "proposals", weight: 0.7, write: propose },
  policy: { topic: "verdicts", weight: 3, write: judge },
  batcher: { topic: "batches", weight: 0.5, write: seal },
  reviewer: { topic: "decisions", weight: 8, write: review },
  clock: { topic: "decisions", weight: 2.5, write: tick },
  withdrawer: { topic: "decisions", weight: 0.5, write: withdraw },
  dispatcher: { topic: "resumes", weight: 4, write: resume },
  executor: { topic: "receipts", weight: 8, write: execute },
  reaper: { topic: "receipts", weight: 2.5, write: reap },
  settler: { topic: "decisions", weight: 2, write: settle },
  reporter: { topic: "decisions", weight: 0.5, write: report },
};
const WEIGHTS = Object.fromEntries(Object.entries(WRITERS).map(([name, { weight }]) => [name, weight]));

/**
 * One history of one item: writers that know only a prefix of each topic append what they believe is due, and now and then forge,
 * repeat, mistake the cause, the actor, the topic or the hash, or write bytes that nobody can decode. The same seed gives the same history.
 */
export function generateHistory(seed: number, kind: Kind): Logs {
  const rng = createRng(seed);
  const world: World = {
    rng,
    kind,
    logs: { proposals: [], verdicts: [], batches: [], decisions: [], resumes: [], receipts: [], policies: [] },
    meant: new Map(),
    nodes: new Map(),
    effective: new Set(),
    now: 1767225600000,
    ids: 0,
  };
  const events = 4 + rng.below(kind === "full" ? 34 : 24);
  // Some histories are calm, so that long chains come about; some are wild.
  const wild = rng.pick([0, 0.03, 0.08, 0.15]);
  const stale = rng.pick([0, 0.1, 0.3, 0.5]);
  for (let step = 0, written = 0; step < 4 * events && written < events; step++) {
    world.now += rng.below(12000);
    const view = viewOf(world, stale);
    const { topic, write } = WRITERS[world.logs.proposals.length === 0 && rng.chance(0.9) ? "agent" : rng.weighted(WEIGHTS)] as (typeof WRITERS)[string];
    const draft = write(world, view);
    if (!draft) continue;
    written++;
    const event = { eventId: newId(world), itemId: ITEM, workspace: WORKSPACE, answers: null, occurredAt: world.now - rng.below(5000), ...draft.event };
    if (draft.meant) world.meant.set(event.eventId, draft.meant);
    if (rng.chance(wild)) forge(world, topic, event);
    else append(world, topic, event);
    if (rng.chance(wild / 2)) repeat(world);
  }
  return world.logs;
}

function append(world: World, topic: Topic, draft: Loose): void {
  const event = complete(topic, draft);
  world.logs[topic].push(event);
  learn(world, topic, event);
}

/** A prefix of each topic; most writers also know which of these events took effect, as they ask the views. */
function viewOf({ rng, logs, effective }: World, stale: number): View {
  const view = {} as { [topic in Topic]: Loose[] };
  const knows = rng.chance(0.9);
  for (const topic of Object.keys(logs) as Topic[]) {
    const log = logs[topic];
    const length = rng.chance(stale) ? rng.below(log.length + 1) : log.length;
    view[topic] = [];
    for (let i = 0; i < length; i++) {
      const event = log[i];
      if (event !== null && (!knows || effective.has(event))) view[topic].push(event);
    }
  }
  return view;
}

/** What was in a log already, once more. */
function repeat({ rng, logs }: World): void {
  const topic = rng.pick(TOPICS_OF_AN_ITEM);
  const event = logs[topic].length > 0 ? rng.pick(logs[topic]) : null;
  if (event) logs[topic].push(event);
}

const ACTORS = ["agent", "person", "policy", "batcher", "clock", "dispatcher", "executor"];
const FIELDS = ["answers", "lease", "seen", "settlement", "escalation", "actionId", "argsSha256", "notAfter", "owner", "expiresAt", "cardSha256"];

function forge(world: World, topic: Topic, event: Loose): void {
  const { rng, logs } = world;
  const others = TOPICS_OF_AN_ITEM.flatMap((t) => logs[t].filter((e) => e !== null).map((e) => ({ topic: t as Topic, eventId: e.eventId })));
  const how = rng.weighted({
    garbage: 2,
    copiedId: 2,
    foreignId: 2,
    wrongCause: 3,
    unknownCause: 1,
    wrongActor: 3,
    missing: 3,
    stranger: 1,
    wrongTopic: 1,
    future: 1,
  });
  if (how === "garbage") {
    logs[topic].push(null);
    return;
  }
  if (how === "copiedId" && logs[topic].length > 0) event.eventId = rng.pick(logs[topic])?.eventId ?? event.eventId;
  if (how === "foreignId" && others.length > 0) event.eventId = rng.pick(others).eventId;
  if (how === "wrongCause" && others.length > 0) event.answers = rng.pick(others);
  if (how === "unknownCause")
    event.answers = { topic: rng.pick(TOPICS_OF_AN_ITEM), eventId: `01930000-0000-7000-8000-ffff${world.ids.toString(16).padStart(8, "0")}` };
  // An answer to an event that may still come, with that very id: the answer parks until then.
  if (how === "future")
    event.answers = { topic: rng.pick(TOPICS_OF_AN_ITEM), eventId: `01930000-0000-7000-8000-${(world.ids + 1 + rng.below(5)).toString(16).padStart(12, "0")}` };
  if (how === "stranger") event.actor = { ...event.actor, id: "mallory" };
  if (how === "wrongActor") event.actor = { ...event.actor, kind: rng.pick(ACTORS), roles: rng.chance(0.5) ? [] : event.actor.roles };
  if (how === "missing") event[rng.pick(FIELDS)] = null;
  if (how === "wrongTopic") append(world, rng.pick(TOPICS_OF_AN_ITEM), strange(event));
  else append(world, topic, event);
}

/** An event that is at home in no topic reads as one with every enum unrecognized. */
function strange(event: Loose): Loose {
  return {
    ...event,
    kind: "unrecognized",
    route: "unrecognized",
    outcome: "unrecognized",
    ask: "unrecognized",
    agent: { id: "ag" },
    actions: [],
    edits: [],
    order: [],
    dropped: [],
    lease: null,
    settlement: null,
    escalation: null,
    approvals: 1,
    steps: [],
    scope: "unrecognized",
    owner: null,
  };
}
