import { createPatch, type Operation } from "rfc6902";
import { editedActions } from "../../ledger/edits.ts";
import { type ActionTerms, type DecisionNode, type Item, nodeOf, type ProposalNode, type VerdictNode } from "../../ledger/item.ts";
import type { ItemView } from "../../producers/wire/answers.ts";
import { jsonOf } from "./json.ts";
import type { Context } from "./ledger.ts";

type Step = Pick<ActionTerms, "actionId" | "tool" | "args" | "argsSha256">;

/** Lists of more entries than this, multiplied, are replaced as a whole: the shortest list of changes takes their product of time. */
const MOST_COMPARED = 40_000;

/** JSON Patch (RFC 6902) that leads from some arguments to others. */
export function patchOf(before: unknown, after: unknown): Operation[] {
  return createPatch(before, after, (input, output, ptr) =>
    Array.isArray(input) && Array.isArray(output) && input.length * output.length > MOST_COMPARED
      ? [{ op: "replace", path: ptr.toString(), value: output }]
      : undefined,
  );
}

/** The actions on the table, each with what edits have changed of it. */
export function actionsView(proposal: ProposalNode, actions: readonly Step[]): ItemView["actions"] {
  return actions.map(({ actionId, tool, args, argsSha256 }) => {
    const before = proposal.actions.find((a) => a.actionId === actionId);
    const base = { actionId, tool, args: jsonOf(args), argsSha256 };
    if (before === undefined || before.argsSha256 === argsSha256) return base;
    const proposedArgs = jsonOf(before.args);
    return { ...base, proposedArgs, patch: patchOf(proposedArgs, base.args) };
  });
}

/** The steps of the proposal that are no longer in the plan. */
export function droppedView(proposal: ProposalNode, actions: readonly Step[]): ItemView["dropped"] {
  return proposal.actions
    .filter((a) => !actions.some((b) => b.actionId === a.actionId))
    .map(({ actionId, tool, args }) => ({ actionId, tool, args: jsonOf(args) }));
}

/** The edits that took effect, the first one first: before and after. */
export function editsView({ ledger }: Context, item: Item): ItemView["edits"] {
  const edits: ItemView["edits"] = [];
  const proposal = nodeOf(item, "proposals", item.proposal);
  for (let verdict = nodeOf(item, "verdicts", proposal?.verdict ?? null); verdict !== undefined; ) {
    const edit: DecisionNode | undefined = verdict.group.closedBy?.kind === "edit" ? nodeOf(item, "decisions", verdict.group.closedBy.id) : undefined;
    if (edit === undefined) break;
    const next: VerdictNode | undefined = nodeOf(item, "verdicts", edit.verdict);
    const { actor = "unknown" } = ledger.queries.event(item.id, "decisions", edit.id) ?? {};
    edits.push({ eventId: edit.id, by: actor, ...changedBy(verdict.actions, edit), verdict: next?.id ?? null, fellBack: next?.fallback ?? null });
    verdict = next;
  }
  return edits;
}

function changedBy(before: readonly ActionTerms[], edit: DecisionNode): Pick<ItemView["edits"][number], "dropped" | "order" | "actions"> {
  const after = editedActions(before, edit);
  const actions = edit.edits.map(({ actionId, args }) => {
    const from = jsonOf(before.find((a) => a.actionId === actionId)?.args ?? "null");
    const to = jsonOf(args);
    return { actionId, before: from, after: to, patch: patchOf(from, to) };
  });
  return { dropped: [...edit.dropped], order: after.map((a) => a.actionId), actions };
}
