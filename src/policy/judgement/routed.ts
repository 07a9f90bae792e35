import type { CompiledAction, CompiledPolicy, CompiledRoute } from "../compiled.ts";
import type { Facts, Reading } from "../conditions/condition.ts";
import { raises, YES } from "../conditions/truth.ts";
import { joinOrders, peopleOf } from "./people.ts";

type Deciding = ReturnType<typeof peopleOf>;

/** The routes that may hold, up to the first that certainly does. */
export interface Routed {
  readonly routes: readonly CompiledRoute[];
  /** Whether one of them certainly holds. If not, it may be that none does. */
  readonly certain: boolean;
}

/** Asks routes in their order. What a route reads may be missing: it may hold then, and so may the next one. */
export function routesFor(routes: readonly CompiledRoute[], facts: Facts): Routed {
  const found: CompiledRoute[] = [];
  for (const route of routes) {
    const truth = route.when === undefined ? YES : route.when.test(facts);
    if (raises(truth)) found.push(route);
    if (truth === YES) return { routes: found, certain: true };
  }
  return { routes: found, certain: found.length === 0 };
}

/** Who decides, and by when: what the route that holds says, then the action, then the document. Where several may hold, the strictest of each part. */
export function decidingPeople(policy: CompiledPolicy, action: CompiledAction, now: number, { routes, certain }: Routed): Deciding {
  const said = (route: CompiledRoute | undefined) => peopleOf(policy.owner, { now, calendar: policy.calendar }, route?.people, action.people);
  const first = said(routes[0]);
  if (certain && routes.length <= 1) return first;
  const all = [first, ...routes.slice(1).map(said), ...(certain ? [] : [said(undefined)])];
  const [top = first, ...rest] = [...all].sort(strictestFirst);
  // Nobody knows which of two owners an agent has kept from being asked by leaving something out: who answers for the document decides.
  const isOpen = rest.some((people) => strictestFirst(top, people) === 0 && people.owner !== top.owner);
  return {
    owner: isOpen ? policy.owner : top.owner,
    approvals: Math.max(...all.map(({ approvals }) => approvals)),
    approvalOrder: joinOrders(all.map(({ approvalOrder }) => approvalOrder)),
    separation: [...new Set(all.flatMap(({ separation }) => separation))],
    timeoutMs: Math.min(...all.map(({ timeoutMs }) => timeoutMs)),
    ladder: isOpen ? (action.people.ladder ?? []) : top.ladder,
    onExpiry: all.every(({ onExpiry }) => onExpiry === "hold") ? "hold" : "reject",
  };
}

function strictestFirst(a: Deciding, b: Deciding): number {
  return b.approvals - a.approvals || b.approvalOrder.length - a.approvalOrder.length || b.separation.length - a.separation.length;
}

/** What keeps it from being known which route holds; nothing where that is known. */
export function unroutedBy({ routes, certain }: Routed, facts: Facts): Reading[] {
  if (certain && routes.length <= 1) return [];
  const readings: Reading[] = [];
  for (const { when } of routes) when?.read(facts, false, readings);
  return readings.filter(({ truth }) => raises(truth) && truth !== YES);
}
