import { effectKeyOf } from "../../src/events/ids.ts";
import type { Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { FoldedBatch } from "../../src/projector/fold-batch.ts";
import { retriesOf } from "./acting.ts";
import { FLOOR, STRICT, TOOLS, type Tool, TWO_PEOPLE } from "./policy.ts";
import { givesWithinBounds, restsWithinBounds } from "./standing-bounds.ts";
import { isOpen, replacesWhatIsOver, startsOneAtATime } from "./tries.ts";
import { nameOf } from "./truth.ts";
import type { Invariant, Member, World } from "./world.ts";

const GRANTS: readonly string[] = ["proceed", "proceed_edited", "roll_back"];
const WORKERS: readonly string[] = ["policy", "dispatcher", "clock"];

/** Rules on what a process may send, given what it has folded itself. Each gives a sentence when it is broken. */
type Rule = (world: World, member: Member, itemId: string, event: never) => string | null;
const SENDING: { readonly [topic in Topic]?: { readonly [invariant in Invariant]?: Rule } } = {
  verdicts: {
    "judged by the policy in force": judgesByThePolicyInForce,
    "judged on the arguments": judgesTheArguments,
    "nothing flows under a halt": letsNothingFlowUnderAHalt,
    "no revoked standing approval": usesNoRevokedStanding,
    "bounds of standing approvals": restsWithinBounds,
    "replaced never runs beside": replacesWhatIsOver,
  },
  resumes: { "nothing barred is granted": grantsNothingThatIsBarred, "withheld for a reason": withholdsForAReason, "one effect key": keepsTheEffectKey },
  receipts: {
    "nothing barred is started": startsNothingThatIsBarred,
    "one try at a time": startsOneAtATime,
    "not before its time": receiptInTime,
    "what is refused has no effect": takesBackNothingForWhatWasRefused,
  },
  decisions: {
    "nothing is decided under a halt": decidesNothingUnderAHalt,
    "not before its time": decisionInTime,
    "taken over with the role": takesOverWithTheRole,
    "bounds of standing approvals": givesWithinBounds,
    "nothing barred is tried again": triesNothingAgainThatIsBarred,
  },
};

/** Checks what a process sends for the first time. */
export function checkSent(world: World, member: Member, topic: Topic, itemId: string, event: EventOf[Topic]): void {
  for (const [invariant, rule] of Object.entries(SENDING[topic] ?? {})) {
    const broken = rule(world, member, itemId, event as never);
    if (broken !== null) world.violate(invariant as Invariant, `${member.process.name}: ${broken} (${topic}/${event.eventId} of ${itemId})`);
  }
}

function judgesByThePolicyInForce(world: World, member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  const version = member.known.version();
  // An edit is judged by the document that judged what is edited as well: either of them may lead.
  const judging = [event.policy, ...event.policies].map((p) => p?.version);
  if (world.proposalOf(itemId)?.ask !== "review" || version === null || judging.includes(version)) return null;
  return `a verdict under version ${event.policy?.version}, where ${version} was in force`;
}

/** What the documents say of the arguments on the table, read here once more. Each version is at least as strict as the one before. */
function judgesTheArguments(world: World, member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  const version = Number(member.known.version() ?? 0);
  if (event.route === "forbid" || version === 0 || world.proposalOf(itemId)?.ask !== "review") return null;
  const onTheTable = world.onTheTable(itemId, event.answers);
  const amounts = onTheTable.filter((a) => a.tool === "pay").map((a) => Number((JSON.parse(a.args) as { amount: number }).amount));
  const most = Math.max(0, ...amounts);
  if (most > (FLOOR[version - 1] as number)) return `${most} is let pass, above the floor of version ${version}`;
  const waits = event.route !== "allow" && event.gate !== "audit";
  if (onTheTable.some((a) => TOOLS[a.tool as Tool].irreversible) && !waits) return "what is irreversible flows";
  if (event.standing !== null) return most > TWO_PEOPLE ? `a standing approval stands in for two people at ${most}` : null;
  if (most > TWO_PEOPLE && event.approvals < 2) return `${most} waits for ${event.approvals}`;
  if ((most > 0 || (version >= STRICT && onTheTable.some((a) => a.tool === "note"))) && !waits) return "what waits for a person flows";
  const separated = onTheTable.some((a) => a.tool === "wire") && !event.separation.includes("agent_owner");
  return separated ? "the owner of the agent is let decide on a wire" : null;
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
  if (world.branchOver(member, itemId)) return "a grant in a rejected branch";
  const beside = world.triesBeside(itemId).find((other) => isOpen(world, member, other));
  if (beside !== undefined) return `a grant beside another try of the same work: ${beside}`;
  const verdict = world.verdictOf(itemId, event.answers);
  const standing = verdict?.standing ?? null;
  if (standing !== null && member.known.revokedStandings.has(standing)) return "a grant on a revoked standing approval";
  const rejected =
    verdict?.gate === "audit" && world.foldedBy(member, itemId, "decisions").some((d) => d.kind === "reject" && d.answers?.eventId === verdict.eventId);
  if (rejected) return "a grant of what its review had refused";
  // A retry clears up what may have run: no withdrawal keeps it from that.
  const withdrawn = world.foldedBy(member, itemId, "decisions").some((d) => d.kind === "withdraw" && d.answers?.eventId === verdict?.eventId);
  if (!again && withdrawn) return "a grant of what was withdrawn";
  if (event.notAfter === null && !again) return "a grant that never lapses";
  const floor = again ? null : world.floorOver(member, event);
  return floor === null ? null : `a grant past the floor in force: ${floor}`;
}

/** A halt that is over, a branch that nobody rejected or a withdrawal that never was keeps nothing from being granted. */
function withholdsForAReason(world: World, member: Member, itemId: string, event: EventOf["resumes"]): string | null {
  if (event.outcome !== "withheld") return null;
  // Floors, budgets and the bounds of standing approvals take more than the own item to know.
  const bounded = world.onTheTable(itemId, world.verdictOf(itemId, event.answers)?.answers ?? null).some((a) => a.tool === "pay");
  if (bounded || (world.verdictOf(itemId, event.answers)?.standing ?? null) !== null) return null;
  // A withdrawal of what is approved and not granted has no effect of its own: that nothing is granted is its effect.
  const withdrawn = ((world.truth.logs.get(itemId)?.decisions ?? []) as (EventOf["decisions"] | null)[]).some((d) => d?.kind === "withdraw");
  const takenBack = withdrawn || world.foldedBy(member, itemId, "decisions").some((d) => d.kind === "reject");
  // What another try of the same work has come to must be known to whoever lets this one run.
  const tried = world.triesBeside(itemId).some((other) => world.foldedBy(member, other, "receipts").some((r) => r.kind === "started"));
  return takenBack || tried || world.halted(member, itemId) || world.branchOver(member, itemId)
    ? null
    : `withheld, and nothing is in its way: ${event.message}`;
}

function keepsTheEffectKey(world: World, _member: Member, itemId: string, event: EventOf["resumes"]): string | null {
  const root = world.rootOf(itemId);
  const wrong = event.actions.find((a) => a.effectKey !== effectKeyOf(root, a.actionId, a.argsSha256));
  return wrong === undefined ? null : `the effect key of ${wrong.actionId} is not that of its root ${root}`;
}

function startsNothingThatIsBarred(world: World, member: Member, itemId: string, event: EventOf["receipts"]): string | null {
  if (event.kind !== "started") return null;
  if (world.halted(member, itemId)) return "a start under a halt";
  const grant = world.truth.fact(itemId, "resumes", event.answers?.eventId ?? "");
  const standing = world.verdictOf(itemId, grant?.answers ?? null)?.standing ?? null;
  if (grant?.outcome !== "roll_back" && world.branchOver(member, itemId)) return "a start in a rejected branch";
  if (grant?.outcome !== "roll_back" && standing !== null && member.known.revokedStandings.has(standing)) return "a start on a revoked standing approval";
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

/** A withdrawal that came while a step of a plan ran was refused: once that step has ended, the rest is not taken back for it. */
function takesBackNothingForWhatWasRefused(world: World, member: Member, itemId: string, event: EventOf["receipts"]): string | null {
  if (event.kind !== "revoked" || !(event.error === null || event.error.code === "withdrawn")) return null;
  if (event.error === null && world.foldedBy(member, itemId, "decisions").some((d) => d.kind === "reject")) return null;
  const ended = world.foldedBy(member, itemId, "receipts").findLast((r) => r.kind === "succeeded" && r.answers?.eventId === event.answers?.eventId);
  if (ended === undefined) return null;
  const all = (world.truth.logs.get(itemId)?.decisions ?? []) as (EventOf["decisions"] | null)[];
  const after = all.some((d) => d?.kind === "withdraw" && d.actor.kind === "agent" && d.occurredAt > ended.occurredAt);
  return after ? null : "the rest of a plan taken back for a withdrawal that came while a step ran";
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

function triesNothingAgainThatIsBarred(world: World, member: Member, itemId: string, { settlement, actor }: EventOf["decisions"]): string | null {
  if (settlement?.outcome !== "retry") return null;
  if (world.halted(member, itemId)) return `a try again by ${actor.id} under a halt`;
  const back = world.foldedBy(member, itemId, "resumes").at(-1)?.outcome === "roll_back";
  return !back && world.branchOver(member, itemId) ? `a try again by ${actor.id} in a rejected branch` : null;
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
      world.violate("one status for all", `${member.process.name} folds ${name} as ${status} (${reason}), another as ${before.status} (${before.reason})`);
    if (before !== undefined) continue;
    world.truth.statuses.set(name, { status, reason });
    if (status === "illegal" && WORKERS.includes(event.actor.kind))
      world.violate("workers stay within the rules", `a worker wrote what is illegal: ${name}, ${reason}`);
    if (status === "effective" && topic === "decisions") checkRetry(world, itemId, event as EventOf["decisions"]);
  }
}

function checkRetry(world: World, itemId: string, event: EventOf["decisions"]): void {
  if (event.actor.kind !== "clock" || event.settlement?.outcome !== "retry") return;
  const actionId = world.truth.fact(itemId, "receipts", event.answers?.eventId ?? "")?.actionId;
  const tool = world.truth.effective(itemId, "proposals")[0]?.actions.find((a) => a.actionId === actionId)?.tool as Tool;
  const tried = retriesOf(world, itemId, actionId ?? "");
  if (tried > TOOLS[tool].retries) world.violate("retries are bounded", `the clock tried ${tool} of ${itemId} again for the ${tried}th time`);
}
