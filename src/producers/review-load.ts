import type { Risk, Route } from "../events/types.generated.ts";

/** What the summary needs to know of one judged call. */
export interface JudgedCall {
  readonly runId: string;
  readonly tool: string;
  readonly verdict: { readonly route: Route; readonly owner: string | null; readonly risk: Risk; readonly because: readonly string[] };
}

/** Calls by what policy did with them. `review` is batch and interrupt together: what a person would have had to look at. */
export interface RouteCounts {
  readonly calls: number;
  readonly allow: number;
  readonly batch: number;
  readonly interrupt: number;
  readonly forbid: number;
  readonly review: number;
}

/** What a team would have had to review. */
export interface ReviewLoad {
  readonly runs: number;
  readonly total: RouteCounts;
  /** Only calls that reach a person, most first. */
  readonly byOwner: readonly ({ readonly owner: string } & RouteCounts)[];
  /** Every tool, most reviews first. */
  readonly byAction: readonly ({ readonly tool: string } & RouteCounts)[];
  readonly byRisk: readonly ({ readonly risk: Risk } & RouteCounts)[];
  /** First reasons of what reaches a person or is forbidden, most frequent first. */
  readonly reasons: readonly { readonly because: string; readonly calls: number }[];
  /** Reviews of one run. */
  readonly perRun: { readonly mean: number; readonly median: number; readonly most: number; readonly runsWithoutReview: number };
  /** Expected at `runsPerDay` runs like these; null without that number. */
  readonly perDay: { readonly runs: number; readonly calls: number; readonly review: number; readonly batch: number; readonly interrupt: number } | null;
}

/**
 * What a team would have had to review, had these calls been proposed under this policy.
 *
 * @param options.runs how many runs there were, those without any call included; default: the runs that have calls
 * @param options.runsPerDay runs a day in production, to scale by
 */
export function summarize(judged: readonly JudgedCall[], options: { runs?: number; runsPerDay?: number } = {}): ReviewLoad {
  const reviews = new Map<string, number>();
  for (const call of judged) reviews.set(call.runId, (reviews.get(call.runId) ?? 0) + (needsPerson(call) ? 1 : 0));
  const runs = Math.max(options.runs ?? 0, reviews.size);
  const perRun = [...reviews.values(), ...Array<number>(runs - reviews.size).fill(0)].sort((a, b) => a - b);
  const total = countRoutes(judged);
  const reached = judged.filter(needsPerson);
  const stopped = judged.filter((call) => call.verdict.route !== "allow");
  return {
    runs,
    total,
    byOwner: grouped(reached, (call) => call.verdict.owner ?? "(no owner)").map(([owner, calls]) => ({ owner, ...countRoutes(calls) })),
    byAction: grouped(judged, (call) => call.tool).map(([tool, calls]) => ({ tool, ...countRoutes(calls) })),
    byRisk: grouped(judged, (call) => call.verdict.risk).map(([risk, calls]) => ({ risk, ...countRoutes(calls) })),
    reasons: grouped(stopped, (call) => call.verdict.because[0] ?? "(no reason given)")
      .map(([because, calls]) => ({ because, calls: calls.length }))
      .sort((a, b) => b.calls - a.calls || compare(a.because, b.because)),
    perRun: {
      mean: runs === 0 ? 0 : total.review / runs,
      median: medianOf(perRun),
      most: perRun.at(-1) ?? 0,
      runsWithoutReview: perRun.filter((n) => n === 0).length,
    },
    perDay: options.runsPerDay === undefined || runs === 0 ? null : scaled(total, options.runsPerDay, runs),
  };
}

function needsPerson(call: JudgedCall): boolean {
  return call.verdict.route === "batch" || call.verdict.route === "interrupt";
}

function countRoutes(calls: readonly JudgedCall[]): RouteCounts {
  const of = (route: Route) => calls.reduce((n, call) => n + (call.verdict.route === route ? 1 : 0), 0);
  const [batch, interrupt] = [of("batch"), of("interrupt")];
  return { calls: calls.length, allow: of("allow"), batch, interrupt, forbid: of("forbid"), review: batch + interrupt };
}

/** Groups, those with most reviews first, then those with most calls, then by name: the same input gives the same text. */
function grouped<K extends string>(calls: readonly JudgedCall[], keyOf: (call: JudgedCall) => K): [K, JudgedCall[]][] {
  const groups = Map.groupBy(calls, keyOf);
  const weight = (list: JudgedCall[]) => list.filter(needsPerson).length;
  return [...groups].sort(([a, x], [b, y]) => weight(y) - weight(x) || y.length - x.length || compare(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function medianOf(sorted: readonly number[]): number {
  if (sorted.length === 0) return 0;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

function scaled(total: RouteCounts, runsPerDay: number, runs: number) {
  const a = (n: number) => (n * runsPerDay) / runs;
  return { runs: runsPerDay, calls: a(total.calls), review: a(total.review), batch: a(total.batch), interrupt: a(total.interrupt) };
}

const WIDTH = 80;

/** The load as text of at most 80 columns. */
export function renderReviewLoad(load: ReviewLoad): string {
  const { total, perRun, perDay } = load;
  const lines = [
    `${plural(load.runs, "run")}, ${plural(total.calls, "call")}: ${total.review} for people, ${total.allow} flow, ${total.forbid} forbidden`,
    "",
    ...table(
      "by action",
      load.byAction.map(({ tool, ...counts }) => [tool, counts] as const),
    ),
    "",
    ...table(
      "by owner",
      load.byOwner.map(({ owner, ...counts }) => [owner, counts] as const),
    ),
    "",
    ...table(
      "by risk",
      load.byRisk.map(({ risk, ...counts }) => [risk, counts] as const),
    ),
  ];
  if (load.reasons.length > 0)
    lines.push("", "why", ...load.reasons.map(({ because, calls }) => `  ${String(calls).padStart(6)}  ${cut(because, WIDTH - 10)}`));
  lines.push(
    "",
    `per run  ${decimal(perRun.mean)} reviews on average, median ${decimal(perRun.median)}, at most ${perRun.most};`,
    `         ${perRun.runsWithoutReview} of ${plural(load.runs, "run")} need nobody`,
  );
  if (perDay) {
    lines.push(`per day  ${decimal(perDay.review)} reviews at ${plural(perDay.runs, "run")} a day:`);
    lines.push(`         ${decimal(perDay.interrupt)} interrupts and ${decimal(perDay.batch)} in batches, of ${decimal(perDay.calls)} calls`);
  }
  return `${lines.join("\n")}\n`;
}

const COLUMNS = ["calls", "allow", "batch", "interrupt", "forbid"] as const;

function table(title: string, rows: readonly (readonly [string, RouteCounts])[]): string[] {
  const widths = COLUMNS.map((name) => Math.max(name.length, 6) + 2);
  const first = WIDTH - 2 - widths.reduce((a, b) => a + b, 0);
  const head = `${title.padEnd(first + 2)}${COLUMNS.map((name, i) => name.padStart(widths[i] as number)).join("")}`;
  if (rows.length === 0) return [`${title}: none`];
  return [head, ...rows.map(([name, n]) => `  ${cut(name, first).padEnd(first)}${COLUMNS.map((c, i) => String(n[c]).padStart(widths[i] as number)).join("")}`)];
}

function cut(text: string, width: number): string {
  const one = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
  return one.length <= width ? one : `${one.slice(0, width - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

function plural(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function decimal(n: number): string {
  return Number.isInteger(n) ? String(n) : n.toFixed(1);
}
