import { isAudit } from "../ledger/decisions.ts";
import type { Item, VerdictNode } from "../ledger/item.ts";
import { documentsOf } from "../policy/earlier-version.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { Bar } from "./dispatcher.ts";
import type { PublishedPolicies } from "./published-policies.ts";
import type { LiveUsage } from "./usage.ts";

/** What the floors and budgets in force forbid is not granted, whatever was decided under the documents of before. */
export function policyBar(events: EventStore, policies: PublishedPolicies, usage: LiveUsage, now: () => number): Bar {
  return async ({ itemId, item }, verdict, outcome) => {
    // What takes an execution back is not held against limits on executions.
    if (outcome === "roll_back" || item.proposal === null) return null;
    const [proposal, reached] = await Promise.all([events.get(itemId, "proposals", item.proposal), events.get(itemId, "verdicts", restored(item, verdict).id)]);
    if (proposal === undefined || reached === undefined) return null; // The dispatcher says so, and tries again.
    const { workspace } = proposal;
    const before = { earlier: usage.earlier(itemId, workspace), orGranted: usage.earlierOrGranted(itemId, workspace) };
    const { route, approvals, approvalOrder, separation } = verdict.terms;
    return policies.barAtGrant({ proposal, actions: verdict.actions, now: now() }, before, {
      ...{ flowed: route === "allow" || isAudit(verdict.terms), approvals, approvalOrder, separation },
      matched: new Set(reached.matched.map(({ rule }) => rule)),
      judgedBy: new Set(documentsOf(reached).map(({ sha256 }) => sha256)),
    });
  };
}

/** The verdict whose terms are in force: that of before where policy forbade an edit. */
export function restored(item: Item, verdict: VerdictNode): VerdictNode {
  let at = verdict;
  while (at.fallback) {
    const edit = item.nodes.get(at.cause);
    const before = edit?.topic === "decisions" ? item.nodes.get(edit.cause) : undefined;
    if (before?.topic !== "verdicts") return at;
    at = before;
  }
  return at;
}
