import { randomUUID } from "node:crypto";
import type { Json } from "../events/canonical.ts";
import { policyItemId } from "../events/ids.ts";
import { nodeOf, type VerdictNode } from "../ledger/item.ts";
import { checkPolicy } from "../policy/document/document.ts";
import { publicationFault } from "../policy/publication.ts";
import { PUBLISH_TOOL } from "../policy/publish-tool.ts";
import { plain } from "../policy/render.ts";
import type { EventStore } from "../projector/event-store.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { SweepLedger } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

const LEASE_MS = 120_000;

type AuthorityLedger = SweepLedger & { readonly events: EventStore };

/**
 * The policy authority: publishes the documents whose publication somebody has approved. It is the executor of its own tool: it starts the
 * grant, and acts only when its start has taken effect. What a person has not approved it never publishes, whatever was granted; nor what is not shown
 * to follow from the version in force, or what its author approved.
 */
export function authority(ledger: AuthorityLedger, now: () => number): Sweep {
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

async function publishGranted(ledger: AuthorityLedger, itemId: string, now: () => number): Promise<void> {
  const { queries, write, waitFor } = ledger;
  const view = queries.item(itemId);
  if (!isDue(view)) return;
  const { verdict, decision, resume } = view.life;
  const action = verdict?.actions[0];
  if (verdict === null || action === undefined || decision === null || resume === null) return;
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
  const read = await readArgs(ledger, view, verdict, action.args);
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

type Publication = { readonly policyId: string; readonly version: string; readonly document: string; readonly sha256: string };

/** What to publish, or why it cannot be. */
async function readArgs(
  { queries, events }: AuthorityLedger,
  { itemId, item }: StoredItemView,
  verdict: VerdictNode,
  text: string,
): Promise<Publication | { readonly fault: string }> {
  const workspace = item.workspace ?? "default";
  const args = JSON.parse(text) as { [key: string]: Json };
  const { document = null, policy } = args;
  const before = queries.policies().find((candidate) => candidate.workspace === workspace && candidate.policyId === policy);
  const inForce = before && checkPolicy(before.document).document;
  const { agentOwner = null, onBehalfOf = null } = nodeOf(item, "proposals", item.proposal) ?? {};
  const { id: policyId = "", version = "" } = inForce ?? {};
  const wrong = publicationFault(inForce && { ref: { id: policyId, version }, workspace, written: inForce.written }, args, agentOwner);
  if (wrong !== undefined) return { fault: plain(wrong, 500) };
  const author = [...verdict.earlierApprovers, ...verdict.group.votes].find((person) => person === agentOwner || person === onBehalfOf);
  if (author !== undefined) return { fault: `${author} is the author of the document and has approved it: somebody else has to` };
  const reached = await events.get(itemId, "verdicts", verdict.id);
  if (reached?.policy?.sha256 !== before?.sha256 || reached?.error?.code === "policy_error")
    return { fault: `Version ${version}, which is in force, has not judged this publication: propose it again` };
  const { document: read, problems } = checkPolicy(String(document));
  if (read === undefined) return { fault: `The document cannot be used: ${problems[0]?.message ?? "it is no policy"}`.slice(0, 500) };
  return { policyId: read.id, version: read.version, document: String(document), sha256: read.sha256 };
}
