import type { OpenedLog } from "../../log/open.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { loadCodec } from "../../log/schemas.ts";
import { durationText } from "../../policy/duration.ts";
import { eventStore } from "../../projector/event-store.ts";
import type { Queries } from "../../projector/queries.ts";
import { type Overshoot, overshootsOf } from "../../workers/overshoots.ts";
import { publishedPolicies } from "../../workers/published-policies.ts";
import { liveUsage } from "../../workers/usage.ts";
import { plural, shortId } from "../text.ts";
import type { Check } from "./checks.ts";

/** Most items of a budget that are named. */
const MOST = 10;

/** Whether more was granted in a budget's window than a limit in force lets pass. */
export async function checkBudgets(queries: Queries, { log, registry }: OpenedLog, now: number): Promise<Check> {
  const nothingFolds = () => () => {};
  const policies = publishedPolicies(queries, nothingFolds);
  const budgets = policies.enforced().flatMap((policy) => policy.budgets);
  if (budgets.length === 0) return { check: "budgets", status: "ok", detail: "no policy in force has any" };
  const events = eventStore(log, await loadCodec(registry), queries, (key) => partitionOf(key, log.partitions));
  const usage = liveUsage(queries, nothingFolds, policies.meters, () => now);
  const over = await overshootsOf({ queries, events, policies, usage }, now);
  if (over.length === 0) return { check: "budgets", status: "ok", detail: `${plural(budgets.length, "budget")}, none overshot` };
  return {
    check: "budgets",
    status: "look",
    detail: `${plural(over.length, "budget")} overshot: more was granted than a limit in force lets pass. Either the limit came later, or several ledgers judged and granted in the same moment`,
    fix: "look at each item with countersign show, and run one up per log where that must not happen",
    found: over.map(told),
  };
}

function told({ workspace, budget, key, windowMs, used, items }: Overshoot): string {
  const named = items.slice(0, MOST).map(({ itemId, total, limit, forbids }) => {
    const missing = forbids ? "which forbids it" : "which asks for more people than there were";
    return `item ${shortId(itemId)} brought it to ${total}, above ${limit}, ${missing}`;
  });
  const rest = items.length > MOST ? [`and ${items.length - MOST} more`] : [];
  return `${budget} of workspace ${workspace}, ${key}: ${used} granted in ${durationText(windowMs)}: ${[...named, ...rest].join("; ")}`;
}
