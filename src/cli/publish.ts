import { policyItemId } from "../events/ids.ts";
import { type Publishable, publishable } from "../policy/publish.ts";
import { isTestFile } from "../policy/testing/file.ts";
import type { Ledger } from "../runtime.ts";
import { fileText } from "./args.ts";

/** What became of a policy document at a start. */
export interface PolicyRow {
  readonly policyId: string;
  readonly workspace: string;
  readonly version: string;
  readonly status: "published" | "unchanged";
}

/** Reads and checks policy files before anything starts. @throws CountersignError policy_invalid with line and column, usage */
export function readPolicies(files: readonly string[]): Publishable[] {
  return files.filter((file) => !isTestFile(file)).map((file) => publishable(fileText(file, "--policy"), file, (path) => fileText(path, "the file")));
}

/** Publishes each document that is not in force as it is, as the policy authority. The views must have caught up. */
export async function publishPolicies(ledger: Pick<Ledger, "queries" | "write">, documents: readonly Publishable[]): Promise<PolicyRow[]> {
  const inForce = new Map(ledger.queries.policies().map((p) => [policyItemId(p.workspace, p.policyId), p.sha256]));
  const rows: PolicyRow[] = [];
  for (const { policyId, workspace, version, document, sha256 } of documents) {
    const itemId = policyItemId(workspace, policyId);
    const changed = inForce.get(itemId) !== sha256;
    if (changed) {
      await ledger.write("policies", itemId, { workspace, actor: { kind: "authority", id: "up" }, kind: "policy", policyId, version, document, sha256 });
      inForce.set(itemId, sha256);
    }
    rows.push({ policyId, workspace, version, status: changed ? "published" : "unchanged" });
  }
  return rows;
}
