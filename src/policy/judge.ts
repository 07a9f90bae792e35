import { CountersignError, messageOf } from "../errors.ts";
import { isCanonical, type Json, parseStrict, sha256 } from "../events/canonical.ts";
import type { Draft } from "../events/draft.ts";
import { LIMITS } from "../events/limits.ts";
import type { ActionProposed, BudgetUse, Card, EventError, ShadowVerdict, VerdictReached } from "../events/types.generated.ts";
import type { Surroundings } from "./assess.ts";
import { type BudgetOutcome, type BudgetSubject, judgeBudgets } from "./budget.ts";
import { askCard, type CardAction, cardOf } from "./card.ts";
import { type CompiledAction, type CompiledPolicy, touchesSecret } from "./compile.ts";
import { LAST_OWNER } from "./defaults.ts";
import { grantReader } from "./grant-use.ts";
import { joinOpinions } from "./join.ts";
import type { Breach } from "./json-schema.ts";
import { judgeAction } from "./judge-action.ts";
import { type Opinion, rankOf, type Subject, undescribed } from "./opinion.ts";
import { peopleOf } from "./people.ts";
import { valueAt } from "./pointer.ts";
import { PUBLISH_TOOL } from "./publish-tool.ts";
import { told } from "./reasons.ts";
import { fillExact, plain } from "./render.ts";
import { NOTHING_USED, type UsageReader } from "./usage.ts";
import { verdictOf } from "./verdict.ts";

/** What a verdict says, without the envelope that the policy worker adds. */
export type VerdictBody = Omit<VerdictReached, "eventId" | "itemId" | "workspace" | "answers" | "occurredAt" | "actor" | "traceparent">;

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
}

/**
 * Judges a proposal or an edit. Pure, and never throws: what goes wrong inside interrupts, with an error in the verdict. The order of the
 * policies and of the rules inside them never matters.
 */
export function judge(policies: readonly CompiledPolicy[], input: JudgeInput): Draft<VerdictBody> {
  try {
    return judged(policies, input);
  } catch (error) {
    return broken(policies, input, { code: "policy_error", message: plain(messageOf(error), 500) });
  }
}

function judged(policies: readonly CompiledPolicy[], input: JudgeInput): Draft<VerdictBody> {
  const { proposal } = input;
  const all = policies.filter((policy) => policy.workspace === proposal.workspace).sort((a, b) => (a.ref.id < b.ref.id ? -1 : a.ref.id > b.ref.id ? 1 : 0));
  const own = all.filter((policy) => policy.mode !== "shadow");
  const fallback = own.find((policy) => policy.ref.id === "default") ?? own[0];
  if (proposal.ask === "question" || proposal.ask === "notify") return asked(fallback, input, proposal.ask);
  if (proposal.ask !== "review") return broken(policies, input, { code: "event_invalid", message: "This version does not know what the proposal asks for" });
  const fault = faultOf(input);
  if (fault !== undefined) return refused(fallback, input, fault);
  const subjects = subjectsOf(input);
  const around = surroundings(own, subjects, input);
  const groups = subjects.map((subject) => opinionsOn(own, fallback, subject, around));
  const watched = all.flatMap((policy) => (policy.mode === "shadow" ? watching(policy, subjects, input) : []));
  const perAction = groups.map(joinOpinions);
  const joined = joinOpinions(perAction);
  const because = told(joined.because);
  const cards: CardAction[] = subjects.map((subject, i) => ({
    actionId: subject.actionId,
    tool: subject.facts.tool,
    args: subject.facts.args,
    described: describing(groups[i] ?? []),
    reversibility: perAction[i]?.reversibility ?? "irreversible",
    unusual: perAction[i]?.unusual ?? new Set(),
    owner: joined.owner,
  }));
  return verdictOf(joined, {
    now: input.now,
    requestedTimeoutMs: proposal.requestedTimeoutMs,
    because,
    steps: perAction.flatMap((opinion) => opinion.step ?? []),
    card: cardOf(cards, because),
    receiptTarget: receiptTargetOf(cards),
    budgets: [...[...around.budgets.values()].flatMap(({ used }) => used), ...watched.flatMap(({ budgets }) => budgets)],
    shadow: watched.map(({ said }) => said),
  });
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

/** What stands around the actions of an item: budgets, and what is left of grants. */
interface Around {
  readonly budgets: ReadonlyMap<CompiledPolicy, BudgetOutcome>;
  readonly of: (policy: CompiledPolicy, index: number) => Surroundings;
}

const NO_HITS: Surroundings["budgets"] = [];

/** What the budgets of each policy say of the whole item: the steps of a plan count together. */
function surroundings(all: readonly CompiledPolicy[], subjects: readonly Subject[], { proposal, actions, now, usage = NOTHING_USED }: JudgeInput): Around {
  const args = subjects.map(({ facts }) => facts.args);
  const countable = countablesOf(proposal, actions, { args });
  const budgets = new Map(all.filter(({ mode }) => mode !== "off").map((policy) => [policy, judgeBudgets(policy, countable, usage, now)]));
  return {
    budgets,
    of: (policy, index) => ({ budgets: budgets.get(policy)?.hits.get(index) ?? NO_HITS, grant: grantReader(countable, index, usage, now) }),
  };
}

interface Watched {
  readonly said: ShadowVerdict;
  readonly budgets: readonly BudgetUse[];
}

/** What a policy that only watches would have said of what it describes. It never acts: not even its errors do. */
function watching(policy: CompiledPolicy, subjects: readonly Subject[], input: JudgeInput): Watched[] {
  try {
    const around = surroundings([policy], subjects, input);
    const opinions = subjects.flatMap((subject) => policy.find(subject.facts.tool).map((action) => opinionOf(policy, action, subject, around)));
    if (opinions.length === 0) return [];
    const { route, risk, budgets } = joinOpinions(opinions);
    const used = [...around.budgets.values()].flatMap((outcome) => outcome.used);
    return [{ said: { policy: policy.ref.id, route, risk }, budgets: [...used, ...budgets] }];
  } catch {
    return [{ said: { policy: policy.ref.id, route: "interrupt", risk: "high" }, budgets: [] }];
  }
}

/** One opinion per policy and entry that describes the tool; where none does, that of the fallback on the undescribed. */
function opinionsOn(own: readonly CompiledPolicy[], fallback: CompiledPolicy | undefined, subject: Subject, around: Around): Opinion[] {
  const { tool } = subject.facts;
  // Whether a document may be published is for the version of it that is in force.
  const asked = tool === PUBLISH_TOOL ? own.filter(({ ref }) => ref.id === valueAt(subject.facts.args, ["policy"])) : own;
  const opinions = asked.flatMap((policy) => policy.find(tool).map((action) => opinionOf(policy, action, subject, around)));
  if (opinions.length > 0) return opinions;
  if (fallback === undefined) return [undescribed(undefined, subject, `No policy of this workspace describes ${plain(tool, 80)}`, LAST_OWNER)];
  const opinion = opinionOf(fallback, fallback.undescribed, subject, around);
  // A document that says nothing of the tool has not judged it: it only lends its owner.
  const judged = fallback.mode === "off" || opinion.matched.length > 0 || opinion.error !== null;
  const lent = { weight: 4, text: `${opinion.owner} decides, as the owner of policy ${fallback.ref.id}` };
  return [judged ? opinion : { ...opinion, policy: null, because: [...opinion.because, lent] }];
}

function opinionOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, around: Around): Opinion {
  if (policy.mode === "off") return { ...undescribed(policy, subject, `Policy ${policy.ref.id} is off: everything waits for a person`, policy.owner), action };
  try {
    const breaches = action.check?.(subject.facts.args);
    if (breaches === undefined) return judgeAction(policy, action, subject, around.of(policy, subject.index));
    const message = breaches.map((breach) => plain(breachText(breach, action), 200)).join("; ");
    const opinion = undescribed(policy, subject, `The arguments of ${plain(subject.facts.tool, 80)} break its schema: ${message}`, policy.owner);
    return { ...opinion, action, route: "forbid", reversibility: action.reversibility, error: { code: "schema_invalid", message } };
  } catch (error) {
    const opinion = undescribed(policy, subject, `Policy ${policy.ref.id} could not judge ${plain(subject.facts.tool, 80)}`, policy.owner, {
      code: "policy_error",
      message: plain(messageOf(error), 500),
    });
    return { ...opinion, action };
  }
}

function breachText({ message, value, path }: Breach, { fields }: CompiledAction): string {
  return value === undefined || touchesSecret(fields, path) ? message : `${message}, not ${value}`;
}

/** What makes the arguments unfit to be judged at all: two readers could understand them differently. */
function faultOf({ proposal, actions }: JudgeInput): EventError | undefined {
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
  const evidence = new Set(proposal.evidence.filter((piece) => piece.value !== null || piece.url !== null).map((piece) => piece.label));
  return actions.map(({ actionId, tool, args }, index) => {
    const { targetState = null, confidence = null, confidenceSource = null } = proposed.get(actionId) ?? {};
    const { agent, origin, run } = proposal;
    return {
      actionId,
      index,
      evidence,
      facts: { tool, args: JSON.parse(args) as Json, target: stateOf(targetState), agent, origin, run, confidence, confidenceSource, now },
    };
  });
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

function describing(opinions: readonly Opinion[]): CompiledAction[] {
  return opinions.flatMap((opinion) => (opinion.action === null ? [] : [opinion.action]));
}

/** Of the first step that names one. */
function receiptTargetOf(cards: readonly CardAction[]): VerdictReached["receiptTarget"] {
  for (const { described, args } of cards)
    for (const { receiptTarget } of described) {
      const id = receiptTarget && fillExact(receiptTarget.id, args);
      if (receiptTarget !== undefined && id !== undefined)
        return { system: receiptTarget.system, id, url: receiptTarget.url === undefined ? null : (fillExact(receiptTarget.url, args) ?? null) };
    }
  return null;
}

/** A question can only be answered, a notice only be closed. Neither runs anything. */
function asked(policy: CompiledPolicy | undefined, input: JudgeInput, ask: "question" | "notify"): Draft<VerdictBody> {
  const { proposal, now } = input;
  const { calendar } = policy ?? { calendar: undefined };
  const people = peopleOf(policy?.owner ?? LAST_OWNER, { now, calendar }, ask === "question" ? policy?.questions : policy?.notices);
  const text = ask === "question" ? "The agent asks a question" : "The agent gives notice";
  const opinion: Opinion = {
    ...undescribed(policy, bare(input, { actionId: "", tool: "" }, 0), text, LAST_OWNER),
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
function refused(policy: CompiledPolicy | undefined, input: JudgeInput, error: EventError): Draft<VerdictBody> {
  const subjects = input.actions.map((action, index) => bare(input, action, index));
  const steps = subjects.flatMap((subject) => undescribed(policy, subject, error.message, LAST_OWNER).step ?? []);
  const subject = subjects[0] ?? bare(input, { actionId: "", tool: "" }, 0);
  const opinion: Opinion = { ...undescribed(policy, subject, error.message, LAST_OWNER, error), policy: null, route: "forbid" };
  return verdictOf(opinion, { now: input.now, requestedTimeoutMs: null, because: [error.message], steps, card: null, receiptTarget: null });
}

/** The last net: a person decides, knowing that policy could not. */
function broken(policies: readonly CompiledPolicy[], input: JudgeInput, error: EventError): Draft<VerdictBody> {
  const policy = policies.find((candidate) => candidate.workspace === input.proposal.workspace && candidate.mode !== "shadow");
  const subjects = input.actions.map((action, index) => bare(input, action, index));
  const text = "Policy could not judge this; a person decides";
  const opinions = subjects.map((subject) => undescribed(policy, subject, text, LAST_OWNER, error));
  const steps = opinions.flatMap((opinion) => opinion.step ?? []);
  const opinion = opinions[0] ?? undescribed(policy, bare(input, { actionId: "", tool: "" }, 0), text, LAST_OWNER, error);
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

function bare({ proposal, now }: JudgeInput, { actionId, tool, args }: { actionId: string; tool: string; args?: string }, index: number): Subject {
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
    facts: { tool, args: value, target: undefined, agent, origin, run, confidence: null, confidenceSource: null, now },
    evidence: new Set(),
  };
}
