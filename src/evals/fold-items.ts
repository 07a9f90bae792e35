import { sha256 } from "../events/canonical.ts";
import { dueItemId } from "../events/check.ts";
import { type Codec, FRAME_BYTES } from "../events/codec.ts";
import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import { foldEvent, RULES, type Rules } from "../ledger/fold.ts";
import { createItem, type Entry, type Item } from "../ledger/item.ts";
import { type Life, lifeOf } from "../ledger/life.ts";
import { MapMemory } from "../ledger/memory.ts";
import type { LogRecord } from "../log/log.ts";
import { itemsOf, type PileSource } from "./pile.ts";

/** A folded item with all of its events. */
export interface FoldedItem {
  readonly item: Item;
  readonly memory: MapMemory;
  /** Its life and its effective events, looked up once for all who ask. The order of the events depends on how the topics were interleaved. */
  readonly life: Life;
  readonly effective: readonly Entry[];
  readonly partition: number;
  /** Place of the item in its partition, from 0. */
  readonly ordinal: number;
}

/** The rules for an item of which one record is a proposal: nothing is compared with its content, which is much to write out and to hash. */
const ONE_PROPOSAL: Rules = { ...RULES, proposalContent: () => "" };

/** Records that could not take part, by reason. */
export interface Skipped {
  undecodable: number;
  unknownSchema: number;
  misplaced: number;
}

/** The counts before anything was read. */
export function nothingSkipped(): Skipped {
  return { undecodable: 0, unknownSchema: 0, misplaced: 0 };
}

/** Folds the items of a partition, in the order of their first decision. `wanted`: which of them; default: all. */
export function* foldedItems(
  source: PileSource,
  partition: number,
  codec: Codec,
  skipped: Skipped,
  wanted?: (ordinal: number, itemId: string) => boolean,
): Generator<FoldedItem> {
  for (const { itemId, ordinal, records } of itemsOf(source, partition, "decisions", wanted)) {
    const [item, memory] = [createItem(itemId), new MapMemory()];
    const rules = records.filter(({ topic }) => topic === "proposals").length > 1 ? RULES : ONE_PROPOSAL;
    for (const record of records) {
      const event = decodedRecord(record, codec, skipped);
      if (event !== undefined) foldEvent(item, memory, new RecordEntry(record, event), rules);
    }
    yield { item, memory, life: lifeOf(item), effective: effectiveIn(memory), partition, ordinal };
  }
}

function effectiveIn(memory: MapMemory): Entry[] {
  const found: Entry[] = [];
  for (const { status, entry } of memory.statuses.values()) if (status === "effective") found.push(entry);
  return found;
}

/** A record on its way into the fold. */
class RecordEntry implements Entry {
  readonly topic: Topic;
  readonly offset: number;
  readonly event: AnyEvent;
  private readonly value: Uint8Array;

  constructor({ topic, offset, value }: LogRecord, event: AnyEvent) {
    this.topic = topic;
    this.offset = offset;
    this.event = event;
    this.value = value as Uint8Array;
  }

  /** Worked out when it is asked for, which is when a second delivery comes. */
  get contentSha256(): string {
    return sha256(this.value.subarray(FRAME_BYTES));
  }
}

/** The event of a record; undefined, and counted, where it cannot be read or lies under another item's key. */
export function decodedRecord(record: LogRecord, codec: Codec, skipped: Skipped): AnyEvent | undefined {
  const found = codec.decode(record.topic, record.value);
  if (!found.ok) {
    skipped[found.reason === "unknown_schema" ? "unknownSchema" : "undecodable"]++;
    return undefined;
  }
  const { event } = found;
  const due = dueItemId(record.topic, event);
  if (record.key === event.itemId && (due === undefined || due === event.itemId)) return event;
  skipped.misplaced++;
  return undefined;
}

/** The effective proposal of an item. */
export function proposalOf({ item, memory }: FoldedItem): EventOf["proposals"] | undefined {
  return item.proposal === null ? undefined : (memory.statuses.get(`proposals/${item.proposal}`)?.entry.event as EventOf["proposals"]);
}

/** The thread of an item's run; where its proposal names no run, the item that it tries again (only the comparison of all items finds the first of several tries), or else the item itself. */
export function threadOf(folded: FoldedItem): string {
  const proposal = proposalOf(folded);
  return proposal?.run?.threadId ?? proposal?.retryOf ?? folded.item.id;
}
