import { canonicalize, type Json } from "../events/canonical.ts";
import type { Draft } from "./build-example.ts";
import type { PatchOperation } from "./diff.ts";
import { redactedJudged } from "./judged.ts";
import type { Calls } from "./labels.ts";
import type { Learned, Redaction } from "./redact/redactor.ts";
import { type Transcript, transcriptOf } from "./redact/transcript.ts";
import type { FieldRule } from "./redact/treatment.ts";
import { ownerOf } from "./redact-owner.ts";
import type { ExampleAction } from "./reviewed-example.ts";
import type { SiblingRole } from "./siblings.ts";

type RulesOf = (tool: string) => readonly FieldRule[];

/** Tells the redaction what the classified fields of a draft hold, in its actions and in its transcript, so that it is hidden wherever it stands. */
function learnDraft(draft: Draft, redaction: Redaction, rulesOf: RulesOf): Transcript {
  for (const action of [...draft.proposed, ...draft.presented, ...(draft.final ?? [])]) redaction.learn(action.args, rulesOf(action.tool));
  const transcript = transcriptOf(draft.context.messages, rulesOf);
  transcript.learn(redaction);
  return transcript;
}

/** What is classified in the rows and the calls of an item: another row that shows these calls hides it too. */
export function learnedOf(drafts: readonly Draft[], calls: Calls, redaction: Redaction, rulesOf: RulesOf): Learned {
  for (const { tool, args } of calls) redaction.learn(args, rulesOf(tool));
  for (const draft of drafts) learnDraft(draft, redaction, rulesOf);
  return redaction.learned();
}

/** Calls of another item in a row, by a redaction that has heard of both. */
export function redactedCalls(calls: Calls, redaction: Redaction, rulesOf: RulesOf): Calls {
  return calls.map((call) => ({ ...call, args: redaction.args(call.args, rulesOf(call.tool)) ?? null }));
}

/** What siblings say, in the row that holds all of it, by a redaction that has heard of all. */
export function redactedSibling(sibling: SiblingRole | null, redaction: Redaction, rulesOf: RulesOf): SiblingRole | null {
  if (sibling?.role !== "lead") return sibling;
  const shown = (calls: Calls) => redactedCalls(calls, redaction, rulesOf);
  return { ...sibling, right: sibling.right && shown(sibling.right), wrong: shown(sibling.wrong) };
}

/** A draft with what must not leave hidden, in both sides of a pair alike. The differences were found before, on what really stood there. */
export function redactedDraft(draft: Draft, redaction: Redaction, rulesOf: RulesOf): Draft {
  const toolOf = new Map([...draft.proposed, ...draft.presented, ...(draft.final ?? [])].map((a) => [a.actionId, a.tool]));
  const rulesAt = (actionId: string) => rulesOf(toolOf.get(actionId) ?? "");
  // All calls are heard of before the first text is shown: what a later one holds stands in earlier ones as well.
  const messages = learnDraft(draft, redaction, rulesOf).redacted(redaction);
  const tools = redaction.value(draft.context.tools);
  const isShown = messages === draft.context.messages && tools === draft.context.tools;
  const actionOf = (action: ExampleAction): ExampleAction => {
    const args = redaction.args(action.args, rulesOf(action.tool)) ?? null;
    // The hash of arguments that were hidden would let anybody test a guess.
    return { ...action, args, argsSha256: args === action.args ? action.argsSha256 : null };
  };
  const text = <T extends string | null>(value: T): T => (value === null ? value : redaction.text(value)) as T;
  const texts = (values: readonly string[]) => values.map((value) => redaction.text(value));
  return {
    ...draft,
    judged: draft.judged && redactedJudged(draft.judged, redaction),
    question: text(draft.question),
    intent: text(draft.intent),
    reasoning: text(draft.reasoning),
    evidence: draft.evidence.map(({ label, value }) => ({ label: text(label), value: text(value) })),
    run: draft.run && { ...draft.run, threadId: text(draft.run.threadId), checkpointId: text(draft.run.checkpointId) },
    context: { ...draft.context, uri: text(draft.context.uri), messages, tools, sha256: isShown ? draft.context.sha256 : null },
    proposed: draft.proposed.map(actionOf),
    presented: draft.presented.map(actionOf),
    final: draft.final === null ? null : draft.final.map(actionOf),
    patch: draft.patch.map(({ actionId, operations }) => ({
      actionId,
      operations: operations.flatMap((o) => redactedOperation(o, redaction, rulesAt(actionId))),
    })),
    changes: draft.changes.map((change) => ({
      ...change,
      path: text(change.path),
      before: redaction.args(change.before, rulesAt(change.actionId), change.path) ?? null,
      after: redaction.args(change.after, rulesAt(change.actionId), change.path) ?? null,
    })),
    decision: {
      ...draft.decision,
      message: text(draft.decision.message),
      reasonCodes: texts(draft.decision.reasonCodes),
      reviewer: { ...draft.decision.reviewer, id: redaction.person(draft.decision.reviewer.id) },
    },
    review: { ...draft.review, others: draft.review.others.map((o) => ({ ...o, reviewer: redaction.person(o.reviewer) })) },
    verdict: { ...draft.verdict, owner: ownerOf(draft.verdict.owner, redaction), because: texts(draft.verdict.because) },
    rejudged: draft.rejudged && { ...draft.rejudged, because: texts(draft.rejudged.because) },
    outcome: {
      ...draft.outcome,
      receipts: draft.outcome.receipts.map((r) => ({
        ...r,
        externalRef: r.externalRef && { id: text(r.externalRef.id), system: r.externalRef.system, url: text(r.externalRef.url) },
        error: text(r.error),
      })),
      incidents: draft.outcome.incidents.map((i) => ({ ...i, message: text(i.message), url: text(i.url) })),
    },
  };
}

/** An operation on a field that is dropped has nothing to stand on. */
function redactedOperation(operation: PatchOperation, redaction: Redaction, rules: readonly FieldRule[]): PatchOperation[] {
  const path = redaction.text(operation.path);
  if (operation.op === "remove") return [{ op: "remove", path }];
  const value = redaction.args(operation.value, rules, operation.path);
  return value === undefined ? [] : [{ ...operation, path, value }];
}

/** Whether the two sides of an edit are the same after redaction: then it teaches nothing. */
export function isEqualPair({ presented, final }: { readonly presented: readonly ExampleAction[]; readonly final: readonly ExampleAction[] | null }): boolean {
  const value = (actions: readonly ExampleAction[]): Json => actions.map(({ actionId, tool, args }) => ({ actionId, tool, args }));
  return final !== null && canonicalize(value(presented)) === canonicalize(value(final));
}
