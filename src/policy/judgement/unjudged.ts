import type { Draft } from "../../events/draft.ts";
import type { Card, EventError } from "../../events/types.generated.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { LAST_OWNER } from "../document/defaults.ts";
import { askCard, cardOf } from "./card.ts";
import { type Opinion, rankOf, type Subject, undescribed } from "./opinion.ts";
import { peopleOf } from "./people.ts";
import { bareSubject, type JudgeInput } from "./subjects.ts";
import { type VerdictBody, verdictOf } from "./verdict.ts";

/** A question can only be answered, a notice only be closed. Neither runs anything. */
export function asked(policy: CompiledPolicy | undefined, input: JudgeInput, ask: "question" | "notify"): Draft<VerdictBody> {
  const { proposal, now } = input;
  const { calendar } = policy ?? { calendar: undefined };
  const people = peopleOf(policy?.owner ?? LAST_OWNER, { now, calendar }, ask === "question" ? policy?.questions : policy?.notices);
  const text = ask === "question" ? "The agent asks a question" : "The agent gives notice";
  const opinion: Opinion = {
    ...undescribed(policy, bareSubject(input, { actionId: "", tool: "" }, 0), text, LAST_OWNER),
    calendar,
    ...people,
    approvals: 1,
    approvalOrder: [],
    risk: "low",
    score: 0,
    contributions: [],
    reversibility: "reversible",
    decisions: [ask === "question" ? "respond" : "acknowledge"],
    rank: rankOf(policy, 0, undefined),
  };
  const card = askCard(ask, proposal.question ?? proposal.intent ?? "", proposal.agent.id);
  return verdictOf(opinion, { now, requestedTimeoutMs: proposal.requestedTimeoutMs, because: [text], steps: [], card, receiptTarget: null });
}

/** Forbidden before any policy has looked. */
export function refused(policy: CompiledPolicy | undefined, input: JudgeInput, error: EventError): Draft<VerdictBody> {
  const subjects = input.actions.map((action, index) => bareSubject(input, action, index));
  const steps = subjects.flatMap((subject) => undescribed(policy, subject, error.message, LAST_OWNER).step ?? []);
  const subject = subjects[0] ?? bareSubject(input, { actionId: "", tool: "" }, 0);
  const opinion: Opinion = { ...undescribed(policy, subject, error.message, LAST_OWNER, error), policy: null, route: "forbid" };
  return verdictOf(opinion, { now: input.now, requestedTimeoutMs: null, because: [error.message], steps, card: null, receiptTarget: null });
}

/** The last net: a person decides, knowing that policy could not. */
export function broken(policies: readonly CompiledPolicy[], input: JudgeInput, error: EventError): Draft<VerdictBody> {
  const policy = policies.find((candidate) => candidate.workspace === input.proposal.workspace && candidate.mode !== "shadow");
  const subjects = input.actions.map((action, index) => bareSubject(input, action, index));
  const text = "Policy could not judge this; a person decides";
  const opinions = subjects.map((subject) => undescribed(policy, subject, text, LAST_OWNER, error));
  const steps = opinions.flatMap((opinion) => opinion.step ?? []);
  const opinion = opinions[0] ?? undescribed(policy, bareSubject(input, { actionId: "", tool: "" }, 0), text, LAST_OWNER, error);
  const because = [text, error.message];
  return verdictOf(opinion, {
    now: input.now,
    requestedTimeoutMs: null,
    because,
    steps,
    card: brokenCard(policies, subjects, opinion.owner, because),
    receiptTarget: null,
  });
}

/** null where even the card fails: showing secrets or nothing at all would be worse. */
function brokenCard(policies: readonly CompiledPolicy[], subjects: readonly Subject[], owner: string, because: readonly string[]): Card | null {
  try {
    const cards = subjects.map(({ actionId, facts: { tool, args } }) => {
      const described = policies.flatMap((policy) => (policy.mode === "shadow" ? [] : policy.find(tool)));
      return { actionId, tool, args, described, reversibility: "irreversible", unusual: new Set<string>(), owner };
    });
    return cardOf(cards, because);
  } catch {
    return null;
  }
}
