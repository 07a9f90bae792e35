import type { CompiledAction, CompiledPolicy } from "../compiled.ts";
import type { Facts } from "../conditions/condition.ts";
import { spanEnd } from "../span.ts";
import { assess, type Surroundings } from "./assess.ts";
import { type Opinion, rankOf, type Subject } from "./opinion.ts";
import { joinOrders } from "./people.ts";
import { contributionsOf, matchedOf, reasonsOf, told, unroutedReason, withReadings, wouldPassOf } from "./reasons.ts";
import { decidingPeople, routesFor, unroutedBy } from "./routed.ts";

/** The opinion of one entry of a catalogue on one action whose arguments conform to its schema. */
export function judgeAction(policy: CompiledPolicy, action: CompiledAction, subject: Subject, around: Surroundings): Opinion {
  const facts: Facts = { ...subject.facts, baseRisk: action.baseRisk, risk: action.baseRisk };
  const { now } = facts;
  const outcome = assess(policy, action, facts, subject.evidence, around);
  const hits = withReadings(outcome.hits, facts);
  const finalFacts: Facts = { ...facts, risk: outcome.risk };
  const routed = routesFor(action.routes, finalFacts);
  const { calendar } = policy;
  const people = decidingPeople(policy, action, now, routed);
  const order = joinOrders([people.approvalOrder, outcome.approvalOrder]);
  const because = [...reasonsOf(policy, action, subject, outcome, hits), ...unroutedReason(outcome, unroutedBy(routed, finalFacts))];
  const name = action.name ?? facts.tool;
  const end = (span: Parameters<typeof spanEnd>[1]) => spanEnd(now, span, calendar);
  return {
    policy: policy.ref,
    rank: rankOf(policy, subject.index, action.name),
    route: outcome.route,
    risk: outcome.risk,
    score: outcome.score,
    contributions: contributionsOf(action, outcome, hits),
    reversibility: action.reversibility,
    gate: outcome.gate,
    matched: matchedOf(action, subject.actionId, outcome, hits),
    because,
    wouldPass: wouldPassOf(policy, action, subject, outcome, hits),
    error: null,
    ...people,
    approvals: Math.max(people.approvals, outcome.approvals, order.length),
    approvalOrder: order,
    separation: [...new Set([...people.separation, ...hits.flatMap((hit) => hit.rule.separation)])],
    decisions: action.decisions,
    calendar,
    batch:
      outcome.route === "batch"
        ? { key: `${policy.workspace}:${policy.ref.id}:${name}:${people.owner}`, max: policy.batch.max, windowMs: end(policy.batch.window) - now }
        : null,
    // Somebody has to be called when the window closes: where nobody is named, who answers for the document.
    audit:
      outcome.window === undefined
        ? null
        : { untilMs: end(outcome.window) - now, ladder: people.ladder.length > 0 ? people.ladder : [{ to: policy.owner, timeout: 0, page: true }] },
    editable: action.editable.map((path) => ({ actionId: subject.actionId, path })),
    step: { actionId: subject.actionId, execution: action.execution, leaseMs: action.leaseMs, reversibility: action.reversibility, because: told(because) },
    grantTtlMs: action.grantTtlMs,
    budgets: outcome.grants.flatMap(({ uses }) => uses),
    unusual: new Set(hits.flatMap((hit) => hit.readings.filter((reading) => reading.isArgument).map((reading) => reading.path))),
    action,
  };
}
