import { sha256 } from "../../src/events/canonical.ts";
import { TOPICS } from "../../src/events/topics.ts";
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
const PAUSES = { "50": 4, "1500": 6, "20000": 5, "70000": 4, "700000": 2, "4000000": 1 };
const WHAT = { network: 12, agent: 2, reviewer: 3, executor: 4, time: 1.4, authority: 0.3, publish: 0.12, garbage: 0.06, rest: 0.05 };
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
  const alone = rng.chance(0.35);
  const bad = rng.pick([0, 0.02, 0.06]);
  const weather: Weather = { lost: bad, unanswered: bad, doubled: bad / 2, again: bad };
  const start = (name: string) => startProcess(name, place, { net, time, skew: alone ? 0 : rng.pick([0, 0, -2000, 3000]), slow: slowLanes(rng) });
  const first = await start("p1");
  const world = createWorld({ rng, time, net, truth: truthOver(first.ledger.codec), alone });
  watch(world);
  await joinIn(world, first);
  const [founder] = world.members as [Member];
  call(world, founder, "version 1 of the policy is published", () => publish(founder, 1));
  while (world.calls.size > 0 && world.violation === null) await settleOnce(world);
  if (!alone) await joinIn(world, await start("p2"));
  const seats: Seats = { jobs: [], screens: [], version: 1, kills: KILLS["dir" in place ? "files" : "memory"], restarts: 0, start };
  const steps = 20 + rng.below(60);
  for (let i = 0; i < steps && world.violation === null; i++) await happen(world, seats, weather);
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
async function happen(world: World, seats: Seats, weather: Weather): Promise<void> {
  const { rng, net, time } = world;
  const member = rng.pick(world.members);
  switch (rng.weighted({ ...WHAT, kill: seats.kills })) {
    case "network":
      for (let n = 1 + rng.below(4); n > 0; n--) {
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

function resultOf(seed: number, { violation, trace, truth, acts, items }: World, { restarts }: Seats): Simulated {
  const counts: { [what: string]: number } = { acts: acts.length, items: items.size, restarts };
  const count = (what: string) => (counts[what] = (counts[what] ?? 0) + 1);
  const lines: string[] = [];
  for (const [itemId, logs] of truth.logs)
    for (const topic of TOPICS)
      for (const event of logs[topic] ?? []) {
        const status = event === null ? "garbage" : (truth.statuses.get(`${itemId}/${topic}/${event.eventId}`)?.status ?? "parked");
        const { kind, outcome, route, ask } = (event ?? {}) as { [field: string]: string | undefined };
        const what = `${topic} ${kind ?? outcome ?? route ?? ask ?? ""}`.trim();
        count(`${what} ${status}`);
        lines.push(`${itemId.startsWith("policy:") ? "" : itemId} ${what} ${status} ${event?.actor.id}`);
      }
  return { seed, violation, trace, digest: sha256(lines.join("\n")), counts };
}
