import { CountersignError } from "../../errors.ts";
import type { AnyEvent, Topic } from "../../events/topics.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { keyOf, type NodeKey } from "../../ledger/item.ts";
import { partitionOf } from "../../log/partitioner.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import { jsonOf } from "./json.ts";
import type { Context } from "./ledger.ts";

/** Events that are read at a time: the log answers many at once, and an item may have thousands. */
const AT_ONCE = 16;

/** An event of an item with what became of it. */
export interface Told<T extends Topic> {
  readonly event: EventOf[T];
  readonly entry: ItemRecord["events"][number];
}

/** Every event of an item, whole, in the order of the log. */
export interface ItemEvents {
  readonly entries: ItemRecord["events"];
  of<T extends Topic>(topic: T): readonly Told<T>[];
  one<T extends Topic>(topic: T, eventId: string | null): Told<T> | undefined;
}

/** Reads them. @throws CountersignError unavailable where the log does not give one */
export async function eventsOf({ ledger }: Context, itemId: string): Promise<ItemEvents> {
  const partition = partitionOf(itemId, ledger.log.partitions);
  const entries = ledger.queries.timeline(itemId).map((entry) => ({ ...entry, partition }));
  const told = new Map<NodeKey, Told<Topic>>();
  for (let i = 0; i < entries.length; i += AT_ONCE) {
    const some = entries.slice(i, i + AT_ONCE);
    const events = await Promise.all(some.map(({ topic, eventId }) => ledger.events.get(itemId, topic, eventId)));
    for (const [j, event] of events.entries()) {
      const entry = some[j] as ItemRecord["events"][number];
      if (event === undefined)
        throw new CountersignError("unavailable", `The event ${entry.topic} ${partition}:${entry.offset} of ${itemId} cannot be read from the log just now`, {
          retryable: true,
          fix: "try again in a moment; see countersign doctor",
        });
      told.set(keyOf(entry.topic, entry.eventId), { event: event as AnyEvent, entry } as Told<Topic>);
    }
  }
  const all = [...told.values()];
  return {
    entries,
    of: <T extends Topic>(topic: T) => all.filter((t): t is Told<T> => t.entry.topic === topic),
    one: <T extends Topic>(topic: T, eventId: string | null) => (eventId === null ? undefined : (told.get(keyOf(topic, eventId)) as Told<T> | undefined)),
  };
}

/** What every event says of itself. */
export function writtenOf({ event, entry }: Told<Topic>): Pick<ItemRecord["proposal"], "eventId" | "position" | "at" | "by" | "status" | "reason"> {
  const { topic, partition, offset, status, reason } = entry;
  const { kind, id, roles } = event.actor;
  return { eventId: event.eventId, position: { topic, partition, offset }, at: event.occurredAt, by: { kind, id, roles: [...roles] }, status, reason };
}

/** `<topic>/<event id>` of what an event answers. */
export function answersOf({ event }: Told<Topic>): NodeKey | null {
  return event.answers === null ? null : (`${event.answers.topic}/${event.answers.eventId}` as NodeKey);
}

/** A state of a target, for people. */
export function stateOf(snapshot: EventOf["receipts"]["stateAfter"]): { state: unknown; readAt: number } | null {
  return snapshot === null ? null : { state: jsonOf(snapshot.json), readAt: snapshot.readAt };
}
