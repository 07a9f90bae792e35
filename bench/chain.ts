import { readFileSync } from "node:fs";
import { canonicalArgs } from "../src/events/canonical.ts";
import { itemIdOf, policyItemId } from "../src/events/ids.ts";
import { publishable } from "../src/policy/document/publish.ts";
import type { Ledger } from "../src/runtime.ts";
import type { Body } from "../src/workers/write.ts";

const REFERENCE = JSON.parse(readFileSync(new URL("reference-chain.json", import.meta.url), "utf8"));
const { tool, args, confidence, confidenceSource, ...PROPOSAL } = REFERENCE.proposal;
const WORKSPACE = "support";

/** Publishes the policy of the reference chain. */
export async function publishReferencePolicy(ledger: Ledger): Promise<void> {
  const file = new URL("policy.yaml", import.meta.url).pathname;
  const p = publishable(readFileSync(file, "utf8"), file, (path) => readFileSync(path, "utf8"));
  const { position } = await ledger.write("policies", policyItemId(p.workspace, p.policyId), {
    workspace: p.workspace,
    actor: { kind: "authority", id: "bench" },
    kind: "policy",
    policyId: p.policyId,
    version: p.version,
    document: p.document,
    sha256: p.sha256,
  });
  await ledger.waitFor([position]);
}

/** Runs the reference chain through a ledger as its agents, reviewers and executors would, in-process. */
export function chainRunner(ledger: Ledger): { run(n: number): Promise<void>; decideToResumeMs: number[] } {
  const resumeOf = new Map<string, { decided: number; next: (grantId: string, sha: string) => void }>();
  const verdictOf = new Map<string, (verdictId: string, card: string | null) => void>();
  const effective = new Map<string, () => void>();
  const decideToResumeMs: number[] = [];
  ledger.projector.onFolded((batch) => {
    for (const { topic, itemId, event } of batch.effective) {
      if (topic === "verdicts") verdictOf.get(itemId)?.(event.eventId, (event as { cardSha256: string | null }).cardSha256);
      else if (topic === "resumes") {
        const waiting = resumeOf.get(itemId);
        if (waiting === undefined) continue;
        decideToResumeMs.push(performance.now() - waiting.decided);
        waiting.next(event.eventId, (event as { actions: { argsSha256: string }[] }).actions[0]?.argsSha256 ?? "");
      } else effective.get(`${itemId}/${event.eventId}`)?.();
    }
  });

  /** Writes an event and waits until it was read back as effective. */
  async function writeEffective(topic: "decisions" | "receipts", itemId: string, body: Body<"decisions"> | Body<"receipts">): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const eventId = crypto.randomUUID();
    const key = `${itemId}/${eventId}`;
    effective.set(key, resolve);
    await ledger.write(topic, itemId, { ...body, eventId } as Body<typeof topic>);
    await promise;
    effective.delete(key);
  }

  async function run(n: number): Promise<void> {
    const idempotencyKey = `bench-${process.pid}-${n}`;
    const itemId = itemIdOf(WORKSPACE, PROPOSAL.agent.id, idempotencyKey);
    const judged = new Promise<[string, string | null]>((resolve) => verdictOf.set(itemId, (...v) => resolve(v)));
    const action = { actionId: "a1", tool, ...canonicalArgs({ ...args, order_id: `ORD-2026-${100000 + n}` }), confidence, confidenceSource };
    await ledger.write("proposals", itemId, {
      ...PROPOSAL,
      workspace: WORKSPACE,
      idempotencyKey,
      actor: { kind: "agent", id: PROPOSAL.agent.id },
      actions: [action],
      traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    });
    const [verdictId, cardSha256] = await judged;
    verdictOf.delete(itemId);
    const { person, review, message, reasonCodes } = REFERENCE.approve;
    const resumed = new Promise<[string, string]>((resolve) => resumeOf.set(itemId, { decided: performance.now(), next: (...g) => resolve(g) }));
    await ledger.write("decisions", itemId, {
      workspace: WORKSPACE,
      answers: { topic: "verdicts", eventId: verdictId },
      actor: { kind: "person", ...person },
      kind: "approve",
      scope: "action",
      seen: { cardSha256 },
      message,
      reasonCodes,
      review: { ...review, openedAt: Date.now() },
    });
    const [grantId, argsSha256] = await resumed;
    resumeOf.delete(itemId);
    const receipt = {
      workspace: WORKSPACE,
      answers: { topic: "resumes", eventId: grantId },
      actor: { kind: "executor", id: "payments" },
      actionId: "a1",
      argsSha256,
    } as const;
    await writeEffective("receipts", itemId, {
      ...receipt,
      kind: "started",
      lease: { id: crypto.randomUUID(), endsAt: Date.now() + 120_000 },
      startedAt: Date.now(),
    });
    await writeEffective("receipts", itemId, {
      ...receipt,
      kind: "succeeded",
      result: JSON.stringify(REFERENCE.succeeded.result),
      externalRef: REFERENCE.succeeded.externalRef,
      finishedAt: Date.now(),
    });
  }

  return { run, decideToResumeMs };
}

/** Runs `total` chains with `inFlight` at a time; returns the seconds. */
export async function runChains(run: (n: number) => Promise<void>, first: number, total: number, inFlight: number): Promise<number> {
  let next = first;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < first + total) await run(next++);
    }),
  );
  return (performance.now() - started) / 1000;
}
