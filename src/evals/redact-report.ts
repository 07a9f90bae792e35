import type { Count, InsightsReport } from "./insights.ts";
import type { Redaction } from "./redact/redactor.ts";
import { ownerOf } from "./redact-owner.ts";

/** A report as it may stand beside rows that hide what is personal: persons have the names that they have in the rows, and texts are looked through. */
export function redactedReport(report: InsightsReport, redaction: Redaction): InsightsReport {
  const texts = (counts: readonly Count[]) => renamed(counts, (what) => redaction.text(what));
  const { edits, rejections, timeouts, failures } = report;
  return {
    ...report,
    edits: { ...edits, fields: texts(edits.fields), agents: texts(edits.agents) },
    rejections: { ...rejections, withoutRule: texts(rejections.withoutRule), byRule: texts(rejections.byRule), reasons: texts(rejections.reasons) },
    timeouts: { ...timeouts, owners: renamed(timeouts.owners, (owner) => ownerOf(owner, redaction) as string) },
    failures: { ...failures, tools: texts(failures.tools), errors: texts(failures.errors) },
    incidents: texts(report.incidents),
  };
}

/** Counts under new names; what has one name now is one. */
function renamed(counts: readonly Count[], name: (what: string) => string): Count[] {
  const sums = new Map<string, number>();
  for (const { what, count } of counts) sums.set(name(what), (sums.get(name(what)) ?? 0) + count);
  return [...sums].map(([what, count]) => ({ what, count })).sort((a, b) => b.count - a.count || (a.what < b.what ? -1 : 1));
}
