import { messageOf } from "../../errors.ts";
import type { Json } from "../../events/canonical.ts";
import type { Draft } from "../../events/draft.ts";
import type { BudgetUse, ShadowVerdict, VerdictReached } from "../../events/types.generated.ts";
import { type BudgetOutcome, judgeBudgets } from "../budgets/budget.ts";
import { grantReader } from "../budgets/grant-use.ts";
import { NOTHING_USED } from "../budgets/usage.ts";
import { touchesSecret } from "../catalogue.ts";
import type { CompiledAction, CompiledPolicy } from "../compiled.ts";
import { LAST_OWNER } from "../document/defaults.ts";
import type { Breach } from "../document/json-schema.ts";
import { PUBLISH_TOOL } from "../publish-tool.ts";
import { fillExact, plain } from "../render.ts";
import type { Surroundings } from "./assess.ts";
import { type CardAction, cardOf } from "./card.ts";
import { joinOpinions } from "./join.ts";
import { judgeAction } from "./judge-action.ts";
import { judgePublication } from "./judge-publication.ts";
import { helping, MOST_TRIED, stillHolds } from "./milder.ts";
import { fallbackOf, isInForce, type Opinion, type Reason, type Subject, undescribed } from "./opinion.ts";
import { told } from "./reasons.ts";
import { countablesOf, faultOf, type JudgeInput, subjectsOf } from "./subjects.ts";
import { asked, broken, refused } from "./unjudged.ts";
import { type VerdictBody, verdictOf } from "./verdict.ts";

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
  const all = policies.filter((policy) => policy.workspace === proposal.workspace).sort(byIdThenHash);
  const own = all.filter((policy) => policy.mode !== "shadow");
  const fallback = fallbackOf(own.filter(isInForce));
  if (proposal.ask === "question" || proposal.ask === "notify") return asked(fallback, input, proposal.ask);
  if (proposal.ask !== "review") return broken(policies, input, { code: "event_invalid", message: "This version does not know what the proposal asks for" });
  const fault = faultOf(input);
  if (fault !== undefined) return refused(fallback, input, fault);
  const subjects = subjectsOf(input);
  const around = surroundings(own, subjects, input);
  const groups = subjects.map((subject) =>
    subject.facts.tool === PUBLISH_TOOL
      ? [judgePublication(all, subject, (policy) => around.of(policy, subject.index))]
      : opinionsOn(own, fallback, subject, around),
  );
  const watched = all.flatMap((policy) => (policy.mode === "shadow" ? watching(policy, subjects, input) : []));
  // After everything else: it spends what steps are left.
  const perAction = withHelping(groups, subjects, (subject, changed) => opinionsOn(own, fallback, subject, changed), around);
  const joined = joinOpinions(perAction);
  const because = told([...joined.because, ...notAsked(joined, perAction, subjects)]);
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
    alone: input.alone === true,
    because,
    steps: perAction.flatMap((opinion) => opinion.step ?? []),
    card: cardOf(cards, because),
    receiptTarget: receiptTargetOf(cards),
    budgets: [...[...around.budgets.values()].flatMap(({ used }) => used), ...watched.flatMap(({ budgets }) => budgets)],
    shadow: watched.map(({ said }) => said),
  });
}

/** A plan is one review, and its most severe step says whose: of the others it is told who would have been asked about them alone. */
function notAsked({ route, owner }: Opinion, perAction: readonly Opinion[], subjects: readonly Subject[]): Reason[] {
  if (route !== "interrupt" && route !== "batch") return [];
  return perAction.flatMap((step, i) => {
    if ((step.route !== "interrupt" && step.route !== "batch") || step.owner === owner) return [];
    const tool = plain(subjects[i]?.facts.tool ?? "", 80);
    return [{ weight: 4, text: `${owner} decides on the whole plan; ${step.owner}, who would decide on ${tool} alone, is not asked` }];
  });
}

/** An edit may be judged by two versions of one document: their hashes tell them apart, in whatever order they come. */
function byIdThenHash({ ref: a }: CompiledPolicy, { ref: b }: CompiledPolicy): number {
  return a.id === b.id ? (a.sha256 < b.sha256 ? -1 : a.sha256 > b.sha256 ? 1 : 0) : a.id < b.id ? -1 : 1;
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
  const budgets = new Map(all.map((policy) => [policy, judgeBudgets(policy, countable, usage, now)]));
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
    const watched = subjects.filter(({ facts }) => facts.tool !== PUBLISH_TOOL);
    const opinions = watched.flatMap((subject) => policy.find(subject.facts.tool).map((action) => opinionOf(policy, action, subject, around)));
    if (opinions.length === 0) return [];
    const { route, risk, budgets } = joinOpinions(opinions);
    const used = [...around.budgets.values()].flatMap((outcome) => outcome.used);
    return [{ said: { policy: policy.ref.id, route, risk }, budgets: [...used, ...budgets] }];
  } catch {
    return [{ said: { policy: policy.ref.id, route: "interrupt", risk: "high" }, budgets: [] }];
  }
}

/**
 * One opinion per policy and entry that describes the tool. Where no version in force does, every document in force says what its rules and
 * floors without an action ask for: what nobody describes is bound by all of them, whatever an earlier version says of it.
 */
function opinionsOn(own: readonly CompiledPolicy[], fallback: CompiledPolicy | undefined, subject: Subject, around: Around): Opinion[] {
  const { tool } = subject.facts;
  const opinions = own.flatMap((policy) => policy.find(tool).map((action) => opinionOf(policy, action, subject, around)));
  if (own.some((policy) => isInForce(policy) && policy.find(tool).length > 0)) return opinions;
  if (fallback === undefined) return [...opinions, undescribed(undefined, subject, `No policy of this workspace describes ${plain(tool, 80)}`, LAST_OWNER)];
  const bound = own.filter(isInForce).map((policy): Opinion => {
    const opinion = opinionOf(policy, policy.undescribed, subject, around);
    if (hasJudged(opinion)) return opinion;
    return { ...opinion, rank: `~${policy === fallback ? "" : opinion.rank}` };
  });
  const joined = joinOpinions(bound);
  if (bound.some((opinion) => opinion.policy === joined.policy && hasJudged(opinion))) return [...opinions, joined];
  const lent = { weight: 4, text: `${joined.owner} decides, as the owner of policy ${joined.policy?.id}` };
  return [...opinions, { ...joined, policy: null, because: [...joined.because, lent] }];
}

/**
 * The joined opinion on each action, with those changes only that make the whole item milder: each is judged with the rest of what is known
 * unchanged.
 */
function withHelping(
  groups: readonly (readonly Opinion[])[],
  subjects: readonly Subject[],
  opinionsOf: (subject: Subject, around: Around) => readonly Opinion[],
  { budgets }: Around,
): Opinion[] {
  const all = groups.map(joinOpinions);
  let left = MOST_TRIED;
  return all.map((joined, i) => {
    const { [i]: subject } = subjects;
    if (joined.wouldPass.length === 0 || subject === undefined || left === 0) return { ...joined, wouldPass: [] };
    // An action whose changes are only compared counts as well: it is held against all others.
    left--;
    const judgedAgain = (args: Json, path: string): Opinion | undefined => {
      if (left === 0) return undefined;
      left--;
      const of: Around["of"] = (policy, index) => ({
        budgets: (budgets.get(policy)?.hits.get(index) ?? NO_HITS).filter((hit) => stillHolds(hit, args, path)),
        // What is left of a grant was read for the arguments as they are.
        grant: (grant) => ({ grant, fits: false, told: "", uses: [] }),
      });
      return joinOpinions(opinionsOf({ ...subject, facts: { ...subject.facts, args, answers: new Map() } }, { budgets, of }));
    };
    const said = { joined, opinions: groups[i] ?? [], others: all.filter((_, k) => k !== i) };
    return { ...joined, wouldPass: helping(said, subject.facts.args, judgedAgain) };
  });
}

/** A document that says nothing of a tool has not judged it: it only lends its owner, where no other says more. */
function hasJudged({ matched, error }: Opinion): boolean {
  return matched.length > 0 || error !== null;
}

function opinionOf(policy: CompiledPolicy, action: CompiledAction, subject: Subject, around: Around): Opinion {
  try {
    const breaches = action.check?.(subject.facts.args, subject.facts.steps);
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
