import type { Json } from "../../events/canonical.ts";
import { pointerKeys, valueAt } from "../../policy/pointer.ts";
import { MASKED } from "../../policy/render.ts";
import type { ItemView } from "../../producers/wire/answers.ts";
import { SELF } from "../io.ts";
import { setAt } from "../pointer.ts";
import { block, breakExact, cut, exactJson, moment, oneLine, pad, shortId, span, timeLeft, timeOfDay, widthOf, wrap } from "../text.ts";
import { byHand, startText } from "./awaited-start.ts";
import { decisionsText, pathsText, riskText, stageText } from "./item.ts";
import type { Look } from "./queue.ts";

const LABEL = 13;

/** One item, whole: the sentence, what a reviewer needs to decide, then what happened and what is wrong. */
export function renderShow(item: ItemView, look: Look): string {
  const parts = [
    heading(item, look),
    facts(item, look),
    card(item, look),
    plan(item, look),
    ...item.actions.map((action) => args(action, item.card, item.actions.length, look)),
    timeline(item, look),
    troubles(item, look),
    next(item, look),
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function heading(item: ItemView, { width, colors }: Look): string[] {
  return wrap(oneLine(item.headline ?? "(no sentence)"), width).map((line) => colors.bold(line));
}

/** A labelled text, the lines after the first under it. */
function row(label: string, text: string, { width }: Look): string[] {
  const lines = wrap(oneLine(text), width - LABEL);
  return lines.map((line, i) => (i === 0 ? pad(label, LABEL) : " ".repeat(LABEL)) + line);
}

function facts(item: ItemView, look: Look): string[] {
  const { now } = look;
  const rows: [string, string | null | undefined][] = [
    ["Why", item.why],
    ["State", stateText(item)],
    ["Waits for", waitsFor(item, now)],
    ["To start", startText(item, now)],
    ["You may", mayText(item)],
    ["Score", scoreText(item)],
    ["Decided", item.decision && `${item.decision.kind} by ${item.decision.by}`],
    ["Standing", item.standing && `let run by the standing approval ${item.standing}`],
    ["Last edit", item.fellBack && `forbidden by policy, what was before stands: ${item.fellBack.reason}`],
    ...item.batches.map((batch): [string, string] => ["Batch", batchText(batch)]),
    ["Batch", item.batchDue === null ? null : `waits for its batch, which is sealed by ${moment(item.batchDue)} at the latest`],
    ["Error", item.verdict?.error && `${item.verdict.error.code}: ${item.verdict.error.message}`],
    ["Execution", item.review === "none" ? null : `${item.execution}, its review is ${item.review}`],
    ["Risk", [item.risk, item.reversibility, item.route].filter((x) => x != null).join(" · ") || null],
    ["Policy", item.policy && `${item.policy.id}@${item.policy.version}`],
    ["Proposed by", agentText(item.agent)],
    ["Intent", item.intent],
    ["Reasoning", item.reasoning],
    ["Evidence", item.evidence.map((e) => `${e.label}${e.value === null ? "" : ` ${e.value}`}${e.url === null ? "" : ` ${e.url}`}`).join("; ")],
    ["Comes from", item.origin && `${item.origin.system} ${item.origin.id}${item.origin.url ? ` ${item.origin.url}` : ""}`],
    ["Run", item.run && `${item.run.framework} ${item.run.threadId}${item.run.checkpointId ? `, checkpoint ${item.run.checkpointId}` : ""}`],
    ["Trace", item.traceUrl],
    ["Grant", grantText(item, now)],
    ["Receipt", receiptText(item)],
    ["Item", item.itemId],
    ["Card", item.cardSha256],
  ];
  const lines = rows.flatMap(([label, text]) => (text ? row(label, text, look) : []));
  return lines.map((line) => (line.startsWith("Risk ") ? line.replace(item.risk ?? "", riskText(item.risk, look.colors)) : line));
}

/** Words for why an item is out of its batch. */
export const OUT_WORDS: Readonly<Record<string, string>> = {
  decided: "out: decided",
  edited: "out: edited",
  withdrawn: "out: withdrawn",
  expired: "out: its time ran out",
  escalated: "out: escalated alone",
  missed: "left out: decided, or sealed in another batch, before",
};

function batchText({ batchId, size, sealedBy, sealedAt, state, why }: ItemView["batches"][number]): string {
  return `${batchId}, ${state === "in" ? "in" : (OUT_WORDS[why ?? ""] ?? "out")}; of ${size}, sealed by ${sealedBy.replace("_", " ")} at ${moment(sealedAt)}`;
}

function stateText(item: ItemView): string {
  const held = item.held ? ", held: the time is over and nobody decided" : "";
  return `${stageText(item.stage, item.outcome, item.decision?.kind)}${held}${item.flagged ? ", flagged: a record of it could not be read" : ""}`;
}

function waitsFor(item: ItemView, now: number): string | null {
  if (item.stage !== "pending" && item.stage !== "in_doubt" && item.review !== "open") return null;
  const claim = item.claim ? `, claimed by ${item.claim.person} for ${span(item.claim.endsAt - now)}` : "";
  const votes = item.approvals > 1 ? `, ${item.votes.length} of ${item.approvals} approvals` : "";
  const until = item.deadline === null ? "" : ` (${moment(item.deadline)})`;
  return `${item.owner ?? "nobody"}, ${timeLeft(item.deadline, now)}${until}${votes}${claim}`;
}

function mayText(item: ItemView): string | null {
  if (item.stage === "in_doubt") return "settle";
  if (item.allowedDecisions.length === 0) return null;
  const paths = item.editablePaths.length === 0 ? "" : ` (editable: ${pathsText(item.editablePaths)})`;
  return `${decisionsText(item)}${paths}`;
}

/** What `--score` takes, while there is something to decide. */
function scoreText({ allowedDecisions, rubric }: ItemView): string | null {
  if (rubric.length === 0 || !allowedDecisions.some((kind) => kind !== "acknowledge")) return null;
  return `1 to 5 for ${rubric.map(({ id, label }) => (label === null ? id : `${id} (${label})`)).join(", ")}: --score ${rubric[0]?.id}=N`;
}

function agentText(agent: ItemView["agent"]): string {
  return [agent.id, agent.version, agent.model, agent.owner && `owned by ${agent.owner}`].filter((x) => x).join(", ");
}

function grantText({ grant, stage }: ItemView, now: number): string | null {
  if (!grant) return null;
  const until =
    grant.notAfter === null || stage !== "granted"
      ? ""
      : grant.notAfter >= now
        ? `, to be started within ${span(grant.notAfter - now)}`
        : ", its time to start is over";
  return `${grant.id}: ${grant.actions.map((a) => a.tool).join(", ")}${until}`;
}

function receiptText(item: ItemView): string | null {
  const target = item.receiptTarget ? ` → ${item.receiptTarget.system} ${item.receiptTarget.id}` : "";
  const receipts = item.receipts.filter((r) => r.kind !== "started" && r.kind !== "renewed");
  if (receipts.length === 0) return target === "" ? null : `none yet${target}`;
  const told = receipts.map((r) => {
    const ref = r.externalRef ? ` as ${r.externalRef.system} ${r.externalRef.id}` : "";
    return `${r.kind}${ref}${r.error ? ` (${r.error.code}: ${r.error.message})` : ""}`;
  });
  return `${told.join(", then ")}${target}`;
}

function card(item: ItemView, look: Look): string[] {
  const { card } = item;
  if (!card) return [];
  // What is forbidden is neither approved nor rejected by anybody.
  const texts: [string, string][] =
    item.route === "forbid"
      ? []
      : [
          ["If approved", card.ifApproved],
          ["If rejected", card.ifRejected],
          ["If it fails", card.ifItFails],
          ["Rollback", card.rollback],
        ];
  const lines = texts.flatMap(([label, text]) => (text === "" ? [] : row(label, text, look)));
  if (card.fields.length === 0) return lines;
  const label = Math.min(24, Math.max(...card.fields.map((f) => widthOf(oneLine(f.label)))) + 2);
  const ofPlan = new Set(card.fields.map((f) => f.actionId)).size > 1;
  const fields = card.fields.flatMap((f, i) => {
    const step = ofPlan && f.actionId !== card.fields[i - 1]?.actionId ? [cut(`  Step ${oneLine(f.actionId)}`, look.width)] : [];
    const value = wrap(`${oneLine(f.value)}${f.unusual ? "  ← unusual" : ""}`, look.width - label - 2);
    return [...step, ...value.map((line, n) => `  ${n === 0 ? pad(cut(oneLine(f.label), label - 1), label) : " ".repeat(label)}${line}`)];
  });
  return [...lines, "", ...fields];
}

/** The steps in their order with how far each is, and those that a reviewer took out. */
function plan(item: ItemView, { width }: Look): string[] {
  if (item.actions.length + item.dropped.length < 2) return [];
  const { grant } = item;
  const steps = item.actions.map(({ actionId, tool, patch }, i) => {
    const at = grant?.actions.findIndex((a) => a.actionId === actionId) ?? -1;
    const state =
      grant === null || at < 0
        ? ""
        : at < grant.done
          ? "done"
          : grant.running?.actionId === actionId
            ? "running"
            : item.stage === "done"
              ? "not run"
              : "to be run";
    const notes = [state, patch === undefined ? "" : "edited"].filter((note) => note !== "");
    return `${i + 1}  ${actionId}  ${tool}${notes.length === 0 ? "" : `: ${notes.join(", ")}`}`;
  });
  const gone = item.dropped.map(({ actionId, tool }) => `-  ${actionId}  ${tool}: dropped by a reviewer`);
  return [
    `Plan of ${item.actions.length} ${item.actions.length === 1 ? "step" : "steps"}, in this order`,
    ...[...steps, ...gone].flatMap((line) => block(line, width, 2)),
  ];
}

function args(action: ItemView["actions"][number], card: ItemView["card"], count: number, look: Look): string[] {
  const title = `Arguments of ${oneLine(action.tool)}${count > 1 ? ` (action ${oneLine(action.actionId)})` : ""}`;
  const secrets = (card?.fields ?? []).filter((f) => f.actionId === action.actionId && f.value === MASKED).map((f) => f.path);
  const lines = (value: Json) => pretty(hidden(value, secrets), look);
  const proposed = action.proposedArgs === undefined ? [] : ["  The agent had proposed:", ...lines(action.proposedArgs as Json)];
  const note = secrets.length === 0 ? [] : block("What the policy calls secret is hidden here; --json has it.", look.width, 2);
  return [
    cut(title, look.width),
    ...lines(action.args as Json),
    ...[...block(`sha256 ${action.argsSha256}`, look.width, 2), ...note].map((line) => look.colors.dim(line)),
    ...proposed,
  ];
}

/** The arguments without the values that the card hides. */
function hidden(value: Json, paths: readonly string[]): Json {
  const present = paths.filter((path) => valueAt(value, pointerKeys(path) ?? []) !== undefined);
  return present.reduce((document, path) => setAt(document, path, MASKED), structuredClone(value));
}

/** Exactly the arguments: lines that are too long are broken, nothing is cut or left out. */
function pretty(value: unknown, { width }: Look): string[] {
  return exactJson(value, 2)
    .split("\n")
    .flatMap((line) => {
      const indent = 2 + (/^ */.exec(line)?.[0].length ?? 0);
      const [first = "", ...rest] = breakExact(line.trimStart(), width - indent, width - indent - 2);
      return [" ".repeat(indent) + first, ...rest.map((part) => " ".repeat(indent + 2) + part)];
    });
}

function timeline(item: ItemView, { width, colors }: Look): string[] {
  const lines = item.timeline.flatMap((e) => {
    const at = timeOfDay(e.occurredAt);
    const place = `${e.topic} ${e.partition}:${e.offset}`;
    const text = `${oneLine(e.what)} by ${oneLine(e.actor)}`;
    const head = cut(`  ${at}  ${pad(place, 16)} ${text}`, width);
    if (e.status === "effective") return [head];
    const why = block(`${e.status}${e.reason === null ? "" : `: ${e.reason}`}`, width, 29);
    return [colors.dim(head), ...why.map((line) => colors.dim(line))];
  });
  return lines.length === 0 ? [] : ["Timeline (UTC; topic partition:offset)", ...lines];
}

function troubles(item: ItemView, { width, colors }: Look): string[] {
  const sections: [string, string[]][] = [
    ["Incidents", item.incidents.map((i) => `${i.severity}: reported in ${i.eventId}`)],
    [
      "Findings",
      item.findings.map(
        (f) => `${f.code}: ${f.topic} ${f.eventId}${f.offset === null ? "" : ` at offset ${f.offset}`}${f.detail === undefined ? "" : `; ${f.detail}`}`,
      ),
    ],
    [
      "Bad records",
      item.badRecords.map((b) => `${b.topic} ${b.partition}:${b.offset} ${b.reason}: ${b.message} (sha256 ${b.sha256}${b.cleared ? ", cleared" : ""})`),
    ],
    ["Parked", item.parked.map((p) => `${p.topic} ${p.partition}:${p.offset} waits for ${p.cause}`)],
  ];
  const lines = sections
    .filter(([, list]) => list.length > 0)
    .flatMap(([title, list]) => ["", colors.yellow(title), ...list.flatMap((text) => block(text, width, 2))]);
  return lines.slice(1);
}

/** What can be typed now. */
function next(item: ItemView, { width }: Look): string[] {
  const id = shortId(item.itemId);
  const ways: string[] = [];
  for (const kind of item.allowedDecisions) if (kind in WAYS) ways.push(`decide ${id} ${WAYS[kind]}`);
  if (item.stage === "in_doubt") ways.push(`decide ${id} --settle succeeded --ref SYSTEM:ID`, `decide ${id} --settle failed`);
  if (item.stage === "in_doubt" && mayRetry(item)) ways.push(`decide ${id} --settle retry`);
  // A clear answers the verdict, and lifts every copy of the same bytes.
  const junk = item.verdict === null ? [] : item.badRecords.filter((bad) => bad.flags && !bad.cleared).map((bad) => bad.sha256);
  for (const hash of new Set(junk)) ways.push(`decide ${id} --clear ${hash}`);
  const typed = (title: string, list: readonly string[]) =>
    list.length === 0
      ? []
      : [...wrap(title, width), ...list.flatMap((way) => wrap(`${SELF} ${way}`, width - 2).map((line, i) => `  ${i === 0 ? "" : "  "}${line}`))];
  return [...typed("Decide with", ways), ...typed("Where no executor will start it: once somebody knows how it ended, with an executor key", byHand(item))];
}

/** Only what can be asked or repeated is ever tried again. */
function mayRetry({ grant, receipts }: ItemView): boolean {
  const actionId = receipts.findLast((r) => r.kind === "unknown")?.actionId;
  const execution = grant?.actions.find((a) => a.actionId === actionId)?.execution;
  return execution === "idempotent" || execution === "queryable";
}

const WAYS: Readonly<Record<string, string>> = {
  approve: "--approve",
  edit: `--edit '{"/PATH": VALUE}'`,
  reject: '--reject --reason CODE --message "…"',
  respond: '--respond "…"',
  acknowledge: "--acknowledge",
};
