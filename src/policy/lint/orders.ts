import { reaches } from "../conditions/places.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Check, Found } from "./finding.ts";

/** An order of approval, where it stands, and who may own what it is asked of. */
interface Order {
  readonly name: string;
  readonly path: readonly PropertyKey[];
  readonly roles: readonly string[] | undefined;
  readonly owners: readonly Owner[];
}

/** Whom an item belongs to: from the first, or once its ladder has brought it there. */
interface Owner {
  readonly role: string;
  readonly climbed: boolean;
}

/** Checks of orders of approval: a vote needs the role whose turn it is and the owner's, so some orders only people with two roles can keep. */
export const ORDER_CHECKS: readonly Check[] = [({ document: { content } }) => ordersOf(content).flatMap(twoRoles)];

function ordersOf(content: PolicyContent): Order[] {
  const names = (isReached: (name: string) => boolean) => Object.keys(content.actions).filter(isReached);
  const ownersOf = (isReached: (name: string) => boolean) => names(isReached).flatMap((name) => possibleOwners(content, name));
  const layered = (["rules", "floors"] as const).flatMap((layer) =>
    content[layer].map(({ id, when, raise }, i) => ({
      ...{ name: id, path: [layer, i, "raise", "approval_order"], roles: raise?.approval_order },
      owners: ownersOf((action) => reaches(when, action)),
    })),
  );
  const routed = content.routes.map(({ when, owner, ladder, approval_order }, i) => ({
    ...{ name: `route ${i + 1}`, path: ["routes", i, "approval_order"], roles: approval_order },
    owners: ownersOf((action) => reaches(when, action))
      .filter((one) => !isReplaced(one, { owner, ladder }))
      .concat(first(owner), climbed(ladder)),
  }));
  const own = Object.entries(content.actions).map(([name, { approval_order }]) => ({
    ...{ name, path: ["actions", name, "approval_order"], roles: approval_order },
    owners: possibleOwners(content, name),
  }));
  return [...layered, ...routed, ...own];
}

/** Who may decide on an action, first and up its ladder: whom a route names, or the action, or the document. */
function possibleOwners(content: PolicyContent, name: string): Owner[] {
  const { [name]: action } = content.actions;
  const routed = content.routes.filter(({ when }) => reaches(when, name)).flatMap(({ owner, ladder }) => [...first(owner), ...climbed(ladder)]);
  return [...routed, ...first(action?.owner ?? content.owner), ...climbed(action?.ladder)];
}

/** Whether a route says itself what stands elsewhere. */
function isReplaced({ climbed: isStep }: Owner, { owner, ladder }: Pick<PolicyContent["routes"][number], "owner" | "ladder">): boolean {
  return (isStep ? ladder : owner) !== undefined;
}

function first(role: string | undefined): Owner[] {
  return role === undefined ? [] : [{ role, climbed: false }];
}

function climbed(ladder: PolicyContent["routes"][number]["ladder"] = []): Owner[] {
  return ladder.map(({ to }) => ({ role: to, climbed: true }));
}

function twoRoles({ name, path, roles = [], owners }: Order): Found[] {
  const others = owners.filter((owner) => roles.some((role) => bare(role) !== bare(owner.role)));
  const early = others.filter((owner) => !owner.climbed).map(({ role }) => role);
  const late = others.map(({ role }) => role).filter((role) => !early.includes(role));
  const pairs = [...new Set([...early, ...late.map((role) => `${role} (once it is escalated)`)])];
  if (pairs.length === 0) return [];
  return [
    {
      severity: "note",
      code: "two-roles",
      path,
      message: `${name} asks for the approval of ${roles.join(", then ")}, of what ${pairs.join(" or ")} decides: who approves needs the owner's role as well as the one whose turn it is`,
      fix: `let the owner${late.length > 0 ? ", and whom the ladder names," : ""} be a role that all of them have`,
    },
  ];
}

function bare(role: string): string {
  return role.replace(/^role:/, "");
}
