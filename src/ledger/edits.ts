import { type Json, parseStrict, sha256 } from "../events/canonical.ts";
import { changedPaths } from "../events/changed-paths.ts";
import type { DecisionMade } from "../events/types.generated.ts";
import { argsError } from "./args-schema.ts";
import type { DecisionPast } from "./decisions.ts";
import type { ActionTerms } from "./item.ts";

/** What an edit does to a plan. */
interface Plan {
  readonly edits: readonly { actionId: string; args: string; argsSha256: string }[];
  readonly dropped: readonly string[];
  readonly order: readonly string[];
}

/** The actions after an edit: dropped, reordered, with the new arguments. */
export function editedActions(actions: readonly ActionTerms[], edit: Plan): readonly ActionTerms[] {
  const kept = actions.filter((a) => !edit.dropped.includes(a.actionId));
  const ordered = edit.order.length === 0 ? kept : edit.order.map((id) => kept.find((a) => a.actionId === id)).filter((a) => a !== undefined);
  return ordered.map((a) => {
    const e = edit.edits.find((x) => x.actionId === a.actionId);
    return e === undefined ? a : { ...a, args: e.args, argsSha256: e.argsSha256 };
  });
}

/** Whether two lists of actions name the same arguments in the same order. */
export function sameActions(a: readonly { actionId: string; argsSha256: string }[], b: readonly { actionId: string; argsSha256: string }[]): boolean {
  return a.length === b.length && a.every((x, i) => x.actionId === b[i]?.actionId && x.argsSha256 === b[i]?.argsSha256);
}

/** What is wrong with the content of an edit; null when it is fine. Reads the causal past only. */
export function editReason({ verdict }: DecisionPast, event: DecisionMade): string | null {
  const { actions, terms } = verdict;
  const known = new Set(actions.map((a) => a.actionId));
  for (const id of [...event.dropped, ...event.order, ...event.edits.map((e) => e.actionId)]) if (!known.has(id)) return `edit: no action ${id}`;
  if (new Set(event.edits.map((e) => e.actionId)).size !== event.edits.length) return "edit: an action is edited twice";
  if (event.edits.some((e) => event.dropped.includes(e.actionId))) return "edit: an action is edited and dropped";
  const kept = actions.filter((a) => !event.dropped.includes(a.actionId));
  if (
    event.order.length > 0 &&
    (event.order.length !== kept.length || new Set(event.order).size !== kept.length || event.order.some((id) => event.dropped.includes(id)))
  ) {
    return "edit: the order must name every remaining action once";
  }
  if (kept.length === 0) return "edit: nothing is left (reject instead)";
  for (const edit of event.edits) {
    const action = actions.find((a) => a.actionId === edit.actionId) as ActionTerms;
    if (sha256(edit.args) !== edit.argsSha256) return `edit: the hash of ${edit.actionId} is not that of its arguments`;
    const paths = terms.editablePaths.filter((p) => p.actionId === edit.actionId).map((p) => p.path);
    const reason = argumentsReason(action, edit.args, paths);
    if (reason !== null) return reason;
  }
  return sameActions(editedActions(actions, event), actions) ? "edit: changes nothing" : null;
}

function argumentsReason(action: ActionTerms, args: string, editable: readonly string[]): string | null {
  let after: Json;
  try {
    after = parseStrict(args);
  } catch (error) {
    return `edit: ${(error as Error).message}`;
  }
  const outside = changedPaths(JSON.parse(action.args), after).find((path) => !editable.some((e) => path === e || path.startsWith(`${e}/`) || e === ""));
  if (outside !== undefined) return `edit: ${outside === "" ? "the whole" : outside} of ${action.actionId} is not editable`;
  const error = action.argsSchema === null ? null : argsError(action.argsSchema, after);
  return error === null ? null : `edit: ${action.actionId} breaks its schema: ${error}`;
}
