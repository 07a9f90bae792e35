import type { Pictures } from "./card.ts";
import type { Cell, Manifest } from "./manifest.ts";
import { EXAMPLE_KINDS, type ReviewedExample } from "./reviewed-example.ts";
import type { Bar } from "./svg.ts";

type Counts = Map<string, number>;

/** Counts for the manifest and the pictures, as plain data. */
interface TallyParts {
  readonly examples: number;
  readonly rows: number;
  readonly byDecision: { readonly [kind: string]: number };
  readonly counts: readonly Counts[];
}

/** Counts for the manifest and the pictures. */
export class Tally {
  examples = 0;
  rows = 0;
  readonly byDecision = Object.fromEntries(EXAMPLE_KINDS.map((kind) => [kind, 0])) as { [K in (typeof EXAMPLE_KINDS)[number]]: number };
  private readonly cells: Counts = new Map();
  private readonly refusals: Counts = new Map();
  private readonly actions: Counts = new Map();
  private readonly reviewers: Counts = new Map();
  private readonly days: Counts = new Map();

  example({ decision, presented, ask }: Pick<ReviewedExample, "decision" | "presented" | "ask">): void {
    this.examples++;
    this.byDecision[decision.kind]++;
    for (const tool of new Set(presented.length === 0 ? [ask] : presented.map((a) => a.tool))) bump(this.actions, tool);
    bump(this.reviewers, decision.reviewer.id);
    bump(this.days, dayOf(decision.decidedAt));
  }

  /** Counts a row, or, with -1, takes one back. */
  row(labelClass: string, { split, quality }: { readonly split: string; readonly quality: { readonly tier: string } }, n: 1 | -1 = 1): void {
    this.rows += n;
    bump(this.cells, `${labelClass}\0${split}\0${quality.tier}`, n);
  }

  /** Counts what became no row, or, with -1, takes it back. */
  rejected(labelClass: string, reason: string, n: 1 | -1 = 1): void {
    bump(this.refusals, `${labelClass}\0${reason}`, n);
  }

  pictures(): Pictures {
    const labels: Counts = new Map();
    for (const { class: labelClass, rows } of this.counts()) bump(labels, labelClass, rows);
    return { labels: most(labels), actions: most(this.actions), reviewers: most(this.reviewers), time: periods(this.days) };
  }

  counts(): Cell[] {
    return sorted(this.cells).map(([[labelClass = "", split = "", tier = ""], rows]) => ({ class: labelClass, split, tier, rows }));
  }

  refused(): Manifest["rejected"] {
    return sorted(this.refusals).map(([[labelClass = "", reason = ""], rows]) => ({ class: labelClass, reason, rows }));
  }

  /** As plain data. */
  parts(): TallyParts {
    return { examples: this.examples, rows: this.rows, byDecision: this.byDecision, counts: this.all() };
  }

  /** Adds what another one has counted. */
  merge({ examples, rows, byDecision, counts }: TallyParts): void {
    this.examples += examples;
    this.rows += rows;
    for (const kind of EXAMPLE_KINDS) this.byDecision[kind] += byDecision[kind] ?? 0;
    for (const [i, into] of this.all().entries()) for (const [key, n] of counts[i] ?? []) bump(into, key, n);
  }

  private all(): readonly Counts[] {
    return [this.cells, this.refusals, this.actions, this.reviewers, this.days];
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** The last day that was asked for: most decisions are made on the day of the one before. */
let lastDay = { number: Number.NaN, text: "" };

function dayOf(at: number): string {
  const number = Math.floor(at / DAY_MS);
  if (number !== lastDay.number) lastDay = { number, text: new Date(at).toISOString().slice(0, 10) };
  return lastDay.text;
}

/** The longest bars first. */
function most(counts: Counts): Bar[] {
  const bars = [...counts].map(([label, value]) => ({ label, value }));
  return bars.sort((a, b) => b.value - a.value || (a.label < b.label ? -1 : 1)).slice(0, 15);
}

/** By day; by month where there are too many days for one picture. */
function periods(days: Counts): Bar[] {
  const by: Counts = new Map();
  for (const [day, n] of days) bump(by, days.size > 31 ? day.slice(0, 7) : day, n);
  return [...by].sort(([a], [b]) => (a < b ? -1 : 1)).map(([label, value]) => ({ label, value }));
}

function bump(counts: Counts, key: string, n = 1): void {
  const now = (counts.get(key) ?? 0) + n;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

function sorted(counts: Counts): [string[], number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, n]) => [key.split("\0"), n]);
}
