import type { Draft } from "../../events/draft.ts";
import type { Topic } from "../../events/topics.ts";
import type { EventOf } from "../../events/types.generated.ts";
import type { ResumeNode } from "../../ledger/item.ts";
import type { Deliveries } from "../../local/deliveries.ts";
import type { EventLog, Position } from "../../log/log.ts";
import type { Classified } from "../../policy/catalogue.ts";
import type { Criterion } from "../../policy/compiled.ts";
import type { Batches } from "../../projector/batch-queries.ts";
import type { EventStore } from "../../projector/event-store.ts";
import type { Halts } from "../../projector/halts.ts";
import type { Projector } from "../../projector/projector.ts";
import type { Queries } from "../../projector/queries.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import type { Standings } from "../../projector/standings.ts";
import type { Identity } from "./identity.ts";

type Body<T extends Topic> = Omit<Draft<EventOf[T]>, "eventId" | "itemId" | "occurredAt"> & { readonly eventId?: string; readonly occurredAt?: number };

/** A budget of which more was granted than a limit lets pass, and the items that were. */
interface Overshot {
  readonly budget: string;
  readonly key: string;
  readonly windowMs: number;
  readonly items: readonly { readonly verdict: string; readonly total: string; readonly limit: string; readonly forbids: boolean }[];
}

/** What the use cases need of an open ledger (`openLedger` gives one). */
export interface GatewayLedger {
  readonly log: Pick<EventLog, "partitions" | "heads" | "url">;
  readonly queries: Queries;
  readonly events: EventStore;
  readonly projector: Pick<Projector, "onFolded" | "folded">;
  readonly waitFor: Projector["waitFor"];
  readonly now: () => number;
  readonly halts: Halts;
  /** Why what is in doubt must not be tried again; null where nothing speaks against it. */
  readonly retryBar: (view: StoredItemView) => string | null;
  /** Why a grant must not be started; `lasts`: it never may. Null where nothing speaks against it. */
  readonly startBar: (view: StoredItemView, grant: ResumeNode) => { readonly why: string; readonly lasts: boolean } | null;
  /** The other try of the same work that an approved item waits for, in words; null where it waits for none. */
  readonly waitsFor: (view: StoredItemView) => string | null;
  readonly standings: Standings;
  readonly batches: Batches;
  /** Budgets past whose limits an item was granted. */
  readonly overshootsBy: (itemId: string) => Promise<readonly Overshot[]>;
  readonly amountPath: (workspace: string, tool: string) => string | undefined;
  readonly describes: (workspace: string, tool: string) => boolean;
  readonly saysType: (workspace: string, tool: string, keys: readonly string[]) => boolean;
  readonly claimMs: (workspace: string, tools: readonly string[]) => number;
  readonly classified: (workspace: string, tool: string) => readonly Classified[];
  readonly rubric: (workspace: string, tools: readonly string[]) => readonly Criterion[];
  readonly write: <T extends Topic>(topic: T, itemId: string, body: Body<T>) => Promise<{ readonly eventId: string; readonly position: Position }>;
  readonly ended: Promise<void>;
}

/** What every use case is given: the ledger, and who asks. */
export interface Context {
  readonly ledger: GatewayLedger;
  readonly identity: Identity;
  /** What became of notices, where this server knows. */
  readonly notifications?: Notifications | undefined;
}

/** What became of notices. */
export interface Notifications extends Pick<Deliveries, "list"> {
  /** Whether this server sends notices: without a configuration nobody is told of anything. */
  readonly sends: boolean;
}
