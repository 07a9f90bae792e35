import type { EventOf } from "../../src/events/types.generated.ts";
import { WHO } from "./calls.ts";
import { BUDGET, TOOLS } from "./policy.ts";
import { standingBroken } from "./standing-bounds.ts";
import { doneAlready } from "./tries.ts";
import { type Act, type Invariant, type Member, SKEW_MS, type World } from "./world.ts";

/** How often an action was settled to be tried again. */
export function retriesOf({ truth }: World, itemId: string, actionId: string): number {
  const settles = truth.effective(itemId, "decisions").filter((d) => d.kind === "settle" && d.settlement?.outcome === "retry");
  return settles.filter((d) => truth.fact(itemId, "receipts", d.answers?.eventId ?? "")?.actionId === actionId).length;
}

/** Checks an act of an executor on the world, right before it happens. */
export function checkAct(world: World, member: Member, act: Act): void {
  if (member.known.isFlagged(act.itemId))
    world.violate("nothing barred is started", `${act.tool} ${act.actionId} of ${act.itemId} is run, which has a bad record`);
  const [invariant, broken] = brokenBy(world, act) ?? [];
  if (invariant !== undefined) world.violate(invariant, `${broken}: ${act.tool} ${act.actionId} of ${act.itemId} under ${act.outcome} ${act.grantId}`);
}

type Broken = readonly [Invariant, string] | null;

function brokenBy(world: World, act: Act): Broken {
  const { truth } = world;
  const { itemId, actionId } = act;
  const back = act.outcome === "roll_back";
  if (act.endsAt <= act.at - SKEW_MS) return ["within its lease", `run ${act.at - act.endsAt} ms after its lease has ended`];
  const same = world.acts.filter((a) => a.itemId === itemId && a.actionId === actionId && (a.outcome === "roll_back") === back);
  if (same.some((a) => a.grantId === act.grantId)) return ["once", "run twice under one grant"];
  if (same.length > retriesOf(world, itemId, actionId)) return ["once", "run again without a settlement"];
  const grant = truth.effective(itemId, "resumes").find((r) => r.eventId === act.grantId);
  const named = grant?.actions.find((a) => a.actionId === actionId);
  if (grant === undefined || named?.argsSha256 !== act.argsSha256) return ["only what is granted", "run without a grant for these arguments"];
  const cause = world.causeOf(itemId, grant.answers);
  const verdict = world.verdictOf(itemId, grant.answers);
  if (cause === undefined || verdict === undefined || verdict.route === "forbid") return ["only what is granted", "run without a verdict that allows it"];
  if (back) return world.acts.some((a) => a.itemId === itemId && a.actionId === actionId && a.outcome !== "roll_back") ? null : maybeRan(world, act);
  const consent = consentOf(world, itemId, cause);
  if (TOOLS[act.tool].irreversible && consent.size === 0) return ["consent", "irreversible, and no person approved it"];
  const stranger = [...consent].find((id) => WHO.intern.id === id);
  if (stranger !== undefined) return ["consent", `run with the vote of ${stranger}, who may not decide`];
  const answering = WHO.agents.find((a) => a.id === world.item(itemId)?.agent)?.owner;
  if (act.tool === "wire" && answering != null && consent.has(answering)) return ["consent", `run with the vote of ${answering}, who answers for the agent`];
  const flows = verdict.route === "allow" || verdict.gate === "audit";
  if (!flows && consent.size < Math.max(1, verdict.approvals)) return ["consent", `run with ${consent.size} of ${verdict.approvals} approvals`];
  const other = world.item(itemId)?.replaces ?? null;
  const ran = (id: string) => world.acts.some((a) => a.itemId === id);
  if (other !== null && ran(other) && verdict.error?.code !== "not_replaced") return ["replaced never runs beside", "run, and what it replaces ran as well"];
  if (world.item(itemId)?.replacedBy.some(ran)) return ["replaced never runs beside", "run after what replaces it"];
  const overshot = standingBroken(world, act, verdict.standing);
  if (overshot !== null) return ["bounds of standing approvals", overshot];
  if (world.ended.has(itemId)) return ["what is told is true", `run after its agent was told that it is ${world.ended.get(itemId)}`];
  const again = doneAlready(world, act, consent.size);
  if (again !== null) return ["one try at a time", again];
  const overspent = budgetBroken(world, act, flows, consent.size);
  return overspent === null ? null : ["budgets", overspent];
}

/** A roll_back of what may have run: it was started, and nobody knows how it ended. */
function maybeRan({ truth }: World, { itemId, actionId }: Act): Broken {
  return truth.effective(itemId, "receipts").some((r) => r.kind === "started" && r.actionId === actionId)
    ? null
    : ["only what is granted", "undone, and never begun"];
}

/** Persons whose votes stand behind a verdict: approvals of its card, and the editor whose edit it judges. */
function consentOf({ truth, termsOf }: World, itemId: string, cause: EventOf["verdicts"]): Set<string> {
  const terms = termsOf(itemId, cause.eventId);
  const chain = new Set([cause.eventId]);
  // A forbidden edit restores the verdict before it with its votes.
  for (let at = cause; at.eventId !== terms?.eventId; ) {
    const edit = truth.fact(itemId, "decisions", at.answers?.eventId ?? "");
    const before = truth.fact(itemId, "verdicts", edit?.answers?.eventId ?? "");
    if (before === undefined) break;
    chain.add(before.eventId);
    at = before;
  }
  const decisions = truth.effective(itemId, "decisions");
  const votes = decisions.filter((d) => d.kind === "approve" && chain.has(d.answers?.eventId ?? "") && d.seen?.cardSha256 === terms?.cardSha256);
  const edit = terms?.answers?.topic === "decisions" ? truth.fact(itemId, "decisions", terms.answers.eventId) : undefined;
  return new Set([...votes, ...(edit === undefined ? [] : [edit])].filter((d) => d.actor.kind === "person").map((d) => d.actor.id));
}

/** Whether it is known that an act had no effect. */
function hasFailed({ truth }: World, { itemId, grantId, actionId }: Act): boolean {
  const ends = truth.effective(itemId, "receipts").filter((r) => r.answers?.eventId === grantId && r.actionId === actionId);
  const settled = (id: string) => truth.effective(itemId, "decisions").some((d) => d.answers?.eventId === id && d.settlement?.outcome === "failed");
  return ends.some((r) => r.kind === "failed" || (r.kind === "unknown" && settled(r.eventId)));
}

/** Id of the verdict that let it run: one process alone makes them in the order of its judgements. */
function judgedBy(world: World, { itemId, grantId }: Act): string {
  return world.verdictOf(itemId, world.truth.fact(itemId, "resumes", grantId)?.answers ?? null)?.eventId ?? "";
}

const HOUR = 3_600_000;

/** One process alone never overshoots a budget; several can, and say so as a finding. */
function budgetBroken(world: World, act: Act, flows: boolean, approvals: number): string | null {
  if (!world.alone || act.tool !== "pay") return null;
  const agent = world.item(act.itemId)?.agent;
  const paid = world.acts.filter((a) => a.tool === "pay" && a.outcome !== "roll_back" && a.at > act.at - HOUR && world.item(a.itemId)?.agent === agent);
  // A further try has the effect key of the one before: both count once. What failed had no effect.
  const counted = new Map([...paid.filter((a) => !hasFailed(world, a)), act].map((a) => [`${a.itemId}/${a.actionId}`, a]));
  const sumOf = (acts: readonly Act[]) => acts.reduce((total, a) => total + Number(a.args.amount), 0);
  if (sumOf([...counted.values()]) > BUDGET.never) return `past the budget that nothing passes (${sumOf([...counted.values()])})`;
  // What was judged later knew of this one, and not the other way round.
  const sum = sumOf([...counted.values()].filter((a) => judgedBy(world, a) <= judgedBy(world, act)));
  return sum > BUDGET.above && (flows || approvals < 2) ? `past the budget that takes two people (${sum}), with ${approvals}` : null;
}
