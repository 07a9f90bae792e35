import { sha256 } from "../../src/events/canonical.ts";
import { type AnyEvent, TOPICS } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import { createRng, type Rng } from "../ledger/generator.ts";
import { agentActs } from "./agents.ts";
import { authorityActs, publish } from "./authority.ts";
import { call } from "./calls.ts";
import { executorActs, type Job } from "./executors.ts";
import { joinIn, watch } from "./member.ts";
import { CALM, network, type Weather } from "./network.ts";
import { newPlace, PARTITIONS, type Place, type Process, removePlace, startProcess } from "./node.ts";
import { VERSIONS } from "./policy.ts";
import { checkAtRest, checkHistory } from "./rest.ts";
import { reviewerActs, type Seen } from "./reviewers.ts";
import { themeOf } from "./themes.ts";
import { truthOver } from "./truth.ts";
import { installVirtualTime, type VirtualTime } from "./virtual-time.ts";
import { createWorld, type Member, type World } from "./world.ts";

/** What a history came to. */
export interface Simulated {
  readonly seed: number;
  /** The first rule that was broken; null where all held. */
  readonly violation: string | null;
  /** What happened, line by line. */
  readonly trace: readonly string[];
  /** The same for the same seed: of what the log holds and what was made of it, without the ids. */
  readonly digest: string;
  /** How often what happened. */
  readonly counts: { readonly [what: string]: number };
}

/** Where the log of a history lies. */
export type Kind = "memory" | "files";

/** How far the clock is turned, in milliseconds, and how often. */
const PAUSES = { "50": 4, "1500": 6, "20000": 6, "70000": 5, "700000": 1.2, "4000000": 0.8 };
const WHAT = { network: 12, time: 1.4, publish: 0.12, garbage: 0.06, rest: 0.05 };
/** Agents propose in the first part of a history, and then hardly ever: others bring it to an end. */
const PROPOSING = 0.6;
const LATER = 0.2;
/** How likely the authority does something while something is halted: mostly it lifts. */
const LIFTING = 1.2;
/** With files a restart is the point: what is in them is all that a process has left. */
const KILLS = { memory: 0.08, files: 0.5 };
/** More of the network than this without any time going by is work that makes itself. */
const MOST_STEPS = 2000;
const DAY = 86_400_000;
/** Ids count on from the time before, so time never goes back within this process. */
let origin = Date.UTC(2026, 0, 5, 8);

/** Runs one history. The same seed gives the same one. */
export async function simulate(seed: number, kind: Kind = "memory"): Promise<Simulated> {
  const place = await newPlace(kind);
  const time = installVirtualTime(origin);
  try {
    return await run(seed, time, place);
  } finally {
    origin = time.now() + DAY;
    time.restore();
    removePlace(place);
  }
}

interface Seats {
  readonly jobs: Job[];
  readonly screens: Seen[];
  version: number;
  readonly kills: number;
  restarts: number;
  readonly start: (name: string) => Promise<Process>;
}

async function run(seed: number, time: VirtualTime, place: Place): Promise<Simulated> {
  const rng = createRng(seed);
  const net = network();
  const theme = themeOf(rng);
  const alone = rng.chance(theme.alone);
  const bad = rng.pick([0, 0.02, 0.06]);
  const weather: Weather = { lost: bad, unanswered: bad, doubled: bad / 2, again: bad };
  const start = (name: string) => startProcess(name, place, { net, time, skew: alone ? 0 : rng.pick([0, 0, -2000, 3000]), slow: slowLanes(rng) });
  const first = await start("p1");
  const world = createWorld({ rng, theme, time, net, truth: truthOver(first.ledger.codec), alone });
  watch(world);
  await joinIn(world, first);
  const [founder] = world.members as [Member];
  call(world, founder, "version 1 of the policy is published", () => publish(founder, 1));
  while (world.calls.size > 0 && world.violation === null) await settleOnce(world);
  if (!alone) await joinIn(world, await start("p2"));
  const seats: Seats = { jobs: [], screens: [], version: 1, kills: KILLS["dir" in place ? "files" : "memory"], restarts: 0, start };
  const steps = 25 + rng.below(75);
  for (let i = 0; i < steps && world.violation === null; i++) await happen(world, seats, weather, i < steps * PROPOSING);
  if (rng.chance(0.8)) await windUp(world, seats);
  if (world.violation === null) await finale(world, seats);
  const result = resultOf(seed, world, seats);
  for (const { process } of [...world.members]) await process.kill();
  return result;
}

/** In some processes one or two lanes of the log lag behind the others. */
function slowLanes(rng: Rng): ReadonlySet<number> {
  const lanes = PARTITIONS * TOPICS.length;
  return new Set(rng.chance(0.6) ? [] : [rng.below(lanes), rng.below(lanes)]);
}

/** Something happens: somebody does something, something of the network passes, time goes on, or something breaks. */
async function happen(world: World, seats: Seats, weather: Weather, proposing: boolean): Promise<void> {
  const { rng, theme, net, time } = world;
  const member = rng.pick(world.members);
  // What is halted is not left so for long.
  const authority = member.process.ledger.halts.inForce(time.now()).length > 0 ? LIFTING : theme.happens.authority;
  const agent = theme.happens.agent * (proposing ? 1 : LATER);
  switch (rng.weighted({ ...WHAT, ...theme.happens, agent, authority, kill: seats.kills })) {
    case "network":
      for (let n = 1 + rng.below(theme.brisk); n > 0; n--) {
        await net.step(rng, weather);
        await time.drain();
      }
      break;
    case "agent":
      agentActs(world, member);
      break;
    case "reviewer":
      reviewerActs(world, member, seats.screens);
      break;
    case "executor":
      executorActs(world, member, seats.jobs);
      break;
    case "authority":
      authorityActs(world, member);
      break;
    case "publish": {
      if (seats.version === VERSIONS) break;
      const version = ++seats.version;
      call(world, member, `version ${version} of the policy is published`, () => publish(member, version));
      break;
    }
    case "time":
      await time.turn(Number(rng.weighted(PAUSES)), time.drain);
      break;
    case "kill":
      seats.restarts++;
      await restart(world, member, seats);
      break;
    case "garbage":
      await garbage(world, member);
      break;
    case "rest":
      await settle(world);
      break;
  }
  await time.drain();
}

/** A process is killed, and started again on what it has left. */
async function restart(world: World, member: Member, { start }: Seats): Promise<void> {
  const { name } = member.process;
  world.note(`${name} is killed`);
  world.members.splice(world.members.indexOf(member), 1);
  await member.process.kill();
  await joinIn(world, await start(name));
}

/** A foreign producer writes what nobody can decode under the id of an item. */
async function garbage(world: World, { process }: Member): Promise<void> {
  if (world.items.size === 0) return;
  const key = world.rng.pick([...world.items.keys()]);
  const topic = world.rng.pick(TOPICS);
  await world.net.inject(process.inner, { topic, key, value: Buffer.from(`garbage ${world.net.records.length}`) });
}

/** Everything that can arrive does, and a second passes. */
async function settleOnce(world: World, pauseMs = 1000): Promise<void> {
  const { net, rng, time } = world;
  for (let steps = 0; await net.step(rng, CALM); steps++) {
    await time.drain();
    if (steps < MOST_STEPS) continue;
    return world.violate("it comes to rest", "what there is to do makes itself anew");
  }
  await time.turn(pauseMs, time.drain);
}

/** Lets everything arrive, gives the workers a minute and more to do what they owe, and looks. */
async function settle(world: World): Promise<void> {
  // Sweeps and workers try again after 30 seconds at the latest.
  for (const pause of [31_000, 31_000, 1100, 1100, 10]) if (world.violation === null) await settleOnce(world, pause);
  if (world.violation === null) checkAtRest(world);
}

/** Reviewers and executors go on for a while over a network that works: what has begun comes to an end, what was refused is undone. */
async function windUp(world: World, seats: Seats): Promise<void> {
  const { rng, theme } = world;
  for (let rounds = 3 + rng.below(8); rounds > 0 && world.violation === null; rounds--) {
    for (let acts = 2 + rng.below(4); acts > 0; acts--) {
      const member = rng.pick(world.members);
      if (rng.weighted({ reviewer: theme.happens.reviewer, executor: theme.happens.executor }) === "reviewer") reviewerActs(world, member, seats.screens);
      else executorActs(world, member, seats.jobs);
    }
    await settleOnce(world, Number(rng.weighted({ "10": 8, "1500": 2, "70000": 1 })));
  }
}

/** The clients go; days pass. */
async function finale(world: World, { jobs }: Seats): Promise<void> {
  jobs.length = 0;
  await settle(world);
  // What replaces another item is judged once that one has ended, and only then does its own time run.
  for (const hours of [4, 40, 40, 40, 40]) {
    if (world.violation !== null) return;
    await settleOnce(world, hours * 3_600_000);
  }
  await settle(world);
  if (world.violation === null) checkHistory(world);
}

/** What an event is about beyond its kind. */
function detailsOf(event: AnyEvent): string[] {
  const { standing, scope, settlement, error, replaces, actions } = event as Partial<EventOf["verdicts"] & EventOf["decisions"] & EventOf["proposals"]>;
  const { kind } = event as { kind?: string };
  return [
    ...(standing == null ? [] : [kind === "approve" ? "given: a standing approval" : "used: a standing approval"]),
    ...(kind === "reject" && scope === "branch" ? ["rejected: a branch"] : []),
    ...(settlement == null ? [] : [`settled as ${settlement.outcome} by ${event.actor.kind === "clock" ? "the clock" : "a person"}`]),
    ...(kind === "revoked" ? [`revoked: ${error?.code ?? "by the rules"}`] : []),
    ...(replaces === undefined || (event as EventOf["proposals"]).retryOf === null
      ? []
      : [replaces ? "proposed: in place of another" : "proposed: as a retry of another"]),
    ...(replaces !== undefined && actions !== undefined && actions.length > 1 ? ["proposed: a plan"] : []),
    ...(replaces === undefined && typeof (event as Partial<EventOf["verdicts"]>).route === "string" && error != null ? [`judged: ${error.code}`] : []),
  ];
}

function resultOf(seed: number, { violation, trace, truth, acts, items, seen }: World, { restarts }: Seats): Simulated {
  const counts: { [what: string]: number } = { acts: acts.length, items: items.size, restarts, ...Object.fromEntries(seen) };
  const count = (what: string) => (counts[what] = (counts[what] ?? 0) + 1);
  const lines: string[] = [];
  for (const [itemId, logs] of truth.logs)
    for (const topic of TOPICS)
      for (const event of logs[topic] ?? []) {
        const status = event === null ? "garbage" : (truth.statuses.get(`${itemId}/${topic}/${event.eventId}`)?.status ?? "parked");
        const { kind, outcome, route, ask } = (event ?? {}) as { [field: string]: string | undefined };
        const what = `${topic} ${kind ?? outcome ?? route ?? ask ?? ""}`.trim();
        count(`${what} ${status}`);
        if (event !== null && status === "effective") for (const more of detailsOf(event)) count(more);
        lines.push(`${itemId.startsWith("policy:") ? "" : itemId} ${what} ${status} ${event?.actor.id}`);
      }
  return { seed, violation, trace, digest: sha256(lines.join("\n")), counts };
}
