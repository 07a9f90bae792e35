import type { PolicyRef, VerdictReached } from "../events/types.generated.ts";
import { everyLimit } from "./budgets/budget.ts";
import type { CompiledAction, CompiledPolicy } from "./compiled.ts";

/** What a verdict says of how it was reached. */
export type Reached = Pick<VerdictReached, "policy" | "policies" | "matched">;

/** The documents that a verdict was reached by. */
export function documentsOf({ policy, policies }: Pick<Reached, "policy" | "policies">): readonly PolicyRef[] {
  return policy === null ? policies : [policy, ...policies];
}

/**
 * A version that is no longer in force, as it still holds for what it has judged: it can only be stricter than the one in force. It loosens
 * nothing. Usage is counted for the budgets in force only; a budget of its own that took hold when it judged goes on holding, with all that
 * its limits ask for.
 */
export function asItJudged(policy: CompiledPolicy, { matched }: Pick<Reached, "matched">): CompiledPolicy {
  const held = policy.budgets.filter(({ id }) => matched.some(({ rule }) => rule === id)).flatMap((budget) => everyLimit(budget) ?? []);
  const asThen = (action: CompiledAction): CompiledAction => ({ ...action, grants: [], rules: [...action.rules, ...held] });
  return { ...policy, earlier: true, budgets: [], meters: [], find: (tool) => policy.find(tool).map(asThen), undescribed: asThen(policy.undescribed) };
}

/**
 * Of the documents of a verdict on an edit those that were no longer in force: they judged what was edited, and the verdict names another
 * version. Where more than one version judged it (an edit of an edit), that is in force which was published last. `publishedAt`: when a
 * version was last published before the verdict.
 */
export function earlierVersions(named: readonly PolicyRef[], before: readonly PolicyRef[], publishedAt: (ref: PolicyRef) => number): ReadonlySet<string> {
  const hadJudged = ({ sha256 }: PolicyRef) => before.some((ref) => ref.sha256 === sha256);
  const earlier = named.filter((ref) => {
    const versions = named.filter(({ id }) => id === ref.id);
    const fresh = versions.filter((version) => !hadJudged(version));
    const inForce = fresh.length === 1 ? fresh[0] : versions.reduce((last, version) => (publishedAt(version) > publishedAt(last) ? version : last));
    return hadJudged(ref) && inForce?.sha256 !== ref.sha256;
  });
  return new Set(earlier.map(({ sha256 }) => sha256));
}
