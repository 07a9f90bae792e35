import { type Entry, type Finding, keyOf, type Memory, type NodeKey, type Status } from "./item.ts";

/** What is known of an event. */
class Known {
  readonly status: Status;
  readonly reason: string | null;
  readonly entry: Entry;

  constructor(status: Status, reason: string | null, entry: Entry) {
    this.status = status;
    this.reason = reason;
    this.entry = entry;
  }

  /** Read only where a copy comes: who makes an entry may leave the hashing until then. */
  get contentSha256(): string {
    return this.entry.contentSha256;
  }
}

/** A memory in maps, for tests, the exporter and anything that folds a whole item at once. */
export class MapMemory implements Memory {
  readonly statuses = new Map<NodeKey, Known>();
  readonly findings = new Map<string, Finding>();
  /** Made when something is parked, which is seldom: an item has a memory of its own. */
  private parked: Map<NodeKey, Entry[]> | undefined;

  get(key: NodeKey): { status: Status; contentSha256: string } | undefined {
    return this.statuses.get(key);
  }

  set(entry: Entry, status: Status, reason: string | null): void {
    this.statuses.set(keyOf(entry.topic, entry.event.eventId), new Known(status, reason, entry));
  }

  park(cause: NodeKey, entry: Entry): void {
    this.parked ??= new Map();
    const waiting = this.parked.get(cause);
    if (waiting) waiting.push(entry);
    else this.parked.set(cause, [entry]);
  }

  release(cause: NodeKey): readonly Entry[] {
    const waiting = this.parked?.get(cause);
    if (waiting === undefined) return [];
    this.parked?.delete(cause);
    return waiting;
  }

  find(finding: Finding): void {
    this.findings.set(`${finding.code}/${finding.topic}/${finding.eventId}/${finding.offset}`, finding);
  }
}
