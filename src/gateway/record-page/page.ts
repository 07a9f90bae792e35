import { esc } from "../../events/visible.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import { actionsHtml } from "./actions.ts";
import { cardsHtml, changesHtml, decisionsHtml, isForbidden, verdictsHtml } from "./decisions.ts";
import { eventsHtml, executionHtml, runHtml, troublesHtml } from "./execution.ts";
import { code, facts, type Html, join, link, moment, raw, refHtml, section, text } from "./html.ts";
import { STYLE } from "./style.ts";

/** A record as one HTML file to read and to print: no script, nothing fetched from elsewhere, every text of others escaped. */
export function recordPage(record: ItemRecord): string {
  const title = `Record of ${record.headline ?? record.itemId}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${esc(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="soft">Record of item ${code(record.itemId)}, workspace ${esc(record.workspace)}, made ${moment(record.at)}. All times are UTC.</p>
<h1>${esc(record.headline ?? "No sentence: policy has not judged it")}</h1>
${summary(record)}
${alerts(record)}
</header>
${section("Proposed, approved, executed", ...actionsHtml(record))}${changesHtml(record)}${decisionsHtml(record)}${cardsHtml(record)}${verdictsHtml(record)}${proposalHtml(record)}${runHtml(record)}${executionHtml(record)}${troublesHtml(record)}${eventsHtml(record)}${hiddenHtml(record)}</body>
</html>
`;
}

/** The whole story in a few lines. */
function summary(record: ItemRecord): Html {
  const { proposal, verdicts, decisions, review } = record;
  const verdict = verdicts.find((v) => v.inForce);
  const settled = decisions.filter((d) => d.status === "effective" && (d.kind === "approve" || (d.kind === "edit" ? !isForbidden(d, verdicts) : d.settles)));
  return facts([
    ["State", text(stateOf(record))],
    ["Review", review === "none" ? null : text(`${review}, while it ran`)],
    ["Proposed", join([text(agentOf(proposal.agent)), moment(proposal.at)], ", ")],
    [
      "Judged",
      verdict === undefined
        ? text("not yet")
        : join([text(`${policyOf(verdict.policy)}: ${verdict.route}, risk ${verdict.risk}, ${verdict.reversibility}`), moment(verdict.at)], ", "),
    ],
    ["Let run by", verdict?.standing ? join([text("the standing approval"), code(verdict.standing)], " ") : null],
    [
      "Decided",
      settled.length === 0
        ? text(verdict?.route === "allow" ? "by policy, without a person" : verdict?.route === "forbid" ? "by policy: it reached nobody" : "by nobody yet")
        : join(
            settled.map((d) => join([text(`${d.kind} by ${d.by.kind === "person" ? d.by.id : `${d.by.kind} ${d.by.id}`}`), moment(d.at)], ", ")),
            "<br/>",
          ),
    ],
    ["Executed", executedOf(record)],
    ["Receipt on", refHtml(record.receiptTarget)],
  ]);
}

function stateOf({ stage, outcome, execution, flagged }: ItemRecord): string {
  const state = outcome ?? stage.replace("_", " ");
  const runs = execution === "none" || execution === outcome || execution === stage ? "" : `, execution ${execution.replace("_", " ")}`;
  return `${state}${runs}${flagged ? ", flagged: a record of it could not be read" : ""}`;
}

function executedOf({ actions }: ItemRecord): Html | null {
  const lines = actions.flatMap(({ actionId, tool, executed }) =>
    executed.map((e) =>
      join(
        [
          text(`${tool}${actions.length > 1 ? ` (${actionId})` : ""}: ${e.progress.replace("_", " ")}${e.by === null ? "" : ` by ${e.by}`}`),
          e.endedAt === null ? null : moment(e.endedAt),
          refHtml(e.externalRef),
          e.asGranted === false ? raw('<span class="bad">with other arguments than granted</span>') : null,
        ],
        ", ",
      ),
    ),
  );
  return lines.length === 0 ? null : join(lines, "<br/>");
}

/** What a reader must not miss. */
function alerts({ findings, badRecords, incidents }: ItemRecord): Html {
  const lines = [
    ...incidents.map((i) => join([text(`Incident, ${i.severity}${i.message === null ? "" : `: ${i.message}`}`), link(i.url)], " ")),
    ...findings.map((f) => text(f.says)),
    ...(badRecords.some((b) => !b.cleared) ? [text("A record of this item could not be read.")] : []),
  ];
  return raw(lines.length === 0 ? "" : `<div class="alert">${lines.map((line) => `<p class="bad">${line}</p>`).join("")}</div>`);
}

function proposalHtml({ proposal }: ItemRecord): Html {
  const { onBehalfOf, evidence, transcript } = proposal;
  return section(
    "What the agent said",
    raw(`<p class="soft">In its own words, which nobody has checked.</p>`),
    facts([
      ["Agent", text(agentOf(proposal.agent))],
      ["On behalf of", onBehalfOf && text(`${onBehalfOf.id}${onBehalfOf.scopes.length === 0 ? "" : ` (${onBehalfOf.scopes.join(", ")})`}`)],
      ["Comes from", refHtml(proposal.origin)],
      ["Question", proposal.question === null ? null : text(proposal.question)],
      ["Intent", proposal.intent === null ? null : text(proposal.intent)],
      ["Reasoning", proposal.reasoning === null ? null : text(proposal.reasoning)],
      [
        "Evidence",
        evidence.length === 0
          ? null
          : join(
              evidence.map((e) => join([text(`${e.label}${e.value === null ? "" : `: ${e.value}`}`), link(e.url)], " ")),
              "<br/>",
            ),
      ],
      ["Trace", link(proposal.traceUrl)],
      ["Transcript", transcript && join([text("sha256"), code(transcript.sha256), transcript.uri === null ? null : text(`at ${transcript.uri}`)], " ")],
      ["Tries again", proposal.retryOf === null ? null : join([code(proposal.retryOf), proposal.replaces ? text("which it replaces") : null], " ")],
      ["Idempotency key", code(proposal.idempotencyKey)],
    ]),
  );
}

function hiddenHtml({ profile, hidden }: ItemRecord): Html {
  if (profile === "raw") return section("Hidden", raw("<p>Nothing is hidden in this record: handle it as the data it holds.</p>"));
  if (hidden.length === 0) return section("Hidden", raw("<p>Policy classifies nothing of it as secret or personal.</p>"));
  const list = hidden.map((h) => join([code(`${h.actionId} ${h.path}`), text(h.class)], " "));
  return section(
    "Hidden",
    raw(
      `<p>What policy classifies is hidden, wherever it stands: ${join(list, ", ")}. The same value has the same number. Hashes that would let a hidden value be guessed are left out.</p>`,
    ),
  );
}

function agentOf({ id, version, model, owner }: ItemRecord["proposal"]["agent"]): string {
  return [id, version, model, owner && `owned by ${owner}`].filter((x) => x).join(", ");
}

function policyOf(policy: ItemRecord["verdicts"][number]["policy"]): string {
  return policy === null ? "no policy" : `${policy.id}@${policy.version}`;
}
