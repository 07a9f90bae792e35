import type { BatchAnswer, BatchDecisionAnswer, BatchMemberView, ListedBatch, MemberResult } from "../../producers/wire/batches.ts";
import { SELF } from "../io.ts";
import { block, moment, oneLine, plural, shortId, timeLeft, wrap } from "../text.ts";
import { stageText } from "./item.ts";
import type { Look } from "./queue.ts";
import { OUT_WORDS } from "./show.ts";

const INDENT = 10;

/** The batches that wait: of each the owner, how many are left, and the time. */
export function renderBatches(batches: readonly ListedBatch[], look: Look, more: boolean): string {
  if (batches.length === 0) return "No batch waits.";
  const lines = batches.flatMap((batch) => {
    const facts = [
      `${batch.open} of ${plural(batch.size, "member")} to decide`,
      oneLine(batch.owner),
      ...(batch.open > 0 ? [timeLeft(batch.deadline, look.now)] : []),
      `sealed by ${sealedText(batch.sealedBy)} at ${moment(batch.sealedAt)}`,
    ];
    const like = batch.headline === null ? [] : block(`such as: ${batch.headline}`, look.width, 2);
    return [look.colors.cyan(batch.batchId), ...like, ...block(facts.join(" · "), look.width, 2), ""];
  });
  const first = batches[0] as ListedBatch;
  return [...lines, ...(more ? ["There are more: see --limit."] : []), `Look closer: ${SELF} batch show ${shortBatch(first.batchId)}`].join("\n");
}

/** A batch with its members: those that differ first, then the others, then what is out. */
export function renderBatch(batch: BatchAnswer, look: Look): string {
  const { colors, width, now } = look;
  const head = [
    colors.bold(`${plural(batch.size, "member")}, ${batch.open} to decide`),
    ...wrap(`For ${oneLine(batch.owner)}, ${batch.open > 0 ? `${timeLeft(batch.deadline, now)}, ` : ""}sealed by ${sealedText(batch.sealedBy)}`, width),
    `Batch ${batch.batchId}`,
  ];
  const members = batch.members.map((member) => memberLines(member, look, member.itemId === batch.toOpen).join("\n"));
  return [head.join("\n"), ...members, ...(batch.toOpen === null ? [] : [next(batch, batch.toOpen, width)])].join("\n\n");
}

function memberLines(member: BatchMemberView, { colors, width }: Look, isDrawn: boolean): string[] {
  const [headline = "", ...rest] = wrap(oneLine(member.headline ?? "(no sentence)"), width - INDENT);
  const facts = [
    oneLine(member.agent ?? ""),
    ...(member.threadId === null ? [] : [`run ${oneLine(member.threadId)}`]),
    ...(member.confidence === null ? [] : [`confidence ${member.confidence}`]),
    ...(member.claim === null ? [] : [`claimed by ${oneLine(member.claim.person)}`]),
    ...(member.approvals > 1 ? [`${member.votes.length} of ${member.approvals} approvals`] : []),
  ].filter((fact) => fact !== "");
  return [
    `${colors.cyan(shortId(member.itemId).padEnd(INDENT - 2))}  ${member.state === "in" ? colors.bold(headline) : colors.dim(headline)}`,
    ...rest.map((line) => " ".repeat(INDENT) + line),
    ...member.unlike.flatMap((sentence) => block(`UNLIKE the others: ${sentence}`, width, INDENT)).map((line) => colors.yellow(line)),
    ...member.fields.flatMap(({ label, value, unusual }) => block(`${label}: ${value}${unusual ? " (unusual)" : ""}`, width, INDENT)),
    ...(facts.length === 0 ? [] : block(facts.join(" · "), width, INDENT)),
    ...(member.state === "in" ? [] : block(outText(member), width, INDENT)),
    ...(isDrawn ? block("→ open this one before you decide", width, INDENT) : []),
  ];
}

function outText({ why, decision, stage, outcome }: BatchMemberView): string {
  const by = decision === null ? "" : ` (${decision.kind} by ${decision.by}${decision.together ? ", in this batch" : ", alone"})`;
  return `${OUT_WORDS[why ?? ""] ?? "out"}${by}; ${stageText(stage, outcome, decision?.kind)}`;
}

function next({ batchId }: BatchAnswer, toOpen: string, width: number): string {
  return [
    ...wrap("One member was drawn for you; open it, then decide them all with the card's hash that it shows:", width),
    `  ${SELF} show ${shortId(toOpen)}`,
    `  ${SELF} batch decide ${shortBatch(batchId)} --approve-all --opened CARD`,
  ].join("\n");
}

/** What became of each member. */
export function renderResults({ results, effective, refused }: BatchDecisionAnswer, width: number): string {
  const lines = results.flatMap((result) => {
    const why = [result.detail, result.fix].filter((part) => part !== null).join("; ");
    return [`${shortId(result.itemId)}  ${resultText(result)}`, ...(why === "" ? [] : block(why, width, INDENT))];
  });
  return [...lines, `${plural(effective, "member")} decided${refused === 0 ? "" : `, ${refused} refused`}.`].join("\n");
}

const DONE: Readonly<Record<string, string>> = { approve: "approved", reject: "rejected", edit: "edited" };
const REJUDGED: Readonly<Record<string, string>> = {
  fell_back: ": policy forbids the new arguments, and the ones before stand",
  pending: ": policy wants another decision on the new arguments",
  waiting: ": policy has not judged the new arguments yet",
};

function resultText({ status, kind, code, rejudged }: MemberResult): string {
  if (status === "effective") return `${DONE[kind] ?? kind}${REJUDGED[rejudged ?? ""] ?? ""}`;
  if (status === "skipped") return "left as it is";
  return status === "out" ? "is out of the batch" : `not ${DONE[kind] ?? kind} (${code})`;
}

function sealedText(sealedBy: string): string {
  return sealedBy === "run_end" ? "the end of the run" : oneLine(sealedBy);
}

/** Enough of a batch id to name it. */
export function shortBatch(batchId: string): string {
  return /^b[0-9a-f]{24}$/.test(batchId) ? batchId.slice(0, 9) : batchId;
}
