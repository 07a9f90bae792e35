import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";

/** A halt that a process has heard of. */
export interface KnownHalt {
  readonly eventId: string;
  readonly scope: { readonly agent?: string; readonly action?: string };
  readonly expiresAt: number | null;
}

/** A rejection of a branch. */
export interface KnownBranch {
  readonly itemId: string;
  readonly threadId: string;
  readonly at: number;
}

/** What one process has folded of what reaches across items, told apart here once more: the invariants do not ask the views. */
export interface Knowledge {
  hear(topic: Topic, itemId: string, event: AnyEvent): void;
  /** A record that cannot be decoded. */
  garbage(itemId: string, sha256: string): void;
  halts(now: number): readonly KnownHalt[];
  readonly branches: readonly KnownBranch[];
  readonly revokedStandings: ReadonlySet<string>;
  isFlagged(itemId: string): boolean;
  /** Version of the policy in force. */
  version(): string | null;
}

export function knowledge(threadOf: (itemId: string) => string | null): Knowledge {
  const halts = new Map<string, KnownHalt>();
  const lifted = new Set<string>();
  const branches: KnownBranch[] = [];
  const revokedStandings = new Set<string>();
  const flags = new Map<string, Set<string>>();
  const cleared = new Map<string, Set<string>>();
  let version: string | null = null;
  const add = (map: Map<string, Set<string>>, itemId: string, sha256: string) => void (map.get(itemId) ?? map.set(itemId, new Set()).get(itemId))?.add(sha256);
  return {
    branches,
    revokedStandings,
    version: () => version,
    halts: (now) => [...halts.values()].filter((h) => !lifted.has(h.eventId) && (h.expiresAt === null || h.expiresAt > now)),
    isFlagged: (itemId) => [...(flags.get(itemId) ?? [])].some((sha) => !cleared.get(itemId)?.has(sha)),
    garbage: (itemId, sha256) => add(flags, itemId, sha256),
    hear(topic, itemId, event) {
      if (topic === "policies") {
        const e = event as EventOf["policies"];
        if (e.kind === "halt") halts.set(e.eventId, { eventId: e.eventId, scope: JSON.parse(e.scope ?? "{}"), expiresAt: e.expiresAt });
        if (e.kind === "lift" && e.ends !== null) lifted.add(e.ends);
        if (e.kind === "standing_revoked" && e.ends !== null) revokedStandings.add(e.ends);
        if (e.kind === "policy") version = e.version;
      } else if (topic === "decisions") {
        const e = event as EventOf["decisions"];
        const threadId = threadOf(itemId);
        if (e.kind === "clear" && e.cleared !== null) add(cleared, itemId, e.cleared);
        if (e.kind === "reject" && e.scope === "branch" && threadId !== null) branches.push({ itemId, threadId, at: e.occurredAt });
      }
    },
  };
}
