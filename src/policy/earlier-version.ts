import type { PolicyRef } from "../events/types.generated.ts";
import type { CompiledAction, CompiledPolicy } from "./compile.ts";

const withoutGrants = (action: CompiledAction): CompiledAction => (action.grants.length === 0 ? action : { ...action, grants: [] });

/**
 * A version that is no longer in force, as it still holds for what it has judged: it can only be stricter than the one in force. Its budgets
 * are not counted any more, those in force are; and it loosens nothing.
 */
export function asItJudged(policy: CompiledPolicy): CompiledPolicy {
  return { ...policy, budgets: [], meters: [], find: (tool) => policy.find(tool).map(withoutGrants), undescribed: withoutGrants(policy.undescribed) };
}

/** Of the documents of a verdict on an edit those that were no longer in force: they judged what was edited, and the verdict names a newer version. */
export function earlierVersions(named: readonly PolicyRef[], before: readonly PolicyRef[]): ReadonlySet<string> {
  const earlier = named.filter(
    (ref) => before.some(({ sha256 }) => sha256 === ref.sha256) && named.some((other) => other.id === ref.id && other.sha256 !== ref.sha256),
  );
  return new Set(earlier.map(({ sha256 }) => sha256));
}
