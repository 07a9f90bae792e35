import { createHash } from "node:crypto";

/** Tiers of risk, as verdicts name them. */
export type Risk = "low" | "medium" | "high" | "critical";

/**
 * Something that an owner is told of. It names no argument and no sentence of a card: what it holds goes to systems that were never asked
 * whether they may see a customer's name.
 */
export interface Notice {
  /** What makes it one. The same key is never noticed twice on a channel. */
  readonly key: string;
  /** decide: a decision is wanted; review: what ran is to be reviewed; held: its time is over, and it waits; doubt: nobody knows how it ended; unstarted: no executor has started a retry or a roll_back. */
  readonly kind: "decide" | "review" | "held" | "doubt" | "unstarted" | "batch" | "test";
  readonly workspace: string;
  /** role:NAME or person:ID; null where nobody owns it. */
  readonly owner: string | null;
  /** The items it is about: one, or the members of a batch. */
  readonly items: readonly string[];
  readonly batchId: string | null;
  /** Highest of its items. */
  readonly risk: Risk | null;
  readonly tools: readonly string[];
  readonly agent: string | null;
  /** By when, in milliseconds since the epoch; null where no time is set. */
  readonly deadline: number | null;
  /** Step of the ladder, 0 before any escalation. */
  readonly step: number;
  /** Whether it pages: a step of the ladder that says so, or the escalation of something critical. */
  readonly page: boolean;
  /** What a rejection in a chat is bound to; null where it cannot be rejected there. */
  readonly seen: { readonly verdict: string; readonly cardSha256: string } | null;
}

/** One message to one channel. */
export interface Message {
  /** The same on every attempt and on every machine, so that a receiver can tell a second delivery. */
  readonly id: string;
  /** resolve: what was paged is decided. */
  readonly action: "notify" | "resolve";
  /** One, or several that go together. */
  readonly notices: readonly Notice[];
  /** IANA name of the zone that times are told in. */
  readonly zone: string;
}

/** An id of a message: a function of what it is made of. */
export function messageId(...parts: readonly string[]): string {
  return `msg_${createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 32)}`;
}

/** A harmless notice by which a channel is tried out. */
export function testNotice(at: number): Notice {
  const nothing = { items: [], batchId: null, risk: null, tools: [], agent: null, deadline: null, seen: null };
  return { ...nothing, key: `test/${at}`, kind: "test", workspace: "default", owner: null, step: 0, page: false };
}
