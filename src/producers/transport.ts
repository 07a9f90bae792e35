import type { DecisionAnswer, ItemView, ListAnswer, OutcomeAnswer, ProposalAnswer, ReceiptAnswer } from "./wire/answers.ts";
import type { DecisionRequest, ListRequest, ProposalRequest, ReceiptRequest } from "./wire/requests.ts";

/** How a client reaches a ledger: over HTTP, or in its own process. Both refuse in the same way, with CountersignError. */
export interface Transport {
  propose(request: ProposalRequest, signal?: AbortSignal): Promise<ProposalAnswer>;
  item(itemId: string, signal?: AbortSignal): Promise<ItemView>;
  items(request: ListRequest, signal?: AbortSignal): Promise<ListAnswer>;
  /** Waits up to `waitMs` for an outcome. */
  outcome(itemId: string, waitMs: number, signal?: AbortSignal): Promise<OutcomeAnswer>;
  decide(itemId: string, request: DecisionRequest, signal?: AbortSignal): Promise<DecisionAnswer>;
  receipt(itemId: string, request: ReceiptRequest, signal?: AbortSignal): Promise<ReceiptAnswer>;
}
