import { reaches } from "../conditions/places.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Check, Found } from "./finding.ts";

/** An order of approval, where it stands, and who may own what it is asked of. */
interface Order {
  readonly name: string;
  readonly path: readonly PropertyKey[];
  readonly roles: readonly string[] | undefined;
  readonly owners: readonly string[];
}

/** Checks of orders of approval: a vote needs the role whose turn it is and the owner's, so some orders only people with two roles can keep. */
export const ORDER_CHECKS: readonly Check[] = [({ document: { content } }) => ordersOf(content).flatMap(twoRoles)];

function ordersOf(content: PolicyContent): Order[] {
  const names = (isReached: (name: string) => boolean) => Object.keys(content.actions).filter(isReached);
  const ownersOf = (isReached: (name: string) => boolean) => [...new Set(names(isReached).flatMap((name) => possibleOwners(content, name)))];
  const layered = (["rules", "floors"] as const).flatMap((layer) =>
    content[layer].map(({ id, when, raise }, i) => ({
      ...{ name: id, path: [layer, i, "raise", "approval_order"], roles: raise?.approval_order },
      owners: ownersOf((action) => reaches(when, action)),
    })),
  );
  const routed = content.routes.map(({ when, owner, approval_order }, i) => ({
    ...{ name: `route ${i + 1}`, path: ["routes", i, "approval_order"], roles: approval_order },
    owners: owner === undefined ? ownersOf((action) => reaches(when, action)) : [owner],
  }));
  const own = Object.entries(content.actions).map(([name, { approval_order }]) => ({
    ...{ name, path: ["actions", name, "approval_order"], roles: approval_order },
    owners: possibleOwners(content, name),
  }));
  return [...layered, ...routed, ...own];
}

/** Who may decide on an action before it goes up its ladder: whom a route names, or the action, or the document. */
function possibleOwners(content: PolicyContent, name: string): string[] {
  const routed = content.routes.flatMap(({ when, owner }) => (owner !== undefined && reaches(when, name) ? [owner] : []));
  return [...routed, content.actions[name]?.owner ?? content.owner];
}

function twoRoles({ name, path, roles = [], owners }: Order): Found[] {
  const pairs = owners.filter((owner) => roles.some((role) => bare(role) !== bare(owner)));
  if (pairs.length === 0) return [];
  return [
    {
      severity: "note",
      code: "two-roles",
      path,
      message: `${name} asks for the approval of ${roles.join(", then ")}, of what ${pairs.join(" or ")} decides: who approves needs the owner's role as well as the one whose turn it is`,
      fix: "let the owner be a role that all of them have",
    },
  ];
}

function bare(role: string): string {
  return role.replace(/^role:/, "");
}
