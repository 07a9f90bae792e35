import type { PolicyRef } from "../../events/types.generated.ts";
import { esc } from "../../events/visible.ts";
import { type Backtest, DECISIONS, WAYS } from "../../policy/backtest.ts";
import { moment, plural } from "../text.ts";
import { budgetPicture, flowPicture, reviewPicture } from "./pictures.ts";
import { sentenceOf } from "./text.ts";

/** What a page says beside the numbers. */
export interface PageHead {
  readonly policy: PolicyRef;
  readonly workspace: string;
  /** Times of the first and the last judgement, in milliseconds since the epoch; null where there are none. */
  readonly span: readonly [number, number] | null;
  /** Where the links to items begin: an http address without a slash at its end. */
  readonly url: string;
  /** False where the items stand in no ledger. */
  readonly linked: boolean;
}

/** Days that a page draws at most: more would be thinner than a pixel. */
const MOST_DAYS = 366;

/** Rows of items that are shown at once. */
const MOST_OPEN = 25;

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d1d9e0; --none: #818b98; --allow: #1a7f37; --audit: #5a9e1d;
  --batch: #9a6700; --interrupt: #bc4c00; --forbid: #cf222e; --now: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d; --none: #9198a1; --allow: #3fb950;
  --audit: #8ddb5e; --batch: #d29922; --interrupt: #f0883e; --forbid: #f85149; --now: #4493f8; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
.soft { color: var(--soft); } .lead { font-size: 1.15rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; }
td.count { text-align: right; font-variant-numeric: tabular-nums; } a { color: var(--now); } code { font-size: .9em; overflow-wrap: anywhere; }
svg { display: block; width: 100%; max-width: 45rem; height: auto; margin-bottom: .6rem; } td, th { vertical-align: top; } time { white-space: nowrap; } svg text { font-size: 12px; fill: var(--ink); }
.band { fill: none; opacity: .35; } .axis { stroke: var(--line); } .then { fill: var(--none); } .now { fill: var(--now); }
${WAYS.map((way) => `rect.w-${way} { fill: var(--${way}); } path.w-${way} { stroke: var(--${way}); } td.w-${way} { border-left: 4px solid var(--${way}); }`).join("\n")}
`;

/** A backtest as one HTML file: no script, nothing fetched from elsewhere, readable in dark and light. */
export function backtestPage(result: Backtest, head: PageHead): string {
  const { policy, workspace, span } = head;
  const period = span === null ? "" : `, judged from ${moment(span[0])} to ${moment(span[1])}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Backtest of ${esc(policy.id)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Backtest of ${esc(policy.id)}</h1>
<p class="soft">Workspace ${esc(workspace)}, document <code>${esc(policy.sha256.slice(0, 12))}</code>: ${plural(result.proposals, "recorded proposal")}${period}.</p>
<p class="lead">It ${esc(sentenceOf(result))}.</p>
<p>${stoppedSentence(result)}</p>
<h2>Old and new way</h2>
${result.proposals === 0 ? "<p>There is nothing to judge.</p>" : flowPicture(result) + matrix(result)}
<h2>Let through</h2>
${letThrough(result, head)}
<h2>Reviews by owner and day</h2>
<p class="soft">Left bar: as it was. Right bar, in colour: as it would be.</p>
${reviews(result)}
<h2>Budgets</h2>
${result.budgetHits.length === 0 ? "<p>No budget took hold.</p>" : budgetPicture(result.budgetHits) + budgets(result, head)}
${errors(result)}</body>
</html>
`;
}

function stoppedSentence({ stopped: { asked, forbidden } }: Backtest): string {
  if (asked + forbidden === 0) return "Nothing that ran without a person would have waited for one.";
  return `Of what ran without a person, it would have asked about ${asked} and forbidden ${forbidden}.`;
}

/** Rows: old and new way; columns: what people decided. */
function matrix({ cells }: Backtest): string {
  const decisions = DECISIONS.filter((decision) => cells.some((cell) => cell.decision === decision));
  const rows = WAYS.flatMap((before) =>
    WAYS.map((after) => {
      const own = cells.filter((cell) => cell.before === before && cell.after === after);
      if (own.length === 0) return "";
      const counts = decisions.map((decision) => own.find((cell) => cell.decision === decision)?.count ?? 0);
      const all = counts.reduce((a, b) => a + b, 0);
      return `<tr><td class="w-${before}">${before}</td><td class="w-${after}">${after}</td>${[...counts, all].map((count) => `<td class="count">${count}</td>`).join("")}</tr>`;
    }),
  );
  const heads = [...decisions.map((decision) => (decision === "none" ? "no decision" : decision)), "all"];
  return `<div class="wide"><table><thead><tr><th>before</th><th>now</th>${heads.map((name) => `<th>${name}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function letThrough({ letThrough: { items } }: Backtest, head: PageHead): string {
  if (items.length === 0) return "<p>Nothing that waited for a person would have run without one.</p>";
  const rows = items.map(
    ({ itemId, decision, tool, agent, at, before, after }) =>
      `<tr id="i-${esc(itemId)}"><td>${itemLink(itemId, head)}</td><td>${esc(tool)}</td><td>${esc(agent)}</td><td><time>${moment(at)}</time></td><td class="w-${before}">${before}</td><td class="w-${after}">${after}</td><td>${decision === "none" ? "none" : decision}</td></tr>`,
  );
  const table = (of: readonly string[]) =>
    `<div class="wide"><table><thead><tr><th>item</th><th>action</th><th>agent</th><th>judged</th><th>before</th><th>now</th><th>decision</th></tr></thead><tbody>${of.join("\n")}</tbody></table></div>`;
  // What people changed or rejected comes first; a long rest would hide what follows.
  const rest = rows.length - MOST_OPEN;
  return rest <= 0
    ? table(rows)
    : `${table(rows.slice(0, MOST_OPEN))}<details><summary>${plural(rest, "more item")}</summary>${table(rows.slice(MOST_OPEN))}</details>`;
}

function itemLink(itemId: string, { url, linked }: PageHead): string {
  const id = `<code>${esc(itemId)}</code>`;
  return linked ? `<a href="${esc(url)}/v1/items/${encodeURIComponent(itemId)}">${id}</a>` : id;
}

function reviews({ reviews: all }: Backtest): string {
  if (all.length === 0) return "<p>Nothing reaches a person, then or now.</p>";
  const days = daysOf(all);
  return [...new Set(all.map(({ owner }) => owner))]
    .sort()
    .map((owner) => {
      const own = all.filter((review) => review.owner === owner);
      const [before, after] = [own.reduce((sum, review) => sum + review.before, 0), own.reduce((sum, review) => sum + review.after, 0)];
      const table = `<details><summary>by day</summary><table><thead><tr><th>day (UTC)</th><th>before</th><th>now</th></tr></thead><tbody>${own
        .map((review) => `<tr><td>${review.day}</td><td class="count">${review.before}</td><td class="count">${review.after}</td></tr>`)
        .join("")}</tbody></table></details>`;
      return `<h3>${esc(owner)}: ${before} → ${after}</h3>${reviewPicture(owner, own, days)}${table}`;
    })
    .join("\n");
}

/** Every day from the first to the last; of a longer time only the days with reviews, the last ones. */
function daysOf(all: Backtest["reviews"]): string[] {
  const known = [...new Set(all.map(({ day }) => day))].sort();
  const [first, last] = [Date.parse(known[0] as string), Date.parse(known.at(-1) as string)];
  const count = (last - first) / 86_400_000 + 1;
  if (count > MOST_DAYS) return known.slice(-MOST_DAYS);
  return Array.from({ length: count }, (_, i) => new Date(first + i * 86_400_000).toISOString().slice(0, 10));
}

function budgets({ budgetHits }: Backtest, head: PageHead): string {
  return budgetHits
    .map(({ budget, count, items }) => {
      const list = items.map((itemId) => `<li>${itemLink(itemId, head)}</li>`).join("");
      return `<details><summary>${esc(budget)}: ${plural(count, "item")}</summary><ul>${list}</ul></details>`;
    })
    .join("\n");
}

function errors({ errors: found }: Backtest): string {
  const rows = Object.entries(found).map(([code, count]) => `<li><code>${esc(code)}</code>: ${plural(count, "judgement")}</li>`);
  return rows.length === 0 ? "" : `<h2>Errors</h2>\n<ul>${rows.join("")}</ul>\n`;
}
