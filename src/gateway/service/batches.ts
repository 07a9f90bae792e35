import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { canonicalize, sha256 } from "../../events/canonical.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { nodeOf, type ProposalNode, termsVerdict } from "../../ledger/item.ts";
import { owedTo } from "../../ledger/owed.ts";
import { pointerKeys, valueAt } from "../../policy/pointer.ts";
import type { ItemView } from "../../producers/wire/answers.ts";
import type { BatchAnswer, BatchesAnswer, BatchMemberView, batchesRequest, ListedBatch } from "../../producers/wire/batches.ts";
import type { BatchMember, BatchView, SealedBatch } from "../../projector/batch-queries.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { mustBe } from "./identity.ts";
import type { Context } from "./ledger.ts";
import { ownersOf } from "./list.ts";
import { unlikeMembers } from "./unlike.ts";
import { groupView } from "./verdict-view.ts";

/** Batches of a reviewer's workspace, newest first. @throws CountersignError forbidden, request_invalid */
export function listBatches(context: Context, request: z.output<typeof batchesRequest>): BatchesAnswer {
  const { ledger, identity } = context;
  mustBe(identity, ["person"], "list batches");
  const limit = Number(request.limit ?? 50);
  if (request.idPrefix !== undefined) {
    const ids = ledger.batches.withPrefix(identity.workspace, request.idPrefix, limit);
    return { batches: ids.map((id) => listed(context, ledger.batches.batch(id) as BatchView)), next: null };
  }
  const owners = ownersOf(request, identity);
  const after = cursorOf(request.after);
  const all = request.all === "true";
  const filter = { workspace: identity.workspace, limit: limit + 1, open: !all, ...(owners && { owners }) };
  const found: ListedBatch[] = [];
  for (let from = after, more = true; more && found.length <= limit; ) {
    const rows = ledger.batches.list({ ...filter, ...(from && { after: from }) });
    const page = rows.map(({ batchId }) => listed(context, ledger.batches.batch(batchId) as BatchView));
    // What waits otherwise (escalated, or to be settled) waits beside its batch. It must not take the place of one that waits.
    found.push(...(all ? page : page.filter((b) => b.open > 0)));
    from = rows.at(-1);
    more = rows.length === filter.limit;
  }
  const batches = found.slice(0, limit);
  const last = batches.at(-1);
  const next = last !== undefined && found.length > limit ? Buffer.from(JSON.stringify([last.sealedAt, last.batchId])).toString("base64url") : null;
  return { batches, next };
}

/** A batch with its members as a reviewer compares them. @throws CountersignError forbidden, not_found */
export async function batchView(context: Context, batchId: string): Promise<BatchAnswer> {
  const batch = findBatch(context, batchId);
  const seen = await Promise.all(batch.members.map((member) => memberView(context, batch, member)));
  const open = seen.filter(({ view }) => view.state === "in").map(({ view }) => view);
  const unlike = unlikeMembers(open);
  const members = seen.map(({ view }) => ({ ...view, unlike: [...(unlike.get(view.itemId) ?? [])] }));
  return {
    ...head(context, batch),
    // Those that differ first, then the others, then what is out; each in the order of the batch.
    members: members.sort((a, b) => placeOf(a) - placeOf(b)),
    membersSha256: membersHash(context, batch),
    toOpen: toOpen(
      batch.batchId,
      context.identity.id,
      open.map((m) => m.itemId),
    ),
  };
}

const placeOf = ({ state, unlike }: BatchMemberView): number => (state === "out" ? 2 : unlike.length > 0 ? 0 : 1);

/** The batches that an item is or was in, or was left out of, the first one first; and when it will be in one at the latest, where it still waits for that. */
export function batchesOf({ ledger }: Context, view: StoredItemView): Pick<ItemView, "batches" | "batchDue"> {
  const { itemId } = view;
  const of = [...ledger.batches.ofItem(itemId), ...ledger.batches.missing(view).flatMap((b) => ledger.batches.batch(b.batchId) ?? [])];
  const batches = of
    .sort((a, b) => a.at - b.at)
    .map(({ batchId, sealedBy, at, members }) => {
      const standing = members.find((m) => m.itemId === itemId)?.standing;
      return { batchId, sealedBy, sealedAt: at, size: members.length, state: standing?.state ?? "out", why: standing?.state === "out" ? standing.why : null };
    });
  return { batches, batchDue: owedTo(view.item).find((o) => o.duty === "seal")?.due ?? null };
}

/** The batch, in the reviewer's workspace. @throws CountersignError forbidden, not_found */
export function findBatch({ ledger, identity }: Context, batchId: string): BatchView {
  mustBe(identity, ["person"], "read a batch");
  const batch = ledger.batches.batch(batchId);
  if (batch === undefined || batch.workspace !== identity.workspace)
    throw new CountersignError("not_found", `There is no batch ${batchId} for this key`, {
      field: "batchId",
      value: batchId,
      fix: "check the id, and that the key is of the batch's workspace",
    });
  return batch;
}

/**
 * Whether a decision can have been made in the batch that it names: one that is sealed and holds the item with the verdict that is answered.
 *
 * @throws CountersignError request_invalid
 */
export function checkInBatch({ ledger }: Context, itemId: string, verdict: string, batchId: string): void {
  const own = ledger.batches.sealsOf(itemId).filter((seal) => seal.verdict === verdict);
  if (own.some((seal) => seal.batchId === batchId)) return;
  throw new CountersignError("request_invalid", "/batchId is no sealed batch that holds this item with its verdict", {
    field: "/batchId",
    value: batchId,
    fix: own.length === 0 ? "leave it out: the item is in no batch" : `name ${own.map((seal) => seal.batchId).join(" or ")}, or leave it out`,
  });
}

/**
 * The member of these that a reviewer must open: by a hash over the batch, the reviewer and the member, so that neither the agent nor the
 * reviewer chooses it, and asking again gives the same one until that one is out. Null where nothing is left to decide.
 */
export function toOpen(batchId: string, person: string, itemIds: readonly string[]): string | null {
  const drawn = itemIds.map((itemId) => [sha256(`${batchId}\0${person}\0${itemId}`), itemId] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return drawn[0]?.[1] ?? null;
}

/** What was seen of a batch, as a hash. It changes when a member is added, never when one is decided. */
export function membersHash({ ledger }: Context, { members }: BatchView): string {
  const sealed = members.filter((m) => m.verdict !== null).map(({ itemId, verdict }) => [itemId, verdict, cardOf(ledger, itemId, verdict as string)]);
  return sha256(canonicalize(sealed.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))));
}

/** Hash of the card of the verdict with which an item is a member. */
export function cardOf(ledger: Context["ledger"], itemId: string, verdict: string): string | null {
  const item = ledger.queries.item(itemId)?.item;
  return (item === undefined ? undefined : nodeOf(item, "verdicts", verdict))?.terms.cardSha256 ?? null;
}

function head({ ledger }: Context, { batchId, workspace, key, owner, sealedBy, at, members }: BatchView) {
  const open = members.filter(({ standing }) => standing.state === "in");
  const deadlines = open.flatMap(({ itemId }) => ledger.queries.item(itemId)?.deadline ?? []);
  const deadline = deadlines.length === 0 ? null : Math.min(...deadlines);
  return { batchId, workspace, key, owner, sealedBy, sealedAt: at, size: members.length, open: open.length, deadline };
}

function listed(context: Context, batch: BatchView): BatchesAnswer["batches"][number] {
  const first = batch.members.find(({ standing }) => standing.state === "in");
  const view = first === undefined ? undefined : context.ledger.queries.item(first.itemId);
  return { ...head(context, batch), headline: view?.summary.headline ?? null };
}

async function memberView(context: Context, batch: SealedBatch, { itemId, verdict: verdictId, standing }: BatchMember): Promise<{ view: BatchMemberView }> {
  const { ledger, identity } = context;
  const item = ledger.queries.item(itemId);
  const none = { headline: null, agent: null, threadId: null, tools: [], fields: [], amount: null, confidence: null, unlike: [], deadline: null };
  const out = standing.state === "out" ? standing : null;
  const base = { itemId, state: standing.state, why: out?.why ?? null, verdict: verdictId };
  // A foreign batcher may name anything; what is not of this workspace is named, not shown.
  if (item === undefined || item.item.workspace !== identity.workspace)
    return { view: { ...base, ...none, decision: null, stage: "unproposed", outcome: null, claim: null, allowedDecisions: [], approvals: 0, votes: [] } };
  const proposal = nodeOf(item.item, "proposals", item.item.proposal) as ProposalNode;
  const verdict = nodeOf(item.item, "verdicts", verdictId) ?? item.life.verdict;
  const terms = verdict === null ? null : termsVerdict(item.item, verdict);
  const [proposed, judged] = await Promise.all([
    ledger.events.get(itemId, "proposals", proposal.id),
    terms === null ? undefined : ledger.events.get(itemId, "verdicts", terms.id),
  ]);
  const { claim, allowedDecisions, approvals, votes } = groupView(proposal, verdict);
  return {
    view: {
      ...base,
      decision: out === null ? null : await decisionOf(context, batch.batchId, itemId, out.decision),
      stage: item.stage,
      outcome: item.outcome,
      headline: judged?.card?.headline ?? item.summary.headline ?? null,
      agent: proposal.agentId,
      threadId: proposal.threadId,
      tools: proposal.actions.map((a) => a.tool),
      fields: (judged?.card?.fields ?? []).map(({ label, value, unusual }) => ({ label, value, unusual })),
      amount: amountOf(context, verdict?.actions ?? proposal.actions),
      confidence: confidenceOf(proposed),
      unlike: [],
      deadline: item.deadline,
      ...(standing.state === "in" ? { claim, allowedDecisions, approvals, votes } : { claim: null, allowedDecisions: [], approvals, votes }),
    },
  };
}

async function decisionOf({ ledger }: Context, batchId: string, itemId: string, eventId: string | null): Promise<BatchMemberView["decision"]> {
  if (eventId === null) return null;
  const event = await ledger.events.get(itemId, "decisions", eventId);
  if (event === undefined) return null;
  return { kind: event.kind, eventId, by: `${event.actor.kind}:${event.actor.id}`, together: event.batchId === batchId };
}

/** What its actions move in all; null where no policy says where an amount lies. */
function amountOf({ ledger, identity }: Context, actions: readonly { readonly tool: string; readonly args: string }[]): number | null {
  const amounts = actions.flatMap(({ tool, args }) => {
    const keys = pointerKeys(ledger.amountPath(identity.workspace, tool) ?? "");
    const value = keys === undefined || keys.length === 0 ? undefined : valueAt(JSON.parse(args), keys);
    const amount = typeof value === "number" || (typeof value === "string" && value.trim() !== "") ? Number(value) : Number.NaN;
    return Number.isFinite(amount) ? [amount] : [];
  });
  return amounts.length === 0 ? null : amounts.reduce((sum, amount) => sum + amount, 0);
}

/** The least confidence of its actions. */
function confidenceOf(proposed: EventOf["proposals"] | undefined): number | null {
  const known = proposed?.actions.flatMap((a) => a.confidence ?? []) ?? [];
  return known.length === 0 ? null : Math.min(...known);
}

function cursorOf(text: string | undefined): { at: number; batchId: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const [at, batchId] = JSON.parse(Buffer.from(text, "base64url").toString()) as [unknown, unknown];
    if (Number.isFinite(at) && typeof batchId === "string") return { at: at as number, batchId };
  } catch {
    // Not one of ours.
  }
  throw new CountersignError("request_invalid", "after: this is no place in this list", {
    field: "after",
    value: text,
    fix: "send `next` of the page before, with the same filters",
  });
}
