import type { OpenedLog } from "../log/open.ts";
import type { ImportTarget } from "../producers/import-runs.ts";
import type { Cli } from "./io.ts";
import { learnFor } from "./where.ts";

/** A log to import into. What it has already is read from the topic: no views are needed, so it works beside a running `up`. */
export async function importTarget(cli: Cli, opened: OpenedLog): Promise<ImportTarget> {
  const [{ loadCodec }, { writer }] = await Promise.all([import("../log/schemas.ts"), import("../runtime.ts")]);
  const codec = await loadCodec(opened.registry);
  const known = new Set<string>();
  for await (const batch of opened.log.read({}, { topics: ["proposals"], until: "heads", signal: cli.io.signal })) {
    await learnFor(batch.records, opened, codec);
    // What cannot be decoded is no proposal, whatever its key says.
    for (const record of batch.records) if (record.key !== null && codec.decode("proposals", record.value).ok) known.add(record.key);
  }
  cli.io.signal.throwIfAborted();
  const write = writer(opened.log, codec, cli.io.now);
  return {
    isKnown: (itemId) => known.has(itemId),
    propose(itemId, body) {
      cli.io.signal.throwIfAborted();
      known.add(itemId);
      return write("proposals", itemId, body);
    },
  };
}
