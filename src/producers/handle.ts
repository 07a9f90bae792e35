import { CountersignError } from "../errors.ts";
import { newEventId } from "../events/ids.ts";
import { awaitOutcome } from "./await-outcome.ts";
import { frozen } from "./json.ts";
import type { Outcome } from "./outcome.ts";
import type { Transport } from "./transport.ts";
import type { Grant, GrantedAction, ItemView, ReceiptAnswer } from "./wire/answers.ts";
import type { ReceiptRequest } from "./wire/requests.ts";

/** What an executor tells at the end. */
export interface Success {
  readonly result?: unknown;
  /** The record in the system of record. */
  readonly externalRef?: { system: string; id: string; url?: string | null };
  readonly stateAfter?: ReceiptRequest["stateAfter"];
  /** Where the run really went on. */
  readonly resumed?: ReceiptRequest["resumed"];
}

/** What went wrong. `code` is stable, `message` is for people. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** An execution whose own start was read back as effective. Only who holds one may act. */
export interface Execution extends Omit<GrantedAction, "args"> {
  readonly grant: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tool's own schema says what they are
  readonly args: any;
  /** Until when it is ours. Renew before. */
  readonly lease: { readonly id: string; readonly endsAt: number };
  renew(): Promise<{ readonly id: string; readonly endsAt: number }>;
  succeed(success?: Success): Promise<ReceiptAnswer>;
  fail(failure: Failure): Promise<ReceiptAnswer>;
}

/** One item, for its agent and its executor. It holds no state that a restart could lose. */
export interface Handle {
  readonly itemId: string;
  /** The item as it was when it was proposed; undefined on a handle that was reattached. */
  readonly proposed: ItemView | undefined;
  /** The item as it stands. */
  view(options?: { signal?: AbortSignal }): Promise<ItemView>;
  /**
   * Waits for the outcome: for ever, or `timeoutMs`. A wait that runs out gives `{ status: "pending" }`, never a grant.
   *
   * @throws the signal's reason when it is aborted; CountersignError not_found, unauthenticated, unavailable
   */
  outcome(options?: { signal?: AbortSignal; timeoutMs?: number }): Promise<Outcome>;
  /**
   * Starts an action (the next one of the grant). Resolves only when this very start was read back as effective: then act, once.
   *
   * @throws CountersignError already_started, no_grant, late, flagged, forbidden
   */
  start(actionId?: string): Promise<Execution>;
  /** Takes what runs a while longer. @throws CountersignError not_running, late */
  renew(): Promise<{ readonly id: string; readonly endsAt: number }>;
  /** Ends what runs as succeeded (as compensated, in a roll_back). @throws CountersignError not_running, late */
  succeed(success?: Success): Promise<ReceiptAnswer>;
  /** Ends what runs as failed. @throws CountersignError not_running, late */
  fail(failure: Failure): Promise<ReceiptAnswer>;
  /** Takes the proposal back (agent). @throws CountersignError not_judged_yet, settled */
  withdraw(message?: string): Promise<ItemView>;
}

/** A handle over transports of an agent and an executor. */
export function itemHandle(itemId: string, agent: Transport, executor: Transport, proposed?: ItemView): Handle {
  let mine: Execution | undefined;

  async function grantNow(): Promise<Grant> {
    const { grant, status, finalOutcome } = await executor.outcome(itemId, 0);
    if (grant !== null) return grant;
    throw new CountersignError(
      "no_grant",
      `Nothing may run: the outcome is ${status}${finalOutcome === null ? "" : `, and the item ended as ${finalOutcome}`}`,
      { field: "itemId", value: itemId, fix: "wait for the outcome, and start only what it grants" },
    );
  }

  async function running(): Promise<Execution> {
    if (mine !== undefined) return mine;
    const grant = await grantNow();
    const action = grant.actions.find((a) => a.actionId === grant.running?.actionId);
    if (action === undefined || grant.running === null)
      throw new CountersignError("not_running", "Nothing of this item is running", { field: "itemId", value: itemId, fix: "start it first" });
    return execution(grant, action, grant.running.lease);
  }

  function execution(grant: Grant, action: GrantedAction, lease: { id: string; endsAt: number }): Execution {
    const { actionId, argsSha256 } = action;
    const base = { grant: grant.id, actionId, argsSha256 };
    let current = lease;
    const ended = (answer: ReceiptAnswer) => {
      mine = undefined;
      return answer;
    };
    return {
      ...action,
      grant: grant.id,
      get lease() {
        return current;
      },
      async renew() {
        const answer = await executor.receipt(itemId, { ...base, kind: "renewed", eventId: newEventId() });
        return (current = leaseOf(answer));
      },
      async succeed({ result, ...rest } = {}) {
        const kind = grant.outcome === "roll_back" ? "compensated" : "succeeded";
        return ended(
          await executor.receipt(itemId, {
            ...base,
            ...rest,
            kind,
            eventId: newEventId(),
            ...(result === undefined ? {} : { result: frozen(result, "The result") }),
          }),
        );
      },
      async fail(error) {
        return ended(await executor.receipt(itemId, { ...base, kind: "failed", eventId: newEventId(), error }));
      },
    };
  }

  return {
    itemId,
    proposed,
    view: ({ signal } = {}) => agent.item(itemId, signal),
    outcome: (options) => awaitOutcome(agent, itemId, options),
    async start(actionId) {
      const grant = await grantNow();
      const action = grant.actions.find((a, i) => (actionId === undefined ? i === grant.done : a.actionId === actionId));
      if (action === undefined)
        throw new CountersignError("no_grant", `The grant has no action ${actionId ?? "left"}`, {
          field: "actionId",
          value: actionId,
          fix: `it grants ${grant.actions.map((a) => a.actionId).join(", ")}`,
        });
      // The id is fixed before the first try: a start whose answer is lost is recognised, and never taken for somebody else's.
      const eventId = newEventId();
      const answer = await executor.receipt(itemId, { kind: "started", eventId, grant: grant.id, actionId: action.actionId, argsSha256: action.argsSha256 });
      if (answer.status !== "effective" || answer.eventId !== eventId)
        throw new CountersignError("already_started", `The start is ${answer.status}: ${answer.reason ?? "another came first"}`, { fix: "do not act" });
      return (mine = execution(grant, action, leaseOf(answer)));
    },
    renew: async () => (await running()).renew(),
    succeed: async (success) => (await running()).succeed(success),
    fail: async (failure) => (await running()).fail(failure),
    async withdraw(message) {
      const answer = await agent.decide(itemId, { kind: "withdraw", eventId: newEventId(), ...(message === undefined ? {} : { message }) });
      return answer.item;
    },
  };
}

/** An answer without a lease lets nobody act. */
function leaseOf({ lease, status, kind }: ReceiptAnswer & { kind?: string }): { id: string; endsAt: number } {
  if (lease === null || status !== "effective") throw new CountersignError("late", `The ${kind ?? "receipt"} gave no lease`, { fix: "do not act" });
  return lease;
}
