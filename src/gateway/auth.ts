import { CountersignError } from "../errors.ts";
import type { Key, Keys } from "../local/keys.ts";
import type { Identity } from "./service/identity.ts";

const KIND = { agent: "agent", executor: "executor", reviewer: "person" } as const;

/** Whom a key stands for. */
export function identityOf({ scope, id, roles, workspace, owner }: Pick<Key, "scope" | "id" | "roles" | "workspace" | "owner">): Identity {
  return { kind: KIND[scope], id, roles, workspace, owner };
}

/** Who sent a request, by its Authorization header. @throws CountersignError unauthenticated */
export function authenticate(keys: Pick<Keys, "verifyKey">, header: string | undefined): Identity {
  const key = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
  if (key === undefined)
    throw new CountersignError("unauthenticated", header === undefined ? "There is no Authorization header" : "The Authorization header is no bearer key", {
      field: "authorization",
      fix: "send `Authorization: Bearer <key>`; `countersign keys create` makes keys",
    });
  const known = keys.verifyKey(key);
  // One sentence for unknown, expired and revoked: who guesses keys learns nothing.
  if (known === undefined)
    throw new CountersignError("unauthenticated", "The key is not valid (unknown, expired or revoked)", {
      field: "authorization",
      fix: "make a new key with `countersign keys create`",
    });
  return identityOf(known);
}
