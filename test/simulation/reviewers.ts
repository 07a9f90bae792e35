import { newEventId } from "../../src/events/ids.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import type { VerdictNode } from "../../src/ledger/item.ts";
import type { DecisionRequest } from "../../src/producers/wire/requests.ts";
import type { StoredItemView } from "../../src/projector/reading.ts";
import { call, gatewayOf, WHO } from "./calls.ts";
import type { Member, World } from "./world.ts";

/** What a reviewer has on the screen, which may be old. */
export interface Seen {
  readonly itemId: string;
  readonly verdict: string;
  readonly cardSha256: string | null;
}

/** A reviewer claims, decides, settles, reports or clears, on what it sees now or saw before. */
export function reviewerActs(world: World, member: Member, screens: Seen[]): void {
  const { rng } = world;
  const items = [...world.items.keys()];
  if (items.length === 0) return;
  // Mostly what needs somebody, as a queue shows it.
  const views = items.map((id) => member.process.ledger.queries.item(id)).filter((v) => v !== undefined);
  const waiting = views.filter((v) => v.stage === "pending" || v.stage === "in_doubt" || v.life.review === "open" || v.flagged);
  // Now and then somebody presses a button on what is over.
  if (waiting.length === 0 && rng.chance(0.7)) return;
  const view: StoredItemView | undefined = waiting.length > 0 && rng.chance(0.9) ? rng.pick(waiting) : rng.pick(views);
  if (view === undefined) return;
  const who = rng.chance(0.05) ? WHO.intern : rng.pick(WHO.reviewers);
  const { verdict } = view.life;
  if (verdict !== null) screens.push({ itemId: view.itemId, verdict: verdict.id, cardSha256: verdict.terms.cardSha256 });
  const request = requestOn(world, member, view, screens);
  if (request === null) return;
  decide(world, member, who, request.itemId, request.body);
  // Somebody else may press another button at the same moment, here or at another gateway.
  if (rng.chance(0.25)) {
    const rival = rng.pick(world.members);
    const other = requestOn(world, rival, view, screens);
    if (other !== null) decide(world, rival, rng.pick(WHO.reviewers), other.itemId, other.body);
  }
}

interface Request {
  readonly itemId: string;
  readonly body: DecisionRequest;
}

function requestOn(world: World, member: Member, view: StoredItemView, screens: readonly Seen[]): Request | null {
  const { rng } = world;
  const { itemId, stage, flagged, life } = view;
  if (flagged && rng.chance(0.5)) {
    const [bad] = member.process.ledger.queries.badOf(itemId).filter((b) => !view.item.cleared.includes(b.sha256));
    if (bad !== undefined) return { itemId, body: { kind: "clear", cleared: bad.sha256 } };
  }
  if (stage === "in_doubt") return { itemId, body: settle(world) };
  if (stage === "done" && rng.chance(0.05)) return { itemId, body: { kind: "report", incident: { severity: "low" } } };
  const seen = rng.chance(0.15) ? rng.pick(screens) : screens.findLast((s) => s.itemId === itemId);
  if (seen === undefined || life.verdict === null) return null;
  return { itemId: seen.itemId, body: review(world, seen, life.verdict) };
}

function settle({ rng, theme }: World): DecisionRequest {
  const outcome = rng.weighted(theme.settles);
  return { kind: "settle", settlement: { outcome, ...(outcome === "succeeded" ? { externalRef: { system: "bank", id: "1" } } : {}) } };
}

function review(world: World, { itemId, verdict, cardSha256 }: Seen, { terms, actions }: VerdictNode): DecisionRequest {
  const { rng, theme } = world;
  const { approve, reject, edit, claim } = theme.reviews;
  const seen = { verdict, seen: { cardSha256 } };
  const has = (kind: string, weight: number) => (terms.allowedDecisions.includes(kind as never) ? weight : 0.1);
  const kind = rng.weighted({
    ...{
      approve: has("approve", approve),
      reject: has("reject", reject),
      edit: has("edit", edit),
      respond: has("respond", 0.5),
      acknowledge: has("acknowledge", 2),
    },
    ...{ claim, release: 0.6 },
  });
  const lease = rng.chance(0.15) ? { lease: { takeOver: true } } : {};
  switch (kind) {
    case "claim":
      return { kind, ...lease };
    case "release":
      return { kind };
    case "approve":
      return { kind, ...seen, ...lease, ...(rng.chance(theme.stands) ? { standing: standing(world, world.item(itemId)?.threadId != null) } : {}) };
    case "reject":
      return { kind, ...seen, ...lease, ...(rng.chance(theme.branches) ? { scope: "branch" } : {}) };
    case "edit": {
      if (actions.length > 1 && rng.chance(0.5)) {
        const ids = actions.map((a) => a.actionId);
        return { kind, ...seen, ...(rng.chance(0.5) ? { dropped: [rng.pick(ids)] } : { order: ids.toReversed() }) };
      }
      const changed = actions.find((a) => a.tool === "pay") ?? actions[0];
      if (changed === undefined) return { kind: "claim" };
      const args = { ...(JSON.parse(changed.args) as object), amount: rng.pick([40, 250, 320, 500, 4600, 7000]) };
      return { kind, ...seen, edits: [{ actionId: changed.actionId, args }] };
    }
    default:
      return { kind, ...seen, message: "as it is" };
  }
}

/** Few actions, or many up to an amount, or for a short time: each bound is reached now and then. */
function standing({ rng, time }: World, hasRun: boolean): NonNullable<DecisionRequest["standing"]> {
  const scope = hasRun && rng.chance(0.4) ? "run" : "agent";
  const bounds = rng.weighted({ few: 3, amount: 3, short: 2 });
  if (bounds === "few") return { scope, max: 1 + rng.below(2) };
  return { scope, max: 5, ...(bounds === "amount" ? { amount: rng.pick(["150", "200", "300"]) } : { until: time.now() + rng.pick([30_000, 120_000]) }) };
}

/** How often a client asks again. */
const AGAIN = 2;

/** Decides under an id of the client's own, and tells again what was not answered. */
function decide(world: World, member: Member, who: Identity, itemId: string, body: DecisionRequest, eventId: string = newEventId(), again = AGAIN): void {
  const what = `${who.id} ${body.kind} ${itemId}`;
  call(
    world,
    member,
    `${what} ${eventId}`,
    () => gatewayOf(member, who).decide(itemId, { ...body, eventId }),
    ({ ok, unsure, value }) => {
      if (!unsure) {
        if (ok && value !== undefined && value.status !== "effective" && body.kind !== "withdraw")
          world.violate("what is told is true", `${what} was answered with ${value.status}`);
        // Who could not know the first time hears of the state that another gateway has, which may be behind.
        if (again === AGAIN) world.told.push({ what, itemId, topic: "decisions", eventId, effective: ok });
      } else if (again > 0 && world.members.length > 0 && world.rng.chance(0.6))
        decide(world, world.rng.pick(world.members), who, itemId, body, eventId, again - 1);
    },
  );
}
