import type { Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";

/** What lists show of an item: taken from its effective proposal and from the verdict whose terms are in force. */
export interface Summary {
  readonly workspace?: string;
  readonly ask?: "review" | "question" | "notify";
  readonly agent?: string;
  readonly tools?: readonly string[];
  readonly threadId?: string;
  readonly traceUrl?: string;
  readonly headline?: string;
  readonly why?: string;
  readonly risk?: EventOf["verdicts"]["risk"];
  readonly route?: EventOf["verdicts"]["route"];
  readonly policy?: string;
  /** The verdict whose card a decider sees. */
  readonly card?: string;
}

const RISKS = ["low", "medium", "high", "critical"] as const;

/** Rank of a tier of risk, 0 to 3. */
export function riskRank(risk: string | undefined): number | null {
  const rank = RISKS.indexOf(risk as (typeof RISKS)[number]);
  return rank < 0 ? null : rank;
}

/** The summary after an effective event. `fallback`: the verdict restored the terms before it, so the card before it stands. */
export function summarize(summary: Summary, topic: Topic, event: EventOf[Topic], fallback: boolean): Summary {
  if (topic === "proposals") {
    const e = event as EventOf["proposals"];
    const ask = e.ask === "unrecognized" ? "review" : e.ask;
    const shown = e.question === null ? {} : { headline: e.question.length > 200 ? `${e.question.slice(0, 199)}…` : e.question };
    return {
      workspace: e.workspace,
      ask,
      agent: e.agent.id,
      tools: e.actions.map((a) => a.tool),
      ...(e.run === null ? {} : { threadId: e.run.threadId }),
      ...(e.traceUrl === null ? {} : { traceUrl: e.traceUrl }),
      ...shown,
    };
  }
  if (topic !== "verdicts" || fallback) return summary;
  const e = event as EventOf["verdicts"];
  const card = e.card === null ? {} : { headline: e.card.headline, why: e.card.why, card: e.eventId };
  return { ...summary, ...card, risk: e.risk, route: e.route, ...(e.policy === null ? {} : { policy: `${e.policy.id}@${e.policy.version}` }) };
}
