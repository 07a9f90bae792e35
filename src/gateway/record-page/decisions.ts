import type { ItemRecord } from "../../producers/wire/record.ts";
import { code, facts, type Html, join, json, link, moment, raw, refHtml, section, table, text } from "./html.ts";

type Decision = ItemRecord["decisions"][number];
type Verdict = ItemRecord["verdicts"][number];

/** Whether policy forbade an edit: it was recorded, and changed nothing. */
export function isForbidden({ kind, eventId }: Decision, verdicts: ItemRecord["verdicts"]): boolean {
  return kind === "edit" && verdicts.some((v) => v.judges === `decisions/${eventId}` && v.status === "effective" && v.route === "forbid");
}

/** Who changed what: each edit with its JSON Patch, before and after. */
export function changesHtml({ decisions, verdicts }: ItemRecord): Html {
  const edits = decisions.filter((d) => d.kind === "edit" && d.status === "effective");
  return section("What was changed", ...edits.flatMap((edit) => changeHtml(edit, verdicts)));
}

function changeHtml(edit: Decision, verdicts: ItemRecord["verdicts"]): Html[] {
  const judged = verdicts.find((v) => v.judges === `decisions/${edit.eventId}`);
  const rows = edit.edits.flatMap(({ actionId, patch, before }) =>
    patch.map(({ op, path, value, from }) => [
      text(actionId),
      text(op),
      code(path),
      json(valueAt(before, path)),
      from === undefined ? json(value) : code(from),
    ]),
  );
  return [
    raw(`<h3>Edit by ${text(edit.by.id)}, ${moment(edit.at)}</h3>`),
    facts([
      ["Message", edit.message === null ? null : text(edit.message)],
      ["Steps taken out", edit.dropped.length === 0 ? null : text(edit.dropped.join(", "))],
      ["Order of the steps", edit.order.length === 0 ? null : text(edit.order.join(", "))],
      [
        "Judged again",
        judged === undefined
          ? text("not yet")
          : text(
              `${judged.route}${judged.error === null ? "" : ` (${judged.error.code})`}${judged.route === "forbid" ? ": it had no effect, what was before stands" : ""}`,
            ),
      ],
    ]),
    rows.length === 0 ? raw("") : table(["Action", "Operation", "Path", "Before", "After"], rows),
  ];
}

/** What lies at a JSON Pointer, read from own properties alone; undefined where nothing does. */
function valueAt(value: unknown, path: string): unknown {
  const keys = path.split("/").slice(1);
  return keys.reduce<unknown>((at, key) => {
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
    return typeof at === "object" && at !== null && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
  }, value);
}

/** Every decision, also those without effect: somebody tried. */
export function decisionsHtml({ decisions, verdicts }: ItemRecord): Html {
  if (decisions.length === 0) return section("Decisions", raw("<p>Nobody has decided anything.</p>"));
  const rows = decisions.map((d) => [
    moment(d.at),
    whoHtml(d),
    whatHtml(d, verdicts),
    seenHtml(d, verdicts),
    raw(d.status === "effective" ? "yes" : text(`${d.status}: ${d.reason ?? ""}`)),
  ]);
  return section("Decisions", table(["When", "Who", "What", "On which card", "Took effect"], rows, { dim: decisions.map((d) => d.status !== "effective") }));
}

function whoHtml({ by }: Decision): Html {
  return join(
    [text(by.kind === "person" ? by.id : `${by.kind} ${by.id}`), by.roles.length === 0 ? null : raw(`<span class="soft">${text(by.roles.join(", "))}</span>`)],
    "<br/>",
  );
}

function whatHtml(d: Decision, verdicts: ItemRecord["verdicts"]): Html {
  const { escalation, lease, review, settlement, standing, incident } = d;
  const lines = [
    raw(`<strong>${text(d.kind)}</strong>${isForbidden(d, verdicts) ? ", which policy forbade" : d.kind === "edit" || !d.settles ? "" : ", which settled it"}`),
    d.message === null ? null : text(`“${d.message}”`),
    d.reasonCodes.length === 0 ? null : text(`Reasons: ${d.reasonCodes.join(", ")}`),
    d.scope === "branch" ? text("For the whole branch of the run") : null,
    d.kind === "reject" && d.dropped.length > 0 ? text(`Because of the steps ${d.dropped.join(", ")}`) : null,
    d.scores.length === 0 ? null : text(`Scores: ${d.scores.map((s) => `${s.criterion} ${s.score}`).join(", ")}`),
    escalation && text(`Step ${escalation.step}: from ${escalation.from} to ${escalation.to}`),
    lease && d.kind === "claim" ? join([text(lease.takenOver ? "Taken over, until" : "Until"), moment(lease.endsAt)], " ") : null,
    settlement && join([text(settlement.outcome), refHtml(settlement.externalRef)], " as "),
    standing &&
      join(
        [
          text(`Standing approval: at most ${standing.max} more${standing.amount === null ? "" : `, up to ${standing.amount} in all`}, until`),
          moment(standing.until),
          json(standing.scope),
        ],
        " ",
      ),
    incident && join([text(`Incident, ${incident.severity}`), link(incident.url)], " "),
    review &&
      join(
        [
          text(`In the ${review.channel}`),
          review.openedAt === null ? null : join([text("opened"), moment(review.openedAt)], " "),
          review.activeMs === null ? null : text(`${Math.round(review.activeMs / 1000)} s of work`),
        ],
        ", ",
      ),
  ];
  return join(lines, "<br/>");
}

function seenHtml({ card, sawThatCard }: Decision, verdicts: ItemRecord["verdicts"]): Html | null {
  if (sawThatCard === null) return null;
  const n = verdicts.findIndex((v) => v.eventId === card) + 1;
  if (!sawThatCard) return raw('<span class="bad">another card than the one of that verdict</span>');
  return n === 0 ? text("a card that is not in the log") : raw(`<a href="#verdict-${n}">Card ${n}</a>`);
}

/** The cards as they were seen: rendered by policy from the real arguments, and hashed into every decision on them. */
export function cardsHtml({ verdicts, decisions }: ItemRecord): Html {
  const cards = verdicts.map((v, i) => {
    const seen = decisions.filter((d) => d.card === v.eventId && d.sawThatCard === true && d.status === "effective").map((d) => `${d.by.id} (${d.kind})`);
    return v.card === null ? null : cardHtml(v, v.card, i + 1, seen);
  });
  return section("The card, as it was seen", ...cards);
}

function cardHtml(v: Verdict, card: NonNullable<Verdict["card"]>, n: number, seen: readonly string[]): Html {
  const fields = card.fields.map(({ label, value, unusual }): readonly [string, Html] => [label, unusual ? raw(`<mark>${text(value)}</mark>`) : text(value)]);
  const texts = facts([
    ["Why", text(card.why)],
    ["If approved", card.ifApproved === "" ? null : text(card.ifApproved)],
    ["If rejected", card.ifRejected === "" ? null : text(card.ifRejected)],
    ["If it fails", card.ifItFails === "" ? null : text(card.ifItFails)],
    ["Rollback", card.rollback === "" ? null : text(card.rollback)],
    ...fields,
  ]);
  const who = seen.length === 0 ? "Nobody has decided on it." : `Seen by ${seen.join(", ")}.`;
  return raw(
    `<div class="card" id="verdict-${n}">\n<p class="soft">Card ${n}, ${moment(v.at)}${v.cardSha256 === null ? "" : `, sha256 ${code(v.cardSha256)}`}. ${text(who)}</p>\n<p class="headline">${text(card.headline)}</p>\n${texts}\n</div>`,
  );
}

/** Under which policy: every judgement with its document, reasons and rules. */
export function verdictsHtml({ verdicts }: ItemRecord): Html {
  return section("Policy", ...verdicts.flatMap((v, i) => verdictHtml(v, i + 1)));
}

function verdictHtml(v: Verdict, n: number): Html[] {
  const { policy, ladder, budgets } = v;
  return [
    raw(
      `<h3>Judgement ${n} <span class="soft">of the ${v.judges.startsWith("decisions/") ? "edit" : "proposal"}, ${moment(v.at)}${v.inForce ? ", in force" : ""}${v.status === "effective" ? "" : `, ${text(v.status)}: ${text(v.reason)}`}</span></h3>`,
    ),
    facts([
      ["Policy", policy === null ? text("none") : join([text(`${policy.id}@${policy.version}`), code(policy.sha256)], " ")],
      ["With", v.policies.length === 0 ? null : text(v.policies.map((p) => `${p.id}@${p.version}`).join(", "))],
      ["Engine", text(v.engineVersion)],
      ["Verdict", text(`${v.route}, risk ${v.risk} (score ${v.score}), ${v.reversibility}, gate ${v.gate}`)],
      ["Error", v.error && text(`${v.error.code}: ${v.error.message}`)],
      [
        "Because",
        v.because.length === 0
          ? null
          : join(
              v.because.map((b) => text(b)),
              "<br/>",
            ),
      ],
      [
        "Rules",
        v.matched.length === 0
          ? null
          : join(
              v.matched.map((m) => text(`${m.rule}${m.path === null ? "" : ` on ${m.path}`}: ${m.effect}`)),
              "<br/>",
            ),
      ],
      [
        "Budgets",
        budgets.length === 0
          ? null
          : join(
              budgets.map((b) => text(`${b.name} (${b.key}): ${b.used} of ${b.limit} used`)),
              "<br/>",
            ),
      ],
      ["Owner", v.owner === null ? null : text(`${v.owner}${v.approvals > 1 ? `, ${v.approvals} approvals` : ""}`)],
      [
        "Escalation",
        ladder.length === 0
          ? null
          : join(
              ladder.map((s) => join([moment(s.at), text(`to ${s.to}${s.page ? ", who is paged" : ""}`)], " ")),
              "<br/>",
            ),
      ],
      ["Deadline", v.expiresAt === null ? null : join([moment(v.expiresAt), text(`then ${v.onExpiry}`)], ", ")],
    ]),
  ];
}
