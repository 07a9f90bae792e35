import type { ItemRecord } from "../../producers/wire/record.ts";
import { block, breakExact, exactJson, moment, oneLine, pad, wrap } from "../text.ts";
import { stageText } from "./item.ts";
import type { Look } from "./queue.ts";

const LABEL = 13;

/** A record for a terminal: the page in short. */
export function renderRecord(record: ItemRecord, look: Look): string {
  const parts = [
    head(record, look),
    ...record.actions.map((action) => sides(action, look)),
    decisions(record, look),
    run(record, look),
    findings(record, look),
    events(record, look),
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function row(label: string, text: string, { width }: Look): string[] {
  return wrap(oneLine(text), width - LABEL).map((line, i) => (i === 0 ? pad(label, LABEL) : " ".repeat(LABEL)) + line);
}

function head(record: ItemRecord, look: Look): string[] {
  const { proposal, profile, hidden } = record;
  const judged = record.verdicts
    .filter((v) => v.status === "effective")
    .map((v) => `${v.policy === null ? "no policy" : `${v.policy.id}@${v.policy.version}`}: ${v.route}, risk ${v.risk}, ${moment(v.at)}`);
  const rows: [string, string][] = [
    ["State", stageText(record.stage, record.outcome, undefined)],
    ["Execution", record.review === "none" ? record.execution : `${record.execution}, its review is ${record.review}`],
    ["Proposed", `${proposal.agent.id}, ${moment(proposal.at)}`],
    ...judged.map((text): [string, string] => ["Judged", text]),
    ["Item", record.itemId],
    [
      "Hidden",
      profile === "raw"
        ? "nothing: handle it as the data it holds"
        : hidden.map((h) => `${h.actionId} ${h.path} (${h.class})`).join(", ") || "nothing is classified",
    ],
  ];
  return [
    ...wrap(oneLine(record.headline ?? "(no sentence)"), look.width).map((line) => look.colors.bold(line)),
    ...rows.flatMap(([label, text]) => row(label, text, look)),
  ];
}

function sides({ actionId, tool, proposed, approved, executed, changed, patch }: ItemRecord["actions"][number], look: Look): string[] {
  const value = (label: string, args: unknown) => {
    const [first = "", ...rest] = breakExact(exactJson(args), look.width - LABEL - 2, look.width - LABEL - 2);
    return [`  ${pad(label, LABEL)}${first}`, ...rest.map((part) => `  ${" ".repeat(LABEL)}${part}`)];
  };
  return [
    `${oneLine(tool)} (action ${oneLine(actionId)}): ${CHANGED[changed]}`,
    ...(proposed === null ? [] : value("Proposed", proposed.args)),
    ...(approved === null ? [] : value("Approved", approved.args)),
    ...(patch === null || patch.length === 0 ? [] : value("Changed", patch)),
    ...executed.flatMap((e) => [
      ...(e.args === null ? [] : value(e.outcome === "roll_back" ? "Rolled back" : "Executed", e.args)),
      ...block(
        [
          e.progress.replace("_", " "),
          e.by && `by ${e.by}`,
          e.externalRef && `as ${e.externalRef.system} ${e.externalRef.id}`,
          e.asGranted === false && "WITH OTHER ARGUMENTS THAN GRANTED",
          e.error && `${e.error.code}: ${e.error.message}`,
          e.stateAfter && `state after ${exactJson(e.stateAfter.state)}`,
        ]
          .filter((part) => part)
          .join(", "),
        look.width,
        2 + LABEL,
      ),
    ]),
  ];
}

const CHANGED: Readonly<Record<ItemRecord["actions"][number]["changed"], string>> = {
  no: "approved as proposed",
  edited: "approved with changes",
  dropped: "taken out by a reviewer",
  waiting: "not approved",
};

function decisions({ decisions: all }: ItemRecord, look: Look): string[] {
  const lines = all.flatMap((d) => {
    const seen = d.sawThatCard === null ? "" : d.sawThatCard ? ", on the card of its verdict" : ", on ANOTHER card";
    const said = d.message === null ? "" : `: “${oneLine(d.message)}”`;
    const effect = d.status === "effective" ? "" : ` (${d.status}: ${d.reason ?? ""})`;
    return block(`${moment(d.at)}  ${d.kind} by ${d.by.kind === "person" ? d.by.id : `${d.by.kind}:${d.by.id}`}${seen}${said}${effect}`, look.width, 2);
  });
  return lines.length === 0 ? [] : ["Decisions", ...lines];
}

function run({ run: found }: ItemRecord, look: Look): string[] {
  if (found === null) return [];
  const { threadId, checkpointId } = found.paused;
  const place = (thread: string, checkpoint: string | null) => `thread ${thread}${checkpoint === null ? "" : `, checkpoint ${checkpoint}`}`;
  return [
    ...row("Paused", place(threadId, checkpointId), look),
    ...found.wentOn.flatMap((w) => row("Went on", `${place(w.threadId, w.checkpointId)}${w.elsewhere ? " (NOT where it paused)" : ""}`, look)),
  ];
}

function findings({ findings: found, incidents }: ItemRecord, look: Look): string[] {
  const lines = [
    ...incidents.map((i) => `incident (${i.severity})${i.message === null ? "" : `: ${i.message}`}`),
    ...found.map((f) => `${f.code}: ${f.says} (${f.topic} ${f.eventId})${f.detail === undefined ? "" : `; ${f.detail}`}`),
  ];
  return lines.length === 0 ? [] : [look.colors.yellow("Findings"), ...lines.flatMap((line) => block(line, look.width, 2))];
}

function events({ events: all }: ItemRecord, look: Look): string[] {
  const lines = all.flatMap((e) =>
    block(
      `${moment(e.occurredAt)}  ${pad(`${e.topic} ${e.partition}:${e.offset}`, 16)}  ${oneLine(e.what)} by ${oneLine(e.actor)}${e.status === "effective" ? "" : ` (${e.status}: ${e.reason ?? ""})`}`,
      look.width,
      2,
    ),
  );
  return ["Every event (topic partition:offset)", ...lines];
}
