import { sha256 } from "../../src/events/canonical.ts";
import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import { describeItem } from "../../src/ledger/describe.ts";
import { foldEvent, RULES, type Rules } from "../../src/ledger/fold.ts";
import { createItem, type Entry, type Item, keyOf } from "../../src/ledger/item.ts";
import { MapMemory } from "../../src/ledger/memory.ts";
import type { Delivery } from "./generator.ts";
import type { Expected, Logs, Status } from "./oracle.ts";

/** The logs as the fold takes them; null where bytes cannot be decoded. Made once a history, used for every delivery. */
export type Entries = { readonly [topic in Topic]?: readonly (Entry | null)[] };

export function entriesOf(logs: Logs): Entries {
  const out: { [topic in Topic]?: (Entry | null)[] } = {};
  for (const topic of Object.keys(logs) as Topic[])
    out[topic] = (logs[topic] ?? []).map((event, offset) =>
      event === null ? null : { topic, offset, event: event as AnyEvent, contentSha256: sha256(JSON.stringify(event)) },
    );
  return out;
}

/** Where a delivery ends: the description, and everything that the fold keeps, as one text. */
export interface Folded extends Expected {
  readonly kept: () => string;
}

/** Folds one delivery and describes where it ends. */
export function foldDelivery(itemId: string, entries: Entries, delivery: Delivery, rules: Rules = RULES): Folded {
  const item = createItem(itemId);
  const memory = new MapMemory();
  const undecodable = new Set<string>();
  for (const [topic, offset] of delivery) {
    const entry = entries[topic]?.[offset];
    if (entry === null) undecodable.add(`${topic}@${offset}`);
    else if (entry !== undefined) foldEvent(item, memory, entry, rules);
  }
  const events: { [key: string]: Status } = {};
  for (const [, { entry, status }] of memory.statuses) events[keyOf(entry.topic, entry.event.eventId)] = status;
  const { verdicts, grants, resumes } = describeItem(item);
  return {
    events,
    verdicts: verdicts.map((v) => ({ ...v, votes: [...v.votes] })),
    grants: grants.map((g) => ({ ...g, actions: [...g.actions] })),
    resumes: [...resumes],
    undecodable: [...undecodable],
    kept: () => keptText(item, memory),
  };
}

/** Item, reasons and findings: all of it must be the same after every delivery, also what no rule reads. */
function keptText(item: Item, memory: MapMemory): string {
  const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
  const reasons = [...memory.statuses].map(([key, { reason }]) => [key, reason] as const).sort(byKey);
  return JSON.stringify([{ ...item, nodes: [...item.nodes].sort(byKey) }, reasons, [...memory.findings.keys()].sort()]);
}

/** One text for one state, whatever the order inside its lists. */
export function digestOf(state: Expected): string {
  const { events } = state;
  const verdicts = state.verdicts.map((v) => [v.verdict, v.open, v.owner, v.step, [...v.votes].sort(), v.held, v.lease, v.closedBy].join()).sort();
  const grants = state.grants.map((g) => [g.grant, g.outcome, g.actions.join("+"), g.done, g.running, g.closedBy].join()).sort();
  const statuses = Object.keys(events)
    .sort()
    .map((key) => `${key} ${events[key]}`);
  return [...statuses, ...verdicts, ...grants, [...state.resumes].sort().join(), [...state.undecodable].sort().join()].join("\n");
}

/** The lines in which two digests differ, for a message that a person can use. */
export function difference(expected: string, got: string): string {
  const a = new Set(expected.split("\n"));
  const b = new Set(got.split("\n"));
  return [...[...a].filter((line) => !b.has(line)).map((line) => `- ${line}`), ...[...b].filter((line) => !a.has(line)).map((line) => `+ ${line}`)].join("\n");
}
