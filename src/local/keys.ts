import { randomBytes } from "node:crypto";
import { CountersignError } from "../errors.ts";
import { sha256 } from "../events/canonical.ts";
import type { LocalDb } from "./local-db.ts";

/** What a key may do. A key has one scope and can never do another's work. */
export const SCOPES = ["agent", "executor", "reviewer"] as const;
export type Scope = (typeof SCOPES)[number];

/** Whom a key stands for. */
export interface Key {
  readonly keyId: string;
  readonly scope: Scope;
  /** The agent, executor or person. */
  readonly id: string;
  /** Roles of a person, without the prefix role:. */
  readonly roles: readonly string[];
  readonly workspace: string;
  /** Of an agent: the person who answers for it, and who does not decide where policy separates the two. */
  readonly owner: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** What a new key is made of. */
export interface NewKey {
  readonly scope: Scope;
  readonly id: string;
  readonly roles?: readonly string[];
  readonly workspace?: string;
  /** Of an agent: the person who answers for it. */
  readonly owner?: string | null;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | null;
}

/** API keys, of which only the hashes are kept. */
export interface Keys {
  /** Makes a key. The text of it is shown this once. @throws CountersignError request_invalid */
  createKey(key: NewKey): { keyId: string; key: string };
  /** Whose key it is; undefined when it is unknown, expired or revoked. */
  verifyKey(key: string): Key | undefined;
  listKeys(): Key[];
  /** Ends a key now. @throws CountersignError not_found */
  revokeKey(keyId: string): void;
}

const FORM = /^cs_(agent|executor|reviewer)_[A-Za-z0-9_-]{43}$/;
const NAME = /^[^\p{Cc}]{1,200}$/u;

interface KeyRow {
  key_id: string;
  scope: Scope;
  id: string;
  roles: string;
  workspace: string;
  owner: string | null;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
}

/** The keys in a local.db. */
export function openKeys({ db }: LocalDb, now: () => number = Date.now): Keys {
  const insert = db.prepare("INSERT INTO key (key_id, hash, scope, id, roles, workspace, created_at, expires_at, owner) VALUES (?,?,?,?,?,?,?,?,?)");
  // Looked up by the hash of 256 random bits: how long the look-up takes tells nothing about a key that is not known already.
  const find = db.prepare("SELECT * FROM key WHERE hash = ?");
  const all = db.prepare("SELECT * FROM key ORDER BY created_at, key_id");
  const revoke = db.prepare("UPDATE key SET revoked_at = COALESCE(revoked_at, ?) WHERE key_id = ?");

  return {
    createKey(given) {
      const { scope, id, roles = [], workspace = "default", expiresAt = null, owner = null } = given;
      if (!SCOPES.includes(scope)) throw invalid("scope", scope, `it must be one of ${SCOPES.join(", ")}`);
      for (const [field, value] of [
        ["id", id],
        ["workspace", workspace],
        ...(owner === null ? [] : [["owner", owner]]),
        ...roles.map((role) => ["roles", role]),
      ] as [string, string][])
        if (typeof value !== "string" || !NAME.test(value) || !value.isWellFormed())
          throw invalid(field, value, "it must be 1 to 200 characters, none of them a control character");
      if (roles.length > 0 && scope !== "reviewer") throw invalid("roles", roles, "only reviewers have roles");
      if (owner !== null && scope !== "agent") throw invalid("owner", owner, "only agents have an owner");
      if (owner?.startsWith("role:"))
        throw invalid("owner", owner, "name the person who answers for the agent: a role is nobody whom separation could keep from approving");
      if (roles.length > 50) throw invalid("roles", roles.length, "at most 50");
      if (expiresAt !== null && !(Number.isSafeInteger(expiresAt) && expiresAt > now())) throw invalid("expiresAt", expiresAt, "it must lie in the future");
      const keyId = `key_${randomBytes(9).toString("base64url")}`;
      const key = `cs_${scope}_${randomBytes(32).toString("base64url")}`;
      const bare = roles.map((role) => (role.startsWith("role:") ? role.slice(5) : role));
      insert.run(keyId, hashOf(key), scope, id, JSON.stringify([...new Set(bare)]), workspace, now(), expiresAt, owner === null ? null : personOf(owner));
      return { keyId, key };
    },
    verifyKey(key) {
      if (!FORM.test(key)) return undefined;
      const row = find.get(hashOf(key)) as KeyRow | undefined;
      if (row === undefined || row.revoked_at !== null || (row.expires_at !== null && row.expires_at <= now())) return undefined;
      // The prefix is for people; what counts is what was stored.
      return key.startsWith(`cs_${row.scope}_`) ? keyOf(row) : undefined;
    },
    listKeys: () => (all.all() as KeyRow[]).map(keyOf),
    revokeKey(keyId) {
      if (revoke.run(now(), keyId).changes === 0)
        throw new CountersignError("not_found", `There is no key ${keyId}`, { field: "keyId", value: keyId, fix: "see countersign keys list" });
    },
  };
}

/** Policies write a person as person:ID as well; who decides is the bare id. */
function personOf(owner: string): string {
  return owner.startsWith("person:") ? owner.slice("person:".length) : owner;
}

function hashOf(key: string): Buffer {
  return Buffer.from(sha256(key), "hex");
}

function keyOf(row: KeyRow): Key {
  const { key_id: keyId, scope, id, workspace, owner } = row;
  return {
    keyId,
    scope,
    id,
    roles: JSON.parse(row.roles),
    workspace,
    owner: owner === null ? null : personOf(owner),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}

function invalid(field: string, value: unknown, fix: string): CountersignError {
  return new CountersignError("request_invalid", `The key's ${field} is not usable`, { field, value, fix });
}
