import { UNDESCRIBED } from "../compile.ts";
import { baseRiskOf, reaches } from "../conditions/places.ts";
import { isGlob } from "../conditions/regex.ts";
import { DEFAULT_CONFIDENCE } from "../document/defaults.ts";
import type { ActionContent, PolicyContent, RuleContent } from "../document/shape.ts";
import type { GrantContent } from "../document/shape-grant.ts";
import { TIERS } from "../tiers.ts";
import type { Check, Found } from "./finding.ts";

const DAY = 86_400_000;
/** From when on an end is worth a note, in milliseconds before it. */
const SOON = 30 * DAY;

/** Checks of effects: what raises to where an action stands already, and grants that loosen nothing (any more). */
export const EFFECT_CHECKS: readonly Check[] = [
  ({ document: { content } }) =>
    (["rules", "floors"] as const).flatMap((layer) =>
      content[layer].flatMap(({ id, when, raise, forbid }, i) => {
        const floor = layer === "floors";
        // What names no action, or a glob, is also about tools that the catalogue does not have.
        const open = (when?.action ?? ["*"]).some(isGlob);
        if (forbid || (open && raise !== undefined && !isThere(content, floor, raise, "", UNDESCRIBED))) return [];
        return idle(content, floor, id, raise, (name) => reaches(when, name), [layer, i, "raise"]);
      }),
    ),
  ({ document: { content } }) =>
    content.budgets.flatMap(({ id, action, limits }, i) =>
      limits.flatMap(({ raise, forbid }, k) =>
        forbid ? [] : idle(content, false, id, raise, (name) => reaches({ action }, name), ["budgets", i, "limits", k, "raise"]),
      ),
    ),
  ({ document: { content } }) =>
    content.duplicates.flatMap(({ id, action, raise, forbid }, i) =>
      forbid ? [] : idle(content, false, id, raise, (name) => reaches({ action }, name), ["duplicates", i, "raise"]),
    ),
  ({ document: { content } }, now) => content.grants.flatMap((grant, i) => ending(grant, now).map((found) => ({ ...found, path: ["grants", i, "expires"] }))),
  ({ document: { content } }) => content.grants.flatMap((grant, i) => (loosens(content, grant) ? [] : [{ ...useless(grant), path: ["grants", i, "lower"] }])),
];

/** A raise that comes to nothing because every action that it concerns is at least there from the start. */
function idle(
  content: PolicyContent,
  floor: boolean,
  id: string,
  raise: Partial<NonNullable<RuleContent["raise"]>> | undefined,
  concerns: (name: string) => boolean,
  path: readonly PropertyKey[],
): Found[] {
  const reached = Object.entries(content.actions).filter(([name]) => concerns(name));
  if (raise === undefined || reached.length === 0 || !reached.every(([name, action]) => isThere(content, floor, raise, name, action))) return [];
  const parts = Object.entries(raise).flatMap(([key, value]) => (value === undefined ? [] : [key === "risk" ? String(value) : `${key} ${String(value)}`]));
  const fix = raise.risk === undefined ? "take it out, or raise something else" : "raise higher, or by points";
  return [
    { code: "no-effect", path, message: `${id} raises to ${parts.join(", ")}, and ${reached.map(([name]) => name).join(", ")} start there already`, fix },
  ];
}

function isThere(
  content: PolicyContent,
  floor: boolean,
  { risk, points, approvals, approval_order, gate, separation }: Partial<NonNullable<RuleContent["raise"]>>,
  name: string,
  action: ActionContent,
): boolean {
  // What a rule or a floor asks for no grant lowers, so it means something where a grant may lower the action itself.
  const lowered = action.reversibility !== "irreversible" && content.grants.some(({ when }) => reaches(when, name));
  const hard = action.reversibility === "irreversible" || (action.gate?.kind === "hard" && !lowered);
  return (
    !(floor && lowered) &&
    ((points ?? 0) === 0 || baseRiskOf(content, action) === "critical") &&
    (approval_order ?? []).length === 0 &&
    (separation ?? []).every((word) => isSeparated(content, word, name, action)) &&
    (risk === undefined || TIERS.indexOf(baseRiskOf(content, action)) >= TIERS.indexOf(risk)) &&
    (gate === undefined || hard) &&
    ((approvals ?? 1) === 1 || (hard && (action.approvals ?? 1) >= (approvals ?? 1)))
  );
}

/** Whether the action keeps somebody from approving, whichever route holds: what a route says of separation stands in place of what the action says. */
function isSeparated({ routes }: PolicyContent, word: NonNullable<ActionContent["separation"]>[number], name: string, action: ActionContent): boolean {
  const replaced = routes.some(({ when, separation }) => separation !== undefined && !separation.includes(word) && reaches(when, name));
  return action.separation?.includes(word) === true && !replaced;
}

function ending({ id, expires }: GrantContent, now: number | undefined): Omit<Found, "path">[] {
  if (now === undefined || expires - now > SOON) return [];
  const day = new Date(expires).toISOString().slice(0, 10);
  return expires <= now
    ? [{ code: "expired-grant", message: `${id} ended on ${day}: it loosens nothing any more`, fix: "take it out, or renew it with new evidence" }]
    : [
        {
          severity: "note",
          code: "ending-grant",
          message: `${id} ends on ${day}: people decide again from then on`,
          fix: "renew it with new evidence where it should go on",
        },
      ];
}

/** Whether there is anything that a grant can lower: the base itself, a gate, or what else raises. */
function loosens(content: PolicyContent, { when, lower }: GrantContent): boolean {
  return Object.entries(content.actions).some(([name, action]) => {
    const base = baseRiskOf(content, action);
    if (!reaches(when, name) || action.reversibility === "irreversible" || base === "critical") return false;
    const rank = (tier: string) => (TIERS as readonly string[]).indexOf(tier);
    if (lower.risk !== undefined && rank(lower.risk) < rank(base)) return true;
    if (lower.gate !== undefined && (base !== "low" || (action.gate?.kind ?? "none") !== "none")) return true;
    const raised =
      [...content.budgets, ...content.duplicates].some((budget) => reaches({ action: budget.action }, name)) ||
      content.rules.some((rule) => reaches(rule.when, name));
    return raised || (content.confidence ?? DEFAULT_CONFIDENCE).some((step) => step.from === base);
  });
}

function useless({ id, when, lower }: GrantContent): Omit<Found, "path"> {
  const to = [...(lower.risk === undefined ? [] : [lower.risk]), ...(lower.gate === undefined ? [] : [`gate ${lower.gate.kind}`])].join(" and ");
  return {
    code: "no-effect",
    message: `${id} lowers to ${to}, and nothing that ${(when.action ?? []).join(", ")} names is above that, or may be lowered`,
    fix: "take it out",
  };
}
