import { type Entry, type Finding, keyOf, type Memory, type NodeKey, type Status } from "./item.ts";

/** A memory in maps, for tests, the exporter and anything that folds a whole item at once. */
export class MapMemory implements Memory {
  readonly statuses = new Map<NodeKey, { status: Status; contentSha256: string; reason: string | null; entry: Entry }>();
  readonly findings = new Map<string, Finding>();
  private readonly parked = new Map<NodeKey, Entry[]>();

  get(key: NodeKey): { status: Status; contentSha256: string } | undefined {
    return this.statuses.get(key);
  }

  set(entry: Entry, status: Status, reason: string | null): void {
    this.statuses.set(keyOf(entry.topic, entry.event.eventId), { status, contentSha256: entry.contentSha256, reason, entry });
  }

  park(cause: NodeKey, entry: Entry): void {
    const waiting = this.parked.get(cause);
    if (waiting) waiting.push(entry);
    else this.parked.set(cause, [entry]);
  }

  release(cause: NodeKey): readonly Entry[] {
    const waiting = this.parked.get(cause) ?? [];
    this.parked.delete(cause);
    return waiting;
  }

  find(finding: Finding): void {
    this.findings.set(`${finding.code}/${finding.topic}/${finding.eventId}/${finding.offset}`, finding);
  }
}
