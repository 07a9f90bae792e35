import { type Client, clientOver } from "../producers/client.ts";
import type { Transport } from "../producers/transport.ts";
import { decisionRequest, listRequest, proposalRequest, receiptRequest } from "../producers/wire/requests.ts";
import { decide } from "./service/decide.ts";
import { checkedIdentity, type Identity } from "./service/identity.ts";
import { itemView } from "./service/item-view.ts";
import type { Context, GatewayLedger } from "./service/ledger.ts";
import { listItems } from "./service/list.ts";
import { outcome } from "./service/outcome.ts";
import { parseValue } from "./service/parse.ts";
import { propose } from "./service/propose.ts";
import { receipt } from "./service/receipt.ts";

/** The use cases of the gateway without HTTP: the same checks and the same answers, for whoever holds the ledger itself. */
export function inProcessTransport(ledger: GatewayLedger, identity: Identity): Transport {
  const context: Context = { ledger, identity: checkedIdentity(identity) };
  return {
    propose: async (request) => propose(context, parseValue(proposalRequest, request)),
    item: async (itemId) => itemView(context, itemId),
    items: async (request) => listItems(context, parseValue(listRequest, request)),
    outcome: async (itemId, waitMs, signal) => outcome(context, itemId, { waitMs, signal }),
    decide: async (itemId, request) => decide(context, itemId, parseValue(decisionRequest, request)),
    receipt: async (itemId, request) => receipt(context, itemId, parseValue(receiptRequest, request)),
  };
}

/**
 * A client directly on an open ledger. `executor` starts and writes receipts, where the same process does both.
 *
 * @example const client = inProcessClient(ledger, { kind: "agent", id: "bot", roles: [], workspace: "default" });
 */
export function inProcessClient(ledger: GatewayLedger, identity: Identity, executor?: Identity): Client {
  const transport = inProcessTransport(ledger, identity);
  return clientOver(transport, executor === undefined ? transport : inProcessTransport(ledger, executor));
}
