import { CountersignError } from "../errors.ts";
import { canonicalArgs } from "../events/canonical.ts";
import { itemIdOf, policyItemId } from "../events/ids.ts";
import { parsePolicy } from "../policy/document/document.ts";
import { type Publishable, publishable } from "../policy/document/publish.ts";
import { publicationArgs } from "../policy/publication.ts";
import { PUBLISH_TOOL } from "../policy/publish-tool.ts";
import type { Ledger } from "../runtime.ts";
import { fileText } from "./args.ts";
import { policyFiles } from "./policy-files.ts";

/** What became of a policy document. `proposed`: it is in force once somebody else has approved `itemId`. */
export interface PolicyRow {
  readonly policyId: string;
  readonly workspace: string;
  readonly version: string;
  readonly status: "published" | "unchanged" | "proposed";
  readonly itemId?: string;
}

/** The agent that proposes publications. */
const PUBLISHER = "countersign";
/** The document is one of the arguments that are approved, and these have a limit of their own. */
const MOST_BYTES = 200 * 1024;

type InForce = ReturnType<Ledger["queries"]["policies"]>[number];

/**
 * Reads and checks policy files, and those in folders, before anything starts; files of tests are passed over.
 *
 * @throws CountersignError policy_invalid with line and column, usage
 */
export function readPolicies(names: readonly string[]): Publishable[] {
  const files = policyFiles(names);
  if (files.length === 0 && names.length > 0)
    throw new CountersignError("usage", `There is no policy among ${names.join(", ")}`, {
      field: "files",
      fix: "name a policy file, or a folder that holds one",
    });
  return files.map((file) => publishable(fileText(file, "the policy"), file, (path) => fileText(path, "the file")));
}

/**
 * Publishes each document that is not in force as it is, as the policy authority; where the document in force asks for approval, a change of it is
 * proposed instead, in the name of its author. The views must have caught up.
 *
 * @throws CountersignError field_too_large when a document is too large to be approved
 */
export async function publishPolicies(ledger: Pick<Ledger, "queries" | "write">, documents: readonly Publishable[], author = "up"): Promise<PolicyRow[]> {
  const inForce = new Map(ledger.queries.policies().map((p) => [policyItemId(p.workspace, p.policyId), p]));
  const rows: PolicyRow[] = [];
  for (const publication of documents) {
    const { policyId, workspace, version, document, sha256 } = publication;
    const itemId = policyItemId(workspace, policyId);
    const before = inForce.get(itemId);
    const row = { policyId, workspace, version };
    if (before?.sha256 === sha256) rows.push({ ...row, status: "unchanged" });
    else if (before !== undefined && asksForApproval(before))
      rows.push({ ...row, status: "proposed", itemId: await propose(ledger, publication, before, author) });
    else {
      await ledger.write("policies", itemId, { workspace, actor: { kind: "authority", id: author }, kind: "policy", policyId, version, document, sha256 });
      inForce.set(itemId, { policyId, workspace, version, document, sha256, eventId: "" });
      rows.push({ ...row, status: "published" });
    }
  }
  return rows;
}

function asksForApproval({ document, policyId }: InForce): boolean {
  return parsePolicy(document, { file: policyId }).content.publish?.approval !== undefined;
}

/** One proposal per document and version in force: the same one again finds it, unless it has ended without being published. */
async function propose(
  { queries, write }: Pick<Ledger, "queries" | "write">,
  { policyId, workspace, version, document, sha256 }: Publishable,
  before: InForce,
  author: string,
): Promise<string> {
  if (Buffer.byteLength(document) > MOST_BYTES)
    throw new CountersignError(
      "field_too_large",
      `Policy ${policyId} has ${Buffer.byteLength(document)} bytes with its files, more than the ${MOST_BYTES} that can be approved`,
      {
        field: "document",
        fix: "split it into several policies, or shorten its schemas",
      },
    );
  const key = (n: number) => `publish/${policyId}/${before.eventId}/${sha256}/${n}`;
  let attempt = 1;
  let itemId = itemIdOf(workspace, PUBLISHER, key(attempt));
  for (let view = queries.item(itemId); view !== undefined; view = queries.item(itemId)) {
    if (view.stage !== "done") return itemId;
    itemId = itemIdOf(workspace, PUBLISHER, key(++attempt));
  }
  const { written } = parsePolicy(before.document, { file: policyId });
  const inForce = { ref: { id: policyId, version: before.version }, workspace, written };
  await write("proposals", itemId, {
    workspace,
    actor: { kind: "agent", id: PUBLISHER },
    ask: "review",
    idempotencyKey: key(attempt),
    agent: { id: PUBLISHER, owner: author },
    onBehalfOf: { id: author, scopes: [] },
    intent: `Publish version ${version} of policy ${policyId} in place of ${before.version}`,
    actions: [
      {
        actionId: "publish",
        tool: PUBLISH_TOOL,
        ...canonicalArgs(publicationArgs(inForce, { policyId, version, sha256, document })),
      },
    ],
  });
  return itemId;
}
