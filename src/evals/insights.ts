import type { EventOf } from "../events/types.generated.ts";
import type { Draft } from "./build-example.ts";
import { digestOf, Least, type LeastParts } from "./digests.ts";
import { type FoldedItem, proposalOf } from "./fold-items.ts";

/** A count with what it counts. */
export interface Count {
  readonly what: string;
  readonly count: number;
}

/** The labels as a team would read them. */
export interface InsightsReport {
  /** Items in the range, and how many of them a person judged. */
  readonly items: number;
  readonly judgedByPeople: number;
  /** From 0 to 1; null where there are no items. */
  readonly share: number | null;
  readonly routes: readonly Count[];
  /** Steps that runs did by themselves before a person was needed, whether one came or not; null where no run tells its steps. */
  readonly stepsBeforePerson: { readonly runs: number; readonly median: number; readonly mean: number; readonly neverNeeded: number } | null;
  /** Edits point at prompts and context. */
  readonly edits: { readonly total: number; readonly cosmeticOnly: number; readonly fields: readonly Count[]; readonly agents: readonly Count[] };
  /** Rejections point at holes in the policy: what a rule had to stop, and what no rule had an opinion on. */
  readonly rejections: {
    readonly total: number;
    readonly withoutRule: readonly Count[];
    readonly byRule: readonly Count[];
    readonly reasons: readonly Count[];
  };
  /** Timeouts point at ownership and routing. */
  readonly timeouts: { readonly expired: number; readonly escalated: number; readonly owners: readonly Count[] };
  /** Failures point at executors. */
  readonly failures: { readonly total: number; readonly tools: readonly Count[]; readonly errors: readonly Count[] };
  readonly incidents: readonly Count[];
  /** What reviewers scored, by tool and criterion. */
  readonly rubrics: readonly { readonly what: string; readonly count: number; readonly mean: number }[];
}

const FAILED = new Set(["failed", "unknown", "lapsed"]);
const PEOPLE = new Set(["approve", "edit", "reject", "respond", "acknowledge"]);

function waitsForPerson({ route, gate }: EventOf["verdicts"]): boolean {
  return (route === "interrupt" || route === "batch") && gate !== "audit";
}

/** What was counted, as plain data. */
export interface InsightsParts {
  readonly totals: { readonly items: number; readonly judged: number; readonly edits: number; readonly cosmeticOnly: number; readonly rejections: number };
  readonly counts: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly scores: ReadonlyMap<string, { readonly count: number; readonly sum: number }>;
  readonly runs: LeastParts;
}

/** Counts while items pass by. Holds counts, not items. */
export class Insights {
  private items = 0;
  private judged = 0;
  private readonly counts = new Map<string, Map<string, number>>();
  private readonly scores = new Map<string, { count: number; sum: number }>();
  /** Of each run that tells its steps: the first at which a person was needed, infinity where none was. */
  private readonly runs = new Least();
  private edits = 0;
  private cosmeticOnly = 0;
  private rejections = 0;

  /** Takes an item with its examples in the range. `isCounted` tells whether the item itself lies in the range. */
  add(folded: FoldedItem, drafts: readonly Draft[], wanted: (offset: number, at: number) => boolean, isCounted: boolean): void {
    const proposal = proposalOf(folded);
    if (proposal === undefined) return;
    if (isCounted) this.addItem(folded, proposal);
    for (const draft of drafts) this.addExample(draft);
    for (const entry of folded.effective) {
      if (entry.topic === "decisions" && wanted(entry.offset, entry.event.occurredAt)) this.addDecision(entry.event as EventOf["decisions"], folded);
      if (entry.topic === "receipts" && isCounted) this.addReceipt(entry.event as EventOf["receipts"], proposal);
    }
  }

  private addItem(folded: FoldedItem, proposal: EventOf["proposals"]): void {
    this.items++;
    let [person, waited] = [false, false];
    for (const entry of folded.effective) {
      person ||= entry.topic === "decisions" && PEOPLE.has((entry.event as EventOf["decisions"]).kind);
      waited ||= entry.topic === "verdicts" && waitsForPerson(entry.event as EventOf["verdicts"]);
    }
    if (person) this.judged++;
    this.count("routes", folded.life.verdict?.terms.route ?? "not judged");
    if (proposal.run?.step == null) return;
    // Nobody came is not nobody was needed: what expired or still waits needed a person too.
    this.runs.add(person || waited ? proposal.run.step : Number.POSITIVE_INFINITY, digestOf(proposal.workspace, proposal.run.threadId));
  }

  private addExample(draft: Draft): void {
    const tools = [...new Set(draft.presented.map((a) => a.tool))].join(" + ") || draft.ask;
    for (const { criterion, score } of draft.review.scores) {
      this.score(`${tools} ${criterion}`, 1, score);
    }
    if (draft.decision.kind === "edit") {
      this.edits++;
      if (draft.changes.length > 0 && draft.changes.every((c) => c.kind === "cosmetic")) this.cosmeticOnly++;
      const toolOf = new Map(draft.presented.map((a) => [a.actionId, a.tool]));
      // Once per edit and field, whatever the place in a list.
      for (const field of new Set(draft.changes.map((c) => `${toolOf.get(c.actionId)} ${c.path.replace(/\/\d+(?=\/|$)/g, "/*") || "(all)"}`)))
        this.count("edit fields", field);
      this.count("edit agents", draft.agent.id);
    } else if (draft.decision.kind === "reject") {
      this.rejections++;
      if (draft.verdict.matched.length === 0) this.count("no rule", tools);
      for (const rule of new Set(draft.verdict.matched)) this.count("rules", rule);
      for (const reason of new Set(draft.decision.reasonCodes)) this.count("reasons", reason);
    }
  }

  private addDecision(decision: EventOf["decisions"], folded: FoldedItem): void {
    if (decision.kind === "report") this.count("incidents", decision.incident?.severity ?? "unknown");
    if (decision.kind !== "expire" && decision.kind !== "escalate") return;
    this.count("timeouts", decision.kind);
    this.count("owners", decision.escalation?.from ?? folded.life.verdict?.group.owner ?? "nobody");
  }

  private addReceipt(receipt: EventOf["receipts"], proposal: EventOf["proposals"]): void {
    if (!FAILED.has(receipt.kind)) return;
    const tool = proposal.actions.find((a) => a.actionId === receipt.actionId)?.tool ?? proposal.actions.map((a) => a.tool).join(" + ");
    this.count("failed tools", tool);
    this.count("errors", receipt.error?.code ?? receipt.kind);
  }

  private count(group: string, what: string, n = 1): void {
    let of = this.counts.get(group);
    if (of === undefined) this.counts.set(group, (of = new Map()));
    of.set(what, (of.get(what) ?? 0) + n);
  }

  private score(at: string, count: number, sum: number): void {
    const before = this.scores.get(at) ?? { count: 0, sum: 0 };
    this.scores.set(at, { count: before.count + count, sum: before.sum + sum });
  }

  private top(group: string, most = 20): Count[] {
    const all = [...(this.counts.get(group) ?? [])].map(([what, count]) => ({ what, count }));
    return all.sort((a, b) => b.count - a.count || (a.what < b.what ? -1 : 1)).slice(0, most);
  }

  /** As plain data. */
  parts(): InsightsParts {
    const { items, judged, edits, cosmeticOnly, rejections, counts, scores } = this;
    return { totals: { items, judged, edits, cosmeticOnly, rejections }, counts, scores, runs: this.runs.parts() };
  }

  /** Adds what another one has counted. */
  merge({ totals, counts, scores, runs }: InsightsParts): void {
    this.items += totals.items;
    this.judged += totals.judged;
    this.edits += totals.edits;
    this.cosmeticOnly += totals.cosmeticOnly;
    this.rejections += totals.rejections;
    for (const [group, of] of counts) for (const [what, n] of of) this.count(group, what, n);
    for (const [at, { count, sum }] of scores) this.score(at, count, sum);
    this.runs.merge(runs);
  }

  /** What was counted. */
  report(): InsightsReport {
    const runs = this.runs.values();
    const before = runs
      .filter((step) => step !== Number.POSITIVE_INFINITY)
      .map((step) => step - 1)
      .sort();
    const sum = (counts: readonly Count[]) => counts.reduce((n, { count }) => n + count, 0);
    const timeouts = this.top("timeouts");
    return {
      items: this.items,
      judgedByPeople: this.judged,
      share: this.items === 0 ? null : rounded(this.judged / this.items),
      routes: this.top("routes"),
      stepsBeforePerson:
        before.length === 0
          ? null
          : {
              runs: runs.length,
              median: before[Math.floor((before.length - 1) / 2)] as number,
              mean: rounded(before.reduce((a, b) => a + b, 0) / before.length),
              neverNeeded: runs.length - before.length,
            },
      edits: { total: this.edits, cosmeticOnly: this.cosmeticOnly, fields: this.top("edit fields"), agents: this.top("edit agents") },
      rejections: { total: this.rejections, withoutRule: this.top("no rule"), byRule: this.top("rules"), reasons: this.top("reasons") },
      timeouts: {
        expired: timeouts.find((t) => t.what === "expire")?.count ?? 0,
        escalated: timeouts.find((t) => t.what === "escalate")?.count ?? 0,
        owners: this.top("owners"),
      },
      failures: { total: sum(this.top("errors", Number.POSITIVE_INFINITY)), tools: this.top("failed tools"), errors: this.top("errors") },
      incidents: this.top("incidents"),
      rubrics: [...this.scores]
        .map(([what, { count, sum }]) => ({ what, count, mean: rounded(sum / count) }))
        .sort((a, b) => b.count - a.count || (a.what < b.what ? -1 : 1)),
    };
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
