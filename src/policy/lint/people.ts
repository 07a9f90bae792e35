import { covers } from "../conditions/covers.ts";
import { baseRiskOf, reaches } from "../conditions/places.ts";
import type { ActionContent, PolicyContent, RouteContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import { TIERS } from "../tiers.ts";
import type { Check, Found } from "./finding.ts";

/** What raises the number of people, with its place. */
interface Raising {
  readonly id: string;
  readonly path: readonly PropertyKey[];
  readonly when: Condition | undefined;
  readonly risk?: (typeof TIERS)[number] | undefined;
  readonly approvals: number;
  readonly separation: readonly string[];
}

/** Who may come to decide on an action. */
interface Option {
  readonly name: string;
  readonly action: ActionContent;
  readonly route: RouteContent | undefined;
  readonly path: readonly PropertyKey[];
  readonly owner: string;
  readonly approvals: number;
  readonly separation: readonly string[];
  /** Whether somebody else is asked when the owner does not answer. */
  readonly others: boolean;
}

/** Checks that one person is not asked to be two: neither two approvers, nor the one who proposes and the one who approves. */
export const PEOPLE_CHECKS: readonly Check[] = [({ document: { content } }) => once(onePerson(content)), ({ document: { content } }) => publication(content)];

function onePerson(content: PolicyContent): Found[] {
  const found: Found[] = [];
  for (const [name, action] of Object.entries(content.actions)) {
    for (const option of optionsOf(content, name, action, undefined)) {
      if (option.owner.startsWith("role:")) continue;
      const { owner, approvals, separation, path, route } = option;
      const what = route === undefined ? name : `route ${content.routes.indexOf(route) + 1}`;
      if (approvals > 1) found.push(tooFew(path, `${what} needs ${approvals} approvals`, option));
      else if (ownsAgent(route?.when, owner) && separation.includes("agent_owner")) found.push(bothSides(path, what, owner));
      else if (!option.others && separation.some((word) => word === "agent_owner" || word === "proposer"))
        found.push({
          severity: "note",
          code: "one-person",
          path,
          message: `${owner} alone decides on ${what}, and separation keeps whoever owns the agent or is behind the proposal from it: where that is ${owner}, nobody can decide`,
          fix: "name a role as its owner, or a ladder to somebody else",
        });
    }
    for (const raising of raisingOf(content)) {
      if (!reaches(raising.when, name)) continue;
      for (const option of optionsOf(content, name, action, raising)) {
        if (option.owner.startsWith("role:")) continue;
        const separation = [...option.separation, ...raising.separation];
        if (raising.approvals > Math.max(1, option.approvals))
          found.push(tooFew(raising.path, `${raising.id} asks for ${raising.approvals} approvals`, option));
        else if (
          separation.includes("agent_owner") &&
          (ownsAgent(raising.when, option.owner) || (raising.separation.length > 0 && ownsAgent(option.route?.when, option.owner)))
        )
          found.push(bothSides(raising.path, raising.id, option.owner));
      }
    }
  }
  return found;
}

function tooFew(path: readonly PropertyKey[], what: string, { name, owner, others }: Option): Found {
  const end = others ? "before the ladder asks somebody else it cannot be approved" : "it can never be approved";
  return { code: "one-person", path, message: `${what}, and ${owner}, who decides on ${name}, is one person: ${end}`, fix: "name a role as its owner" };
}

function bothSides(path: readonly PropertyKey[], what: string, owner: string): Found {
  return {
    code: "one-person",
    path,
    message: `${what} is about agents of ${owner}, who decides, and separation keeps an agent's owner from deciding: nobody can`,
    fix: "name somebody else as its owner, or a role",
  };
}

/** Rules, floors, budgets and rules on repetition that bring more people, or separate them. */
function raisingOf(content: PolicyContent): Raising[] {
  const of = (
    id: string,
    path: readonly PropertyKey[],
    when: Condition | undefined,
    raise: Partial<NonNullable<PolicyContent["rules"][number]["raise"]>> = {},
  ) => ({
    ...{ id, path: [...path, "raise"], when, risk: raise.risk, separation: raise.separation ?? [] },
    approvals: Math.max(raise.approvals ?? 1, raise.approval_order?.length ?? 0),
  });
  return [
    ...(["rules", "floors"] as const).flatMap((layer) =>
      content[layer].flatMap(({ id, when, raise, forbid }, i) => (forbid ? [] : [of(id, [layer, i], when, raise)])),
    ),
    ...content.budgets.flatMap(({ id, action, limits }, i) => limits.map(({ raise }, k) => of(id, ["budgets", i, "limits", k], { action }, raise))),
    ...content.duplicates.map(({ id, action, raise }, i) => of(id, ["duplicates", i], { action }, raise)),
  ].filter(({ approvals, separation }) => approvals > 1 || separation.length > 0);
}

/** The routes that an action may take, where something raises it too, up to the first that takes all of it; else what the action says itself. */
function optionsOf(content: PolicyContent, name: string, action: ActionContent, raising: Raising | undefined): Option[] {
  const granted = content.grants.some((grant) => reaches(grant.when, name));
  const rank = (tier: (typeof TIERS)[number]) => TIERS.indexOf(tier);
  const least = Math.max(granted ? 0 : rank(baseRiskOf(content, action)), raising?.risk === undefined ? 0 : rank(raising.risk));
  const here: Condition = { ...raising?.when, action: [name], risk: { operator: "at_least", threshold: least } };
  const options: Option[] = [];
  const add = (route: RouteContent | undefined, path: readonly PropertyKey[]) => {
    const owner = route?.owner ?? action.owner ?? content.owner;
    const ladder = route?.ladder ?? action.ladder ?? [];
    const approvals = Math.max(route?.approvals ?? 1, action.approvals ?? 1);
    const separation = route?.separation ?? action.separation ?? [];
    options.push({ name, action, route, path, owner, approvals, separation, others: ladder.some(({ to }) => to !== owner) });
  };
  for (const [i, route] of content.routes.entries()) {
    if (!reaches(route.when, name)) continue;
    add(route, ["routes", i]);
    if (covers(route.when, here)) return options;
  }
  add(undefined, ["actions", name]);
  return options;
}

/** Whether a condition is only about agents of somebody, or also about them in a list of owners. */
function ownsAgent(when: Condition | undefined, person: string): boolean {
  const leaf = when?.agent?.owner;
  const named = leaf?.operator === "is" ? leaf.threshold === person : leaf?.operator === "in" && (leaf.threshold as readonly unknown[]).includes(person);
  return named || (when?.all ?? []).some((part) => ownsAgent(part, person));
}

/** Whoever publishes a document does not approve it. */
function publication({ publish, owner: answers }: PolicyContent): Found[] {
  if (publish === undefined) return [];
  const { owner = answers, approvals = 1 } = publish.approval;
  if (owner.startsWith("role:")) return [];
  const common = { code: "one-person", path: ["publish", "approval"], fix: "name a role as its owner" };
  if (approvals > 1)
    return [
      { ...common, message: `the publication of this document needs ${approvals} approvals, and ${owner} is one person: no change can ever be published` },
    ];
  return [
    {
      ...common,
      severity: "note",
      message: `${owner} alone approves the publication of this document, and its author never does: what ${owner} publishes nobody can approve`,
    },
  ];
}

/** One finding for each place and message: a route may concern many actions. */
function once(found: readonly Found[]): Found[] {
  const byPlace = new Map<string, Found>();
  for (const one of found) {
    const key = JSON.stringify([one.path, one.severity ?? ""]);
    if (!byPlace.has(key)) byPlace.set(key, one);
  }
  return [...byPlace.values()];
}
