import type { z } from "zod";
import { CountersignError, messageOf } from "../../errors.ts";
import type { BatchDecisionAnswer, batchDecisionRequest, MemberResult } from "../../producers/wire/batches.ts";
import type { BatchMember, BatchView } from "../../projector/batch-queries.ts";
import { checkAttention, possibleMs } from "./attention.ts";
import { batchView, cardOf, findBatch, membersHash, toOpen } from "./batches.ts";
import { decide } from "./decide.ts";
import type { DecideRequest } from "./decision-event.ts";
import { actorOf } from "./identity.ts";
import type { Context } from "./ledger.ts";

type Request = z.output<typeof batchDecisionRequest>;
type Choice = Request["members"][number];

/** What the decisions on the members of a batch have in common. */
interface Deciding {
  readonly batch: BatchView;
  readonly request: Request;
  /** Items whose decision is recorded already. */
  readonly recorded: ReadonlySet<string>;
  /** Active time of a member that has none of its own. */
  readonly share: number | undefined;
}

/**
 * Decides members of a batch: one decision each, which stands or falls by itself. Who decides must have seen the batch as it is, and have
 * opened the member that was drawn for them. A member whose event id is recorded already is answered as before.
 *
 * @throws CountersignError forbidden, not_found, request_invalid, stale, settled, not_opened
 */
export async function decideBatch(context: Context, batchId: string, request: Request): Promise<BatchDecisionAnswer> {
  const batch = findBatch(context, batchId);
  checkRequest(batch, request);
  checkTimes(context, batch, request);
  const choices = choicesOf(batch, request);
  const recorded = recordedOf(context, choices);
  const inside = batch.members.filter(({ standing }) => standing.state === "in");
  const asked = batch.members.filter((m) => m.standing.state === "in" || recorded.has(m.itemId));
  // What is only sent again is answered again, whatever has become of the batch since.
  const isNew = recorded.size === 0 || choices.some((c) => c.kind !== "skip" && !recorded.has(c.itemId) && inside.some((m) => m.itemId === c.itemId));
  if (isNew) {
    checkSeen(context, batch, request);
    if (inside.length === 0)
      throw new CountersignError("settled", "Nothing of this batch is left to decide", {
        field: "batchId",
        value: batchId,
        fix: "read the batch again to see how its members went on",
      });
    checkOpened(context, batch, asked, request);
  }
  const deciding: Deciding = { batch, request, recorded, share: shareOf(request, choices, asked) };
  const settled = await Promise.allSettled(choices.map((choice) => decideMember(context, deciding, choice)));
  const results = settled.map((one) => {
    // All have had their chance; a fault of ours is told as one.
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  const count = (status: MemberResult["status"]) => results.filter((r) => r.status === status).length;
  return { batchId, effective: count("effective"), refused: count("refused"), results, batch: await batchView(context, batchId) };
}

function checkRequest({ members }: BatchView, request: Request): void {
  if (request.all === undefined && request.members.length === 0)
    throw new CountersignError("request_invalid", "/members: nothing is decided", {
      field: "/members",
      value: [],
      fix: "send `all`, or a decision on a member",
    });
  const named = request.members.map((m) => m.itemId);
  for (const [i, { itemId, kind, edits }] of request.members.entries()) {
    const at = `/members/${i}`;
    if (!members.some((m) => m.itemId === itemId)) throw invalid(`${at}/itemId`, itemId, "is no member of this batch", "name one of its members");
    if (named.indexOf(itemId) !== i) throw invalid(`${at}/itemId`, itemId, "is named twice", "decide each member once");
    if (kind === "edit" && (edits ?? []).length === 0) throw invalid(`${at}/edits`, [], "is empty: nothing is edited", "send the new arguments, or approve");
    if (kind !== "edit" && edits !== undefined) throw invalid(`${at}/edits`, edits, `does not go with ${kind}`, "leave it out: it goes with edit");
  }
}

function invalid(field: string, value: unknown, rule: string, fix: string): CountersignError {
  return new CountersignError("request_invalid", `${field} ${rule}`, { field, value, fix });
}

/** @throws CountersignError request_invalid, naming the time that cannot be */
function checkTimes({ ledger }: Context, { at: sealedAt }: BatchView, { opened, members, review }: Request): void {
  const now = ledger.now();
  const proposedAt = (itemId: string) => ledger.queries.item(itemId)?.proposedAt ?? sealedAt;
  if (opened !== undefined) checkAttention(opened, { at: "/opened", since: proposedAt(opened.itemId), now });
  for (const [i, member] of members.entries()) checkAttention(member, { at: `/members/${i}`, since: proposedAt(member.itemId), now });
  if (review !== undefined) checkAttention(review, { at: "/review", since: sealedAt, now });
}

/** Items whose decision this person has recorded before, under the event id that is sent now. */
function recordedOf({ ledger, identity }: Context, choices: readonly Choice[]): ReadonlySet<string> {
  const { kind, id } = actorOf(identity);
  const before = choices.filter(
    ({ itemId, eventId }) => eventId !== undefined && ledger.queries.event(itemId, "decisions", eventId)?.actor === `${kind}:${id}`,
  );
  return new Set(before.map((choice) => choice.itemId));
}

/** @throws CountersignError stale */
function checkSeen(context: Context, batch: BatchView, { seen }: Request): void {
  if (seen.membersSha256 === membersHash(context, batch)) return;
  throw new CountersignError("stale", "The batch has other members than when it was seen", {
    field: "/seen/membersSha256",
    value: seen.membersSha256,
    fix: `read the batch again: GET /v1/batches/${batch.batchId}`,
  });
}

/**
 * The hash of a card is shown nowhere but where the item itself is read. The member is drawn from those that are asked about: when a request
 * is sent again, what it has decided already counts as it did the first time.
 *
 * @throws CountersignError not_opened
 */
function checkOpened({ ledger, identity }: Context, { batchId }: BatchView, asked: readonly BatchMember[], { opened }: Request): void {
  const drawn = toOpen(
    batchId,
    identity.id,
    asked.map((m) => m.itemId),
  ) as string;
  const fix = `open ${drawn} (GET /v1/items/${drawn}) and send its cardSha256 as opened`;
  if (opened === undefined)
    throw new CountersignError("not_opened", `A batch is decided after one member was opened: ${drawn}`, { field: "/opened", fix, retryable: false });
  if (opened.itemId !== drawn)
    throw new CountersignError("not_opened", `The member to open is ${drawn}, which was drawn for you`, { field: "/opened/itemId", value: opened.itemId, fix });
  const verdict = asked.find((m) => m.itemId === drawn)?.verdict ?? "";
  if (opened.cardSha256 !== cardOf(ledger, drawn, verdict))
    throw new CountersignError("not_opened", `This is not the hash of the card of ${drawn}`, { field: "/opened/cardSha256", value: opened.cardSha256, fix });
}

/** One choice for each member that is in or was named. */
function choicesOf({ members }: BatchView, { all, members: named }: Request): Choice[] {
  return members.flatMap(({ itemId, standing }): Choice[] => {
    const own = named.find((m) => m.itemId === itemId);
    if (own !== undefined) return [own];
    return all === undefined || standing.state === "out" ? [] : [{ itemId, ...all }];
  });
}

/** The active time of a member that has none of its own: its share of what the others leave. */
function shareOf({ review, opened }: Request, choices: readonly Choice[], asked: readonly BatchMember[]): number | undefined {
  if (review?.activeMs === undefined) return undefined;
  const decided = choices.filter(({ itemId, kind }) => kind !== "skip" && asked.some((m) => m.itemId === itemId));
  const own = (choice: Choice) => choice.activeMs ?? (choice.itemId === opened?.itemId ? opened.activeMs : undefined);
  const sharing = decided.filter((choice) => own(choice) === undefined).length;
  const taken = decided.reduce((sum, choice) => sum + (own(choice) ?? 0), 0);
  return sharing === 0 ? 0 : Math.floor(Math.max(0, review.activeMs - taken) / sharing);
}

async function decideMember(context: Context, { batch, request, recorded, share }: Deciding, choice: Choice): Promise<MemberResult> {
  const { itemId, kind, edits, message, reasonCodes, scores, eventId } = choice;
  const { ledger } = context;
  const { verdict, standing } = batch.members.find((m) => m.itemId === itemId) as BatchMember;
  const result = (status: MemberResult["status"], more: Partial<MemberResult> = {}): MemberResult => {
    const view = ledger.queries.item(itemId);
    const at = { stage: view?.stage ?? ("unproposed" as const), outcome: view?.outcome ?? null };
    return { itemId, kind, status, eventId: null, code: null, detail: null, field: null, fix: null, rejudged: null, ...at, ...more };
  };
  if (kind === "skip") return result("skipped");
  if (verdict === null || (standing.state === "out" && !recorded.has(itemId)))
    return result("out", {
      detail: `It is out of the batch: ${standing.state === "out" ? standing.why : "missed"}`,
      fix: "decide it alone, if something is left",
    });
  const isOpened = request.opened?.itemId === itemId;
  const openedAt = choice.openedAt ?? (isOpened ? request.opened?.openedAt : undefined);
  // A share must not be longer than the member was open.
  const shared = share === undefined || openedAt === undefined ? share : Math.min(share, possibleMs(openedAt, openedAt, ledger.now()));
  const activeMs = choice.activeMs ?? (isOpened ? request.opened?.activeMs : undefined) ?? shared;
  const decision: DecideRequest = {
    kind,
    verdict,
    seen: { cardSha256: cardOf(ledger, itemId, verdict) },
    edits: edits ?? [],
    dropped: [],
    order: [],
    steps: [],
    scope: "action",
    reasonCodes: reasonCodes ?? [],
    scores: scores ?? [],
    review: { openedAt: openedAt ?? null, activeMs: activeMs ?? null, channel: request.review?.channel ?? "api" },
    batchId: batch.batchId,
    ...(message !== undefined && { message }),
    ...(eventId !== undefined && { eventId }),
  };
  try {
    const answer = await decide(context, itemId, decision);
    return result("effective", { eventId: answer.eventId, rejudged: answer.rejudged?.state ?? null });
  } catch (error) {
    // One member that cannot be decided must not keep the others from it.
    if (!(error instanceof CountersignError)) throw error;
    const { code, field, fix } = error;
    return result("refused", { code, detail: messageOf(error), field: field ?? null, fix: fix ?? null });
  }
}
