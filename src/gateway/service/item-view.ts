import { CountersignError } from "../../errors.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { isSatisfied } from "../../ledger/decisions.ts";
import { type DecisionNode, type Item, nodeOf, type ProposalNode, termsVerdict, type VerdictNode } from "../../ledger/item.ts";
import { executionOf } from "../../ledger/life.ts";
import { FINAL_RECEIPTS } from "../../ledger/receipts.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { durationText } from "../../policy/duration.ts";
import type { ItemView } from "../../producers/wire/answers.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { batchesOf } from "./batches.ts";
import { actionsView, droppedView, editsView } from "./edit-view.ts";
import { findItem } from "./find.ts";
import { grantView, lastGrant, startView } from "./grant-view.ts";
import { mustBe } from "./identity.ts";
import { jsonOf } from "./json.ts";
import type { Context } from "./ledger.ts";
import { overshotFinding } from "./standing.ts";
import { groupView, reasonText, verdictEvent } from "./verdict-view.ts";

/** Everything about an item, for its agent and for reviewers. @throws CountersignError forbidden, not_found */
export async function itemView(context: Context, itemId: string): Promise<ItemView> {
  mustBe(context.identity, ["agent", "person"], "read an item");
  const view = findItem(context, itemId);
  const node = nodeOf(view.item, "proposals", view.item.proposal) as ProposalNode;
  const proposal = await context.ledger.events.get(itemId, "proposals", node.id);
  if (proposal === undefined) throw unreadable(itemId, "proposal");
  const actions = view.life.verdict?.actions ?? node.actions;
  const timeline = timelineOf(context, itemId);
  return {
    itemId,
    workspace: proposal.workspace,
    stage: view.stage,
    outcome: view.outcome,
    ...asked(proposal, view),
    ...(await judged(context, view)),
    ...groupView(node, view.life.verdict),
    owner: view.owner,
    deadline: view.deadline,
    flagged: view.flagged,
    actions: actionsView(node, actions),
    dropped: droppedView(node, actions),
    edits: editsView(context, view.item),
    decision: decidedBy(context, view),
    review: view.life.review,
    execution: executionOf(view.life),
    awaitsStart: startView(view, context.ledger.now()),
    ...batchesOf(context, view),
    rubric: [
      ...context.ledger.rubric(
        proposal.workspace,
        actions.map((a) => a.tool),
      ),
    ],
    incidents: view.item.incidents.map(({ id, severity }) => ({ eventId: id, severity })),
    ...(await executed(context, view)),
    findings: [...(await findingsOf(context, itemId)), ...waitFinding(context, view)],
    timeline,
    ...troublesOf(context, view.item, timeline),
  };
}

function unreadable(itemId: string, what: string): CountersignError {
  return new CountersignError("unavailable", `The ${what} of ${itemId} cannot be read from the log just now`, {
    retryable: true,
    fix: "try again in a moment; see countersign doctor",
  });
}

function asked(e: EventOf["proposals"], { proposedAt }: StoredItemView) {
  const { ask, agent, onBehalfOf, question, intent, reasoning, evidence, origin, run, traceUrl, retryOf } = e;
  return { ask, proposedAt, agent, onBehalfOf, question, intent, reasoning, evidence, origin, run, traceUrl, retryOf };
}

async function judged(context: Context, { itemId, item, life, summary }: StoredItemView) {
  const { verdict } = life;
  if (verdict === null)
    return {
      ...{
        headline: summary.headline ?? null,
        why: null,
        risk: null,
        route: null,
        gate: null,
        reversibility: null,
        policy: null,
        step: 0,
        expiresAt: null,
        onExpiry: null,
      },
      ...{ editablePaths: [], card: null, cardSha256: null, because: [], matched: [], verdict: null, fellBack: null, receiptTarget: null, standing: null },
    };
  const terms = termsVerdict(item, verdict);
  const event = await verdictEvent(context, itemId, terms);
  if (event === undefined) throw unreadable(itemId, "verdict");
  const { risk, route, gate, reversibility, policy, card, cardSha256, because, matched, receiptTarget, expiresAt, onExpiry, editablePaths, error, standing } =
    event;
  const forbade = verdict.fallback ? await verdictEvent(context, itemId, verdict) : undefined;
  return {
    headline: card?.headline ?? summary.headline ?? null,
    why: card?.why ?? because[0] ?? null,
    ...{ risk, route, gate, reversibility, policy, expiresAt, onExpiry, editablePaths, card, cardSha256, because, matched, receiptTarget, standing },
    step: verdict.group.step,
    verdict: { eventId: verdict.id, error },
    fellBack: forbade === undefined ? null : { reason: reasonText(forbade) },
  };
}

function decidedBy({ ledger }: Context, { itemId, item, life }: StoredItemView): ItemView["decision"] {
  const decision = life.decision ?? satisfyingEdit(item, life.verdict);
  if (decision === null) return null;
  const { kind, id } = decision;
  return { kind, eventId: id, by: ledger.queries.event(itemId, "decisions", id)?.actor ?? "unknown" };
}

/** Where the editor's vote was enough, the edit is the decision. */
function satisfyingEdit(item: Item, verdict: VerdictNode | null): DecisionNode | null {
  const edit = verdict !== null && isSatisfied(verdict) ? item.nodes.get(verdict.cause) : undefined;
  return edit?.topic === "decisions" ? edit : null;
}

async function executed({ ledger }: Context, { itemId, item }: StoredItemView): Promise<Pick<ItemView, "grant" | "receipts">> {
  const node = lastGrant(item.nodes.values());
  const event = node === undefined ? undefined : await ledger.events.get(itemId, "resumes", node.id);
  if (node !== undefined && event === undefined) throw unreadable(itemId, "grant");
  const receipts: ItemView["receipts"] = [];
  for (const ended of item.nodes.values()) {
    if (ended.topic !== "receipts" || (!FINAL_RECEIPTS.has(ended.kind) && ended.kind !== "unknown")) continue;
    const receipt = await ledger.events.get(itemId, "receipts", ended.id);
    if (receipt === undefined) throw unreadable(itemId, "receipt");
    const { eventId, kind, actionId, argsSha256, result, externalRef, error, actor, occurredAt } = receipt;
    receipts.push({ eventId, kind, actionId, argsSha256, result: jsonOf(result), externalRef, error, actor: `${actor.kind}:${actor.id}`, occurredAt });
  }
  return { grant: node === undefined || event === undefined ? null : grantView(node, event), receipts };
}

/** Worked out on reading, as every finding about several items. */
async function budgetFindings({ ledger }: Context, itemId: string): Promise<ItemView["findings"]> {
  const over = await ledger.overshootsBy(itemId);
  return over.flatMap(({ budget, key, windowMs, items }) =>
    items.map(({ verdict, total, limit, forbids }) => ({
      code: "budget_overshot",
      topic: "verdicts",
      eventId: verdict,
      offset: null,
      detail: `budget ${budget} for ${key}: ${total} granted in ${durationText(windowMs)}, above ${limit}, which ${forbids ? "forbids it" : "asks for more people than there were"}`,
    })),
  );
}

/** What somebody should look at: of the item alone, and of several items together. */
export async function findingsOf(context: Context, itemId: string): Promise<ItemView["findings"]> {
  return [...context.ledger.queries.findingsOf(itemId), ...overshotFinding(context, itemId), ...(await budgetFindings(context, itemId))];
}

/** Worked out on reading: what is approved and waits may wait for long, and whoever looks at it must see why. */
function waitFinding({ ledger }: Context, view: StoredItemView): ItemView["findings"] {
  const why = ledger.waitsFor(view);
  return why === null ? [] : [{ code: "awaits_other_try", topic: "verdicts", eventId: view.life.verdict?.id ?? "", offset: null, detail: why }];
}

function timelineOf({ ledger }: Context, itemId: string): ItemView["timeline"] {
  const partition = partitionOf(itemId, ledger.log.partitions);
  return ledger.queries.timeline(itemId).map(({ appendedAt: _appended, ...entry }) => ({ ...entry, partition }));
}

/** Records of an item that are not folded: unreadable ones, and those whose cause is missing. */
export function troublesOf({ ledger }: Context, item: Item, timeline: ItemView["timeline"]): Pick<ItemView, "badRecords" | "parked"> {
  return {
    badRecords: ledger.queries.badOf(item.id).map(({ itemId: _item, schemaId: _schema, ...bad }) => ({ ...bad, cleared: item.cleared.includes(bad.sha256) })),
    parked: timeline
      .filter((e) => e.status === "parked")
      .map(({ topic, partition, offset, eventId, answers }) => ({ topic, partition, offset, eventId, cause: answers ?? "nothing" })),
  };
}
