import type { ListedItem } from "../../producers/wire/answers.ts";
import { type Colors, SELF } from "../io.ts";
import { block, oneLine, plural, shortId, span, timeLeft, wrap } from "../text.ts";
import { decisionsText, riskText, stageText } from "./item.ts";

/** How to render for people. */
export interface Look {
  readonly width: number;
  readonly now: number;
  readonly colors: Colors;
}

const INDENT = 10;

/** The queue: of each item the sentence first, then why, then owner, time left and what may be decided. */
export function renderQueue(items: readonly ListedItem[], look: Look, more: boolean): string {
  if (items.length === 0) return "Nothing waits.";
  const first = items[0] as ListedItem;
  const end = [more ? "There are more: see --limit." : undefined, `Look closer: ${SELF} show ${shortId(first.itemId)}`].filter((line) => line !== undefined);
  return [`${plural(items.length, "item")}, the most urgent first`, "", ...items.flatMap((item) => [...entry(item, look), ""]), ...end].join("\n");
}

function entry(item: ListedItem, look: Look): string[] {
  const { colors, width, now } = look;
  const [head = "", ...rest] = wrap(oneLine(item.summary.headline ?? "(no sentence)"), width - INDENT);
  const pending = item.stage === "pending" || item.stage === "in_doubt" || item.review === "open";
  const facts = [
    oneLine(item.summary.risk ?? "not judged"),
    oneLine(item.owner ?? "no owner"),
    item.held ? "held: the time is over" : pending ? timeLeft(item.deadline, now) : stageText(item.stage, item.outcome),
    ...(item.review === "open" ? [`${item.execution}, to be reviewed`] : []),
    ...(item.stage === "in_doubt" ? ["in doubt: settle it"] : []),
    ...(item.awaitsStart?.isLate ? [`${item.awaitsStart.what} that no executor has started for ${span(now - item.awaitsStart.since)}: see show`] : []),
    ...(item.claim ? [`claimed by ${oneLine(item.claim.person)} for ${span(item.claim.endsAt - now)}`] : []),
    ...(item.flagged ? ["flagged: see show"] : []),
    ...(item.approvals > 1 ? [`${item.votes.length} of ${item.approvals} approvals`] : []),
  ];
  const decisions = decisionsText(item);
  const lines = wrap([facts.join(" · "), ...(decisions === "" ? [] : [decisions])].join(" · "), width - INDENT);
  const risk = facts[0] as string;
  const colored = lines.map((line, i) => " ".repeat(INDENT) + (i === 0 ? riskText(risk, colors) + line.slice(risk.length) : line));
  return [
    `${colors.cyan(shortId(item.itemId).padEnd(INDENT - 2))}  ${colors.bold(head)}`,
    ...rest.map((line) => " ".repeat(INDENT) + colors.bold(line)),
    ...(item.summary.why ? block(item.summary.why, width, INDENT).map((line) => colors.dim(line)) : []),
    ...colored,
  ];
}
