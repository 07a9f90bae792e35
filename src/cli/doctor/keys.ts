import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Key, openKeys } from "../../local/keys.ts";
import { openLocalDb } from "../../local/local-db.ts";
import type { Queries } from "../../projector/queries.ts";
import { ownersByWorkspace, roleOf } from "../policy-people.ts";
import { plural } from "../text.ts";
import { type Check, failed } from "./checks.ts";

/** Whether the keys fit the policies: in a workspace that has one, and for each role that a policy asks somebody who holds it. */
export function checkKeys(data: string, policies: ReturnType<Queries["policies"]> | null, now: number): Check {
  if (!existsSync(join(data, "local.db"))) return NONE;
  try {
    const local = openLocalDb(data);
    try {
      const active = openKeys(local)
        .listKeys()
        .filter((key) => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now));
      if (active.length === 0) return NONE;
      const found = policies === null || policies.length === 0 ? [] : misfits(active, ownersByWorkspace(policies));
      const detail = plural(active.length, "active key");
      if (found.length === 0) return { check: "keys", status: "ok", detail };
      return { check: "keys", status: "look", detail: `${detail}, but not all that the policies need`, fix: FIX, found };
    } finally {
      local.close();
    }
  } catch (error) {
    return failed("keys", error);
  }
}

const NONE: Check = { check: "keys", status: "look", detail: "there are none, so nobody can use the API", fix: "make some with countersign keys create" };
const FIX = "make keys with countersign keys create --workspace NAME --scope reviewer --id PERSON --roles ROLE, and revoke those of a wrong workspace";

function misfits(keys: readonly Key[], owners: ReadonlyMap<string, readonly string[]>): string[] {
  const lost = keys
    .filter(({ workspace }) => !owners.has(workspace))
    .map(({ keyId, scope, id, workspace }) => `${keyId}: ${scope} ${id} is in workspace ${workspace}, which no policy is for`);
  const alone = [...owners].flatMap(([workspace, all]) =>
    all
      .filter((owner) => !keys.some((key) => key.scope === "reviewer" && key.workspace === workspace && isHeldBy(owner, key)))
      .map(
        (owner) => `${owner} decides in workspace ${workspace}, and no reviewer's key there is ${roleOf(owner) === null ? "that person's" : "of that role"}`,
      ),
  );
  return [...lost, ...alone];
}

function isHeldBy(owner: string, { id, roles }: Key): boolean {
  const role = roleOf(owner);
  return role === null ? owner === `person:${id}` : roles.includes(role);
}
