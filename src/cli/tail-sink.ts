import { basename, dirname } from "node:path";
import type { AnyEvent } from "../events/topics.ts";
import { type Cli, jsonLine } from "./io.ts";
import { plural } from "./text.ts";

/** What is told of a record: its place, and the decoded event or why there is none. */
export interface Line {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly appendedAt: string;
  readonly event?: AnyEvent | undefined;
  readonly error?: unknown;
  /** The bytes of what cannot be decoded, in base64. */
  readonly value?: string | null;
}

/** The fields by which an event of any topic says what it is. */
export function kindsOf(event: AnyEvent): readonly string[] {
  const { kind, route, outcome, ask } = event as { kind?: string; route?: string; outcome?: string; ask?: string };
  return [kind, route, outcome, ask].filter((word) => word !== undefined);
}

/** Where the lines go: stdout, a file of JSON Lines, or a Parquet file with the envelope in columns and the event as JSON. */
export async function sinkOf(cli: Cli, { format, out }: { format: string; out?: string | undefined }): Promise<{ add(line: Line): void; finish(): void }> {
  if (out === undefined) return { add: (line) => cli.data(line), finish: () => {} };
  const { Sinks } = await import("../evals/sinks.ts");
  const sinks = new Sinks(dirname(out), { columns: () => EVENT_COLUMNS, head: () => "", text: jsonLine, format: () => format as "jsonl" | "parquet" });
  const name = basename(out);
  sinks.add(name);
  return {
    add: (line) => sinks.add(name, format === "parquet" ? flatLine(line) : line),
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

function flatLine(line: Line): object {
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
