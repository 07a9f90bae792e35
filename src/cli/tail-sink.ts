import { basename, dirname } from "node:path";
import type { Line } from "../evals/lines.ts";
import { type Cli, jsonLine } from "./io.ts";
import { plural } from "./text.ts";

/** Where the lines go: stdout, a file of JSON Lines, or a Parquet file with the envelope in columns and the event as JSON. */
export async function sinkOf(cli: Cli, { format, out }: { format: string; out?: string | undefined }): Promise<{ add(line: Line): void; finish(): void }> {
  if (out === undefined) return { add: (line) => cli.data(line), finish: () => {} };
  const [{ Sinks }, { kindsOf }] = await Promise.all([import("../evals/sinks.ts"), import("../evals/lines.ts")]);
  const sinks = new Sinks(dirname(out), { columns: () => EVENT_COLUMNS, head: () => "", text: jsonLine, format: () => format as "jsonl" | "parquet" });
  const name = basename(out);
  sinks.add(name);
  return {
    add: (line) => sinks.add(name, format === "parquet" ? flatLine(line, kindsOf) : line),
    finish() {
      const [file] = sinks.finish();
      if (file !== undefined) cli.say(`${plural(file.rows, "event")} in ${out}, ${file.bytes} bytes, sha256 ${file.sha256}`);
      if (file !== undefined && cli.json()) cli.data({ out, ...file });
    },
  };
}

const EVENT_COLUMNS = [
  { name: "topic", type: "STRING" },
  { name: "partition", type: "INT32" },
  { name: "offset", type: "DOUBLE" },
  { name: "appended_at", type: "TIMESTAMP" },
  { name: "item_id", type: "STRING" },
  { name: "event_id", type: "STRING" },
  { name: "workspace", type: "STRING" },
  { name: "kind", type: "STRING" },
  { name: "actor_kind", type: "STRING" },
  { name: "actor", type: "STRING" },
  { name: "occurred_at", type: "TIMESTAMP" },
  { name: "event", type: "STRING" },
  { name: "error", type: "STRING" },
] as const;

function flatLine(line: Line, kindsOf: typeof import("../evals/lines.ts").kindsOf): object {
  const { topic, partition, offset, appendedAt } = line;
  const place = { topic, partition, offset, appended_at: new Date(appendedAt) };
  const { event, error } = line;
  if (event === undefined) return { ...place, error: JSON.stringify(error ?? null) };
  return {
    ...place,
    item_id: event.itemId,
    event_id: event.eventId,
    workspace: event.workspace,
    kind: kindsOf(event)[0] ?? null,
    actor_kind: event.actor.kind,
    actor: event.actor.id,
    occurred_at: new Date(event.occurredAt),
    event: JSON.stringify(event),
  };
}
