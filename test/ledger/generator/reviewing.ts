import type { Loose } from "../oracle/model.ts";
import type { Action } from "../oracle/terms.ts";
import { applyEdit, nothingToDecide, reviewOf } from "../oracle/terms.ts";
import { AGENT, agent, answering, answersTo, argsOf, clock, type Meant, newAction, newId, person, policy, type View, WORKSPACE, type World } from "./world.ts";

/** What a writer wants to append; `meant` is remembered under the new id. */
export interface Draft {
  readonly event: Loose;
  readonly meant?: Meant;
}

const SECOND = 1000;

export function propose(world: World, view: View): Draft | null {
  const { rng } = world;
  if (view.proposals.length > 0 && !rng.chance(0.3)) return null;
  const ask = rng.weighted({ review: 8, question: 1, notify: 1 });
  const count = ask !== "review" ? (rng.chance(0.05) ? 1 : 0) : world.kind === "basic" ? 1 : 1 + rng.below(3);
  return {
    event: {
      idempotencyKey: "key",
      workspace: WORKSPACE,
      ask,
      agent: { id: AGENT, owner: "boss" },
      actor: agent(),
      onBehalfOf: rng.chance(0.5) ? { id: "usr", scopes: [] } : null,
      actions: Array.from({ length: count }, (_, i) => newAction(rng, i + 1)),
    },
  };
}

/** A verdict on the proposal or on an edit that has none in this view. */
export function judge(world: World, view: View): Draft | null {
  const { rng } = world;
  const edits = view.decisions.filter((d) => d.kind === "edit" && answering(view, "verdicts", d.eventId).length === 0);
  const proposal = view.proposals.find((p) => !p.answers);
  const fresh = proposal && (answering(view, "verdicts", proposal.eventId).length === 0 || rng.chance(0.1));
  const cause = edits.length > 0 && rng.chance(0.9) ? rng.pick(edits) : fresh ? proposal : undefined;
  if (!cause) return null;
  const edit = cause.kind === "edit" ? cause : null;
  const before = edit ? world.meant.get(edit.answers?.eventId) : undefined;
  if (edit && !before) return null;
  const actions: readonly Action[] = edit && before ? after(before.actions ?? [], edit) : cause.actions;
  const event = verdict(world, edit !== null, actions);
  event.answers = answersTo(edit ? "decisions" : "proposals", cause);
  if (edit && event.route === "forbid") return { event, meant: before as Meant };
  return { event, meant: { actions, ruling: event, edited: edit !== null } };
}

function after(actions: readonly Action[], edit: Loose): readonly Action[] {
  return applyEdit(actions, edit).filter((a) => a !== undefined);
}

function verdict(world: World, again: boolean, actions: readonly Action[]): Loose {
  const { rng, kind, now } = world;
  const full = kind === "full";
  const ladder =
    full && rng.chance(0.5)
      ? Array.from({ length: 1 + rng.below(2) }, (_, i) => ({ step: i + 1, at: now + (20 + 40 * i) * SECOND, to: `o${i + 2}`, page: false }))
      : [];
  const route = rng.weighted(again ? { allow: 2, batch: 1, interrupt: 5, forbid: 3 } : { allow: 2, batch: 2, interrupt: 8, forbid: 1 });
  const asks = world.logs.proposals[0]?.ask;
  return {
    actor: policy(rng),
    route,
    gate: full && route !== "forbid" && rng.chance(0.25) ? "audit" : route === "allow" ? "none" : rng.pick(["soft", "hard"]),
    approvals: full ? rng.pick([0, 1, 1, 1, 2, 2, 3]) : 1,
    approvalOrder: full && rng.chance(0.25) ? ["o1", "o2"] : [],
    separation: rng.pick([[], [], ["proposer", "agent_owner"], ["agent_owner"], ["earlier_approver"]]),
    allowedDecisions: ["approve", "edit", "reject", asks === "notify" ? "acknowledge" : "respond", ...(rng.chance(0.2) ? ["acknowledge"] : [])].slice(
      rng.chance(0.1) ? 1 : 0,
    ),
    editablePaths: actions.filter(() => rng.chance(0.85)).map((a) => ({ actionId: a.actionId, path: rng.pick(["/v", "/v", "", "/n"]) })),
    owner: rng.chance(0.97) ? rng.pick(["o1", "o1", "o1", "o2"]) : null,
    ladder,
    expiresAt: rng.chance(0.85) ? now + (30 + rng.below(150)) * SECOND : null,
    onExpiry: rng.pick(["reject", "hold"]),
    steps: actions.map((a) => ({
      actionId: a.actionId,
      execution: rng.pick(["blind", "queryable", "idempotent"]),
      leaseMs: 60,
      reversibility: "partially",
      because: [],
    })),
    cardSha256: rng.chance(0.8) ? `card${world.ids}` : null,
  };
}

/** Mostly the last verdict that people have something to decide on. */
function undecided({ rng, nodes }: World, view: View): Loose {
  if (view.verdicts.length === 0) return undefined;
  if (rng.chance(0.05)) return rng.pick(view.verdicts);
  return view.verdicts.findLast((v) => {
    const node = nodes.get(`verdicts/${v.eventId}`);
    if (node === undefined || nothingToDecide(node)) return false;
    const seen = answering(view, "decisions", v.eventId).map((d) => nodes.get(`decisions/${d.eventId}`));
    const closed =
      reviewOf(
        node,
        seen.filter((n) => n !== undefined),
      ).closedBy !== null;
    return !closed || rng.chance(0.15);
  });
}

/** A reviewer does something about a verdict that it sees. */
export function review(world: World, view: View): Draft | null {
  const { rng } = world;
  const on = undecided(world, view);
  if (!on) return null;
  const { ruling, actions } = world.meant.get(on.eventId) ?? {};
  if (!ruling || !actions) return null;
  const done = answering(view, "decisions", on.eventId);
  const asks = view.proposals[0]?.ask;
  const kind = rng.chance(0.02)
    ? "clear"
    : asks === "question" && rng.chance(0.6)
      ? "respond"
      : asks === "notify" && rng.chance(0.6)
        ? "acknowledge"
        : ruling.gate === "audit" && rng.chance(0.8)
          ? rng.weighted({ approve: 2, reject: 3, claim: 2 })
          : rng.weighted({ approve: 9, claim: 4, edit: 6, reject: 1.5, respond: 0.6, acknowledge: 0.2, release: 1 });
  const actor = person(rng);
  const event: Loose = { answers: answersTo("verdicts", on), actor, kind, scope: "action" };
  const claims = done.filter((d) => d.kind === "claim" && d.lease);
  if (kind === "clear") event.cleared = rng.chance(0.9) ? rng.pick(["bad1", "bad2"]) : null;
  else if (kind === "claim")
    event.lease = {
      id: rng.chance(0.1) && claims.length > 0 ? rng.pick(claims).lease.id : `L${world.ids}`,
      endsAt: world.now + 40 * SECOND,
      takenOver: rng.chance(0.3),
    };
  else if (kind === "release") {
    if (claims.length === 0) return null;
    const claim = rng.chance(0.8) ? claims.at(-1) : rng.pick(claims);
    event.lease = { ...claim.lease };
    if (rng.chance(0.8)) event.actor = claim.actor;
  } else {
    event.seen = { cardSha256: rng.chance(0.95) ? (ruling.cardSha256 ?? null) : "another" };
    // A reviewer who holds the lease is the one who decides most of the time.
    if (claims.length > 0 && rng.chance(0.6)) event.actor = claims.at(-1)?.actor;
    if (kind === "edit") Object.assign(event, editOf(world, actions));
  }
  return { event };
}

function editOf({ rng }: World, actions: readonly Action[]): Loose {
  const edits = actions
    .filter(() => rng.chance(0.7))
    .map((a) => {
      const { args, argsSha256 } = rng.chance(0.1)
        ? a
        : argsOf(1 + rng.below(4), rng.chance(0.85) === a.args.includes("n") ? 1 + rng.below(2) : null, rng.chance(0.08));
      return { actionId: a.actionId, args, argsSha256: rng.chance(0.97) ? argsSha256 : "0".repeat(64) };
    });
  const dropped = actions.length > 1 && rng.chance(0.25) ? [rng.pick(actions).actionId] : rng.chance(0.03) ? ["s9"] : [];
  const kept = actions.map((a) => a.actionId).filter((id) => !dropped.includes(id));
  const order = kept.length > 0 && rng.chance(0.25) ? (rng.chance(0.1) ? kept.slice(1) : [...kept].reverse()) : [];
  return { edits: edits.filter((e) => !dropped.includes(e.actionId) || rng.chance(0.1)), dropped, order };
}

/** The clock escalates, expires, and ends leases. */
export function tick(world: World, view: View): Draft | null {
  const { rng } = world;
  const on = undecided(world, view);
  if (!on) return null;
  const ruling = world.meant.get(on.eventId)?.ruling;
  if (!ruling) return null;
  const done = answering(view, "decisions", on.eventId);
  const event: Loose = { answers: answersTo("verdicts", on), actor: clock(rng), scope: "action" };
  const kind = rng.weighted({ escalate: ruling.ladder.length > 0 ? 4 : 0.2, expire: 3, release: 2, withdraw: 0.4 });
  const early = rng.chance(0.15);
  event.kind = kind;
  if (kind === "escalate") {
    const step = done.filter((d) => d.kind === "escalate").length + (rng.chance(0.1) ? 2 : 1);
    const due = ruling.ladder[step - 1];
    event.escalation = { step, from: "o1", to: due?.to ?? "o2" };
    event.occurredAt = (due?.at ?? world.now) + (early ? -1 : 1);
  } else if (kind === "expire") event.occurredAt = (ruling.expiresAt ?? world.now) + (early ? -1 : 0);
  else if (kind === "release") {
    const claim = done.findLast((d) => d.kind === "claim" && d.lease);
    if (!claim) return null;
    event.lease = { ...claim.lease };
    event.occurredAt = claim.lease.endsAt + (early ? -1 : 0);
  }
  return { event };
}

export function withdraw(world: World, view: View): Draft | null {
  if (view.verdicts.length === 0) return null;
  return { event: { answers: answersTo("verdicts", world.rng.pick(view.verdicts)), actor: agent(), kind: "withdraw", scope: "action" } };
}

export function seal(world: World, view: View): Draft | null {
  const { rng } = world;
  const batched = view.verdicts.filter((v) => v.route === "batch" || rng.chance(0.1));
  if (batched.length === 0) return null;
  const on = rng.pick(batched);
  return {
    event: {
      answers: answersTo("verdicts", on),
      actor: { kind: "batcher", id: "b", roles: [] },
      batchId: newId(world),
      batchKey: "k",
      owner: "o1",
      members: [],
      sealedBy: "window",
    },
  };
}
