import { type Handle, itemHandle } from "./handle.ts";
import { type HttpOptions, httpTransport } from "./http.ts";
import { frozen } from "./json.ts";
import type { Transport } from "./transport.ts";
import type { ProposalRequest } from "./wire/requests.ts";

/** How to make a client. */
export interface ClientOptions extends Omit<HttpOptions, "apiKey"> {
  /** A key of scope agent, or executor where the client only executes. */
  readonly apiKey: string;
  /** A key of scope executor, where the same process proposes and executes. One key is never both. */
  readonly executorKey?: string;
}

/** A client of a ledger, for agents and executors. */
export interface Client {
  /**
   * Proposes, and resolves once the ledger has it. The same idempotency key and content is the same item: safe to repeat.
   *
   * @throws CountersignError request_invalid, schema_invalid, conflict, forbidden, unauthenticated, unavailable
   */
  propose(request: ProposalRequest, options?: { signal?: AbortSignal }): Promise<Handle>;
  /** The handle of an item that is there already: after a restart, or in another process. Asks nothing. */
  item(itemId: string): Handle;
  /** The same, for executors. */
  executor(itemId: string): Handle;
}

/**
 * A client over HTTP. Requests are tried again while nobody answers.
 *
 * @example
 * const client = createClient({ url: "http://127.0.0.1:4680", apiKey, executorKey });
 * const item = await client.propose({ idempotencyKey: "ticket-18422", tool: "issue_refund", args: { amount: 40 } });
 * const outcome = await item.outcome();
 * if (outcome.status === "proceed" || outcome.status === "proceed_edited") {
 *   const run = await item.start();
 *   await run.succeed({ result: await refund(run.args, { idempotencyKey: run.effectKey }) });
 * }
 * @throws CountersignError usage
 */
export function createClient(options: ClientOptions): Client {
  const { executorKey, ...http } = options;
  const agent = httpTransport(http);
  return clientOver(agent, executorKey === undefined ? agent : httpTransport({ ...http, apiKey: executorKey }));
}

/** A client over any transport; `executor` is the one that starts and writes receipts. */
export function clientOver(transport: Transport, executor: Transport = transport): Client {
  return {
    async propose(request, { signal } = {}) {
      // The call waits; what the caller does to its objects in the meantime must not change what is proposed.
      const { itemId, item } = await transport.propose(frozen(request, "The proposal"), signal);
      return itemHandle(itemId, transport, executor, item);
    },
    item: (itemId) => itemHandle(itemId, transport, executor),
    executor: (itemId) => itemHandle(itemId, transport, executor),
  };
}
