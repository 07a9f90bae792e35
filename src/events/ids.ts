import { v7 } from "uuid";
import { sha256 } from "./canonical.ts";

/** A new event id: UUIDv7 in lower case, ordered by time within this process. */
export function newEventId(): string {
  return v7();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a string is a UUID in lower case. */
export function isUuid(id: string): boolean {
  return UUID.test(id);
}

/** The item of an agent's idempotency key: 32 hex digits. The same key is the same item. */
export function itemIdOf(workspace: string, agentId: string, idempotencyKey: string): string {
  return sha256(`${workspace}\0${agentId}\0${idempotencyKey}`).slice(0, 32);
}

/** The item id under which a policy document is published. */
export function policyItemId(workspace: string, policyId: string): string {
  return `policy:${workspace}:${policyId}`;
}

/** Idempotency key for the system of record: the same on every retry of the same action with the same arguments. */
export function effectKeyOf(rootItemId: string, actionId: string, argsSha256: string): string {
  return sha256(`${rootItemId}\0${actionId}\0${argsSha256}`);
}

/** Hash of what the model saw: messages NUL tools, an absent part being empty. */
export function transcriptSha256(messages: string | null, tools: string | null): string {
  return sha256(`${messages ?? ""}\0${tools ?? ""}`);
}
