import type { EventOf } from "./types.generated.ts";

/** The seven topics, one per kind of writer. The order is the order of causes and breaks ties in the time-ordered merge. */
export const TOPICS = ["proposals", "verdicts", "batches", "decisions", "resumes", "receipts", "policies"] as const;

/** A topic by its unprefixed name. */
export type Topic = (typeof TOPICS)[number];

/** Any event of a topic. */
export type AnyEvent = EventOf[Topic];

/** Name of the record on each topic. */
export const RECORD_NAME: { readonly [T in Topic]: string } = {
  proposals: "ActionProposed",
  verdicts: "VerdictReached",
  batches: "BatchSealed",
  decisions: "DecisionMade",
  resumes: "RunResumed",
  receipts: "ReceiptRecorded",
  policies: "PolicyPublished",
};

/** Whether a string is the name of a topic. */
export function isTopic(name: string): name is Topic {
  return (TOPICS as readonly string[]).includes(name);
}

/** Registry subject of a topic. */
export function subjectOf(topic: Topic, prefix = ""): string {
  return `${prefix}${topic}-value`;
}
