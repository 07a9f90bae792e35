import { embeddedRegistry } from "./embedded-registry.ts";
import type { EventLog } from "./log.ts";
import type { SchemaRegistry } from "./registry.ts";
import { registerSchemas } from "./schemas.ts";
import { type LogUrl, parseLogUrl } from "./url.ts";

export { parseLogUrl } from "./url.ts";

/** How to open a log. */
export interface OpenLogOptions {
  /** Make an embedded log that is not there. Default true. Topics of Kafka are only made by `countersign topics apply`. */
  readonly create?: boolean;
  /** Number of partitions of a new embedded log, and what an old one must have; for Kafka `partitions=` in the URL says it. Default: what the log has; 12 for a new one. */
  readonly partitions?: number;
}

/** A log and the registry that its schema ids belong to. The registry of an embedded log lives as long as its log: close the registry first. */
export interface OpenedLog {
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
}

/**
 * Opens the log of a URL. An embedded log gets this version's schemas at once, Kafka's registry by `countersign schemas apply`.
 *
 * @example const { log, registry } = await openLog("sqlite:./data");
 * @throws CountersignError log_url_invalid, log_unavailable, log_busy, log_format, partitions_mismatch, schema_incompatible, topics_missing
 */
export async function openLog(url: string | LogUrl, options: OpenLogOptions = {}): Promise<OpenedLog> {
  const parsed = typeof url === "string" ? parseLogUrl(url) : url;
  if (parsed.kind === "kafka") {
    // Loaded only when needed: the Kafka client costs an embedded start 60 ms.
    const [{ openKafkaLog }, { openHttpRegistry }] = await Promise.all([import("./kafka.ts"), import("./http-registry.ts")]);
    const log = await openKafkaLog(parsed);
    return { log, registry: openHttpRegistry({ url: parsed.registry, prefix: parsed.prefix }) };
  }
  const log = parsed.kind === "memory" ? await openMemory(options) : await openSqlite(parsed.dir, options);
  const registry = embeddedRegistry(log.schemas);
  try {
    await registerSchemas(registry);
  } catch (error) {
    await log.close();
    throw error;
  }
  return { log, registry };
}

async function openMemory(options: OpenLogOptions) {
  const { openMemoryLog } = await import("./memory.ts");
  return openMemoryLog(options);
}

async function openSqlite(dir: string, options: OpenLogOptions) {
  const { openSqliteLog } = await import("./sqlite.ts");
  return openSqliteLog({ ...options, dir });
}
