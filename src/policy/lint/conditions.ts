import { canonicalize, type Json } from "../../events/canonical.ts";
import { covers, tiersOf } from "../conditions/covers.ts";
import { foregone, TYPES } from "../conditions/foregone.ts";
import { baseRiskOf, conditionsOf, type Place, placesOf, reaches, spotsOf } from "../conditions/places.ts";
import { boundsOf } from "../document/schema-bounds.ts";
import { fieldTypes } from "../document/schema-fields.ts";
import type { ActionContent, PolicyContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import { joinOrders } from "../judgement/people.ts";
import { pointerKeys } from "../pointer.ts";
import { shown } from "../problems.ts";
import { DEFAULT_THRESHOLDS, TIERS, type Tier } from "../tiers.ts";
import { contradictions } from "./contradictions.ts";
import type { Check, Found } from "./finding.ts";

const ADDRESS = /(^|[/_-])(e?mail|address|to|from|cc|bcc|recipient|sender|url|uri|link|host|domain|endpoint|webhook)s?($|[/_-])/i;

/** Checks of conditions: what never or always holds, what shadows what, what compares the incomparable. */
export const CONDITION_CHECKS: readonly Check[] = [
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const wanted = TYPES[spot.operator];
        const types = [
          ...new Set(spot.actions.flatMap((action) => fieldTypes(content.actions[action]?.arguments as Json | undefined, pointerKeys(spot.pointer) ?? []))),
        ];
        if (wanted === undefined || types.length === 0 || types.some((type) => wanted.includes(type))) return [];
        return [
          {
            severity: "error",
            code: "type-mismatch",
            path: spot.path,
            message: `${name} compares ${spot.pointer}, which the schema declares as ${types.join(" or ")}, with ${spot.operator}: that can never be answered, and what is unknown raises`,
            fix: `use an operator for ${types.join(" or ")}, or correct the schema`,
          },
        ];
      }),
    ),
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const known = foregone(content, spot);
        if (known === undefined) return [];
        const text = `${name}: ${spot.negated ? "not " : ""}${spot.pointer} ${spot.operator} ${shown(spot.threshold)}`;
        const { holds, reason, optional } = known;
        // What is missing is unknown, and unknown raises: such a comparison is not idle.
        if (optional)
          return [
            {
              code: "never-true",
              path: spot.path,
              message: `${text} ${spot.negated ? "always" : "never"} holds where ${spot.pointer} is there, because ${reason}; only where it is missing nobody knows`,
              fix: `correct the threshold; if a missing ${spot.pointer} is meant, say exists: ${spot.negated}`,
            },
          ];
        return [foregoneFinding(holds !== spot.negated, spot.path, text, reason)];
      }),
    ),
  ({ document: { content } }, now) =>
    conditionsOf(content).flatMap(({ when, path, name, layer }) =>
      placesOf(content, when, path).flatMap((place): Found[] => [
        ...tierFindings(content, place, name, layer),
        ...(now === undefined || place.when.time?.until === undefined || place.when.time.until > now
          ? []
          : [
              foregoneFinding(
                place.negated,
                [...place.path, "time"],
                `${name}: ${place.negated ? "not " : ""}time until ${new Date(place.when.time.until).toISOString()}`,
                "that is over",
              ),
            ]),
      ]),
    ),
  ({ document: { content } }) => conditionsOf(content).flatMap(({ when, path, name }) => contradictions(content, when, path, name)),
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const anchored = /^(\(\?\w+\))?(\^|\\A)/.test(String(spot.threshold)) && /(\$|\\z)$/.test(String(spot.threshold));
        if (spot.operator !== "matches" || anchored || !ADDRESS.test(spot.pointer)) return [];
        return [
          {
            code: "unanchored",
            path: spot.path,
            message: `${name} looks for ${shown(spot.threshold)} anywhere in ${spot.pointer}: "x@evil.example/?example.com" has it as well`,
            fix: "use domain_in, or anchor the pattern with ^ and $",
          },
        ];
      }),
    ),
  ({ document: { content } }) =>
    content.routes.flatMap((route, i) => {
      const before = content.routes.findIndex((earlier, j) => j < i && covers(earlier.when, route.when));
      if (before < 0) return [];
      const found = { code: "shadowed-route", path: ["routes", i] };
      // Where a route reads what is missing, those behind it may hold as well.
      if (mayBeUnknown(content, content.routes[before]?.when))
        return [
          {
            ...found,
            message: `route ${i + 1} comes too late: route ${before + 1} takes everything that it would, wherever what it reads is there`,
            fix: "move it up",
          },
        ];
      return [{ ...found, message: `route ${i + 1} is never reached: route ${before + 1} takes everything that it would`, fix: "move it up, or take it out" }];
    }),
  ({ document: { content } }) => shadowedRules(content),
];

/** Whether a condition reads anything that a proposal may leave out. */
function mayBeUnknown(content: PolicyContent, when: Condition | undefined): boolean {
  if (when === undefined) return false;
  const isThere = (action: string, pointer: string) => boundsOf(content.actions[action]?.arguments as Json | undefined, pointerKeys(pointer) ?? []).required;
  return (
    placesOf(content, when, []).some(({ when: part }) =>
      [part.target, part.agent, part.origin, part.run, part.cel, part.confidence, part.confidence_source].some((one) => one !== undefined),
    ) || spotsOf(content, when, []).some(({ open, actions, pointer }) => open || !actions.every((action) => isThere(action, pointer)))
  );
}

function foregoneFinding(holds: boolean, path: readonly PropertyKey[], text: string, reason: string): Found {
  const code = holds ? "always-true" : "never-true";
  return { code, path, message: `${text} ${holds ? "always" : "never"} holds, because ${reason}`, fix: "take it out, or correct the threshold" };
}

/** Tiers that no action starts at, or that none of them can come to. */
function tierFindings(content: PolicyContent, { when, path, negated, actions, open }: Place, name: string, layer: string): Found[] {
  const key = layer === "routes" ? "risk" : "base_risk";
  const leaf = when[key];
  if (leaf === undefined || (actions.length === 0 && !open)) return [];
  const rank = (tier: Tier) => TIERS.indexOf(tier);
  // A grant may bring an action down again; what nobody describes is high.
  const bases = [
    ...actions.map((action) => {
      const base = rank(baseRiskOf(content, content.actions[action] as ActionContent));
      return key === "risk" && content.grants.some((grant) => reaches(grant.when, action)) ? 0 : base;
    }),
    ...(open ? [rank("high")] : []),
  ];
  const can = TIERS.map((_, i) => i).filter((i) => (key === "risk" ? i >= Math.min(...bases) : bases.includes(i)));
  const matching = tiersOf(leaf);
  const none = can.every((i) => !matching.includes(i));
  if (!none && !can.every((i) => matching.includes(i))) return [];
  const words = can.map((i) => TIERS[i]).join(", ");
  const reason = key === "risk" ? `what it is about is at least ${TIERS[Math.min(...bases)]}` : `what it is about starts at ${words}`;
  const threshold = (Array.isArray(leaf.threshold) ? leaf.threshold : [leaf.threshold]).map((i) => TIERS[i as number]).join(", ");
  return [foregoneFinding(none === negated, [...path, key], `${name}: ${negated ? "not " : ""}${key} ${leaf.operator} ${threshold}`, reason)];
}

type Rule = PolicyContent["rules"][number];

interface Placed {
  readonly rule: Rule;
  readonly layer: "rules" | "floors";
  readonly index: number;
}

function shadowedRules(content: PolicyContent): Found[] {
  const all = (["rules", "floors"] as const).flatMap((layer) => content[layer].map((rule, index): Placed => ({ rule, layer, index })));
  const over = (one: Placed, other: Placed) => covers(one.rule.when, other.rule.when) && outdoes(one, other, content);
  return all.flatMap((placed): Found[] => {
    const { rule, layer, index } = placed;
    // Of two that say the same the first stays.
    const stronger = all.find((other) => other !== placed && over(other, placed) && !(over(placed, other) && other.layer === layer && other.index > index));
    if (stronger === undefined) return [];
    const why = (rule.raise?.points ?? 0) > 0 && !stronger.rule.forbid ? "is critical already" : "asks for as much";
    return [
      {
        code: layer === "floors" ? "shadowed-floor" : "shadowed-rule",
        path: [layer, index],
        message: `${rule.id} adds nothing: ${stronger.rule.id} matches wherever it does, and ${why}`,
        fix: "take it out, or let it ask for more",
      },
    ];
  });
}

/** Whether one effect is at least as severe as another in every part. A rule never outdoes a floor: grants lower what a rule raises. */
function outdoes(one: Placed, other: Placed, content: PolicyContent): boolean {
  if (one.layer === "rules" && other.layer === "floors") return false;
  if (other.rule.forbid === true) return one.rule.forbid === true;
  // What forbids by something that nobody knows asks for a person, no more.
  const a: Rule["raise"] = one.rule.forbid === true ? { risk: "high", gate: "hard" } : one.rule.raise;
  const b = other.rule.raise;
  const rank = (raise: Rule["raise"]) => (raise?.risk === undefined ? -1 : TIERS.indexOf(raise.risk));
  const separated = (b?.separation ?? []).every((word) => a?.separation?.includes(word));
  const raised = isCritical(a, content) || (rank(a) >= rank(b) && (b?.points ?? 0) === 0);
  const [order, wanted] = [a?.approval_order ?? [], b?.approval_order ?? []];
  const ordered = canonicalize([...joinOrders([order, wanted])]) === canonicalize([...order]);
  return raised && ordered && approvalsOf(a) >= approvalsOf(b) && (isHard(a) || !isHard(b)) && separated;
}

function approvalsOf(raise: Rule["raise"]): number {
  return Math.max(raise?.approvals ?? 1, raise?.approval_order?.length ?? 0);
}

/** More approvals, and roles that approve, bring a person with them. */
function isHard(raise: Rule["raise"]): boolean {
  return raise?.gate === "hard" || approvalsOf(raise) > 1 || (raise?.approval_order ?? []).length > 0;
}

/** Points add up, so a rule with points always adds something, unless what it adds to is as high as it gets. */
function isCritical(raise: Rule["raise"], { tiers = DEFAULT_THRESHOLDS }: PolicyContent): boolean {
  return raise?.risk === "critical" || (raise?.points ?? 0) >= tiers.critical;
}
