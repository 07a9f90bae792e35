import type { Codec } from "../events/codec.ts";
import { schemaIdOf } from "../events/codec.ts";
import type { AnyEvent, Topic } from "../events/topics.ts";
import type { Checkpoint, EventLog, LogRecord } from "../log/log.ts";

/** What is told of a record: its place, and the decoded event or why there is none. */
export interface Line {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly event?: AnyEvent | undefined;
  readonly error?: unknown;
  /** The bytes of what cannot be decoded, in base64. */
  readonly value?: string | null;
}

/** Which events are wanted. Records that cannot be decoded match no filter. */
export interface LineFilter {
  /** Kinds, routes, outcomes or asks. */
  readonly kind?: readonly string[] | undefined;
  /** Ids of those who wrote them. */
  readonly actor?: readonly string[] | undefined;
  readonly workspace?: string | undefined;
}

/** What to read of the topics. */
export interface LinesOptions extends LineFilter {
  readonly log: EventLog;
  readonly codec: Codec;
  /** Text of a schema that the codec does not know yet; null where nobody does. */
  readonly schemaText?: (id: number) => Promise<string | null>;
  readonly topics?: readonly Topic[];
  /** Only this item. */
  readonly item?: string;
  /** First offsets. Default: the beginning. */
  readonly from?: Checkpoint;
  /** Where reading ends, exclusive: default the heads; null goes on with what is appended. */
  readonly to?: Checkpoint | null;
  readonly signal?: AbortSignal;
}

/**
 * The records of the topics, decoded, each partition in log order.
 *
 * @example for await (const { event } of linesOf({ ...topics, topics: ["decisions"], kind: ["edit"] })) console.log(event);
 * @throws what reading the log throws
 */
export async function* linesOf(options: LinesOptions): AsyncGenerator<Line> {
  const { log, codec, topics, item, from = {}, to, signal } = options;
  const until = to === null ? {} : { until: to ?? ("heads" as const) };
  for await (const { records } of log.read(from, { ...until, ...(topics && { topics }), ...(signal && { signal }) }))
    for (const record of records) {
      if (item !== undefined && record.key !== item) continue;
      await learn(record, options);
      const line = lineOf(record, codec);
      if (matches(line, options)) yield line;
    }
}

async function learn({ value }: LogRecord, { codec, schemaText }: LinesOptions): Promise<void> {
  const id = value === null ? undefined : schemaIdOf(value);
  if (id === undefined || codec.knows(id)) return;
  const text = await schemaText?.(id);
  if (text != null) codec.learn(id, text);
}

/** What is told of a record. */
export function lineOf(record: LogRecord, codec: Codec): Line {
  const { topic, partition, offset, key, appendedAt } = record;
  const place = { topic, partition, offset, key, appendedAt: new Date(appendedAt).toISOString() };
  const decoded = codec.decode(topic, record.value);
  if (decoded.ok) return { ...place, event: decoded.event };
  const { reason } = decoded;
  const error = reason === "unknown_schema" ? { reason, schemaId: decoded.schemaId } : { reason, message: decoded.message };
  return { ...place, error, value: record.value === null ? null : Buffer.from(record.value).toString("base64") };
}

/** The fields by which an event of any topic says what it is. */
export function kindsOf(event: AnyEvent): readonly string[] {
  const { kind, route, outcome, ask } = event as { kind?: string; route?: string; outcome?: string; ask?: string };
  return [kind, route, outcome, ask].filter((word) => word !== undefined);
}

/** Whether a filter lets a line pass. */
export function matches({ event }: Line, { kind, actor, workspace }: LineFilter): boolean {
  if (kind === undefined && actor === undefined && workspace === undefined) return true;
  if (event === undefined) return false;
  return (
    (kind === undefined || kind.some((k) => kindsOf(event).includes(k))) &&
    (actor?.includes(event.actor.id) ?? true) &&
    (workspace ?? event.workspace) === event.workspace
  );
}
