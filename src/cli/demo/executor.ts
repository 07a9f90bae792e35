import { setTimeout as sleep } from "node:timers/promises";
import { CountersignError, messageOf } from "../../errors.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { OutcomeAnswer, ReceiptAnswer } from "../../producers/wire/answers.ts";
import { type Api, apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { shortId } from "../text.ts";
import type { Running } from "../up/running.ts";
import { randomOf } from "./random.ts";
import { DEMO_WORKSPACE, type Pace } from "./setting.ts";

const SYSTEMS: Readonly<Record<string, string>> = {
  issue_refund: "payments",
  send_email: "outbox",
  deploy_to_production: "deploys",
  deploy_to_staging: "deploys",
  run_migration: "migrations",
};

/** Executes what is granted, over HTTP: most of it succeeds, some fails, and now and then the executor dies in between. Gives the way to stop. */
export function runExecutor(cli: Cli, { ledger, url }: Running, key: string, { executeMs }: Pace): () => Promise<void> {
  const stop = new AbortController();
  const api = apiOf({ env: { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: key }, signal: stop.signal });
  const active = new Map<string, Promise<void>>();

  function take(itemId: string): void {
    if (active.has(itemId) || stop.signal.aborted) return;
    const oneDies = (ledger.queries.counts().stages.in_doubt ?? 0) === 0;
    const done = execute(api, itemId, { executeMs, mayDie: oneDies, signal: stop.signal })
      .catch((error: unknown) => {
        // Whoever else started it first, or took it back, is in the right.
        if (!stop.signal.aborted && !(error instanceof CountersignError))
          cli.note(`The demo executor had trouble with ${shortId(itemId)}: ${messageOf(error)}`);
      })
      .finally(() => active.delete(itemId));
    active.set(itemId, done);
  }

  const unsubscribe = ledger.projector.onFolded((batch) => {
    for (const { topic, itemId, event } of batch.effective)
      if (topic === "resumes" && event.workspace === DEMO_WORKSPACE && "outcome" in event && isGrant(event.outcome)) take(itemId);
  });
  // What was granted before this start.
  for (const item of ledger.queries.list({ stage: "granted", limit: 200 })) if (item.summary.workspace === DEMO_WORKSPACE) take(item.itemId);
  return async () => {
    stop.abort();
    unsubscribe();
    await Promise.all(active.values());
  };
}

interface How {
  readonly executeMs: number;
  readonly mayDie: boolean;
  readonly signal: AbortSignal;
}

async function execute(api: Api, itemId: string, { executeMs, mayDie, signal }: How): Promise<void> {
  const random = randomOf(Number.parseInt(itemId.slice(0, 8), 16));
  await sleep(executeMs * (0.3 + random()), undefined, { signal });
  const { grant } = await api.call<OutcomeAnswer>("GET", `/v1/items/${itemId}/outcome`);
  if (grant === null) return;
  for (const { actionId, tool, argsSha256, effectKey } of grant.actions.slice(grant.done)) {
    const receipt = (body: object) => api.call<ReceiptAnswer>("POST", `/v1/items/${itemId}/receipts`, { grant: grant.id, actionId, ...body });
    const started = await receipt({ kind: "started", argsSha256 });
    if (started.status !== "effective") return;
    const fate = random();
    if (fate < 0.02 && mayDie) return;
    await sleep(executeMs * (0.3 + random()), undefined, { signal });
    if (fate > 0.95) {
      await receipt({ kind: "failed", argsSha256, error: { code: "unavailable", message: "The other system did not answer; nothing was changed" } });
      return;
    }
    const externalRef = SYSTEMS[tool] === undefined ? {} : { externalRef: { system: SYSTEMS[tool], id: `${tool.slice(0, 3)}-${effectKey.slice(0, 8)}` } };
    await receipt({ kind: "succeeded", argsSha256, result: { ok: true }, ...externalRef });
  }
}
