import { CountersignError, type ErrorCode } from "../../errors.ts";
import type { Topic } from "../../events/topics.ts";
import type { GatewayLedger } from "./ledger.ts";

interface Meaning {
  readonly begins: string;
  readonly code: ErrorCode;
  readonly fix?: string;
  readonly field?: string;
}

/** What the reasons of the fold mean to a client. The first that a reason begins with counts. */
const MEANINGS: readonly Meaning[] = [
  { begins: "closed by edit", code: "stale", fix: "read the item again: policy judges the edited arguments, and that verdict is what can be decided next" },
  { begins: "closed by done", code: "late", fix: "the action has succeeded already; nothing is left to do under this grant" },
  { begins: "closed by", code: "settled", fix: "read the item again to see how it went on" },
  { begins: "settled by", code: "settled", fix: "read the item again to see how it went on" },
  { begins: "withdrawn already", code: "settled", fix: "nothing: it is withdrawn" },
  { begins: "satisfied by", code: "settled", fix: "read the item again to see how it went on" },
  { begins: "forbidden:", code: "settled", fix: "policy forbade it; propose something else" },
  { begins: "allowed:", code: "settled", fix: "policy let it run; report an incident if it should not have" },
  { begins: "not allowed:", code: "not_allowed", fix: "decide in one of the ways in allowedDecisions" },
  { begins: "stale lease", code: "stale", fix: "read the item again: the claim is another one now" },
  { begins: "stale:", code: "stale", field: "seen/cardSha256", fix: "read the item again and decide on the card that it shows now" },
  { begins: "not entitled:", code: "not_entitled", fix: "leave it to its owner" },
  { begins: "not the holder", code: "not_entitled", fix: "only the holder, or the clock, gives a claim back" },
  { begins: "separation:", code: "not_entitled", fix: "somebody else has to approve" },
  { begins: "out of order:", code: "not_entitled", fix: "wait for the approval that comes first" },
  { begins: "claimed by", code: "claimed", fix: "wait until the claim is given back, or take it over with a claim that says takeOver" },
  { begins: "voted already", code: "already_voted", fix: "nothing: your vote counts; somebody else has to approve as well" },
  { begins: "wrong actor:", code: "forbidden", fix: "use a key of the right scope" },
  { begins: "started already", code: "already_started", fix: "do not act: another start came first" },
  { begins: "not running", code: "not_running", fix: "start the action first; act only when `started` was answered as effective" },
  { begins: "the action before it", code: "not_allowed", fix: "start the actions of a plan in their order" },
  { begins: "no grant:", code: "no_grant", fix: "see the outcome of the item for what may run" },
  { begins: "its cause", code: "stale", fix: "read the item again" },
  { begins: "edit: changes nothing", code: "request_invalid", field: "edits", fix: "approve it as it is" },
  { begins: "edit: nothing is left", code: "request_invalid", field: "dropped", fix: "reject it instead" },
  { begins: "edit:", code: "request_invalid", field: "edits" },
  { begins: "missing field:", code: "request_invalid" },
  { begins: "compensated only", code: "request_invalid", field: "kind", fix: "end it with succeeded or failed" },
  { begins: "a roll_back ends", code: "request_invalid", field: "kind", fix: "end it with compensated or failed" },
];

/** Where the event was refused: to say who was first. */
interface Place {
  readonly ledger: GatewayLedger;
  readonly itemId: string;
  readonly topic: Topic;
  /** What was tried, such as "The approve". */
  readonly subject: string;
}

/** The error that tells a client why an event has, or would have, no effect. */
export function refusalOf(reason: string, place: Place): CountersignError {
  const meaning = MEANINGS.find((m) => reason.startsWith(m.begins));
  const missing = /^missing field: (\S+)/.exec(reason)?.[1];
  const field = missing ?? meaning?.field;
  return new CountersignError(meaning?.code ?? "conflict", `${place.subject} has no effect: ${withActor(reason, place)}`, {
    ...(field === undefined ? {} : { field }),
    fix: missing !== undefined ? `send ${missing}` : (meaning?.fix ?? "read the item again"),
  });
}

/** "closed by approve E7" → "closed by approve E7 of person:carol". */
function withActor(reason: string, { ledger, itemId, topic }: Place): string {
  const first = /\b(?:closed|settled) by (?:\w+ )?([0-9a-f-]{36})$/.exec(reason)?.[1];
  const actor = first === undefined ? undefined : ledger.queries.event(itemId, topic, first)?.actor;
  return actor === undefined ? reason : `${reason} of ${actor}`;
}
