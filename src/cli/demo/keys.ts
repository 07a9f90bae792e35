import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Keys, Scope } from "../../local/keys.ts";
import { DEMO_WORKSPACE } from "./setting.ts";

const shape = z.object({ reviewer: z.string(), agent: z.string(), executor: z.string() });

/** Texts of the demo's keys. */
export type DemoKeys = z.infer<typeof shape>;

/** The demo's keys: those of the last start while they work, so that a second terminal can go on with what it has; else new ones. */
export function demoKeys(keys: Keys, data: string, roles: readonly string[]): DemoKeys {
  const path = join(data, "demo-keys.json");
  const kept = read(path);
  const known = kept === undefined ? undefined : keys.verifyKey(kept.reviewer);
  const allRoles = known !== undefined && roles.every((role) => known.roles.includes(role));
  if (kept !== undefined && allRoles && keys.verifyKey(kept.agent) !== undefined && keys.verifyKey(kept.executor) !== undefined) return kept;
  const make = (scope: Scope, id: string) => keys.createKey({ scope, id, workspace: DEMO_WORKSPACE, ...(scope === "reviewer" && { roles }) }).key;
  const fresh = { reviewer: make("reviewer", "you"), agent: make("agent", "demo-agent"), executor: make("executor", "demo-executor") };
  // Only the demo keeps the texts of keys, so that they can be printed again.
  writeFileSync(path, `${JSON.stringify(fresh, null, 2)}\n`, { mode: 0o600 });
  return fresh;
}

function read(path: string): DemoKeys | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
