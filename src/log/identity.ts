import type { EventLog } from "./log.ts";
import { parseLogUrl } from "./url.ts";

/**
 * Which log this is, however it was named: an embedded log by the id that it got when it was made, wherever its folder lies; Kafka by its
 * brokers and the prefix of its topics, in whatever order and with whatever registry.
 */
export function identityOf(log: Pick<EventLog, "url">): string {
  if ("id" in log) return `sqlite:${log.id}`;
  const url = log.url.startsWith("kafka:") ? parseLogUrl(log.url) : undefined;
  if (url?.kind !== "kafka") return log.url;
  const brokers = url.brokers.map((broker) => broker.toLowerCase()).sort();
  return `kafka://${brokers.join(",")}${url.prefix === "" ? "" : `?prefix=${url.prefix}`}`;
}
