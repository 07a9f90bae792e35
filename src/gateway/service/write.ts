import { CountersignError } from "../../errors.ts";
import { complete } from "../../events/draft.ts";
import type { Topic } from "../../events/topics.ts";
import type { EventOf } from "../../events/types.generated.ts";
import type { Status } from "../../ledger/item.ts";
import type { Position } from "../../log/log.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { actorOf } from "./identity.ts";
import type { Context, GatewayLedger } from "./ledger.ts";
import { type Content, decisionContent, mustBeSame, receiptContent, usedOtherwise } from "./same-request.ts";

/** An event that was written and read back. */
export interface ReadBack {
  readonly eventId: string;
  readonly position: Position;
  readonly status: Status;
  readonly reason: string | null;
  /** True when it had been written by an earlier request with the same id. */
  readonly again: boolean;
}

const underWay = new WeakMap<GatewayLedger, Map<string, Promise<ReadBack>>>();

/**
 * Writes an event, waits until the fold has read it back, and says what became of it. A request that is sent again with the same event
 * id is answered from what is there: nothing is written twice.
 *
 * @throws CountersignError timeout (written, not folded yet), conflict (the id was used for something else), and as Write
 */
export async function writeAndRead<T extends "decisions" | "receipts">(
  context: Context,
  topic: T,
  itemId: string,
  body: Parameters<typeof context.ledger.write<T>>[2] & { readonly kind: EventOf[T]["kind"] },
): Promise<ReadBack> {
  const { ledger } = context;
  const { eventId } = body;
  if (eventId === undefined) return append(ledger, topic, itemId, body);
  const content = () => CONTENT[topic](complete(topic, body as never) as never);
  const before = await earlier(context, topic, itemId, eventId, content);
  if (before !== undefined) return before;
  const running = underWay.get(ledger) ?? new Map<string, Promise<ReadBack>>();
  underWay.set(ledger, running);
  const key = `${itemId}/${topic}/${eventId}`;
  const other = running.get(key);
  if (other !== undefined) {
    await other.catch(() => {});
    const written = await earlier(context, topic, itemId, eventId, content);
    if (written !== undefined) return written;
  }
  const work = append(ledger, topic, itemId, body).finally(() => running.delete(key));
  running.set(key, work);
  return work;
}

async function append<T extends Topic>(ledger: GatewayLedger, topic: T, itemId: string, body: Parameters<GatewayLedger["write"]>[2]): Promise<ReadBack> {
  const { eventId, position } = await ledger.write(topic, itemId, body as never);
  await ledger.waitFor([position]);
  const event = ledger.queries.event(itemId, topic, eventId);
  if (event === undefined)
    throw new CountersignError("internal", `The event ${eventId} was folded, but the views do not show it`, {
      fix: "see countersign doctor for records that could not be folded",
    });
  return { eventId, position, status: event.status, reason: event.reason, again: false };
}

const CONTENT = { decisions: decisionContent, receipts: receiptContent };

/** What an earlier request with this event id did, if there was one. `asked`: what this one says. @throws CountersignError conflict */
export async function earlier(
  context: Context,
  topic: "decisions" | "receipts",
  itemId: string,
  eventId: string | undefined,
  asked: () => Content,
): Promise<ReadBack | undefined> {
  if (eventId === undefined) return undefined;
  const { ledger, identity } = context;
  const event = ledger.queries.event(itemId, topic, eventId);
  if (event === undefined) return undefined;
  const { kind, id } = actorOf(identity);
  const written = await ledger.events.get(itemId, topic, eventId);
  if (event.actor !== `${kind}:${id}` || written === undefined) throw usedOtherwise(eventId, `${event.actor} wrote it`);
  mustBeSame(eventId, CONTENT[topic](written as never), asked());
  const position = { topic, partition: partitionOf(itemId, ledger.log.partitions), offset: event.offset };
  return { eventId, position, status: event.status, reason: event.reason, again: true };
}
