import { isOpen } from "../../src/ledger/describe.ts";
import type { NodeKey } from "../../src/ledger/item.ts";
import { mustBeStarted, reachedBy } from "../../src/ledger/must-start.ts";
import { dumpViews } from "../../src/projector/dump.ts";
import type { Todo } from "../../src/projector/list-queries.ts";
import { haltedFor } from "../../src/workers/halted.ts";
import { unstartedGrants } from "../../src/workers/revoke.ts";
import { judgeHistory } from "../ledger/oracle.ts";
import { nameOf } from "./truth.ts";
import type { Member, World } from "./world.ts";

/** Checks what must hold once everything that was sent has arrived and nothing is left to do at this time. */
export function checkAtRest(world: World): void {
  for (const member of world.members) {
    checkOwed(world, member);
    checkSwept(world, member);
  }
}

/** Everything that is owed is written, but for what must wait. */
function checkOwed(world: World, member: Member): void {
  const { ledger, name } = member.process;
  for (const worker of ["policy", "dispatcher", "clock"] as const)
    for (const todo of ledger.queries.todos(worker, ledger.now() - 1000, 200))
      if (!mayWait(world, member, todo))
        world.violate(
          "what is owed is written",
          `${name} owes ${todo.duty} ${todo.names ?? ""} to ${todo.itemId} (${todo.cause}), and nobody writes it: ${member.process.troubles.at(-1) ?? ""}`,
        );
}

function mayWait(world: World, member: Member, { itemId, duty, names, cause, due }: Todo): boolean {
  const item = world.item(itemId);
  if (duty === "judge") {
    const old = item?.replaces == null ? undefined : member.process.ledger.queries.item(item.replaces);
    return item?.replaces != null && old?.stage !== "done" && cause.startsWith("proposals/");
  }
  // What a halt kept from being approved waits as long again.
  if (duty === "escalate" || duty === "expire") {
    const { queries, halts, now } = member.process.ledger;
    const view = queries.item(itemId);
    const node = view?.item.nodes.get(cause as NodeKey);
    return view !== undefined && node?.topic === "verdicts" && due + haltedFor(halts)(view, node, now()) > now() - 1000;
  }
  if (duty !== "resume" || !["proceed", "proceed_edited", "roll_back"].includes(names ?? "")) return false;
  // Two tries of the same work never run at a time.
  if (names !== "roll_back" && isBesideAnother(world, member, itemId)) return true;
  const begun = names === "roll_back" || isRetry(world, itemId, cause);
  return member.known.isFlagged(itemId) || (begun && world.halted(member, itemId));
}

/** Whether another try of the same work may run or is in doubt. */
function isBesideAnother(world: World, { process }: Member, itemId: string): boolean {
  const open = ["granted", "executing", "in_doubt"];
  return world.triesBeside(itemId).some((id) => open.includes(process.ledger.queries.item(id)?.stage ?? ""));
}

function isRetry({ truth }: World, itemId: string, cause: string): boolean {
  const [topic, id = ""] = cause.split("/");
  return topic === "decisions" && truth.fact(itemId, "decisions", id)?.kind === "settle";
}

const SWEPT = "what is taken back is swept";

/** Nothing is left that a halt, a rejected branch, a withdrawal or the end of a standing approval takes back. */
function checkSwept(world: World, member: Member): void {
  const { queries } = member.process.ledger;
  for (const [itemId, item] of world.items) {
    const view = queries.item(itemId);
    if (view === undefined) continue;
    world.count(`state ${view.stage}`);
    const { verdict } = view.life;
    const inBranch = world.branchOver(member, itemId);
    if (inBranch && verdict !== null && isOpen(verdict)) world.violate(SWEPT, `${itemId} is pending in a rejected branch`);
    const [grant] = unstartedGrants(view);
    if (grant === undefined) continue;
    if (world.halted(member, itemId)) world.violate(SWEPT, `${itemId} can be started under a halt`);
    if (inBranch) world.violate(SWEPT, `${itemId} can be started in a rejected branch`);
    const standing = verdict === null ? null : (world.truth.fact(itemId, "verdicts", verdict.id)?.standing ?? null);
    if (standing !== null && member.known.revokedStandings.has(standing)) world.violate(SWEPT, `${itemId} can be started on a revoked standing approval`);
    if (verdict?.group.withdrawn && reachedBy(grant, verdict.group.withdrawnAt ?? 0)) world.violate(SWEPT, `${itemId} can be started though it was withdrawn`);
    const asked = queries
      .timeline(itemId)
      .some((e) => e.what === "withdraw" && e.status === "superseded" && e.actor === `agent:${item.agent}` && reachedBy(grant, e.occurredAt));
    if (asked) world.violate(SWEPT, `${itemId} can be started though its agent has withdrawn it`);
  }
}

/** All processes show the same, row for row. */
function checkViews({ members, violate }: World): void {
  if (members.length < 2) return;
  const [first, ...others] = members.map((m) => [...dumpViews(m.process.ledger.projector.views.db)]);
  for (const [i, other] of others.entries()) {
    const at = other.findIndex((line, j) => line !== first?.[j]);
    if (at >= 0 || other.length !== first?.length)
      violate("one view for all", `${members[i + 1]?.process.name} shows other views than ${members[0]?.process.name}:\n${first?.[at]}\nis not\n${other[at]}`);
  }
}

/** Checks at the end of a history: what became of every event, by the independent reading of the rules, and what clients were told. */
export function checkHistory(world: World): void {
  const { truth, members } = world;
  checkViews(world);
  for (const [itemId, logs] of truth.logs) {
    const due = judgeHistory(logs);
    for (const [key, status] of Object.entries(due.events)) {
      const got = truth.statuses.get(`${itemId}/${key}`)?.status ?? "parked";
      if (got !== status && !key.startsWith("policies/"))
        world.violate("as the rules say", `${itemId}/${key} is ${got}, and the rules say ${status}: ${due.why[key]}`);
    }
  }
  for (const { what, itemId, topic, eventId, effective } of world.told) {
    const is = truth.isEffective(itemId, topic, eventId);
    if (is !== effective && !(is && isGivenBack(world, itemId, eventId)))
      world.violate(
        "what is told is true",
        `${what} was told that it ${effective ? "took effect" : "had none"}, and it ${is ? "did" : "did not"} (${nameOf(itemId, topic, eventId)})`,
      );
  }
  for (const [itemId, { refused, taken }] of world.withdrawals) if (refused && !taken) checkNotWithdrawn(world, itemId);
  for (const { itemId } of world.items.values()) {
    const view = members[0]?.process.ledger.queries.item(itemId);
    if (view === undefined) continue;
    if (view.outcome !== null) world.count(`outcome ${view.outcome}`);
    for (const { code } of members[0]?.process.ledger.queries.findingsOf(itemId) ?? []) world.count(`finding ${code}`);
    // After days without anybody, nothing is left on its way: it has ended, or waits for a person.
    const waits = view.stage === "pending" ? view.life.verdict?.terms.expiresAt === null || view.life.verdict?.group.held : view.stage === "in_doubt";
    const stopped = world.members.some((m) => m.known.isFlagged(itemId) || world.halted(m, itemId));
    // What clears up or undoes what has run waits for an executor as long as it takes.
    const { resume } = view.life;
    const isIdle = view.stage === "granted" || (view.stage === "executing" && resume?.group.running === null);
    if (resume !== null && isIdle && mustBeStarted(view.item, resume)) continue;
    const beside = view.stage === "settled" && members.some((m) => isBesideAnother(world, m, itemId));
    if (view.stage !== "done" && !waits && !stopped && !beside && !isWaitingForReplaced(world, itemId))
      world.violate("nothing is left on its way", `${itemId} is ${view.stage} for ever`);
  }
}

/** A withdrawal that was refused takes nothing back, then or later. On what ran at once it may be in the log as effective: it stops nothing by that. */
function checkNotWithdrawn({ truth, violate, alone }: World, itemId: string): void {
  const decisions = truth.effective(itemId, "decisions");
  const withdraws = decisions.filter((d) => d.kind === "withdraw" && d.actor.kind === "agent").map((d) => d.eventId);
  const answered = truth.effective(itemId, "resumes").find((r) => {
    if (r.outcome === "withdrawn") return withdraws.includes(r.answers?.eventId ?? "");
    // What was approved, and not granted for that.
    return r.outcome === "withheld" && r.answers?.topic === "decisions" && r.message === "It was withdrawn before anything was granted.";
  });
  const rejected = decisions.some((d) => d.kind === "reject");
  const revoked = truth
    .effective(itemId, "receipts")
    .find((r) => r.kind === "revoked" && (r.error?.code === "withdrawn" || (r.error === null && withdraws.length > 0 && !rejected)));
  // Whether it came while a step ran is told by two clocks where there are two processes, and those may differ.
  const by = answered ?? (alone ? revoked : undefined);
  if (by !== undefined) violate("what is refused has no effect", `every withdrawal of ${itemId} was refused, and ${by.eventId} took it back`);
}

function isWaitingForReplaced({ items, members }: World, itemId: string): boolean {
  const old = items.get(itemId)?.replaces;
  const view = old == null ? undefined : members[0]?.process.ledger.queries.item(old);
  return view !== undefined && view.stage !== "done";
}

/** Whether it is a claim that its holder has given back: one that meets its holder's own vote is refused, and ended by a release. */
function isGivenBack({ truth }: World, itemId: string, eventId: string): boolean {
  const decisions = truth.effective(itemId, "decisions");
  const claim = decisions.find((d) => d.kind === "claim" && d.eventId === eventId);
  return claim !== undefined && decisions.some((d) => d.kind === "release" && d.actor.id === claim.actor.id);
}
