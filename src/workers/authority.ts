import { randomUUID } from "node:crypto";
import { sha256 } from "../events/canonical.ts";
import { policyItemId } from "../events/ids.ts";
import { checkPolicy } from "../policy/document.ts";
import { PUBLISH_TOOL } from "../policy/publish-tool.ts";
import type { StoredItemView } from "../projector/queries.ts";
import type { SweepLedger } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

const LEASE_MS = 120_000;

/**
 * The policy authority: publishes the documents whose publication somebody has approved. It is the executor of its own tool: it starts the
 * grant, and acts only when its start has taken effect. What a person has not approved it never publishes, whatever was granted.
 */
export function authority(ledger: SweepLedger, now: () => number): Sweep {
  const { queries } = ledger;
  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) if (isDue(queries.item(itemId))) yield { key: `${itemId}/publish`, itemId, run: () => publishGranted(ledger, itemId, now) };
  }
  return {
    name: "policy authority",
    all: () => chores(queries.running()),
    after: (batch) => chores(new Set(batch.effective.filter(({ topic }) => topic === "resumes").map(({ itemId }) => itemId))),
  };
}

function isDue(view: StoredItemView | undefined): view is StoredItemView {
  if (view === undefined || view.stage !== "granted" || view.flagged) return false;
  const { verdict, decision } = view.life;
  return decision?.kind === "approve" && verdict?.actions.length === 1 && verdict.actions[0]?.tool === PUBLISH_TOOL;
}

async function publishGranted({ queries, write, waitFor }: SweepLedger, itemId: string, now: () => number): Promise<void> {
  const view = queries.item(itemId);
  if (!isDue(view)) return;
  const { verdict, decision, resume } = view.life;
  const action = verdict?.actions[0];
  if (action === undefined || decision === null || resume === null) return;
  const workspace = view.item.workspace ?? "default";
  const { actionId, argsSha256 } = action;
  const receipt = {
    workspace,
    answers: { topic: "resumes", eventId: resume.id },
    actor: { kind: "executor", id: "policy-authority" },
    actionId,
    argsSha256,
  } as const;
  const started = await write("receipts", itemId, { ...receipt, kind: "started", lease: { id: randomUUID(), endsAt: now() + LEASE_MS } });
  await waitFor([started.position]);
  if (queries.event(itemId, "receipts", started.eventId)?.status !== "effective") return;
  const read = readArgs(action.args, workspace);
  if ("fault" in read) {
    const failed = await write("receipts", itemId, { ...receipt, kind: "failed", error: { code: "policy_invalid", message: read.fault } });
    return waitFor([failed.position]);
  }
  const published = await write("policies", policyItemId(workspace, read.policyId), {
    workspace,
    actor: { kind: "authority", id: "policy-authority" },
    kind: "policy",
    ...read,
    approvedBy: { itemId, eventId: decision.id },
  });
  const done = await write("receipts", itemId, { ...receipt, kind: "succeeded", externalRef: { system: "countersign", id: published.eventId } });
  await waitFor([published.position, done.position]);
}

/** What to publish, or why it cannot be: the arguments name a document that is not what they say. */
function readArgs(args: string, workspace: string): { policyId: string; version: string; document: string; sha256: string } | { fault: string } {
  const { policy, version, sha256: hash, document } = JSON.parse(args) as { [key: string]: unknown };
  if (typeof document !== "string" || hash !== sha256(document)) return { fault: "The document is not the one that its hash names" };
  const { document: read, problems } = checkPolicy(document);
  if (read === undefined) return { fault: `The document cannot be used: ${problems[0]?.message ?? "it is no policy"}`.slice(0, 500) };
  if (read.id !== policy || read.workspace !== workspace || read.version !== version)
    return { fault: "The document is of another policy, workspace or version than the arguments say" };
  return { policyId: read.id, version: read.version, document, sha256: read.sha256 };
}
