import { TOPICS, type Topic } from "../../src/events/topics.ts";
import { judgeDecision } from "./oracle/decisions.ts";
import { executionOf, isGrant, judgeReceipt, judgeResume } from "./oracle/execution.ts";
import {
  type Expected,
  type GrantState,
  illegal,
  isText,
  type Judgement,
  type Logs,
  type Loose,
  list,
  type Node,
  type Status,
  superseded,
  type VerdictState,
} from "./oracle/model.ts";
import { isAudit, nothingToDecide, reviewOf } from "./oracle/terms.ts";

export type { Expected, GrantState, Logs, Loose, Status, VerdictState } from "./oracle/model.ts";

/** One reading of a whole history. `why` names the rule for each event that is not effective. */
export interface Reading extends Expected {
  readonly why: Record<string, string>;
}

interface Entry {
  readonly topic: Topic;
  readonly id: string;
  readonly event: Loose;
}

/**
 * The rules of the event contract read off the complete logs of one item, without any order between topics: identities first, then the
 * tree of causes from the proposal down, each sibling group in log order. There is no delivery, no parking and nothing that is updated.
 */
export function judgeHistory(logs: Logs): Reading {
  const entries = new Map<string, Entry>();
  const undecodable: string[] = [];
  for (const topic of TOPICS)
    for (const [offset, event] of (logs[topic] ?? []).entries()) {
      if (event === null) undecodable.push(`${topic}@${offset}`);
      else if (!entries.has(`${topic}/${event.eventId}`)) entries.set(`${topic}/${event.eventId}`, { topic, id: event.eventId, event });
    }
  const answers = Map.groupBy(entries.values(), ({ event }) => (event.answers ? `${event.answers.topic}/${event.answers.eventId}` : ""));
  const reading: Reading = { events: {}, verdicts: [], grants: [], resumes: [], undecodable, why: {} };
  for (const name of entries.keys()) reading.events[name] = "parked";
  const note = (entry: Entry, judgement: Judgement) => {
    const name = `${entry.topic}/${entry.id}`;
    reading.events[name] = judgement?.status ?? ("effective" satisfies Status);
    if (judgement) reading.why[name] = judgement.why;
  };

  /** Everything below an event that is not effective is illegal. */
  const condemn = (name: string) => {
    for (const entry of answers.get(name) ?? []) {
      note(entry, illegal("its cause is not effective"));
      condemn(`${entry.topic}/${entry.id}`);
    }
  };

  /** Judges the events that answer `cause` topic by topic, and what is below each; gives the effective ones. */
  const judgeAnswers = (cause: Node | null): Node[] => {
    const name = cause ? `${cause.topic}/${cause.id}` : "";
    const groups = Map.groupBy(answers.get(name) ?? [], (entry) => entry.topic);
    const effective: Node[] = [];
    for (const [topic, group] of groups) {
      const before: Node[] = [];
      for (const entry of group) {
        const judgement = judge(topic, cause, before, entry.event);
        note(entry, judgement);
        if (judgement) condemn(`${topic}/${entry.id}`);
        else before.push({ topic, id: entry.id, event: entry.event, cause, before: [...before] });
      }
      effective.push(...before);
    }
    if (cause) describe(cause, effective, reading);
    for (const node of effective) judgeAnswers(node);
    return effective;
  };
  judgeAnswers(null);
  return reading;
}

/** One event under its cause, after the effective earlier siblings. */
export function judge(topic: Topic, cause: Node | null, before: readonly Node[], event: Loose): Judgement {
  if (topic === "proposals") return judgeProposal(cause, before, event);
  if (!cause) return illegal("answers nothing");
  if (topic === "verdicts") return judgeVerdict(cause, before, event);
  if (topic === "batches") return judgeBatch(cause, before, event);
  if (topic === "decisions") return judgeDecision(cause, before, event);
  if (topic === "resumes") return judgeResume(cause, before, event);
  if (topic === "receipts") return cause.topic === "resumes" ? judgeReceipt(cause, before, event) : illegal("answers no grant");
  return illegal("a policy is not part of an item");
}

function judgeProposal(cause: Node | null, before: readonly Node[], event: Loose): Judgement {
  if (cause) return illegal("a proposal answers nothing");
  if (event.actor?.kind !== "agent") return illegal("not an agent");
  if (!["review", "question", "notify"].includes(event.ask)) return illegal("asks nothing");
  if (event.ask === "review" && list(event.actions).length === 0) return illegal("no actions");
  if (event.ask !== "review" && list(event.actions).length > 0) return illegal("a question or a notice has no actions");
  return before.length > 0 ? superseded("not the first") : null;
}

function judgeVerdict(cause: Node, before: readonly Node[], event: Loose): Judgement {
  if (event.actor?.kind !== "policy") return illegal("not the policy worker");
  if (cause.topic !== "proposals" && !(cause.topic === "decisions" && cause.event.kind === "edit")) return illegal("answers neither a proposal nor an edit");
  if (!["allow", "batch", "interrupt", "forbid"].includes(event.route)) return illegal("no route");
  return before.length > 0 ? superseded("not the first") : null;
}

function judgeBatch(cause: Node, before: readonly Node[], event: Loose): Judgement {
  if (event.actor?.kind !== "batcher" || cause.topic !== "verdicts") return illegal("no batch of a verdict");
  return before.length > 0 ? superseded("not the first") : null;
}

function describe(node: Node, effective: readonly Node[], reading: Reading): void {
  if (node.topic === "verdicts")
    reading.verdicts.push(
      describeVerdict(
        node,
        effective.filter((n) => n.topic === "decisions"),
      ),
    );
  if (node.topic === "resumes") {
    reading.resumes.push(node.event.outcome);
    if (isGrant(node))
      reading.grants.push(
        describeGrant(
          node,
          effective.filter((n) => n.topic === "receipts"),
        ),
      );
  }
}

function describeVerdict(node: Node, decisions: readonly Node[]): VerdictState {
  const review = reviewOf(node, decisions);
  return {
    verdict: node.id,
    open: review.closedBy === null && !nothingToDecide(node) && !isAudit(node.event),
    owner: review.owner,
    step: review.step,
    votes: [...review.votes],
    held: review.held,
    lease: isText(review.lease?.id) ? review.lease.id : null,
    closedBy: review.closedBy ? `${review.closedBy.event.kind} ${review.closedBy.id}` : null,
  };
}

function describeGrant(node: Node, receipts: readonly Node[]): GrantState {
  const { actions, done, running, closedBy } = executionOf(node, receipts);
  return { grant: node.id, outcome: node.event.outcome, actions: actions.map((a) => `${a.actionId}:${a.argsSha256}`), done, running, closedBy };
}

/** Whether the terms of a verdict are those of an earlier one, for tests that look for such histories. */
