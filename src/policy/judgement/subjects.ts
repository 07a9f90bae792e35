import { CountersignError, messageOf } from "../../errors.ts";
import { isCanonical, type Json, parseStrict, sha256 } from "../../events/canonical.ts";
import { LIMITS } from "../../events/limits.ts";
import type { ActionProposed, EventError } from "../../events/types.generated.ts";
import type { BudgetSubject } from "../budgets/budget.ts";
import type { UsageReader } from "../budgets/usage.ts";
import { MAX_JUDGEMENT_STEPS } from "../conditions/facts.ts";
import { plain } from "../render.ts";
import type { Subject } from "./opinion.ts";

/** Arguments to judge: those of the proposal, or those after an edit. */
export interface JudgedAction {
  readonly actionId: string;
  readonly tool: string;
  /** Canonical JSON. */
  readonly args: string;
  readonly argsSha256: string;
}

/** What is judged, and when. */
export interface JudgeInput {
  readonly proposal: ActionProposed;
  readonly actions: readonly JudgedAction[];
  readonly answers: "proposal" | "edit";
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What others have used up of budgets. Default: nothing. */
  readonly usage?: UsageReader;
  /** A person decides whatever policy says: how many, who, and in which order is then said also of what would flow. */
  readonly alone?: boolean;
}

/** What makes the arguments unfit to be judged at all: two readers could understand them differently. */
export function faultOf({ proposal, actions }: JudgeInput): EventError | undefined {
  if (actions.length === 0) return { code: "event_invalid", message: "The proposal asks for a review and holds no action" };
  const known = new Set(proposal.actions.map((action) => action.actionId));
  if (known.size !== proposal.actions.length) return { code: "event_invalid", message: "Two actions of the proposal have the same id" };
  const seen = new Set<string>();
  for (const { actionId, args, argsSha256 } of actions) {
    const name = `action ${plain(actionId, 80)}`;
    if (!known.has(actionId) || seen.has(actionId)) return { code: "event_invalid", message: `The ${name} is not one of the proposal, or comes twice` };
    seen.add(actionId);
    try {
      if (!isCanonical(args, { name: "arguments", maxBytes: LIMITS.args }))
        return { code: "args_not_canonical", message: `The arguments of ${name} are not canonical JSON (RFC 8785)` };
    } catch (error) {
      return { code: error instanceof CountersignError ? error.code : "json_syntax", message: `The arguments of ${name}: ${plain(messageOf(error), 300)}` };
    }
    if (sha256(args) !== argsSha256) return { code: "args_hash_mismatch", message: `The hash of the arguments of ${name} is not that of their bytes` };
  }
  return undefined;
}

/** The actions with everything that conditions read of them. */
export function subjectsOf({ proposal, actions, now }: Pick<JudgeInput, "proposal" | "actions" | "now">): Subject[] {
  const proposed = new Map(proposal.actions.map((action) => [action.actionId, action]));
  const evidence = new Set(proposal.evidence.filter((piece) => isSaying(piece.value) || isSaying(piece.url)).map((piece) => piece.label));
  const steps = { left: MAX_JUDGEMENT_STEPS };
  return actions.map(({ actionId, tool, args }, index) => {
    const { targetState = null, confidence = null, confidenceSource = null } = proposed.get(actionId) ?? {};
    const { agent, origin, run } = proposal;
    return {
      actionId,
      index,
      evidence,
      facts: {
        tool,
        args: JSON.parse(args) as Json,
        target: stateOf(targetState),
        agent,
        origin,
        run,
        confidence,
        confidenceSource,
        now,
        steps,
        answers: new Map(),
      },
    };
  });
}

/** Letters and signs that show nothing: fillers of Hangul are letters, and the empty pattern of Braille is a sign. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** Whether there is anything to read: a label with nothing behind it, or with invisible characters only, is no evidence. */
function isSaying(text: string | null): boolean {
  return text !== null && /[\p{L}\p{N}\p{P}\p{S}]/u.test(text.replace(UNSEEN, ""));
}

/** A state that is not what its hash says is no state. */
function stateOf(snapshot: ActionProposed["actions"][number]["targetState"]): Json | undefined {
  if (snapshot === null || sha256(snapshot.json) !== snapshot.sha256) return undefined;
  try {
    return parseStrict(snapshot.json);
  } catch {
    return undefined;
  }
}

/** An action of which nothing is believed: for verdicts that no document has reached. */
export function bareSubject(
  { proposal, now }: JudgeInput,
  { actionId, tool, args }: { actionId: string; tool: string; args?: string },
  index: number,
): Subject {
  const { agent, origin, run } = proposal;
  let value: Json = null;
  try {
    value = args === undefined ? null : parseStrict(args);
  } catch {
    // Shown as nothing: the reason says what is wrong with them.
  }
  return {
    actionId,
    index,
    facts: {
      tool,
      args: value,
      target: undefined,
      agent,
      origin,
      run,
      confidence: null,
      confidenceSource: null,
      now,
      steps: { left: MAX_JUDGEMENT_STEPS },
      answers: new Map(),
    },
    evidence: new Set(),
  };
}

/** Actions as budgets count them. `args`: their arguments, where they are parsed already. `flowed`: they run without a person. */
export function countablesOf(
  proposal: ActionProposed,
  actions: readonly JudgedAction[],
  { args, flowed = false }: { args?: readonly Json[]; flowed?: boolean } = {},
): BudgetSubject[] {
  const { workspace, agent, onBehalfOf, run } = proposal;
  return actions.map(({ actionId, tool, argsSha256, ...action }, i) => {
    const of = { workspace, agent: agent.id, onBehalfOf: onBehalfOf?.id ?? null, thread: run?.threadId ?? null };
    return { ...of, actionId, tool, args: args?.[i] ?? parseStrict(action.args), argsSha256, flowed };
  });
}
