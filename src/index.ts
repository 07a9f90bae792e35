/** The public API of countersign: the SDK for agents and executors, and what is needed to run a ledger inside a process. */
export { AppendOutcomeUnknown, CountersignError, type ErrorCode } from "./errors.ts";
export { inProcessClient } from "./gateway/in-process.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway/server.ts";
export type { Identity } from "./gateway/service/identity.ts";
export { type Key, type Keys, type NewKey, openKeys, type Scope } from "./local/keys.ts";
export { type LocalDb, openLocalDb } from "./local/local-db.ts";
export { type Client, type ClientOptions, createClient } from "./producers/client.ts";
export type { Execution, Failure, Handle, Success } from "./producers/handle.ts";
export type { Outcome } from "./producers/outcome.ts";
export type { Transport } from "./producers/transport.ts";
export type {
  DecisionAnswer,
  Grant,
  GrantedAction,
  ItemView,
  ListedItem,
  OutcomeAnswer,
  Problem,
  ProposalAnswer,
  ReceiptAnswer,
} from "./producers/wire/answers.ts";
export type { DecisionRequest, ProposalRequest, ReceiptRequest } from "./producers/wire/requests.ts";
export { type Ledger, type LedgerOptions, openLedger } from "./runtime.ts";
