import type { EventOf } from "../../src/events/types.generated.ts";
import { CRITICAL, TOOLS, type Tool } from "./policy.ts";
import type { Act, Member, World } from "./world.ts";

/** What a standing approval was given for. */
interface Given {
  readonly max: number;
  readonly amount: string | null;
  readonly until: number;
  readonly scope: { readonly agent: string; readonly tools: readonly string[]; readonly thread?: string };
}

function givenBy({ truth, items }: World, standing: string): Given | undefined {
  for (const itemId of items.keys()) {
    const given = truth.effective(itemId, "decisions").find((d) => d.eventId === standing)?.standing;
    if (given != null) return { ...given, scope: JSON.parse(given.scope) as Given["scope"] };
  }
  return undefined;
}

const isSerious = (actions: readonly { readonly tool: string; readonly args: string }[]) =>
  actions.some((a) => TOOLS[a.tool as Tool].irreversible || (a.tool === "pay" && Number((JSON.parse(a.args) as { amount: number }).amount) > CRITICAL));

/** A verdict rests on a standing approval only where that was given for it, in its time, and never on what is irreversible or critical. */
export function restsWithinBounds(world: World, _member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  if (event.standing === null) return null;
  const given = givenBy(world, event.standing);
  const item = world.item(itemId);
  const actions = world.onTheTable(itemId, event.answers);
  if (given === undefined) return "a verdict rests on a standing approval that nobody gave";
  if (event.occurredAt >= given.until) return `a verdict rests on a standing approval ${event.occurredAt - given.until} ms after its end`;
  if (isSerious(actions)) return "a standing approval stands in for what is irreversible or critical";
  const { agent, tools, thread } = given.scope;
  if (agent !== item?.agent || (thread ?? item.threadId) !== item.threadId) return "a verdict rests on a standing approval for another agent or run";
  const other = actions.find((a) => !tools.includes(a.tool));
  return other === undefined ? null : `a verdict rests on a standing approval that is not for ${other.tool}`;
}

/** Nobody gives one by approving what is irreversible, critical, reviewed afterwards, or decided by more than one. */
export function givesWithinBounds(world: World, _member: Member, itemId: string, { standing, answers }: EventOf["decisions"]): string | null {
  if (standing === null) return null;
  const verdict = world.termsOf(itemId, answers?.eventId ?? "");
  if (verdict === undefined || verdict.gate === "audit" || verdict.gate === "hard" || verdict.approvals > 1)
    return "a standing approval of what each time needs more";
  return isSerious(world.onTheTable(itemId, verdict.answers)) ? "a standing approval of what is irreversible or critical" : null;
}

/** One process alone never lets pass more than a standing approval allows. */
export function standingBroken(world: World, { itemId }: Pick<Act, "itemId">, standing: string | null): string | null {
  if (!world.alone || standing === null) return null;
  const { truth } = world;
  const given = givenBy(world, standing);
  const rests = (id: string) => truth.effective(id, "verdicts").some((v) => v.standing === standing);
  const actions = [...new Set([itemId, ...world.acts.map((a) => a.itemId)])].filter(rests).flatMap((id) => truth.effective(id, "proposals")[0]?.actions ?? []);
  const sum = actions.reduce((total, a) => total + Number((JSON.parse(a.args) as { amount?: number }).amount ?? 0), 0);
  if (actions.length > (given?.max ?? 0)) return `run under a standing approval for ${given?.max}, as the ${actions.length}th action`;
  return given?.amount != null && sum > Number(given.amount) ? `run under a standing approval up to ${given.amount}, with ${sum} in all` : null;
}
