import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "../errors.ts";
import type { Io } from "./io.ts";

/** Role of those who may export without redaction. */
export const RAW_ROLE = "raw-export";

/** What is to be exported, and the folder in which keys are known. */
interface Asked {
  readonly profile: string;
  readonly data: string;
  readonly log: string;
  readonly target: string;
  readonly out: string;
}

/**
 * Who exports raw: a person with the role in a workspace, by their key in this data folder. Who did so, when, of which log and to where is kept in
 * raw-exports.jsonl beside it, also when the export then fails. Null for a strict export.
 *
 * @throws CountersignError usage, unauthenticated, forbidden
 */
export async function rawExporter(io: Io, { profile, data, log, target, out }: Asked): Promise<{ id: string; role: string; workspace: string } | null> {
  if (profile === "strict") return null;
  if (profile !== "raw")
    throw new CountersignError("usage", `There is no profile ${profile}`, { field: "--profile", value: profile, fix: "give strict or raw" });
  const text = io.env.COUNTERSIGN_API_KEY;
  const fix = `set COUNTERSIGN_API_KEY to a key of a reviewer with the role ${RAW_ROLE}: countersign keys create --scope reviewer --id NAME --roles ${RAW_ROLE} --data ${data}`;
  const key = text === undefined || !existsSync(join(data, "local.db")) ? undefined : await verified(text, data, io.now);
  if (key === undefined)
    throw new CountersignError("unauthenticated", "A raw export needs a key that is known in the data folder", { field: "--profile", fix });
  if (key.scope !== "reviewer" || !key.roles.includes(RAW_ROLE))
    throw new CountersignError("forbidden", `${key.id} does not have the role ${RAW_ROLE}`, { field: "--profile", value: key.roles, fix });
  appendFileSync(
    join(data, "raw-exports.jsonl"),
    `${JSON.stringify({ at: new Date(io.now()).toISOString(), id: key.id, keyId: key.keyId, role: RAW_ROLE, log, target, out })}\n`,
  );
  return { id: key.id, role: RAW_ROLE, workspace: key.workspace };
}

async function verified(text: string, data: string, now: () => number) {
  const [{ openLocalDb }, { openKeys }] = await Promise.all([import("../local/local-db.ts"), import("../local/keys.ts")]);
  const local = openLocalDb(data);
  try {
    return openKeys(local, now).verifyKey(text);
  } finally {
    local.close();
  }
}
