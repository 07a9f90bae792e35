import type { ActionContent, PolicyContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import { DEFAULT_THRESHOLDS, pointsOf, type Tier, tierOf } from "../tiers.ts";
import type { Spot } from "./foregone.ts";
import { glob, isGlob } from "./regex.ts";

/** The tier of an action before any rule. */
export function baseRiskOf(content: PolicyContent, action: ActionContent): Tier {
  const thresholds = content.tiers ?? DEFAULT_THRESHOLDS;
  return tierOf(action.points ?? pointsOf(action.risk ?? "high", thresholds), thresholds);
}

/** Whether a condition may concern an action, as far as its `action` says. */
export function reaches(when: Condition | undefined, name: string): boolean {
  return when?.action === undefined || when.action.some((wanted) => wanted === name || (isGlob(wanted) && glob(wanted)(name) === true) || isGlob(name));
}

/** Every comparison of an argument in a condition. */
export function spotsOf(content: PolicyContent, when: Condition, path: readonly PropertyKey[]): Spot[] {
  return placesOf(content, when, path).flatMap(({ when: part, ...place }) =>
    Object.entries(part.args ?? {}).map(([pointer, leaf]) => ({ ...leaf, ...place, pointer, path: [...place.path, "args", pointer] })),
  );
}

/** A part of a condition: where it stands, and what it is about. */
export interface Place extends Pick<Spot, "path" | "negated" | "actions" | "open"> {
  readonly when: Condition;
}

/** A condition and every condition inside it. */
export function placesOf(
  content: PolicyContent,
  when: Condition,
  path: readonly PropertyKey[],
  outer: Omit<Place, "when" | "path"> = { negated: false, actions: Object.keys(content.actions), open: true },
): Place[] {
  const actions = outer.actions.filter((name) => reaches(when, name));
  const own = { negated: outer.negated, actions, open: outer.open && (when.action ?? ["*"]).some(isGlob) };
  const inner = (["all", "any"] as const).flatMap((word) => (when[word] ?? []).flatMap((part, i) => placesOf(content, part, [...path, word, i], own)));
  const not = when.not === undefined ? [] : placesOf(content, when.not, [...path, "not"], { ...own, negated: !own.negated });
  return [{ ...own, when, path }, ...inner, ...not];
}

/** Conditions of rules, floors and routes with their place. */
export function conditionsOf(content: PolicyContent): { when: Condition; path: readonly PropertyKey[]; layer: string; name: string }[] {
  return (["rules", "floors", "routes"] as const).flatMap((layer) =>
    content[layer].flatMap((part, i) =>
      part.when === undefined ? [] : [{ when: part.when, path: [layer, i, "when"], layer, name: "id" in part ? part.id : `route ${i + 1}` }],
    ),
  );
}
