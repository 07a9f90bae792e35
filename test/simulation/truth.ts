import type { Codec } from "../../src/events/codec.ts";
import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Status } from "../../src/ledger/item.ts";
import type { LogRecord } from "../../src/log/log.ts";

/** An event as it lies in the log. */
export interface Fact<T extends Topic = Topic> {
  readonly topic: T;
  readonly event: EventOf[T];
}

/** What the log holds, and what became of it: read by the invariants, by nobody of the ledger. */
export interface Truth {
  take(record: LogRecord): Fact | null;
  decode(topic: Topic, value: Uint8Array): AnyEvent | null;
  fact<T extends Topic>(itemId: string, topic: T, eventId: string): EventOf[T] | undefined;
  /** The logs of every item, as the oracle reads them; null where bytes cannot be decoded. */
  readonly logs: ReadonlyMap<string, { readonly [topic in Topic]?: (AnyEvent | null)[] }>;
  /** What became of each event, by the first process that folded it: it never changes, and is the same for all. */
  readonly statuses: Map<string, { readonly status: Status; readonly reason: string }>;
  isEffective(itemId: string, topic: Topic, eventId: string): boolean;
  /** Effective events of an item on a topic, in the order of the log. */
  effective<T extends Topic>(itemId: string, topic: T): EventOf[T][];
}

export const nameOf = (itemId: string, topic: Topic, eventId: string): string => `${itemId}/${topic}/${eventId}`;

export function truthOver(codec: Codec): Truth {
  const facts = new Map<string, AnyEvent>();
  const logs = new Map<string, { [topic in Topic]?: (AnyEvent | null)[] }>();
  const statuses = new Map<string, { status: Status; reason: string }>();
  const truth: Truth = {
    logs,
    statuses,
    decode(topic, value) {
      const decoded = codec.decode(topic, value);
      return decoded.ok ? decoded.event : null;
    },
    take({ topic, key, value }) {
      const event = value === null ? null : truth.decode(topic, value);
      const itemId = key ?? "";
      let own = logs.get(itemId);
      if (own === undefined) logs.set(itemId, (own = {}));
      (own[topic] ??= []).push(event);
      if (event === null) return null;
      const name = nameOf(itemId, topic, event.eventId);
      if (!facts.has(name)) facts.set(name, event);
      return { topic, event } as Fact;
    },
    fact: <T extends Topic>(itemId: string, topic: T, eventId: string) => facts.get(nameOf(itemId, topic, eventId)) as EventOf[T] | undefined,
    isEffective: (itemId, topic, eventId) => statuses.get(nameOf(itemId, topic, eventId))?.status === "effective",
    effective<T extends Topic>(itemId: string, topic: T) {
      const seen = new Set<string>();
      return ((logs.get(itemId)?.[topic] ?? []) as (EventOf[T] | null)[]).filter((event): event is EventOf[T] => {
        if (event === null || seen.has(event.eventId)) return false;
        seen.add(event.eventId);
        return truth.isEffective(itemId, topic, event.eventId);
      });
    },
  };
  return truth;
}
