import { effectKeyOf } from "../../src/events/ids.ts";
import type { Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { FoldedBatch } from "../../src/projector/fold-batch.ts";
import { BUDGET, TOOLS, type Tool } from "./policy.ts";
import { nameOf } from "./truth.ts";
import type { Act, Member, World } from "./world.ts";

const GRANTS: readonly string[] = ["proceed", "proceed_edited", "roll_back"];
const WORKERS: readonly string[] = ["policy", "dispatcher", "clock"];

/** Rules on what a process may send, given what it has folded itself. Each gives a sentence when it is broken. */
type Rule = (world: World, member: Member, itemId: string, event: never) => string | null;
const SENDING: { readonly [topic in Topic]?: readonly Rule[] } = {
  verdicts: [judgesByThePolicyInForce, letsNothingFlowUnderAHalt, usesNoRevokedStanding],
  resumes: [grantsNothingThatIsBarred, keepsTheEffectKey],
  receipts: [startsNothingThatIsBarred, receiptInTime],
  decisions: [decidesNothingUnderAHalt, decisionInTime, takesOverWithTheRole],
};

/** Checks what a process sends for the first time. */
export function checkSent(world: World, member: Member, topic: Topic, itemId: string, event: EventOf[Topic]): void {
  for (const rule of SENDING[topic] ?? []) {
    const broken = rule(world, member, itemId, event as never);
    if (broken !== null) world.violate(`${member.process.name}: ${broken} (${topic}/${event.eventId} of ${itemId})`);
  }
}

function judgesByThePolicyInForce(world: World, member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  const asks = world.truth.fact(itemId, "proposals", world.item(itemId)?.proposal ?? "")?.ask;
  const version = member.known.version();
  if (asks !== "review" || version === null || event.policy?.version === version) return null;
  return `a verdict under version ${event.policy?.version}, where ${version} was in force`;
}

function letsNothingFlowUnderAHalt(world: World, member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  const flows = event.route === "allow" || (event.gate === "audit" && event.route !== "forbid");
  return flows && world.halted(member, itemId) ? "a verdict lets flow what is halted" : null;
}

function usesNoRevokedStanding(_world: World, { known }: Member, _itemId: string, { standing }: EventOf["verdicts"]): string | null {
  return standing !== null && known.revokedStandings.has(standing) ? "a verdict rests on a revoked standing approval" : null;
}

function grantsNothingThatIsBarred(world: World, member: Member, itemId: string, event: EventOf["resumes"]): string | null {
  if (!GRANTS.includes(event.outcome)) return null;
  if (world.halted(member, itemId)) return "a grant under a halt";
  if (member.known.isFlagged(itemId)) return "a grant on a flagged item";
  if (event.outcome === "roll_back") return null;
  const again = event.answers?.topic === "decisions" && world.truth.fact(itemId, "decisions", event.answers.eventId)?.kind === "settle";
  // A retry clears up what may have run: nothing that was taken back meanwhile keeps it from that.
  if (!again && world.branchOver(member, itemId)) return "a grant in a rejected branch";
  const verdict = world.verdictOf(itemId, event.answers);
  const standing = verdict?.standing ?? null;
  if (!again && standing !== null && member.known.revokedStandings.has(standing)) return "a grant on a revoked standing approval";
  const rejected =
    verdict?.gate === "audit" && world.foldedBy(member, itemId, "decisions").some((d) => d.kind === "reject" && d.answers?.eventId === verdict.eventId);
  if (rejected) return "a grant of what its review had refused";
  const floor = again ? null : world.floorOver(member, event);
  return floor === null ? null : `a grant past the floor in force: ${floor}`;
}

function keepsTheEffectKey(world: World, _member: Member, itemId: string, event: EventOf["resumes"]): string | null {
  const root = world.rootOf(itemId);
  const wrong = event.actions.find((a) => a.effectKey !== effectKeyOf(root, a.actionId, a.argsSha256));
  return wrong === undefined ? null : `the effect key of ${wrong.actionId} is not that of its root ${root}`;
}

function startsNothingThatIsBarred(world: World, member: Member, itemId: string, event: EventOf["receipts"]): string | null {
  if (event.kind !== "started") return null;
  if (world.halted(member, itemId)) return "a start under a halt";
  return member.known.isFlagged(itemId) ? "a start on a flagged item" : null;
}

function receiptInTime(world: World, { process }: Member, itemId: string, event: EventOf["receipts"]): string | null {
  const now = process.ledger.now();
  const grant = world.truth.fact(itemId, "resumes", event.answers?.eventId ?? "");
  if (event.kind === "lapsed" && (grant?.notAfter ?? 0) > now) return "a grant lapsed before its time";
  if (event.kind !== "unknown") return null;
  const lease = world.truth.effective(itemId, "receipts").findLast((r) => r.lease?.id === event.lease?.id && r.kind !== "unknown")?.lease;
  return (lease?.endsAt ?? 0) > now ? "an execution given up before its lease had ended" : null;
}

function decisionInTime(world: World, { process }: Member, itemId: string, event: EventOf["decisions"]): string | null {
  if (event.actor.kind !== "clock") return null;
  const now = process.ledger.now();
  const terms = world.termsOf(itemId, event.answers?.eventId ?? "");
  if (event.kind === "expire" && (terms?.expiresAt ?? 0) > now) return "expired before its time";
  if (event.kind === "escalate" && (terms?.ladder.find((s) => s.step === event.escalation?.step)?.at ?? 0) > now) return "escalated before its time";
  return event.kind === "release" && (event.lease?.endsAt ?? 0) > now ? "a claim released before its time" : null;
}

function decidesNothingUnderAHalt(world: World, member: Member, itemId: string, { actor, kind, settlement }: EventOf["decisions"]): string | null {
  const starts = kind === "approve" || kind === "edit" || settlement?.outcome === "retry";
  return actor.kind === "person" && starts && world.halted(member, itemId) ? `a person's ${kind} was taken under a halt` : null;
}

function takesOverWithTheRole(_world: World, _member: Member, _itemId: string, { kind, lease, actor }: EventOf["decisions"]): string | null {
  return kind === "claim" && lease?.takenOver === true && !actor.roles.includes("takeover") ? `${actor.id} took over a claim without the role for it` : null;
}

/** Checks what a process folded: the same of every event as all others, and nothing of a worker is ever illegal. */
export function checkFolded(world: World, member: Member, batch: FoldedBatch): void {
  const ruled = [
    ...batch.effective.map((e) => ({ ...e, status: "effective" as const, reason: "" })),
    ...batch.refused.map(({ topic, itemId, event, status, reason }) => ({ topic, itemId, event, status, reason })),
  ];
  for (const { topic, itemId, event, status, reason } of ruled) {
    const name = nameOf(itemId, topic, event.eventId);
    const before = world.truth.statuses.get(name);
    if (before !== undefined && (before.status !== status || before.reason !== reason))
      world.violate(`${member.process.name} folds ${name} as ${status} (${reason}), another as ${before.status} (${before.reason})`);
    if (before !== undefined) continue;
    world.truth.statuses.set(name, { status, reason });
    if (status === "illegal" && WORKERS.includes(event.actor.kind)) world.violate(`a worker wrote what is illegal: ${name}, ${reason}`);
    if (status === "effective" && topic === "decisions") checkRetry(world, itemId, event as EventOf["decisions"]);
  }
}

function checkRetry(world: World, itemId: string, event: EventOf["decisions"]): void {
  if (event.actor.kind !== "clock" || event.settlement?.outcome !== "retry") return;
  const actionId = world.truth.fact(itemId, "receipts", event.answers?.eventId ?? "")?.actionId;
  const tool = world.truth.effective(itemId, "proposals")[0]?.actions.find((a) => a.actionId === actionId)?.tool as Tool;
  const tried = retriesOf(world, itemId, actionId ?? "");
  if (tried > TOOLS[tool].retries) world.violate(`the clock tried ${tool} of ${itemId} again for the ${tried}th time`);
}

/** How often an action was settled to be tried again. */
function retriesOf({ truth }: World, itemId: string, actionId: string): number {
  const settles = truth.effective(itemId, "decisions").filter((d) => d.kind === "settle" && d.settlement?.outcome === "retry");
  return settles.filter((d) => truth.fact(itemId, "receipts", d.answers?.eventId ?? "")?.actionId === actionId).length;
}

/** Checks an act of an executor on the world, right before it happens. */
export function checkAct(world: World, act: Act): void {
  const broken = brokenBy(world, act);
  if (broken !== null) world.violate(`${broken}: ${act.tool} ${act.actionId} of ${act.itemId} under ${act.outcome} ${act.grantId}`);
}

function brokenBy(world: World, act: Act): string | null {
  const { truth } = world;
  const { itemId, actionId } = act;
  const back = act.outcome === "roll_back";
  const same = world.acts.filter((a) => a.itemId === itemId && a.actionId === actionId && (a.outcome === "roll_back") === back);
  if (same.some((a) => a.grantId === act.grantId)) return "run twice under one grant";
  if (same.length > retriesOf(world, itemId, actionId)) return "run again without a settlement";
  const grant = truth.effective(itemId, "resumes").find((r) => r.eventId === act.grantId);
  const named = grant?.actions.find((a) => a.actionId === actionId);
  if (grant === undefined || named?.argsSha256 !== act.argsSha256) return "run without a grant for these arguments";
  const cause = world.causeOf(itemId, grant.answers);
  const verdict = world.verdictOf(itemId, grant.answers);
  if (cause === undefined || verdict === undefined || verdict.route === "forbid") return "run without a verdict that allows it";
  if (back) return world.acts.some((a) => a.itemId === itemId && a.actionId === actionId && a.outcome !== "roll_back") ? null : maybeRan(world, act);
  const consent = consentOf(world, itemId, cause);
  if (TOOLS[act.tool].irreversible && consent.size === 0) return "irreversible, and no person approved it";
  const flows = verdict.route === "allow" || verdict.gate === "audit";
  if (!flows && consent.size < Math.max(1, verdict.approvals)) return `run with ${consent.size} of ${verdict.approvals} approvals`;
  const other = world.item(itemId)?.replaces ?? null;
  const ran = (id: string) => world.acts.some((a) => a.itemId === id);
  if (other !== null && ran(other) && verdict.error?.code !== "not_replaced") return "run, and what it replaces ran as well";
  if (world.item(itemId)?.replacedBy.some(ran)) return "run after what replaces it";
  const overshot = standingBroken(world, act, verdict.standing);
  if (overshot !== null) return overshot;
  if (world.ended.has(itemId)) return `run after its agent was told that it is ${world.ended.get(itemId)}`;
  return budgetBroken(world, act, flows, consent.size);
}

/** A roll_back of what may have run: it was started, and nobody knows how it ended. */
function maybeRan({ truth }: World, { itemId, actionId }: Act): string | null {
  return truth.effective(itemId, "receipts").some((r) => r.kind === "started" && r.actionId === actionId) ? null : "undone, and never begun";
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

/** One process alone never lets pass more than a standing approval allows. */
function standingBroken(world: World, { itemId }: Act, standing: string | null): string | null {
  if (!world.alone || standing === null) return null;
  const { truth, items } = world;
  const given = [...items.keys()].flatMap((id) => truth.effective(id, "decisions")).find((d) => d.eventId === standing)?.standing;
  const rests = (id: string) => truth.effective(id, "verdicts").some((v) => v.standing === standing);
  const using = [...new Set([itemId, ...world.acts.map((a) => a.itemId)])].filter(rests);
  const used = using.reduce((sum, id) => sum + (world.truth.effective(id, "proposals")[0]?.actions.length ?? 0), 0);
  return used > (given?.max ?? 0) ? `run under a standing approval for ${given?.max}, as the ${used}th action` : null;
}

const HOUR = 3_600_000;

/** One process alone never overshoots a budget; several can, and say so as a finding. */
function budgetBroken(world: World, act: Act, flows: boolean, approvals: number): string | null {
  if (!world.alone || act.tool !== "pay") return null;
  const agent = world.item(act.itemId)?.agent;
  const paid = world.acts.filter((a) => a.tool === "pay" && a.outcome !== "roll_back" && a.at > act.at - HOUR && world.item(a.itemId)?.agent === agent);
  const sum = [...paid, act].reduce((total, a) => total + Number(a.args.amount), 0);
  if (sum > BUDGET.never) return `past the budget that nothing passes (${sum})`;
  return sum > BUDGET.above && (flows || approvals < 2) ? `past the budget that takes two people (${sum}), with ${approvals}` : null;
}
