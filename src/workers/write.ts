import type { Draft } from "../events/draft.ts";
import type { Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { Position } from "../log/log.ts";

/** An event without what the writer fills in. */
export type Body<T extends Topic> = Omit<Draft<EventOf[T]>, "eventId" | "itemId" | "occurredAt"> & { readonly eventId?: string; readonly occurredAt?: number };

/** Where an event went. */
export interface Written {
  readonly eventId: string;
  readonly position: Position;
}

/** Appends one event: fills in its id and time, checks, encodes, and tries again with the same id where the answer was lost. */
export type Write = <T extends Topic>(topic: T, itemId: string, body: Body<T>) => Promise<Written>;
