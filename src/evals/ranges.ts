import { CountersignError } from "../errors.ts";
import type { Topic } from "../events/topics.ts";
import type { Checkpoint, Head } from "../log/log.ts";

/** Topics that an export reads. */
export const EXPORT_TOPICS = ["proposals", "verdicts", "batches", "decisions", "resumes", "receipts", "policies"] as const satisfies readonly Topic[];
export type ExportTopic = (typeof EXPORT_TOPICS)[number];

/** Half-open range of offsets. */
export interface Range {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** The ranges of an export. */
export type Ranges = { readonly [T in ExportTopic]: readonly Range[] };

/**
 * The ranges from `from` to `to`. What is not named begins at the beginning and ends at the head.
 *
 * @throws CountersignError request_invalid when a range does not lie in the log
 */
export function rangesOf(heads: readonly Head[], from: Checkpoint = {}, to: Checkpoint = {}): Ranges {
  const of = (topic: ExportTopic): Range[] =>
    heads
      .filter((h) => h.topic === topic)
      .sort((a, b) => a.partition - b.partition)
      .map(({ partition, next }) => {
        const range = { partition, from: from[topic]?.[partition] ?? 0, to: to[topic]?.[partition] ?? next };
        if (range.from > range.to || range.to > next || range.from < 0)
          throw new CountersignError(
            "request_invalid",
            `The range ${range.from} to ${range.to} of ${topic} ${partition} does not lie in the log, which ends at ${next}`,
            { field: `/${topic}/${partition}`, fix: "give offsets with from ≤ to ≤ the end of the log" },
          );
        return range;
      });
  return Object.fromEntries(EXPORT_TOPICS.map((topic) => [topic, of(topic)])) as unknown as Ranges;
}

/** Where an export ended, as the `from` of the next one. */
export function endOf({ ranges }: { readonly ranges: Ranges }): Checkpoint {
  return Object.fromEntries(EXPORT_TOPICS.map((t) => [t, Object.fromEntries((ranges[t] ?? []).map((r) => [r.partition, r.to]))]));
}
