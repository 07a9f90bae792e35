import type { Loose } from "../oracle/model.ts";
import type { Draft } from "./reviewing.ts";
import { agent, answering, answersTo, clock, dispatcher, executor, person, type View, type World } from "./world.ts";

const SECOND = 1000;
const OUTCOME: Record<string, string> = { reject: "refused", respond: "responded", acknowledge: "acknowledged", withdraw: "withdrawn", expire: "expired" };

/** The dispatcher answers something that it believes to call for a resume. */
export function resume(world: World, view: View): Draft | null {
  const { rng } = world;
  const candidates: { topic: "verdicts" | "decisions"; cause: Loose; outcome: string; actions: readonly Loose[] }[] = [];
  const owed = (id: string) => answering(view, "resumes", id).length === 0 || rng.chance(0.15);
  for (const v of view.verdicts) {
    const meant = world.meant.get(v.eventId);
    if (!meant || !owed(v.eventId)) continue;
    const again = v.answers?.topic === "decisions";
    if (v.route === "forbid" && (!again || rng.chance(0.05))) candidates.push({ topic: "verdicts", cause: v, outcome: "forbidden", actions: [] });
    else if (v.route === "allow" || v.gate === "audit" || (again && (v.approvals <= 1 || rng.chance(0.2))) || rng.chance(0.03))
      candidates.push({ topic: "verdicts", cause: v, outcome: meant.edited ? "proceed_edited" : "proceed", actions: meant.actions ?? [] });
  }
  for (const d of view.decisions) {
    if (!owed(d.eventId)) continue;
    if (d.kind === "settle" && d.settlement?.outcome === "retry") {
      const unknown = view.receipts.find((r) => r.eventId === d.answers?.eventId);
      const grant = unknown && view.resumes.find((r) => r.eventId === unknown.answers?.eventId);
      if (grant)
        candidates.push({
          topic: "decisions",
          cause: d,
          outcome: grant.outcome,
          actions: grant.actions.slice(
            Math.max(
              0,
              grant.actions.findIndex((a: Loose) => a.actionId === unknown.actionId),
            ),
          ),
        });
      continue;
    }
    const v = view.verdicts.find((x) => x.eventId === d.answers?.eventId);
    const meant = v && world.meant.get(v.eventId);
    if (!meant) continue;
    const audit = v.gate === "audit";
    if (d.kind === "approve" && (!audit || rng.chance(0.05))) {
      const votes = answering(view, "decisions", v.eventId).filter((x) => x.kind === "approve").length;
      if (votes >= (meant.ruling?.approvals ?? 1) || rng.chance(0.1))
        candidates.push({ topic: "decisions", cause: d, outcome: meant.edited ? "proceed_edited" : "proceed", actions: meant.actions ?? [] });
    } else if (d.kind === "reject" && audit)
      candidates.push({
        topic: "decisions",
        cause: d,
        outcome: "roll_back",
        actions: [...(meant.actions ?? [])].reverse().filter((_, i) => i === 0 || rng.chance(0.7)),
      });
    else if (d.kind in OUTCOME) candidates.push({ topic: "decisions", cause: d, outcome: OUTCOME[d.kind] as string, actions: [] });
  }
  if (candidates.length === 0) return null;
  const { topic, cause, outcome, actions } = rng.chance(0.7) ? (candidates.at(-1) as (typeof candidates)[number]) : rng.pick(candidates);
  const withheld = (outcome.startsWith("proceed") || outcome === "roll_back") && rng.chance(0.08);
  const named = rng.chance(0.04) && actions.length > 0 ? actions.slice(1) : actions;
  const forged = rng.chance(0.02) ? rng.pick([{ tool: "another" }, { args: '{"v":"a9"}' }, { argsSha256: "e".repeat(64) }]) : {};
  return {
    event: {
      answers: answersTo(topic, cause),
      actor: dispatcher(rng),
      outcome: withheld ? "withheld" : rng.chance(0.02) ? rng.pick(["proceed", "refused", "withheld", "roll_back"]) : outcome,
      actions: withheld
        ? []
        : named.map(({ actionId, tool, args, argsSha256 }) => ({
            actionId,
            tool,
            args,
            argsSha256,
            execution: "blind",
            leaseMs: 60,
            effectKey: "k",
            ...forged,
          })),
      notAfter: rng.chance(0.85) ? world.now + (20 + rng.below(80)) * SECOND : null,
    },
  };
}

/** What a writer believes about a grant: how far it is, what runs and under which lease, and whether it is closed. */
function belief(view: View, grant: Loose) {
  const receipts = answering(view, "receipts", grant.eventId);
  const done = receipts.filter((r) => r.kind === "succeeded" || r.kind === "compensated").length;
  const last = receipts.findLast((r) => ["started", "renewed"].includes(r.kind) && r.lease);
  const ended = receipts.some((r) => ["succeeded", "failed", "unknown", "compensated"].includes(r.kind) && r.actionId === last?.actionId);
  const over = receipts.some((r) => ["failed", "unknown", "lapsed", "revoked"].includes(r.kind));
  return { done, running: last && !ended ? last : null, last, over };
}

const grants = (view: View) => view.resumes.filter((r) => r.actions.length > 0);

/** An executor starts, renews or ends an action of a grant. */
export function execute(world: World, view: View): Draft | null {
  const { rng } = world;
  const all = grants(view);
  if (all.length === 0) return null;
  const grant = rng.chance(0.7) ? all.at(-1) : rng.pick(all);
  const { done, running, over } = belief(view, grant);
  if ((over || done === grant.actions.length) && !rng.chance(0.3)) return null;
  const action = (running && grant.actions.find((a: Loose) => a.actionId === running.actionId)) || grant.actions[Math.min(done, grant.actions.length - 1)];
  const end = grant.outcome === "roll_back" ? "compensated" : "succeeded";
  const kind = running
    ? rng.weighted({ started: 0.5, succeeded: 0.2, compensated: 0.2, [end]: 8, failed: 1.2, renewed: 1.5 })
    : rng.weighted({ started: 8, [end]: 0.4, failed: 0.2, renewed: 0.2 });
  const event: Loose = {
    answers: answersTo("resumes", grant),
    actor: executor(rng),
    kind,
    actionId: rng.chance(0.04) ? "s9" : action.actionId,
    argsSha256: rng.chance(0.95) ? action.argsSha256 : "f".repeat(64),
  };
  if (kind === "started" || kind === "renewed")
    event.lease = { id: rng.chance(0.06) && running ? running.lease.id : `X${world.ids}`, endsAt: world.now + 30 * SECOND };
  return { event };
}

/** The clock ends what ran out: unknown, lapsed, revoked. */
export function reap(world: World, view: View): Draft | null {
  const { rng } = world;
  const all = view.resumes.filter((r) => r.actions.length > 0 || rng.chance(0.05));
  if (all.length === 0) return null;
  const grant = rng.pick(all);
  const { running, last } = belief(view, grant);
  const kind = rng.weighted({ unknown: last ? (running ? 6 : 0.5) : 0, lapsed: running ? 0.5 : 2, revoked: running ? 0.4 : 1 });
  const event: Loose = { answers: answersTo("resumes", grant), actor: clock(rng), kind };
  if (kind === "unknown") {
    event.actionId = last.actionId;
    event.lease = { ...last.lease };
    event.occurredAt = last.lease.endsAt + (rng.chance(0.12) ? -1 : 0);
  } else event.occurredAt = (grant.notAfter ?? world.now) + (rng.chance(0.15) ? -1 : 0);
  return { event };
}

/** The owner settles an unknown outcome. */
export function settle(world: World, view: View): Draft | null {
  const { rng } = world;
  const open = view.receipts.filter((r) => r.kind === "unknown");
  if (open.length === 0) return null;
  const on = rng.pick(open);
  const outcome = rng.weighted({ succeeded: 2, failed: 1, retry: 4 });
  return {
    event: {
      answers: answersTo("receipts", on),
      actor: rng.chance(0.3) ? clock(rng) : rng.chance(0.02) ? agent() : person(rng),
      kind: "settle",
      scope: "action",
      settlement: { outcome, externalRef: rng.chance(0.7) ? { system: "crm", id: "1" } : null },
    },
  };
}

export function report(world: World, view: View): Draft | null {
  const { rng } = world;
  const final = view.receipts.filter((r) => r.kind !== "started" || rng.chance(0.05));
  if (final.length === 0) return null;
  return {
    event: { answers: answersTo("receipts", rng.pick(final)), actor: person(rng), kind: "report", scope: "action", incident: { severity: "low", url: null } },
  };
}
