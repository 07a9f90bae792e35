import type { ItemRecord } from "../../producers/wire/record.ts";
import { code, facts, type Html, join, json, moment, raw, refHtml, section, table, text } from "./html.ts";

/** Where the run paused, and where it went on. */
export function runHtml({ run, resumes }: ItemRecord): Html {
  const told = resumes.filter((r) => r.status === "effective");
  const rows = told.map((r) => [
    moment(r.at),
    text(r.outcome),
    r.message === null ? null : text(r.message),
    r.notAfter === null ? null : moment(r.notAfter),
    text(r.closedBy),
  ]);
  const paused = run?.paused;
  return section(
    "Resumed where",
    paused === undefined
      ? raw("<p>The proposal names no run.</p>")
      : facts([
          [
            "Paused",
            join(
              [
                text(`${paused.framework}, thread ${paused.threadId}`),
                paused.checkpointId === null ? null : text(`checkpoint ${paused.checkpointId}`),
                paused.step === null ? null : text(`step ${paused.step}`),
              ],
              ", ",
            ),
          ],
          [
            "Went on",
            run === null || run.wentOn.length === 0
              ? text("no executor has said where")
              : join(
                  run.wentOn.map((w) =>
                    join(
                      [
                        moment(w.at),
                        text(`thread ${w.threadId}${w.checkpointId === null ? "" : `, checkpoint ${w.checkpointId}`}`),
                        w.elsewhere ? raw('<span class="bad">not where it paused: a finding</span>') : text("where it paused"),
                      ],
                      ", ",
                    ),
                  ),
                  "<br/>",
                ),
          ],
        ]),
    rows.length === 0 ? null : table(["When", "The run was told", "In words", "To be started before", "Closed by"], rows),
  );
}

/** What executors and the clock wrote on the grants. */
export function executionHtml({ receipts }: ItemRecord): Html {
  const rows = receipts.map((r) => [
    moment(r.at),
    text(`${r.by.kind}:${r.by.id}`),
    join([raw(`<strong>${text(r.kind)}</strong>`), r.actionId === null ? null : text(r.actionId)], " "),
    join(
      [
        refHtml(r.externalRef),
        r.result === null ? null : json(r.result),
        r.error && text(`${r.error.code}: ${r.error.message}`),
        r.stateAfter && join([text("state after"), json(r.stateAfter.state)], " "),
        r.argsSha256 === null ? null : join([text("arguments"), code(r.argsSha256)], " "),
      ],
      "<br/>",
    ),
    text(r.status === "effective" ? "yes" : `${r.status}: ${r.reason ?? ""}`),
  ]);
  return section(
    "Receipts",
    rows.length === 0
      ? raw("<p>None.</p>")
      : table(["When", "Who", "What", "With", "Took effect"], rows, { dim: receipts.map((r) => r.status !== "effective") }),
  );
}

/** What a person should look at. */
export function troublesHtml({ findings, badRecords, parked, incidents }: ItemRecord): Html {
  const rows = [
    ...incidents.map((i) => [text(`incident (${i.severity})`), text(i.message), code(`decisions ${i.eventId}`)]),
    ...findings.map((f) => [text(f.code), text(f.says), code(`${f.topic} ${f.eventId}${f.offset === null ? "" : ` at offset ${f.offset}`}`)]),
    ...badRecords.map((b) => [
      text(`bad record${b.cleared ? " (cleared)" : ""}`),
      text(`${b.reason}: ${b.message}`),
      code(`${b.topic} ${b.partition}:${b.offset} ${b.sha256}`),
    ]),
    ...parked.map((p) => [text("parked"), text(`It waits for ${p.cause}`), code(`${p.topic} ${p.partition}:${p.offset}`)]),
  ];
  return section("Findings", rows.length === 0 ? raw("<p>None.</p>") : table(["What", "Meaning", "Event"], rows));
}

/** Every event with its place in the log: the rest of the page can be checked against it. */
export function eventsHtml({ events }: ItemRecord): Html {
  const rows = events.map((e) => [
    moment(e.occurredAt),
    code(`${e.topic} ${e.partition}:${e.offset}`),
    text(e.what),
    text(e.actor),
    join([code(e.eventId), e.answers === null ? null : raw(`<span class="soft">answers ${code(e.answers)}</span>`)], "<br/>"),
    text(e.status === "effective" ? "effective" : `${e.status}${e.reason === null ? "" : `: ${e.reason}`}`),
  ]);
  return section(
    "Every event",
    table(["When", "Place in the log", "What", "Who", "Event", "Status"], rows, { name: "events", dim: events.map((e) => e.status !== "effective") }),
  );
}
