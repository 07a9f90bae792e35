import type { EventOf } from "../../src/events/types.generated.ts";
import type { Act, Member, World } from "./world.ts";

const GRANTS: readonly string[] = ["proceed", "proceed_edited", "roll_back"];
const ENDS: readonly string[] = ["succeeded", "failed", "compensated"];

/** Whether a start has come to an end that is known, as far as these events say: by its receipt, or by whoever settled what nobody knew. */
function hasEnded(receipts: readonly EventOf["receipts"][], decisions: readonly EventOf["decisions"][], started: EventOf["receipts"]): boolean {
  return receipts.some((r) => {
    if (r.answers?.eventId !== started.answers?.eventId || r.actionId !== started.actionId) return false;
    return ENDS.includes(r.kind) || (r.kind === "unknown" && decisions.some((d) => d.kind === "settle" && d.answers?.eventId === r.eventId));
  });
}

/** Nothing is started under an effect key while an earlier start under it has no end that the process knows of. */
export function startsOneAtATime(world: World, member: Member, itemId: string, event: EventOf["receipts"]): string | null {
  if (event.kind !== "started") return null;
  const keyed = (id: string, { answers, actionId }: EventOf["receipts"]) => {
    const grant = world.truth.fact(id, "resumes", answers?.eventId ?? "");
    return { back: grant?.outcome === "roll_back", key: grant?.actions.find((a) => a.actionId === actionId)?.effectKey };
  };
  const own = keyed(itemId, event);
  const root = world.rootOf(itemId);
  for (const other of world.items.keys()) {
    if (world.rootOf(other) !== root) continue;
    const receipts = world.foldedBy(member, other, "receipts");
    for (const started of receipts) {
      if (started.kind !== "started" || started.answers?.eventId === event.answers?.eventId) continue;
      const { back, key } = keyed(other, started);
      if (key === undefined || key !== own.key || back !== own.back) continue;
      if (!hasEnded(receipts, world.foldedBy(member, other, "decisions"), started))
        return `a start under the effect key of ${started.eventId} of ${other}, which has not ended`;
    }
  }
  return null;
}

/** What has happened under an effect key is not run under it by another item again, unless a person decides on that one. */
export function doneAlready({ truth, acts, alone }: World, act: Act, persons: number): string | null {
  if (!alone || persons > 0) return null;
  const before = acts.find((a) => {
    if (a.itemId === act.itemId || a.effectKey !== act.effectKey || a.outcome === "roll_back") return false;
    return truth.effective(a.itemId, "receipts").some((r) => r.kind === "succeeded" && r.answers?.eventId === a.grantId && r.actionId === a.actionId);
  });
  return before === undefined ? null : `run by no person's will, where ${before.itemId} has done it`;
}

/** What is to replace an item is judged only once the process knows that nothing of that one can run any more. */
export function replacesWhatIsOver(world: World, member: Member, itemId: string, event: EventOf["verdicts"]): string | null {
  const old = world.item(itemId)?.replaces ?? null;
  if (old === null || event.answers?.topic !== "proposals") return null;
  const isOver = world.foldedBy(member, old, "resumes").length > 0 && !isOpen(world, member, old);
  return isOver ? null : `judged while ${old}, which it replaces, can still run`;
}

/** Whether a grant of an item is not closed, or an unknown outcome not settled. */
export function isOpen(world: World, member: Member, itemId: string): boolean {
  const receipts = world.foldedBy(member, itemId, "receipts");
  const settled = new Set(world.foldedBy(member, itemId, "decisions").flatMap((d) => (d.kind === "settle" ? [d.answers?.eventId] : [])));
  if (receipts.some((r) => r.kind === "unknown" && !settled.has(r.eventId))) return true;
  return world.foldedBy(member, itemId, "resumes").some((grant) => {
    if (!GRANTS.includes(grant.outcome)) return false;
    const kinds = receipts.filter((r) => r.answers?.eventId === grant.eventId).map((r) => r.kind);
    const done = kinds.filter((kind) => kind === "succeeded" || kind === "compensated").length;
    return done < grant.actions.length && !kinds.some((kind) => ["failed", "unknown", "lapsed", "revoked"].includes(kind));
  });
}
