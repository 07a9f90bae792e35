import type { CompiledAction, CompiledPolicy, CompiledRule } from "../compiled.ts";
import { type Hit, hitsOf, uncheckable } from "../judgement/assess.ts";
import { countablesOf, type JudgeInput, subjectsOf } from "../judgement/subjects.ts";
import { type BudgetOutcome, judgeBudgets } from "./budget.ts";
import type { UsageReader } from "./usage.ts";

/** What was decided on an item that is about to be granted. */
export interface Decided {
  /** Whether it runs without a person before it: allowed, or under an audit gate. */
  readonly flowed: boolean;
  /** What the verdict asked for, all of which was given. */
  readonly approvals: number;
  readonly approvalOrder: readonly string[];
  readonly separation: readonly string[];
  /** Rules that the verdict knew of. */
  readonly matched: ReadonlySet<string>;
  /** SHA-256 of the documents that judged it. */
  readonly judgedBy: ReadonlySet<string>;
}

/** Usage by others, for a grant. */
export interface UsageBefore {
  /** Of what was judged before. */
  readonly earlier: UsageReader;
  /** Of that, and of what is granted, whenever it was judged. */
  readonly orGranted: UsageReader;
}

/**
 * Holds an action once more against the floors and budgets in force, right before it is granted: they may have changed since the verdict,
 * and another ledger may have judged at the same moment. Returns the sentence that says what is in the way, or null. Rules do not bind
 * here: an item keeps the version that judged it.
 */
export function barAtGrant(
  policies: readonly CompiledPolicy[],
  input: Omit<JudgeInput, "usage" | "answers">,
  usage: UsageBefore,
  decided: Decided,
): string | null {
  const own = policies
    .filter(({ workspace, mode }) => workspace === input.proposal.workspace && mode !== "shadow")
    .sort((a, b) => (a.ref.id < b.ref.id ? -1 : 1));
  const subjects = subjectsOf(input);
  const countables = countablesOf(input.proposal, input.actions, { args: subjects.map(({ facts }) => facts.args), flowed: decided.flowed });
  for (const policy of own) {
    const spent = judgeBudgets(policy, countables, usage.orGranted, input.now);
    const reserved = judgeBudgets(policy, countables, usage.earlier, input.now);
    for (const subject of subjects)
      for (const action of entriesFor(own, policy, subject.facts.tool)) {
        const floors = hitsOf(
          action.rules.filter(({ floor }) => floor),
          { ...subject.facts, baseRisk: action.baseRisk, risk: action.baseRisk },
        );
        const hit =
          floors.find((floor) => isBroken(own, policy, floor, decided)) ??
          of(spent, subject.index).find(forbids) ??
          of(reserved, subject.index).find((h) => isBroken(own, policy, h, decided));
        if (hit !== undefined) return sentence(policy, hit, floors.includes(hit));
      }
  }
  return null;
}

function of({ hits }: BudgetOutcome, index: number): readonly Hit[] {
  return hits.get(index) ?? [];
}

function forbids(hit: Hit): boolean {
  return hit.rule.forbid && !uncheckable(hit);
}

/** The entries that judge a tool; what no document describes is judged by the rules for the undescribed of all of them, as in `judge`. */
function entriesFor(own: readonly CompiledPolicy[], policy: CompiledPolicy, tool: string): readonly CompiledAction[] {
  return own.some((other) => other.find(tool).length > 0) ? policy.find(tool) : [policy.undescribed];
}

/**
 * Whether what was decided falls short of what a floor or a budget asks for: of people, of their order or of a separation always. That it ran
 * without a person is right where the verdict knew of it, but only what the very same document said, under an id that no other document has.
 */
function isBroken(own: readonly CompiledPolicy[], { ref }: CompiledPolicy, hit: Hit, { matched, judgedBy, flowed, approvals, ...given }: Decided): boolean {
  if (forbids(hit)) return true;
  const { rule } = hit;
  const knew = judgedBy.has(ref.sha256) && matched.has(rule.id) && own.filter((policy) => policy.ids.has(rule.id)).length === 1;
  if (isShortOf({ ...rule, hard: rule.hard || uncheckable(hit) }, { flowed: flowed && !knew, approvals })) return true;
  return !isWithin(rule.approvalOrder, given.approvalOrder) || rule.separation.some((who) => !given.separation.includes(who));
}

/** Whether the roles have voted in this order, whoever else voted in between. */
function isWithin(order: readonly string[], given: readonly string[]): boolean {
  let next = 0;
  for (const role of given) if (role === order[next]) next++;
  return next === order.length;
}

/** Whether an item was let through with less than an effect asks for: without a person, or with fewer of them. */
export function isShortOf(
  { hard, risk, points, approvals }: Pick<CompiledRule, "hard" | "risk" | "points" | "approvals">,
  by: { readonly flowed: boolean; readonly approvals: number },
): boolean {
  const asksForPerson = hard || (risk !== undefined && risk !== "low") || points > 0;
  return (by.flowed && asksForPerson) || approvals > Math.max(1, by.approvals);
}

function sentence({ ref }: CompiledPolicy, hit: Hit, isFloor: boolean): string {
  const { rule } = hit;
  const asks = forbids(hit) ? "forbids it" : `asks for ${listText(asksOf(rule))}`;
  const why = /[.!?…)]$/.test(rule.because) ? rule.because : `${rule.because}.`;
  return `Withheld: ${isFloor ? "the floor" : "the budget"} ${rule.id} of policy ${ref.id} (version ${ref.version}), in force now, ${asks}. ${why} Nothing was run.`;
}

function asksOf({ approvals, approvalOrder, separation }: CompiledRule): string[] {
  return [
    ...(approvals > 1 || (approvalOrder.length === 0 && separation.length === 0) ? [approvals > 1 ? `${approvals} approvals` : "a person"] : []),
    ...(approvalOrder.length > 0 ? [`the approval of ${approvalOrder.join(", then ")}`] : []),
    ...(separation.length > 0 ? [`somebody other than the ${separation.map((who) => who.replaceAll("_", " ")).join(" and the ")}`] : []),
  ];
}

function listText(words: readonly string[]): string {
  return words.join(", and for ");
}
