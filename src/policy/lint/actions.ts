import { baseRiskOf, reaches } from "../conditions/places.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import { DEFAULT_CONFIDENCE } from "../document/defaults.ts";
import type { ActionContent, PolicyContent } from "../document/shape.ts";
import { TIERS } from "../tiers.ts";
import type { Check, Found } from "./finding.ts";

/** Whether a person decides on the action even when nothing is unusual. */
function alwaysAsks(content: PolicyContent, action: ActionContent): boolean {
  return action.reversibility === "irreversible" || action.gate?.kind === "hard" || TIERS.indexOf(baseRiskOf(content, action)) >= TIERS.indexOf("high");
}

/** Whether anything at all can bring the action before a person. */
function canAsk(content: PolicyContent, name: string, action: ActionContent): boolean {
  if (alwaysAsks(content, action) || (action.gate !== undefined && action.gate.kind !== "none") || baseRiskOf(content, action) !== "low") return true;
  if ((content.confidence ?? DEFAULT_CONFIDENCE).some((step) => step.from === "low")) return true;
  if ((content.require?.evidence ?? []).length + (action.require?.evidence ?? []).length > 0) return true;
  const budgets = [...content.budgets, ...content.duplicates].some((budget) => reaches({ action: budget.action }, name));
  return budgets || [...content.rules, ...content.floors].some((rule) => reaches(rule.when, name));
}

function perAction(check: (name: string, action: ActionContent, content: PolicyContent) => readonly Omit<Found, "path">[], ...key: string[]): Check {
  return ({ document: { content } }) =>
    Object.entries(content.actions).flatMap(([name, action]) => check(name, action, content).map((found) => ({ ...found, path: ["actions", name, ...key] })));
}

/** Checks of the catalogue: schemas, cards, owners, deadlines. */
export const ACTION_CHECKS: readonly Check[] = [
  perAction((name, action) =>
    action.arguments !== undefined
      ? []
      : [
          {
            code: "no-schema",
            message: `${name} has no schema of its arguments: a rule cannot tell a missing field from one that the tool does not have`,
            fix: "give it arguments: a JSON Schema, inline or the name of a file",
          },
        ],
  ),
  perAction((name, action, content) =>
    action.card?.headline !== undefined || !canAsk(content, name, action)
      ? []
      : [
          {
            severity: baseRiskOf(content, action) === "low" && !alwaysAsks(content, action) ? "note" : "warning",
            code: "no-headline",
            message: `${name} has no headline: reviewers see the tool's name and raw arguments`,
            fix: "give it card: { headline: … }",
          },
        ],
  ),
  perAction((name, action, content) => {
    const missing = (["if_approved", "if_rejected", "if_it_fails", "rollback"] as const).filter((part) => action.card?.[part] === undefined);
    if (!alwaysAsks(content, action) || missing.length === 0 || action.card?.headline === undefined) return [];
    return [
      {
        severity: "note",
        code: "card-text",
        message: `the card of ${name} does not say ${missing.join(", ")}`,
        fix: "a reviewer should read what follows from each decision",
      },
    ];
  }),
  perAction((name, action, content) =>
    !alwaysAsks(content, action) || action.timeout !== undefined || routed(content, name, "timeout")
      ? []
      : [{ code: "no-timeout", message: `${name} always asks a person and names no timeout: it ends after the default 5 minutes`, fix: "give it a timeout" }],
  ),
  perAction((name, action, content) =>
    !alwaysAsks(content, action) || (action.ladder ?? []).length > 0 || routed(content, name, "ladder")
      ? []
      : [
          {
            severity: "note",
            code: "no-ladder",
            message: `nobody else is asked about ${name} when ${action.owner ?? content.owner} does not answer`,
            fix: "give it a ladder",
          },
        ],
  ),
  perAction((name, action, content) =>
    !alwaysAsks(content, action) || action.owner !== undefined || routed(content, name, "owner")
      ? []
      : [
          {
            severity: "note",
            code: "no-owner",
            message: `${name} names no owner: ${content.owner}, who owns the document, decides`,
            fix: "name an owner where somebody else should",
          },
        ],
  ),
  perAction((name, action, content) =>
    !alwaysAsks(content, action) || action.decisions.includes("edit")
      ? []
      : [
          {
            severity: "note",
            code: "not-editable",
            message: `a reviewer of ${name} cannot edit it, only take it or leave it`,
            fix: "add edit to decisions where arguments can be corrected",
          },
        ],
  ),
  perAction((name, action, content) =>
    (action.ladder ?? []).length === 0 || canAsk(content, name, action)
      ? []
      : [
          {
            code: "unreachable-ladder",
            message: `the ladder of ${name} is never climbed: nothing brings it before a person`,
            fix: "take the ladder out, or give the action a risk or a gate",
          },
        ],
  ),
  perAction((name, action, content) => {
    const owners = [action.owner ?? content.owner, ...(action.ladder ?? []).map((step) => step.to)];
    const again = owners.find((owner, i) => i > 0 && owner === owners[i - 1]);
    return again === undefined
      ? []
      : [{ code: "same-owner", message: `the ladder of ${name} goes from ${again} to ${again}`, fix: "escalate to somebody else" }];
  }),
  perAction((name, action, content) => {
    const rivals = Object.entries(content.actions).filter(
      ([other]) => other !== name && isGlob(name) && isGlob(other) && glob(other)(name.replace(/[*?]/g, "")) === true,
    );
    return rivals
      .filter(([, other]) => !other.decisions.some((decision) => action.decisions.includes(decision)))
      .map(([other]) => ({
        code: "no-decision",
        message: `a tool that both ${name} and ${other} describe is left no decision: they allow ${action.decisions.join(", ")} and nothing of it`,
        fix: "let both allow at least reject",
      }));
  }),
];

function routed(content: PolicyContent, name: string, key: "owner" | "timeout" | "ladder"): boolean {
  return content.routes.some((route) => route[key] !== undefined && reaches(route.when, name));
}
