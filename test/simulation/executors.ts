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
  const { rng } = world;
  if (jobs.length > 0 && rng.chance(0.6)) {
    const job = rng.pick(jobs);
    const how = rng.weighted({ end: 7, fail: 1.5, renew: 1.5, die: 1.5 });
    if (how !== "renew") jobs.splice(jobs.indexOf(job), 1);
    if (how !== "die") tell(world, member, job, how);
    return;
  }
  const items = [...world.items.keys()];
  const { queries } = member.process.ledger;
  for (let tries = 0; tries < 4 && items.length > 0; tries++) {
    const itemId = rng.pick(items);
    const stage = queries.item(itemId)?.stage;
    if (stage !== "granted" && stage !== "executing") continue;
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
    return;
  }
}

function start(world: World, member: Member, who: Identity, itemId: string, grant: Grant, jobs: Job[], eventId: string = newEventId(), again = 1): void {
  const { rng } = world;
  const next = grant.actions[rng.chance(0.9) ? grant.done : rng.below(grant.actions.length)];
  if (next === undefined) return;
  const { actionId, argsSha256 } = next;
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
          ...{ itemId, grantId: grant.id, outcome: grant.outcome, actionId, argsSha256, at: world.time.now() },
          ...{ endsAt: value.lease?.endsAt ?? 0, tool: next.tool as Tool, args: next.args as Act["args"] },
        };
        checkAct(world, act);
        world.acts.push(act);
        world.told.push({ what, itemId, topic: "receipts", eventId, effective: true });
        jobs.push({ who, itemId, grantId: grant.id, actionId, argsSha256, back: grant.outcome === "roll_back" });
      } else if (unsure && again > 0 && world.members.length > 0 && rng.chance(0.6))
        start(world, rng.pick(world.members), who, itemId, grant, jobs, eventId, again - 1);
    },
  );
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
