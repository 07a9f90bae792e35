import { AppendOutcomeUnknown } from "../../src/errors.ts";
import type { Topic } from "../../src/events/topics.ts";
import type { Checkpoint, EventLog, LogRecord, NewRecord, ReadOptions } from "../../src/log/log.ts";

/** What the tests of the logs put into a value: the log does not look into it. */
export interface Envelope {
  readonly itemId: string;
  readonly eventId: string;
  readonly n: number;
}

/** An event with an id of its own. */
export function envelope(itemId: string, n: number, writer = "e"): Envelope {
  return { itemId, eventId: `${writer}-${itemId}-${n}`, n };
}

/** A record of an envelope, of about the size of a real event. */
export function record(topic: Topic, e: Envelope): NewRecord {
  return { topic, key: e.itemId, value: Buffer.from(JSON.stringify({ ...e, padding: "·".repeat((e.n % 17) * 20) })), headers: () => ({ ce_id: e.eventId }) };
}

/** The envelope in a record. */
export function identity(r: LogRecord): Envelope {
  return JSON.parse(Buffer.from(r.value!).toString("utf8")) as Envelope;
}

/** All records from a checkpoint to the heads. */
export async function read(log: EventLog, from: Checkpoint = {}, options: ReadOptions = {}): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const batch of log.read(from, { until: "heads", ...options })) records.push(...batch.records);
  return records;
}

/** Appends the events that the log does not have yet, as a caller does after AppendOutcomeUnknown. Resolves with how many it appended. */
export async function appendSafely(log: EventLog, topic: Topic, events: readonly Envelope[]): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const there = new Set((await read(log)).filter((r) => r.topic === topic).map((r) => `${r.key} ${identity(r).eventId}`));
    const absent = events.filter((e) => !there.has(`${e.itemId} ${e.eventId}`));
    try {
      await log.append(absent.map((e) => record(topic, e)));
      return absent.length;
    } catch (error) {
      if (!(error instanceof AppendOutcomeUnknown)) throw error;
    }
  }
  throw new Error("the outcome stayed unknown");
}
