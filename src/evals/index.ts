/**
 * What `countersign export`, `insights evals` and `tail` do, for programs: `import { exportDataset } from "countersign/evals"`.
 *
 * @example
 * const topics = await openTopics("sqlite:./data");
 * const manifest = await exportDataset("./pairs", "trl-preference", { ...topics, key: "pseudonyms are made with this" });
 * const report = await insightsOf(topics);
 * await topics.close();
 */
import type { Codec } from "../events/codec.ts";
import type { EventLog } from "../log/log.ts";
import { openLog } from "../log/open.ts";
import { loadCodec } from "../log/schemas.ts";
import { type CollectOptions, collect } from "./collect.ts";
import type { InsightsReport } from "./insights.ts";

export { insightLines } from "./card.ts";
export type { CollectOptions } from "./collect.ts";
export { type ExportOptions, exportDataset } from "./export.ts";
export type { InsightsReport } from "./insights.ts";
export { type Line, type LinesOptions, linesOf } from "./lines.ts";
export type { Manifest } from "./manifest.ts";
export { endOf } from "./ranges.ts";
export type { Operation, ReviewedExample } from "./reviewed-example.ts";
export { TARGETS } from "./targets/table.ts";

/** A log that is open for reading, with what decodes it. */
export interface Topics {
  readonly log: EventLog;
  readonly codec: Codec;
  readonly schemaText: (id: number) => Promise<string | null>;
  close(): Promise<void>;
}

/**
 * Opens the topics of a log URL, such as `sqlite:./data` or `kafka://host:9092?registry=http://host:8081`. It must be there.
 *
 * @throws CountersignError log_url_invalid, log_unavailable, log_busy, log_format, topics_missing, schema_missing
 */
export async function openTopics(url: string): Promise<Topics> {
  const { log, registry } = await openLog(url, { create: false });
  const close = async () => {
    await registry.close();
    await log.close();
  };
  try {
    return { log, codec: await loadCodec(registry), schemaText: (id) => registry.textOf(id), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What decisions say about prompts, policies, owners and executors. @throws as exportDataset */
export async function insightsOf(options: Omit<CollectOptions, "key" | "profile" | "splitSeed" | "holdoutFrom">): Promise<InsightsReport> {
  // Only counts leave: no pseudonym is shown, so no key is asked for.
  const collection = await collect(null, { ...options, key: "", transcripts: false });
  await collection.close();
  return collection.insights.report();
}
