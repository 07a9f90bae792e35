import type { EventOf } from "../events/types.generated.ts";
import { type Hit, hitsOf, uncheckable } from "./assess.ts";
import { type BudgetOutcome, judgeBudgets } from "./budget.ts";
import type { CompiledPolicy, CompiledRule } from "./compile.ts";
import { countablesOf, type JudgeInput, subjectsOf } from "./subjects.ts";
import type { UsageReader } from "./usage.ts";

/** What was decided on an item that is about to be granted. */
export interface Decided {
  readonly route: EventOf["verdicts"]["route"];
  /** Approvals that the verdict asked for, all of which were given. */
  readonly approvals: number;
  /** Rules that the verdict knew of. */
  readonly matched: ReadonlySet<string>;
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
  const countables = countablesOf(input.proposal, input.actions, { args: subjects.map(({ facts }) => facts.args), flowed: decided.route === "allow" });
  for (const policy of own) {
    const spent = judgeBudgets(policy, countables, usage.orGranted, input.now);
    const reserved = judgeBudgets(policy, countables, usage.earlier, input.now);
    for (const subject of subjects)
      for (const action of policy.find(subject.facts.tool)) {
        const floors = hitsOf(
          action.rules.filter(({ floor }) => floor),
          { ...subject.facts, baseRisk: action.baseRisk, risk: action.baseRisk },
        );
        const hit =
          floors.find((floor) => isBroken(floor, decided)) ??
          of(spent, subject.index).find(forbids) ??
          of(reserved, subject.index).find((h) => isBroken(h, decided));
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

/** Whether what was decided falls short of what a floor or a budget asks for. What the verdict knew of, it has met. */
function isBroken(hit: Hit, { route, approvals, matched }: Decided): boolean {
  if (forbids(hit)) return true;
  const { rule } = hit;
  if (matched.has(rule.id)) return false;
  return isShortOf({ ...rule, hard: rule.hard || uncheckable(hit) }, { flowed: route === "allow", approvals });
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
  const asks = forbids(hit) ? "forbids it" : rule.approvals > 1 ? `asks for ${rule.approvals} approvals` : "asks for a person";
  const why = /[.!?…)]$/.test(rule.because) ? rule.because : `${rule.because}.`;
  return `Withheld: ${isFloor ? "the floor" : "the budget"} ${rule.id} of policy ${ref.id} (version ${ref.version}), in force now, ${asks}. ${why} Nothing was run.`;
}
