import { CountersignError } from "../../errors.ts";
import { changedPaths } from "../../events/changed-paths.ts";
import { nodeOf, type VerdictNode } from "../../ledger/item.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { type DecideRequest, REVIEWS } from "./decision-event.ts";
import type { Context } from "./ledger.ts";
import { canDecide } from "./verdict-view.ts";

/**
 * The verdict that a decision answers: the one in force, which must be the one that was seen.
 *
 * @throws CountersignError not_judged_yet, stale (saying what has changed), settled, request_invalid
 */
export function currentVerdict(context: Context, view: StoredItemView, request: DecideRequest): VerdictNode {
  const { life, item } = view;
  const { verdict } = life;
  if (verdict === null || (view.stage === "rejudging" && !REVIEWS.has(request.kind) && request.kind !== "clear")) {
    throw new CountersignError("not_judged_yet", `Policy has not judged ${verdict === null ? "this item" : "the edited arguments"} yet`, {
      retryable: true,
      field: "/kind",
      value: request.kind,
      fix: "try again in a moment",
    });
  }
  if (request.verdict !== undefined && request.verdict !== verdict.id) {
    const seen = nodeOf(item, "verdicts", request.verdict);
    if (seen === undefined)
      throw new CountersignError("request_invalid", "/verdict is no verdict of this item", {
        field: "/verdict",
        value: request.verdict,
        fix: `the verdict in force is ${verdict.id}`,
      });
    if (REVIEWS.has(request.kind)) throw changed(context, view, seen, verdict, "/verdict");
  }
  const seenCard = request.seen?.cardSha256;
  if (seenCard !== undefined && seenCard !== verdict.terms.cardSha256 && canDecide(verdict))
    throw changed(context, view, verdict, verdict, "/seen/cardSha256", seenCard);
  return verdict;
}

/** Never tells the hash of the card that stands now: only who opens the item knows it (a batch takes it as proof). */
function changed({ ledger }: Context, view: StoredItemView, seen: VerdictNode, now: VerdictNode, field: string, seenCard?: string | null): CountersignError {
  const edit = seen.group.closedBy;
  const by = edit === null ? undefined : ledger.queries.event(view.itemId, "decisions", edit.id)?.actor;
  if (!canDecide(now))
    return new CountersignError(
      "settled",
      `Nothing is left to decide: the item is ${view.stage}${view.outcome === null ? "" : ` (${view.outcome})`}${by === undefined ? "" : `; what you saw was closed by ${edit?.kind} of ${by}`}`,
      {
        field,
        value: seen.id,
        fix: "read the item again to see how it went on",
      },
    );
  const isPlan = seen.actions.length > 1;
  const paths = now.actions.flatMap((action) => {
    const before = seen.actions.find((a) => a.actionId === action.actionId);
    const changed = before === undefined ? [] : changedPaths(JSON.parse(before.args), JSON.parse(action.args));
    return changed.map((path) => (isPlan ? `${action.actionId} ${path || "the root"}` : path || "the root"));
  });
  const kept = seen.actions.filter((a) => now.actions.some((b) => b.actionId === a.actionId));
  const gone = seen.actions.filter((a) => !kept.includes(a)).map((a) => a.actionId);
  const moved = kept.some((a, i) => a.actionId !== now.actions[i]?.actionId);
  const what = [
    ...(seen === now ? [] : [`the verdict is ${now.id} now${by === undefined ? "" : `, after the ${edit?.kind} of ${by}`}`]),
    ...((seenCard === undefined ? seen.terms.cardSha256 : seenCard) === now.terms.cardSha256
      ? []
      : [now.terms.cardSha256 === null ? "there is no card now" : "the card is another one now"]),
    ...(paths.length === 0 ? [] : [`the arguments changed at ${paths.join(", ")}`]),
    ...(gone.length === 0 ? [] : [`${gone.join(", ")} ${gone.length === 1 ? "was" : "were"} dropped`]),
    ...(moved ? [`the order is ${now.actions.map((a) => a.actionId).join(", ")} now`] : []),
    ...(seen.group.owner === now.group.owner ? [] : [`the owner is ${now.group.owner} now`]),
    ...(now.fallback ? ["policy forbade the edit, so the terms before it stand"] : []),
  ];
  return new CountersignError("stale", `The item has changed since it was seen: ${what.join("; ")}`, {
    field,
    value: field === "/verdict" ? seen.id : seenCard,
    fix: "read the item again and decide on what it says now",
  });
}
