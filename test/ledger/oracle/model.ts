import type { Topic } from "../../../src/events/topics.ts";

/** An event as a history holds it: only `eventId` and what legality reads; absent and null mean the same. */
// biome-ignore lint/suspicious/noExplicitAny: histories hold broken events on purpose, so no type can be promised
export type Loose = any;

/** The complete logs of one item. The index is the offset; null stands for bytes that cannot be decoded. */
export type Logs = { readonly [topic in Topic]?: readonly (Loose | null)[] };

export type Status = "effective" | "superseded" | "illegal" | "parked";

export interface VerdictState {
  verdict: string;
  open: boolean;
  owner: string | null;
  step: number;
  votes: string[];
  held: boolean;
  lease: string | null;
  closedBy: string | null;
}

export interface GrantState {
  grant: string;
  outcome: string;
  actions: string[];
  done: number;
  running: string | null;
  closedBy: string | null;
}

/** What a history must end in. Order inside the lists does not count. */
export interface Expected {
  events: Record<string, Status>;
  verdicts: VerdictState[];
  grants: GrantState[];
  resumes: string[];
  undecodable: string[];
}

/** An effective event with its causal past: its cause, and the earlier effective siblings. */
export interface Node {
  readonly topic: Topic;
  readonly id: string;
  readonly event: Loose;
  readonly cause: Node | null;
  /** Effective siblings before this event, in log order. */
  readonly before: readonly Node[];
}

/** Outcome of judging one event; the sentence is for people who look for a difference. */
export type Judgement = null | { status: "superseded" | "illegal"; why: string };

export const illegal = (why: string): Judgement => ({ status: "illegal", why });
export const superseded = (why: string): Judgement => ({ status: "superseded", why });

/** The first rule that objects. */
export function firstOf(...rules: (() => Judgement)[]): Judgement {
  for (const rule of rules) {
    const judgement = rule();
    if (judgement) return judgement;
  }
  return null;
}

export const list = (value: Loose): Loose[] => (Array.isArray(value) ? value : []);
export const isText = (value: Loose): value is string => typeof value === "string" && value !== "";
export const isTime = (value: Loose): value is number => typeof value === "number";
