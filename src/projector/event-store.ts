import type { Codec } from "../events/codec.ts";
import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { EventLog } from "../log/log.ts";
import type { FoldedBatch } from "./fold-batch.ts";
import type { Queries } from "./queries.ts";

/** Whole events by their identity: recent ones from memory, those of open items from the views, all others from the log. */
export interface EventStore {
  /** The event, or undefined when the views know nothing of it. */
  get<T extends Topic>(itemId: string, topic: T, eventId: string): Promise<EventOf[T] | undefined>;
  /** As get, when it needs no reading of the log; undefined otherwise. */
  near<T extends Topic>(itemId: string, topic: T, eventId: string): EventOf[T] | undefined;
  /** Keeps the events of a batch at hand. */
  remember(batch: FoldedBatch): void;
}

const MOST = 2000;
/** Encoded; decoded they take a few times that. Proposals with transcripts are large. */
const MOST_BYTES = 32 * 1024 * 1024;

/** A store over the views and the log. */
export function eventStore(log: EventLog, codec: Codec, queries: Queries, partitionOf: (key: string) => number): EventStore {
  const recent = new Map<string, { event: AnyEvent; bytes: number }>();
  let held = 0;

  function near<T extends Topic>(itemId: string, topic: T, eventId: string): EventOf[T] | undefined {
    const kept = recent.get(`${itemId}/${topic}/${eventId}`);
    if (kept !== undefined) return kept.event as EventOf[T];
    const bytes = queries.payload(itemId, topic, eventId);
    if (bytes === undefined) return undefined;
    const decoded = codec.decode(topic, bytes);
    return decoded.ok ? decoded.event : undefined;
  }

  return {
    near,
    async get(itemId, topic, eventId) {
      const found = near(itemId, topic, eventId);
      if (found !== undefined) return found;
      const offset = queries.offsetOf(itemId, topic, eventId);
      if (offset === undefined) return undefined;
      const partition = partitionOf(itemId);
      for await (const batch of log.read({ [topic]: { [partition]: offset } }, { topics: [topic], until: { [topic]: { [partition]: offset + 1 } } })) {
        for (const record of batch.records) {
          if (record.partition !== partition || record.offset !== offset) continue;
          const decoded = codec.decode(topic, record.value);
          return decoded.ok ? decoded.event : undefined;
        }
      }
      return undefined;
    },
    remember(batch) {
      for (const { itemId, topic, event, bytes } of batch.effective) {
        recent.set(`${itemId}/${topic}/${event.eventId}`, { event, bytes });
        held += bytes;
      }
      if (recent.size <= MOST && held <= MOST_BYTES) return;
      // The oldest go, down to half, so that this is rare.
      for (const [key, { bytes }] of recent) {
        if (recent.size <= MOST / 2 && held <= MOST_BYTES / 2) break;
        recent.delete(key);
        held -= bytes;
      }
    },
  };
}
