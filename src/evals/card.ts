import type { Count, InsightsReport } from "./insights.ts";
import type { Manifest } from "./manifest.ts";
import { type Bar, barChart } from "./svg.ts";

/** What the pictures show. */
export interface Pictures {
  readonly labels: readonly Bar[];
  readonly actions: readonly Bar[];
  readonly reviewers: readonly Bar[];
  readonly time: readonly Bar[];
}

const TITLES: { readonly [K in keyof Pictures]: string } = {
  labels: "Rows by label",
  actions: "Decisions by action",
  reviewers: "Decisions by reviewer",
  time: "Decisions by time",
};

/** The dataset card and its pictures, as files. */
export function cardFiles(manifest: Omit<Manifest, "files">, pictures: Pictures, head: string): { name: string; text: string }[] {
  const names = Object.keys(TITLES) as (keyof Pictures)[];
  return [
    { name: "README.md", text: `${head}${cardText(manifest)}` },
    ...names.map((name) => ({ name: `charts/${name}.svg`, text: barChart(TITLES[name], pictures[name]) })),
  ];
}

function cardText(manifest: Omit<Manifest, "files">): string {
  const { target, exporter, log, filters, redaction, split, examples, items, rows, byDecision } = manifest;
  const filtered = [
    filters.workspace && `workspace ${filters.workspace}`,
    filters.after && `from ${filters.after}`,
    filters.before && `before ${filters.before}`,
  ];
  return [
    "# What people decided about an agent's actions",
    "",
    `${rows} rows in the form \`${target}\`, made by ${exporter} from ${examples} decisions on ${items} items of \`${log.id}\`.`,
    `Filters: ${filtered.filter(Boolean).join(", ") || "none"}. Redaction: ${redaction.profile}, key \`${redaction.keyId}\`. Splits: by workspace and thread, seed \`${split.seed}\`.`,
    `The exact ranges, counts and file hashes stand in \`manifest.json\`.`,
    "",
    table(
      ["decision", "examples"],
      Object.entries(byDecision).map(([kind, n]) => [kind, n]),
    ),
    ...Object.entries(TITLES).map(([name, title]) => `![${title}](charts/${name}.svg)\n`),
    "## Rows",
    "",
    table(
      ["class", "split", "quality", "rows"],
      manifest.counts.map((c) => [c.class, c.split, c.tier, c.rows]),
    ),
    "## What was left out",
    "",
    manifest.rejected.length === 0
      ? "Nothing.\n"
      : `${table(
          ["class", "why", "rows"],
          manifest.rejected.map((r) => [r.class, r.reason.replaceAll("_", " "), r.rows]),
        )}Each one stands in \`rejected-rows.jsonl\`.\n`,
    "## What the labels say",
    "",
    ...insightLines(manifest.insights).map((line) => `- ${line}`),
    "",
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

/** The findings as sentences, each with where it points. */
export function insightLines(report: InsightsReport): string[] {
  const { share, stepsBeforePerson: steps, edits, rejections, timeouts, failures } = report;
  const lines = [
    share === null
      ? "No item lies in the range."
      : `People judged ${report.judgedByPeople} of ${report.items} items (${percent(share)}); routes: ${listed(report.routes)}.`,
  ];
  if (steps !== null)
    lines.push(
      `Before a person was needed, runs did ${steps.median} steps by themselves (median; mean ${steps.mean}); ${steps.neverNeeded} of ${steps.runs} runs needed nobody.`,
    );
  if (edits.total > 0)
    lines.push(
      `Edits (${edits.total}, ${edits.cosmeticOnly} of them cosmetic only) point at prompts and context. Fields: ${listed(edits.fields)}. Agents: ${listed(edits.agents)}.`,
    );
  if (rejections.total > 0)
    lines.push(
      `Rejections (${rejections.total}) point at holes in the policy. No rule had matched: ${listed(rejections.withoutRule)}. Rules that stopped what people refused: ${listed(rejections.byRule)}. Reasons: ${listed(rejections.reasons)}.`,
    );
  if (timeouts.expired + timeouts.escalated > 0)
    lines.push(`Timeouts (${timeouts.expired} expired, ${timeouts.escalated} escalated) point at ownership and routing: ${listed(timeouts.owners)}.`);
  if (failures.total > 0) lines.push(`Failures (${failures.total}) point at executors: ${listed(failures.tools)}; ${listed(failures.errors)}.`);
  if (report.incidents.length > 0) lines.push(`Incidents reported afterwards: ${listed(report.incidents)}.`);
  for (const { what, count, mean } of report.rubrics) lines.push(`Rubric ${what}: ${mean} of 5 in ${count} ${count === 1 ? "review" : "reviews"}.`);
  return lines;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

function listed(counts: readonly Count[]): string {
  return counts.length === 0
    ? "none"
    : counts
        .slice(0, 5)
        .map(({ what, count }) => `${what} ${count}`)
        .join(", ");
}
