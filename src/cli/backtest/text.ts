import type { Backtest } from "../../policy/backtest.ts";
import { cut, oneLine, pad, plural, shortId } from "../text.ts";

/** The sentence of a backtest: what a policy would have let through, and what people had said of it. */
export function sentenceOf({ letThrough: { count, edited, rejected } }: Backtest): string {
  return count === 0 ? "would have let nothing more through" : `would have let ${count} through, ${edited} of them edited, ${rejected} rejected`;
}

/** A backtest as lines for a terminal. */
export function backtestLines(result: Backtest, width: number): string[] {
  const { proposals, cells, letThrough, stopped, reviews, budgetHits, errors } = result;
  const contested = letThrough.items.filter(({ decision }) => decision === "edit" || decision === "reject");
  const owner = Math.min(40, Math.max(5, ...reviews.map((review) => oneLine(review.owner).length)));
  return [
    `${plural(proposals, "proposal")} judged again`,
    ...(proposals === 0 ? [] : ["", row("before", "now", "decision", "items")]),
    ...cells.map(({ before, after, decision, count }) => row(before, after, decision, String(count))),
    "",
    `${sentenceOf(result)}${contested.length > 0 ? ":" : ""}`,
    ...contested.map(({ itemId, tool, agent, decision }) =>
      cut(`  ${shortId(itemId)}  ${pad(decision, 7)} ${oneLine(tool)}, by ${oneLine(agent)}`.trimEnd(), width),
    ),
    ...(stopped.asked + stopped.forbidden === 0
      ? []
      : [`would have asked a person about ${stopped.asked} that ran without one, and forbidden ${stopped.forbidden}`]),
    ...(reviews.length === 0 ? [] : ["", `${pad("day (UTC)", 10)}  ${pad("owner", owner)}  reviews`]),
    ...reviews.map(({ owner: name, day, before, after }) => `${day}  ${pad(cut(oneLine(name), owner), owner)}  ${before} → ${after}`),
    ...(budgetHits.length === 0 ? [] : [""]),
    ...budgetHits.map(({ budget, count }) => `budget ${oneLine(budget)} took hold ${count === 1 ? "once" : `${count} times`}`),
    ...Object.entries(errors).map(([code, count]) => `${plural(count, "judgement")} ended in ${code}`),
  ];
}

function row(before: string, after: string, decision: string, count: string): string {
  return `  ${pad(before, 10)} → ${pad(after, 10)} ${pad(decision, 12)} ${count.padStart(7)}`;
}
