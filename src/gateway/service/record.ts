import type { Json } from "../../events/canonical.ts";
import { type Item, nodeOf, type ProposalNode, termsVerdict, type VerdictNode } from "../../ledger/item.ts";
import { executionOf } from "../../ledger/life.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { Classified } from "../../policy/catalogue.ts";
import { pointerKeys, valueAt } from "../../policy/pointer.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { patchOf } from "./edit-view.ts";
import { findItem } from "./find.ts";
import { mustBe } from "./identity.ts";
import { findingsOf, troublesOf } from "./item-view.ts";
import { jsonOf } from "./json.ts";
import type { Context } from "./ledger.ts";
import { actionsOf } from "./record-actions.ts";
import { answersOf, eventsOf, type ItemEvents, stateOf, type Told, writtenOf } from "./record-events.ts";
import { NO_MASK, type RecordMask, recordMask } from "./record-mask.ts";

/**
 * The record of an item: who proposed, judged, decided, granted and did what, on which arguments, with the place of every event in the log.
 *
 * @throws CountersignError forbidden, not_found, unavailable
 */
export async function itemRecord(context: Context, itemId: string, profile: ItemRecord["profile"] = "strict"): Promise<ItemRecord> {
  mustBe(context.identity, ["person"], "read a record");
  const { ledger } = context;
  const view = findItem(context, itemId);
  const events = await eventsOf(context, itemId);
  const classified = (tool: string) => ledger.classified(view.item.workspace ?? "", tool);
  const mask = profile === "raw" ? NO_MASK : recordMask(classified);
  const { item, life } = view;
  const record: ItemRecord = {
    itemId,
    workspace: item.workspace ?? "",
    at: ledger.now(),
    profile,
    hidden: profile === "raw" ? [] : hiddenOf(item, classified),
    headline: view.summary.headline ?? null,
    stage: view.stage,
    outcome: view.outcome,
    execution: executionOf(life),
    review: life.review,
    flagged: view.flagged,
    proposal: proposalOf(item, events),
    actions: actionsOf(view, events, mask),
    verdicts: events.of("verdicts").map((told) => verdictOf(view, told, mask)),
    decisions: events.of("decisions").map((told) => decisionOf(item, told, events, mask)),
    resumes: events.of("resumes").map((told) => resumeOf(item, told, mask)),
    receipts: events.of("receipts").map((told) => receiptOf(item, told, mask)),
    run: runOf(item, events),
    receiptTarget: targetOf(life.verdict, events),
    incidents: incidentsOf(item, events),
    findings: (await findingsOf(context, itemId)).map((finding) => ({ ...finding, says: SAYS[finding.code] ?? finding.code })),
    events: events.entries,
    ...troublesOf(context, item, events.entries),
  };
  return mask.rest(record);
}

/** What a finding means, for whoever reads it for the first time. */
const SAYS: Readonly<Record<string, string>> = {
  proposal_conflict: "The same key was proposed again with other content; the first one counts.",
  copy_differs: "An event was delivered twice under one id, with different content; the first one counts.",
  agent_differs: "The proposal names another agent than the one who wrote it.",
  late_receipt: "An executor told of an end after the grant was closed.",
  args_differ: "An executor used other arguments than were granted.",
  receipt_without_grant: "An executor acted without a grant for it.",
  receipt_without_start: "An executor told of the end of something that it had not started.",
  left_in_doubt: "A retry ended before anybody had started it: nobody knows whether the first try had an effect.",
  not_rolled_back: "What its review refused was not rolled back: somebody has to undo it by hand.",
  plan_cut_short: "Some steps of the plan ran, the others never will: propose them again.",
  resumed_elsewhere: "The run went on at another thread or checkpoint than it paused at.",
  budget_overshot: "A budget's limit was passed.",
  standing_overshot: "More ran under a standing approval than it allows.",
};

function hiddenOf(item: Item, classified: (tool: string) => readonly Classified[]): ItemRecord["hidden"] {
  const { actions } = nodeOf(item, "proposals", item.proposal) as ProposalNode;
  return actions.flatMap(({ actionId, tool, args }) =>
    classified(tool)
      .filter(({ path }) => valueAt(jsonOf(args), pointerKeys(path) ?? []) !== undefined)
      .map(({ path, class: kind }) => ({ actionId, path, class: kind })),
  );
}

function proposalOf(item: Item, events: ItemEvents): ItemRecord["proposal"] {
  const told = events.one("proposals", item.proposal) as Told<"proposals">;
  const { ask, idempotencyKey, agent, onBehalfOf, origin, question, intent, reasoning, evidence, traceUrl, transcript, retryOf, replaces } = told.event;
  return {
    ...writtenOf(told),
    ...{ ask, idempotencyKey, agent, onBehalfOf, origin, question, intent, reasoning, evidence, traceUrl, retryOf, replaces },
    transcript: transcript === null ? null : { sha256: transcript.sha256, uri: transcript.uri },
  };
}

function verdictOf({ item, life }: StoredItemView, told: Told<"verdicts">, mask: RecordMask): ItemRecord["verdicts"][number] {
  const { event } = told;
  const { policy, policies, engineVersion, route, risk, score, reversibility, gate, owner, approvals, because, matched, standing } = event;
  const { expiresAt, onExpiry, ladder, error, card, cardSha256, budgets } = event;
  const node = nodeOf(item, "verdicts", event.eventId);
  return {
    ...writtenOf(told),
    ...{ policy, policies, engineVersion, route, risk, score, reversibility, gate, owner, approvals, because, standing, expiresAt, onExpiry, ladder, error },
    judges: answersOf(told) ?? "nothing",
    inForce: life.verdict?.id === event.eventId,
    matched: matched.map(({ rule, actionId, path, effect }) => ({ rule, actionId, path, effect })),
    budgets: budgets.map(({ name, key, used, limit }) => ({ name, key, used, limit })),
    card,
    cardSha256: node?.actions.some((a) => mask.hides(a.tool, jsonOf(a.args))) ? null : cardSha256,
  };
}

function decisionOf(item: Item, told: Told<"decisions">, events: ItemEvents, mask: RecordMask): ItemRecord["decisions"][number] {
  const { event } = told;
  const { kind, message, reasonCodes, scope, dropped, order, scores, review, lease, escalation, settlement, incident, standing, answers } = event;
  const verdict = answers?.topic === "verdicts" ? nodeOf(item, "verdicts", answers.eventId) : undefined;
  // A forbidden edit leaves the card as it was.
  const card = event.seen === null || verdict === undefined ? null : termsVerdict(item, verdict).id;
  return {
    ...writtenOf(told),
    ...{ kind, message, reasonCodes, scope, dropped, order, scores, review, lease, escalation, settlement, incident },
    answers: answersOf(told),
    settles: verdict?.group.closedBy?.id === event.eventId,
    card,
    sawThatCard: event.seen === null ? null : event.seen.cardSha256 === (events.one("verdicts", card)?.event.cardSha256 ?? null),
    edits: event.edits.map((edit) => {
      const action = verdict?.actions.find((a) => a.actionId === edit.actionId);
      const tool = action?.tool ?? "";
      const before = action === undefined ? null : mask.args(tool, jsonOf(action.args));
      const after = mask.args(tool, jsonOf(edit.args));
      return { actionId: edit.actionId, before, after, patch: patchOf(before, after) };
    }),
    standing: standing === null ? null : { ...standing, scope: jsonOf(standing.scope) },
  };
}

function resumeOf(item: Item, told: Told<"resumes">, mask: RecordMask): ItemRecord["resumes"][number] {
  const { event } = told;
  const closedBy = nodeOf(item, "resumes", event.eventId)?.group.closedBy ?? null;
  return {
    ...writtenOf(told),
    answers: answersOf(told),
    outcome: event.outcome,
    message: event.message,
    actions: event.actions.map(({ actionId, tool, args, argsSha256, effectKey }) => {
      const hides = mask.hides(tool, jsonOf(args) as Json);
      return { actionId, tool, argsSha256: hides ? null : argsSha256, effectKey: hides ? null : effectKey };
    }),
    notAfter: event.notAfter,
    closedBy: closedBy === null ? null : closedBy.kind,
  };
}

function receiptOf(item: Item, told: Told<"receipts">, mask: RecordMask): ItemRecord["receipts"][number] {
  const { event } = told;
  const { kind, actionId, externalRef, result, resultSha256, error, stateAfter, startedAt, finishedAt, resumed } = event;
  const { actions } = nodeOf(item, "proposals", item.proposal) as ProposalNode;
  const action = actions.find((a) => a.actionId === actionId);
  const hides = action !== undefined && mask.hides(action.tool, jsonOf(action.args));
  const grant = event.answers?.topic === "resumes" ? nodeOf(item, "resumes", event.answers.eventId) : undefined;
  return {
    ...writtenOf(told),
    ...{ kind, actionId, externalRef, resultSha256, error, startedAt, finishedAt, resumed },
    grant: grant !== undefined && isGrant(grant.outcome) ? grant.id : null,
    argsSha256: hides ? null : event.argsSha256,
    result: jsonOf(result),
    stateAfter: stateOf(stateAfter),
  };
}

function runOf(item: Item, events: ItemEvents): ItemRecord["run"] {
  const paused = events.one("proposals", item.proposal)?.event.run ?? null;
  if (paused === null) return null;
  const wentOn = events.of("receipts").flatMap(({ event: { eventId, occurredAt, resumed } }) => {
    if (resumed === null) return [];
    const { threadId, checkpointId } = resumed;
    const moved = checkpointId !== null && paused.checkpointId !== null && checkpointId !== paused.checkpointId;
    return [{ receipt: eventId, at: occurredAt, threadId, checkpointId, elsewhere: threadId !== paused.threadId || moved }];
  });
  return { paused, wentOn };
}

function targetOf(verdict: VerdictNode | null, events: ItemEvents): ItemRecord["receiptTarget"] {
  return events.one("verdicts", verdict?.id ?? null)?.event.receiptTarget ?? null;
}

function incidentsOf(item: Item, events: ItemEvents): ItemRecord["incidents"] {
  return item.incidents.map(({ id, severity }) => {
    const event = events.one("decisions", id)?.event;
    return { eventId: id, severity, message: event?.message ?? null, url: event?.incident?.url ?? null };
  });
}
