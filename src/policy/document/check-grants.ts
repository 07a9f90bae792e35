import { amountMeterId, amountPath } from "../compile-grant.ts";
import { isGlob } from "../conditions/regex.ts";
import { shown } from "../problems.ts";
import { spanText } from "../span.ts";
import { checkCondition, meets, type Report } from "./check-condition.ts";
import type { ActionContent, PolicyContent } from "./shape.ts";
import type { GateContent, GrantContent } from "./shape-grant.ts";

/** What is wrong with the gate of an action. */
export function checkGate({ gate, reversibility }: Pick<ActionContent, "gate" | "reversibility">, report: Report): void {
  if (gate === undefined) return;
  const { kind } = gate;
  if (reversibility === "irreversible" && kind !== "hard")
    report(
      ["kind"],
      `an irreversible action always has a hard gate, without exception: nothing can undo what ${kind === "audit" ? "an audit finds afterwards" : `${shown(kind)} lets through`}; use { kind: hard }`,
    );
  checkParts(gate, report);
}

function checkParts({ kind, from_risk, below_confidence, window, review }: GateContent, report: Report): void {
  if (kind === "soft" && from_risk === undefined && below_confidence === undefined) report([], "soft needs from_risk, below_confidence or both");
  if (kind === "audit" && window === undefined) report([], "audit needs a window, such as window: PT24H: by when somebody has looked");
  if (kind !== "soft" && kind !== "audit" && from_risk !== undefined) report(["from_risk"], `belongs to a soft or an audit gate, not to ${shown(kind)}`);
  if (kind !== "soft" && below_confidence !== undefined) report(["below_confidence"], `belongs to a soft gate, not to ${shown(kind)}`);
  if (kind !== "audit" && window !== undefined) report(["window"], `belongs to an audit gate, not to ${shown(kind)}`);
  if (kind !== "audit" && review !== undefined) report(["review"], `belongs to an audit gate, not to ${shown(kind)}`);
}

/** What is wrong with the loosenings of a document. */
export function checkGrants(content: PolicyContent, report: Report): void {
  const taken = new Set([...content.rules, ...content.floors, ...content.budgets, ...content.duplicates].map(({ id }) => id));
  for (const [i, grant] of content.grants.entries()) {
    if (taken.has(grant.id)) report(["grants", i, "id"], `${shown(grant.id)} is taken; every rule, floor, budget and grant has an id of its own`);
    taken.add(grant.id);
    checkGrant(grant, content, (path, message) => report(["grants", i, ...path], message));
  }
  // Two meters of one name would be one: the budget would count what the grant let through, and nothing else.
  for (const [i, grant] of content.grants.entries())
    if (grant.cap.amount !== undefined && taken.has(amountMeterId(grant)))
      report(
        ["grants", i, "id"],
        `${shown(grant.id)} counts its amount as ${shown(amountMeterId(grant))}, and that is the id of something else; rename one of them`,
      );
}

function checkGrant(grant: GrantContent, content: PolicyContent, report: Report): void {
  const { when, lower, cap } = grant;
  if (when.action === undefined) report(["when"], "must name the action: a grant is scoped, it never loosens everything");
  checkCondition(when, "grant", content, (path, message) => report(path, message), ["when"]);
  if (lower.risk === undefined && lower.gate === undefined) report(["lower"], "has no effect; give it risk, gate or both");
  if (lower.gate?.kind === "hard") report(["lower", "gate", "kind"], "hard is nothing to lower to; use soft, audit or none");
  if (lower.gate !== undefined) checkParts(lower.gate, (path, message) => report(["lower", "gate", ...path], message));
  if (typeof lower.gate?.window === "object" && content.calendar === undefined)
    report(["lower", "gate", "window"], `is ${spanText(lower.gate.window)}, but the document has no calendar`);
  const reach = Object.entries(content.actions).filter(([name]) => when.action?.some((wanted) => meets(wanted, name)));
  for (const [name, { reversibility }] of reach)
    if (reversibility === "irreversible" && (when.action?.includes(name) || reach.length === 1))
      report(["when", "action"], `${shown(name)} is irreversible, and no grant ever loosens that; take it out`);
  if (cap.amount === undefined) return;
  if (when.action?.some(isGlob)) report(["cap", "amount"], "needs actions that are named one by one, so that it is known what is added up");
  else if (amountPath(content, grant) === undefined)
    report(["cap", "amount"], "needs actions that give their amount at the same path; add amount: { path, unit } to each of them");
  const units = new Set(reach.map(([, action]) => action.amount?.unit));
  if (units.size > 1) report(["cap", "amount"], `cannot add up different units: ${[...units].map(shown).join(", ")}`);
}
