import { newEventId } from "../../src/events/ids.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import type { Grant } from "../../src/producers/wire/answers.ts";
import type { ReceiptRequest } from "../../src/producers/wire/requests.ts";
import { checkAct } from "./acting.ts";
import { call, gatewayOf, WHO } from "./calls.ts";
import type { Tool } from "./policy.ts";
import type { Act, Member, World } from "./world.ts";

/** What an executor is at: it has acted, and has not told how it ended. */
export interface Job {
  readonly who: Identity;
  readonly itemId: string;
  readonly grantId: string;
  readonly actionId: string;
  readonly argsSha256: string;
  readonly back: boolean;
}

/** An executor looks for a grant and starts it, or goes on with what it is at, or dies and forgets it. */
export function executorActs(world: World, member: Member, jobs: Job[]): void {
  const { rng, theme } = world;
  if (jobs.length > 0 && rng.chance(0.8)) {
    // Mostly what it has just begun; what was begun long ago is told late.
    const job = rng.chance(0.6) ? (jobs.at(-1) as Job) : rng.pick(jobs);
    const how = rng.weighted(theme.ends);
    if (how !== "renew") jobs.splice(jobs.indexOf(job), 1);
    if (how !== "die") tell(world, member, job, how);
    return;
  }
  const items = [...world.items.keys()];
  const { queries } = member.process.ledger;
  const views = items.map((itemId) => queries.item(itemId)).filter((view) => view !== undefined);
  // Hardly ever what somebody is at already.
  const open = views.filter(({ stage, life }) => stage === "granted" || (stage === "executing" && (life.resume?.group.running === null || rng.chance(0.1))));
  if (open.length === 0) return;
  const undoing = open.filter(({ life }) => life.resume?.outcome === "roll_back");
  const { itemId } = undoing.length > 0 && rng.chance(0.5) ? rng.pick(undoing) : rng.pick(open);
  const who = rng.pick(WHO.executors);
  call(
    world,
    member,
    `${who.id} looks at ${itemId}`,
    () => gatewayOf(member, who).outcome(itemId, 0),
    ({ value }) => {
      if (value?.grant == null) return;
      start(world, member, who, itemId, value.grant, jobs);
      // Another executor has seen the same grant.
      if (world.members.length > 0 && rng.chance(0.25)) start(world, rng.pick(world.members), rng.pick(WHO.executors), itemId, value.grant, jobs);
    },
  );
}

function start(world: World, member: Member, who: Identity, itemId: string, grant: Grant, jobs: Job[], eventId: string = newEventId(), again = 1): void {
  const { rng } = world;
  const next = grant.actions[rng.chance(0.9) ? grant.done : rng.below(grant.actions.length)];
  if (next === undefined) return;
  const { actionId, argsSha256, effectKey } = next;
  const body: ReceiptRequest = { kind: "started", grant: grant.id, actionId, argsSha256, eventId };
  const what = `${who.id} starts ${actionId} of ${itemId}`;
  call(
    world,
    member,
    `${what} ${eventId}`,
    () => gatewayOf(member, who).receipt(itemId, body),
    ({ ok, unsure, value }) => {
      if (ok && value?.status === "effective") {
        const act: Act = {
          ...{ itemId, grantId: grant.id, outcome: grant.outcome, actionId, argsSha256, effectKey, at: world.time.now() },
          ...{ endsAt: value.lease?.endsAt ?? 0, tool: next.tool as Tool, args: next.args as Act["args"] },
        };
        checkAct(world, member, act);
        countAct(world, act, grant);
        world.acts.push(act);
        world.told.push({ what, itemId, topic: "receipts", eventId, effective: true });
        jobs.push({ who, itemId, grantId: grant.id, actionId, argsSha256, back: grant.outcome === "roll_back" });
      } else if (unsure && again > 0 && world.members.length > 0 && rng.chance(0.6))
        start(world, rng.pick(world.members), who, itemId, grant, jobs, eventId, again - 1);
    },
  );
}

/** How often what is run. */
function countAct(world: World, { itemId, actionId, outcome }: Act, grant: Grant): void {
  const again = world.acts.some((a) => a.itemId === itemId && a.actionId === actionId && (a.outcome === "roll_back") === (outcome === "roll_back"));
  world.count(`run: ${outcome === "roll_back" ? "back" : again ? "again" : grant.done > 0 ? "a further step" : "first"}`);
  if (world.item(itemId)?.retryOf != null) world.count("run: a proposal after another");
}

function tell(world: World, member: Member, job: Job, how: "end" | "fail" | "renew"): void {
  const { who, itemId, grantId, actionId, argsSha256, back } = job;
  const end: ReceiptRequest = { kind: back ? "compensated" : "succeeded", grant: grantId, actionId, argsSha256, externalRef: { system: "bank", id: actionId } };
  const body: ReceiptRequest =
    how === "end"
      ? end
      : how === "renew"
        ? { kind: "renewed", grant: grantId, actionId }
        : { kind: "failed", grant: grantId, actionId, argsSha256, error: { code: "down", message: "the bank is down" } };
  call(world, member, `${who.id} says ${body.kind} ${actionId} of ${itemId}`, () => gatewayOf(member, who).receipt(itemId, { ...body, eventId: newEventId() }));
}
