import { randomFillSync } from "node:crypto";
import { sha256 } from "./canonical.ts";

// Asking the system for 16 bytes at a time costs more than all the rest of an id.
const random = Buffer.alloc(4096);
let used = random.length;
let msecs = 0;
let seq = 0;

/** A new event id: UUIDv7 in lower case, ordered by time within this process. */
export function newEventId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const bytes = random.subarray(used, (used += 16));
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // Half of its range is left to count on within this millisecond, or while the clock is set back.
    seq = bytes.readUInt32BE(6) >>> 1;
  } else seq++;
  return uuidV7(bytes, msecs, seq);
}

/**
 * A UUIDv7 (RFC 9562): 48 bits of time, 32 that count within the millisecond, and the last 42 of 16 random bytes. Not by a library: twenty
 * files to load, for this, were the thirtieth part of a start.
 */
export function uuidV7(random: Buffer, msecs: number, seq = random.readUInt32BE(6) & 0x7fff_ffff): string {
  const bytes = Buffer.from(random.subarray(0, 16));
  bytes.writeUIntBE(msecs, 0, 6);
  bytes.writeUInt16BE(0x7000 | (seq >>> 20), 6);
  bytes.writeUInt16BE(0x8000 | ((seq >>> 6) & 0x3fff), 8);
  bytes[10] = ((seq << 2) & 0xfc) | (bytes[10]! & 0x03);
  return uuidOfBytes(bytes);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a string is a UUID in lower case. */
export function isUuid(id: string): boolean {
  return UUID.test(id);
}

const NIBBLE = new Int8Array(128).fill(-1);
for (let i = 0; i < 16; i++) NIBBLE[i.toString(16).charCodeAt(0)] = i;

/** The 16 bytes of a UUID in lower case; null for any other text. */
export function uuidBytes(id: string): Buffer | null {
  if (id.length !== 36) return null;
  const bytes = Buffer.allocUnsafe(16);
  for (let i = 0, at = 0; at < 16; i += 2) {
    if ((i === 8 || i === 13 || i === 18 || i === 23) && id.charCodeAt(i++) !== 0x2d) return null;
    const high = NIBBLE[id.charCodeAt(i)] ?? -1;
    const low = NIBBLE[id.charCodeAt(i + 1)] ?? -1;
    if ((high | low) < 0) return null;
    bytes[at++] = (high << 4) | low;
  }
  return bytes;
}

/** The UUID of 16 bytes. */
export function uuidOfBytes(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
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
