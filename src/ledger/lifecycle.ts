import type { Topic } from "../events/topics.ts";
import type { Outcome, Stage } from "./stages.ts";

/** A move in the life of an item: an effective event that brings it from one stage to another. */
export interface Move {
  readonly from: readonly Stage[];
  readonly topic: Topic;
  /** Kinds of the event: its kind, outcome, route or ask. */
  readonly kinds: readonly string[];
  readonly to: Stage;
  /** How it has ended, where it goes to done. Undefined: as the event says. */
  readonly outcome?: Outcome;
  /** When it moves, where one kind of event does not always. */
  readonly when?: string;
}

/** Stages in which something may run, or has run: an audit's rejection can come in any of them. */
const RUNS = ["settled", "granted", "executing", "in_doubt", "done"] as const;

/**
 * Every move there is. The fold does not read it: a test holds it against what the fold does over generated histories, in both directions,
 * and docs/lifecycle.md is made from it.
 */
export const MOVES: readonly Move[] = [
  { from: ["unproposed"], topic: "proposals", kinds: ["review", "question", "notify"], to: "proposed" },
  { from: ["proposed"], topic: "verdicts", kinds: ["interrupt", "batch"], to: "pending", when: "a person decides" },
  { from: ["proposed"], topic: "verdicts", kinds: ["allow"], to: "settled" },
  { from: ["proposed"], topic: "verdicts", kinds: ["interrupt", "batch"], to: "settled", when: "audit gate" },
  { from: ["proposed"], topic: "verdicts", kinds: ["forbid"], to: "done", outcome: "forbidden" },
  { from: ["pending"], topic: "decisions", kinds: ["approve"], to: "settled", when: "the last one needed" },
  { from: ["pending"], topic: "decisions", kinds: ["reject", "respond", "acknowledge", "withdraw"], to: "settled" },
  { from: ["pending"], topic: "decisions", kinds: ["expire"], to: "settled", when: "on_expiry reject" },
  { from: ["pending"], topic: "decisions", kinds: ["edit"], to: "rejudging" },
  { from: ["rejudging"], topic: "verdicts", kinds: ["interrupt", "batch"], to: "pending", when: "more votes are needed" },
  { from: ["rejudging"], topic: "verdicts", kinds: ["forbid"], to: "pending", when: "what was before stands" },
  { from: ["rejudging"], topic: "verdicts", kinds: ["allow"], to: "settled" },
  { from: ["rejudging"], topic: "verdicts", kinds: ["interrupt", "batch"], to: "settled", when: "the editor's vote is enough, or audit gate" },
  { from: ["settled"], topic: "resumes", kinds: ["proceed", "proceed_edited"], to: "granted" },
  { from: ["settled"], topic: "resumes", kinds: ["refused"], to: "done", outcome: "refused" },
  { from: ["settled"], topic: "resumes", kinds: ["responded"], to: "done", outcome: "responded" },
  { from: ["settled"], topic: "resumes", kinds: ["acknowledged"], to: "done", outcome: "acknowledged" },
  { from: ["settled"], topic: "resumes", kinds: ["expired"], to: "done", outcome: "expired" },
  { from: ["settled"], topic: "resumes", kinds: ["withdrawn"], to: "done", outcome: "withdrawn" },
  { from: RUNS, topic: "resumes", kinds: ["withheld"], to: "done", outcome: "withheld", when: "in place of a grant" },
  { from: RUNS, topic: "resumes", kinds: ["roll_back"], to: "granted", when: "an audit was rejected" },
  { from: ["granted"], topic: "receipts", kinds: ["started"], to: "executing" },
  { from: ["granted"], topic: "receipts", kinds: ["lapsed"], to: "done", outcome: "lapsed" },
  { from: ["granted", "executing"], topic: "receipts", kinds: ["revoked"], to: "done", outcome: "revoked", when: "nothing is running" },
  { from: ["granted", "executing"], topic: "receipts", kinds: ["lapsed"], to: "done", outcome: "failed", when: "a plan between two steps, or a roll_back" },
  { from: ["granted", "executing"], topic: "receipts", kinds: ["revoked"], to: "done", outcome: "failed", when: "a roll_back" },
  { from: ["granted"], topic: "receipts", kinds: ["lapsed", "revoked"], to: "in_doubt", when: "a retry, which has cleared up nothing" },
  { from: ["settled"], topic: "resumes", kinds: ["withheld"], to: "in_doubt", when: "in place of a retry" },
  { from: ["executing"], topic: "receipts", kinds: ["succeeded"], to: "done", outcome: "succeeded", when: "the last step" },
  { from: ["executing"], topic: "receipts", kinds: ["compensated"], to: "done", outcome: "compensated", when: "the last step" },
  { from: ["executing"], topic: "receipts", kinds: ["failed"], to: "done", outcome: "failed" },
  { from: ["executing"], topic: "receipts", kinds: ["unknown"], to: "in_doubt" },
  { from: ["in_doubt"], topic: "decisions", kinds: ["settle"], to: "done", outcome: "succeeded", when: "as succeeded, with no step left" },
  { from: ["in_doubt"], topic: "decisions", kinds: ["settle"], to: "done", outcome: "compensated", when: "as succeeded, of a roll_back" },
  { from: ["in_doubt"], topic: "decisions", kinds: ["settle"], to: "done", outcome: "failed", when: "as failed, or with steps left" },
  { from: ["in_doubt"], topic: "decisions", kinds: ["settle"], to: "settled", when: "retry" },
];

/** What each stage means. */
export const STAGE_MEANS: { readonly [S in Stage]: string } = {
  unproposed: "events name the item, but no proposal has taken effect yet",
  proposed: "policy has not judged it yet",
  pending: "a person has to decide; it belongs to an owner",
  rejudging: "a reviewer has edited it, and policy judges the new arguments",
  settled: "it is decided, and the dispatcher owes the run its resume",
  granted: "exactly these arguments may run, and nobody has started them",
  executing: "an executor has started, or has done some steps of a plan",
  in_doubt: "an executor's lease ran out without an end: work for the owner",
  done: "it has an outcome",
};

/** What each outcome means. */
export const OUTCOME_MEANS: { readonly [O in Outcome]: string } = {
  succeeded: "every step ran, or a person settled it so with the record that proves it",
  failed: "a step failed, or a plan or a roll_back was not brought to its end; what comes after it did not run",
  compensated: "what had run was undone after a failed review",
  refused: "a person rejected it",
  responded: "a person answered the question",
  acknowledged: "a person took note",
  expired: "nobody decided in time; it is never recorded as anybody's no",
  forbidden: "policy forbids it; it reached nobody",
  withdrawn: "the agent took it back, or a rejected branch did",
  withheld: "it was approved and then not granted: a halt, a floor, a limit, a withdrawal",
  lapsed: "granted and not started in time",
  revoked: "granted and taken back before it started, or between two steps of a plan",
};
