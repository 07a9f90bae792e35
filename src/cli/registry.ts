import type { SchemaRegistry } from "../log/registry.ts";
import { openExisting } from "./where.ts";

/** Opens the registry of a log alone: on Kafka it must be usable before the topics exist. */
export async function openRegistry(log: string): Promise<{ registry: SchemaRegistry; prefix: string; close: () => Promise<void> }> {
  const { parseLogUrl } = await import("../log/url.ts");
  const url = parseLogUrl(log);
  if (url.kind === "kafka") {
    const { openHttpRegistry } = await import("../log/http-registry.ts");
    const registry = openHttpRegistry({ url: url.registry, prefix: url.prefix });
    return { registry, prefix: url.prefix, close: () => registry.close() };
  }
  const opened = await openExisting(log);
  return {
    registry: opened.registry,
    prefix: "",
    async close() {
      await opened.registry.close();
      await opened.log.close();
    },
  };
}
