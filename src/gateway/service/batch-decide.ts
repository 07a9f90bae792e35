import type { z } from "zod";
import { CountersignError, messageOf } from "../../errors.ts";
import type { BatchDecisionAnswer, batchDecisionRequest, MemberResult } from "../../producers/wire/batches.ts";
import type { BatchMember, BatchView } from "../../projector/batch-queries.ts";
import { batchView, cardOf, findBatch, membersHash, toOpen } from "./batches.ts";
import { decide } from "./decide.ts";
import type { DecideRequest } from "./decision-event.ts";
import type { Context } from "./ledger.ts";

type Request = z.output<typeof batchDecisionRequest>;
type Choice = Request["members"][number];

/**
 * Decides members of a batch: one decision each, which stands or falls by itself. Who decides must have seen the batch as it is, and have
 * opened the member that was drawn for them.
 *
 * @throws CountersignError forbidden, not_found, request_invalid, stale, settled, not_opened
 */
export async function decideBatch(context: Context, batchId: string, request: Request): Promise<BatchDecisionAnswer> {
  const batch = findBatch(context, batchId);
  checkRequest(batch, request);
  const now = membersHash(context, batch);
  if (request.seen.membersSha256 !== now)
    throw new CountersignError("stale", "The batch has other members than when it was seen", {
      field: "/seen/membersSha256",
      value: request.seen.membersSha256,
      fix: `read the batch again: GET /v1/batches/${batchId}`,
    });
  const inside = batch.members.filter(({ standing }) => standing.state === "in");
  if (inside.length === 0)
    throw new CountersignError("settled", "Nothing of this batch is left to decide", {
      field: "batchId",
      value: batchId,
      fix: "read the batch again to see how its members went on",
    });
  checkOpened(context, batch, request);
  const choices = choicesOf(batch, request);
  const share = shareOf(request, choices, inside);
  const settled = await Promise.allSettled(choices.map((choice) => decideMember(context, batch, request, choice, share)));
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

/** The hash of a card is shown nowhere but where the item itself is read. @throws CountersignError not_opened */
function checkOpened({ ledger, identity }: Context, { batchId, members }: BatchView, { opened }: Request): void {
  const inside = members.filter(({ standing }) => standing.state === "in");
  const drawn = toOpen(
    batchId,
    identity.id,
    inside.map((m) => m.itemId),
  ) as string;
  const fix = `open ${drawn} (GET /v1/items/${drawn}) and send its cardSha256 as opened`;
  if (opened === undefined)
    throw new CountersignError("not_opened", `A batch is decided after one member was opened: ${drawn}`, { field: "/opened", fix, retryable: false });
  if (opened.itemId !== drawn)
    throw new CountersignError("not_opened", `The member to open is ${drawn}, which was drawn for you`, { field: "/opened/itemId", value: opened.itemId, fix });
  const verdict = inside.find((m) => m.itemId === drawn)?.verdict ?? "";
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
function shareOf({ review, opened }: Request, choices: readonly Choice[], inside: readonly BatchMember[]): number | undefined {
  if (review?.activeMs === undefined) return undefined;
  const decided = choices.filter(({ itemId, kind }) => kind !== "skip" && inside.some((m) => m.itemId === itemId));
  const own = (choice: Choice) => choice.activeMs ?? (choice.itemId === opened?.itemId ? opened.activeMs : undefined);
  const sharing = decided.filter((choice) => own(choice) === undefined).length;
  const taken = decided.reduce((sum, choice) => sum + (own(choice) ?? 0), 0);
  return sharing === 0 ? 0 : Math.floor(Math.max(0, review.activeMs - taken) / sharing);
}

async function decideMember(context: Context, batch: BatchView, request: Request, choice: Choice, share: number | undefined): Promise<MemberResult> {
  const { itemId, kind, edits, message, reasonCodes, scores, eventId } = choice;
  const { ledger } = context;
  const { verdict, standing } = batch.members.find((m) => m.itemId === itemId) as BatchMember;
  const result = (status: MemberResult["status"], more: Partial<MemberResult> = {}): MemberResult => {
    const view = ledger.queries.item(itemId);
    const at = { stage: view?.stage ?? ("unproposed" as const), outcome: view?.outcome ?? null };
    return { itemId, kind, status, eventId: null, code: null, detail: null, field: null, fix: null, rejudged: null, ...at, ...more };
  };
  if (kind === "skip") return result("skipped");
  if (standing.state === "out" || verdict === null)
    return result("out", {
      detail: `It is out of the batch: ${standing.state === "out" ? standing.why : "missed"}`,
      fix: "decide it alone, if something is left",
    });
  const isOpened = request.opened?.itemId === itemId;
  const openedAt = choice.openedAt ?? (isOpened ? request.opened?.openedAt : undefined);
  const activeMs = choice.activeMs ?? (isOpened ? request.opened?.activeMs : undefined) ?? share;
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
