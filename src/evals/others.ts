import type { EventOf } from "../events/types.generated.ts";
import { lifeOf } from "../ledger/life.ts";
import type { Draft } from "./build-example.ts";
import type { FoldedItem } from "./fold-items.ts";
import type { Calls } from "./labels.ts";

/** A row as far as others are compared with it. */
interface Compared {
  readonly draft: Pick<Draft, "id" | "decision">;
  readonly call: string;
  readonly same: string;
}

/** The first approved item that tries another one again. */
interface Retry {
  readonly calls: Calls;
  readonly proposedAt: number;
  readonly itemId: string;
}

/** What a row has to know of other rows: who decided otherwise on the same call, which row came first, which retry was approved. */
export class Others {
  private readonly verdicts = new Map<string, number>();
  private readonly first = new Map<string, string>();
  private readonly retries = new Map<string, Retry>();

  add({ draft, call, same }: Compared): void {
    const bit = { approve: 1, edit: 2, reject: 2, respond: 0, acknowledge: 0 }[draft.decision.kind];
    if (bit > 0) this.verdicts.set(call, (this.verdicts.get(call) ?? 0) | bit);
    if (!this.first.has(same)) this.first.set(same, draft.id);
  }

  /** Takes note of an item that tries another one again and that a person approved. `callsOf` gives its redacted calls. */
  addRetry(folded: FoldedItem, callsOf: (folded: FoldedItem) => Calls): void {
    const proposal = proposalOf(folded);
    if (proposal?.retryOf == null) return;
    const { resume, decision } = lifeOf(folded.item);
    const approved = (resume?.outcome === "proceed" && decision?.kind === "approve") || resume?.outcome === "proceed_edited";
    if (!approved) return;
    const before = this.retries.get(proposal.retryOf);
    const retry = { calls: callsOf(folded), proposedAt: proposal.occurredAt, itemId: folded.item.id };
    const isEarlier = before === undefined || retry.proposedAt < before.proposedAt || (retry.proposedAt === before.proposedAt && retry.itemId < before.itemId);
    if (isEarlier) this.retries.set(proposal.retryOf, retry);
  }

  /** Whether one person approved what another one edited or rejected: the same call, where the model saw the same. */
  isContradicted(call: string): boolean {
    return this.verdicts.get(call) === 3;
  }

  /** Id of the first row that says the same. */
  firstOf(same: string): string {
    return this.first.get(same) as string;
  }

  /** What was approved when the item was tried again; null where it was not. */
  retryOf(itemId: string): Calls | null {
    return this.retries.get(itemId)?.calls ?? null;
  }
}

/** When each run began, for a holdout in time. Remembers nothing where there is none. */
export class Starts {
  private readonly from: number | undefined;
  private readonly first = new Map<string, number>();

  constructor(from: number | undefined) {
    this.from = from;
  }

  add(folded: FoldedItem): void {
    const proposal = proposalOf(folded);
    if (this.from === undefined || proposal === undefined) return;
    const key = `${proposal.workspace}\0${proposal.run?.threadId ?? folded.item.id}`;
    this.first.set(key, Math.min(this.first.get(key) ?? Number.POSITIVE_INFINITY, proposal.occurredAt));
  }

  /** Whether the run began in the holdout's time: the whole run is held out, or none of it. */
  isHeldOut(workspace: string, thread: string): boolean {
    return this.from !== undefined && (this.first.get(`${workspace}\0${thread}`) ?? Number.NEGATIVE_INFINITY) >= this.from;
  }
}

/** The effective proposal of an item. */
export function proposalOf({ item, memory }: FoldedItem): EventOf["proposals"] | undefined {
  return item.proposal === null ? undefined : (memory.statuses.get(`proposals/${item.proposal}`)?.entry.event as EventOf["proposals"]);
}
