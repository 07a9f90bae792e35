/** Runs recorded agent runs through a ledger from proposal to dataset: npm run example:airline -- --log URL --runs FILE --tools FILE [--json] */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { CountersignError, messageOf } from "../../src/errors.ts";
import { exportDataset } from "../../src/evals/export.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { EXAMPLES_FILE } from "../../src/evals/targets/neutral.ts";
import { canonicalize } from "../../src/events/canonical.ts";
import { policyItemId } from "../../src/events/ids.ts";
import { nodeOf, type VerdictNode } from "../../src/ledger/item.ts";
import { parseLogUrl } from "../../src/log/open.ts";
import { applySchemas } from "../../src/log/schemas.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { importRuns } from "../../src/producers/import-runs.ts";
import { readTools } from "../../src/producers/tools.ts";
import { proposalsOf } from "../../src/producers/transcript-calls.ts";
import { type Run, readTranscripts } from "../../src/producers/transcripts.ts";
import type { Unsealed } from "../../src/projector/batch-queries.ts";
import { viewsDifference } from "../../src/projector/dump.ts";
import { openProjector } from "../../src/projector/projector.ts";
import { type Ledger, openLedger, viewsOptions } from "../../src/runtime.ts";
import { planBatches } from "../../src/workers/batch-plan.ts";
import { replayCall } from "./replay.ts";

const WORKSPACE = "airline";
const AGENT = "airline-agent";
const IN_FLIGHT = 32;

/** Customers and reviewers of this example are invented: their pseudonyms need not be secret, but the same in every run. */
const EXPORT_KEY = "pseudonyms of the airline example";

const USAGE = "usage: npm run example:airline -- --log URL --runs FILE --tools FILE [--out DIR] [--json]";

async function main(): Promise<void> {
  const { log: url, runs: runsFile, tools: toolsFile, json, out } = options();
  const runs = readTranscripts(read(runsFile), { file: runsFile });
  const tools = readTools(read(toolsFile), toolsFile);
  const say = (line: string) => json || console.log(line);
  const work = mkdtempSync(join(tmpdir(), "countersign-airline-"));
  const parsed = parseLogUrl(url);
  if (parsed.kind === "kafka") await prepareKafka(parsed, say);
  const ledger = await openLedger({ log: url, data: work, onTrouble: (sentence) => sentence !== null && console.error(sentence) });
  try {
    await ledger.start();
    await publishPolicy(ledger);
    const plan = runs.flatMap((run) => proposalsOf(run, { workspace: WORKSPACE, agentId: AGENT, tools }).map((p) => ({ ...p, run })));
    const target = {
      isKnown: (itemId: string) => ledger.queries.item(itemId)?.item.proposal != null,
      propose: (itemId: string, body: Parameters<typeof ledger.write<"proposals">>[2]) => ledger.write("proposals", itemId, body),
    };
    const first = await importRuns(runs, { workspace: WORKSPACE, agentId: AGENT, tools }, target);
    say(
      `Imported ${first.proposed} calls of ${runs.length} runs${first.known > 0 ? ` (${first.known} were there)` : ""}${first.bad.length > 0 ? `; ${first.bad.length === 1 ? "1 call is" : `${first.bad.length} calls are`} unusable` : ""}.`,
    );
    await ledger.waitFor(first.positions, { timeoutMs: 120_000 });
    await inParallel(plan, ({ call, draft, run }) => replayCall(ledger, draft.itemId, WORKSPACE, call, run.goldActions ?? []));
    const rebuilt = await rebuildAndCompare(ledger, work);
    const dataset = out ?? join(work, "dataset");
    const manifest = await exportDataset(dataset, "jsonl", { log: ledger.log, codec: ledger.codec, workspace: WORKSPACE, key: EXPORT_KEY, transcripts: false });
    const rows = readFileSync(join(dataset, EXAMPLES_FILE), "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as ReviewedExample);
    const second = await importRuns(runs, { workspace: WORKSPACE, agentId: AGENT, tools }, target);
    const { approve, edit, reject } = manifest.byDecision;
    const { consequential, executed, events, notices } = countItems(
      ledger,
      plan.map((p) => p.draft.itemId),
    );
    const report = {
      runs: runs.length,
      calls: plan.length,
      consequential,
      approved: approve,
      edited: edit,
      rejected: reject,
      executed,
      events,
      notices: notices.inBatches,
      noticesWithoutBatches: notices.oneByOne,
      viewsEqualAfterRebuild: rebuilt === null,
      datasetRows: approve + edit + reject,
      editsEqualGold: editsEqualGold(rows, runs),
      secondImportNew: second.proposed,
    };
    if (json) console.log(JSON.stringify(report));
    else print(report, rebuilt, out);
    if (!report.viewsEqualAfterRebuild || !report.editsEqualGold || report.secondImportNew > 0) process.exitCode = 1;
  } finally {
    await ledger.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function options(): { log: string; runs: string; tools: string; json: boolean; out: string | undefined } {
  const { values } = parseArgs({
    options: {
      log: { type: "string" },
      runs: { type: "string" },
      tools: { type: "string" },
      out: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { log, runs, tools, json, out } = values;
  if (log === undefined || runs === undefined || tools === undefined) throw new CountersignError("usage", USAGE);
  return { log, runs, tools, json, out };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new CountersignError("file_unreadable", `${file} cannot be read: ${messageOf(cause)}`, { cause, fix: USAGE });
  }
}

/** Makes topics and schemas where they are missing: this example may be pointed at a fresh broker. */
async function prepareKafka(url: Extract<ReturnType<typeof parseLogUrl>, { kind: "kafka" }>, say: (line: string) => void): Promise<void> {
  const [{ applyTopics }, { openHttpRegistry }] = await Promise.all([import("../../src/log/kafka.ts"), import("../../src/log/http-registry.ts")]);
  await applyTopics(url, { replication: 1, minInsyncReplicas: 1 });
  const registry = openHttpRegistry({ url: url.registry, prefix: url.prefix });
  await applySchemas(registry);
  await registry.close();
  say("Topics and schemas are there (one replica: this is an example).");
}

async function publishPolicy(ledger: Ledger): Promise<void> {
  const file = new URL("policy.yaml", import.meta.url).pathname;
  const policy = publishable(readFileSync(file, "utf8"), file, (path) => readFileSync(path, "utf8"));
  if (ledger.queries.policies().some((p) => p.workspace === policy.workspace && p.policyId === policy.policyId && p.sha256 === policy.sha256)) return;
  const { policyId, version, document, sha256 } = policy;
  const { position } = await ledger.write("policies", policyItemId(policy.workspace, policyId), {
    workspace: policy.workspace,
    actor: { kind: "authority", id: basename(file) },
    kind: "policy",
    policyId,
    version,
    document,
    sha256,
  });
  await ledger.waitFor([position]);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

/** Folds the whole log into a new views file; the first difference to the live one, or null. */
async function rebuildAndCompare(ledger: Ledger, work: string): Promise<string | null> {
  const rebuilt = await openProjector({ ...viewsOptions(ledger, work), path: join(work, "rebuilt.db") });
  try {
    await rebuilt.catchUp();
    return viewsDifference(ledger.projector.views.db, rebuilt.views.db);
  } finally {
    rebuilt.close();
  }
}

/** What the ledger says of these items. */
function countItems(
  ledger: Ledger,
  itemIds: readonly string[],
): { consequential: number; executed: number; events: number; notices: { inBatches: number; oneByOne: number } } {
  const counts = { consequential: 0, executed: 0, events: 0 };
  let alone = 0;
  const batched: Unsealed[] = [];
  for (const itemId of new Set(itemIds)) {
    const view = ledger.queries.item(itemId);
    if (view === undefined) continue;
    const timeline = ledger.queries.timeline(itemId);
    // How many are sealed before the scripted reviewer, who is faster than any batch, has decided them depends on the machine.
    counts.events += timeline.filter((e) => e.topic !== "batches").length;
    const first = timeline.find((e) => e.topic === "verdicts" && e.status === "effective");
    const verdict = nodeOf(view.item, "verdicts", first?.eventId ?? null);
    const waiting = verdict === undefined ? null : batchable(itemId, verdict);
    if (waiting !== null) batched.push(waiting);
    else if (first?.what === "interrupt" || first?.what === "batch") alone++;
    if (timeline.some((e) => e.topic === "verdicts" && e.status === "effective" && e.what !== "allow")) counts.consequential++;
    if (timeline.some((e) => e.topic === "receipts" && e.status === "effective" && ["succeeded", "failed", "compensated"].includes(e.what))) counts.executed++;
  }
  // As if all of them had waited at the same time: the batches that would have been sealed.
  const inBatches = planBatches(batched, Number.MAX_SAFE_INTEGER).seals.length;
  return { ...counts, notices: { inBatches: alone + inBatches, oneByOne: alone + batched.length } };
}

function batchable(itemId: string, { id, terms, judgedAt }: VerdictNode): Unsealed | null {
  if (terms.batch === null) return null;
  const base = {
    itemId,
    verdictId: id,
    workspace: WORKSPACE,
    owner: terms.owner ?? "",
    judgedAt,
    half: null,
    audit: false,
    threadId: null,
    run: "none",
  } as const;
  return { ...base, ...terms.batch };
}

function editsEqualGold(rows: readonly ReviewedExample[], runs: readonly Run[]): boolean {
  const gold = new Map(runs.map((run) => [run.runId, run.goldActions ?? []]));
  return rows
    .filter((row) => row.decision.kind === "edit")
    .every((row) =>
      row.final?.every((action) =>
        gold.get(row.run?.threadId ?? "")?.some((g) => g.name === action.tool && canonicalize(g.arguments) === canonicalize(action.args)),
      ),
    );
}

function print(report: Record<string, unknown>, difference: string | null, out: string | undefined): void {
  for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(24)} ${value}`);
  if (difference !== null) console.log(`The rebuilt views differ:\n${difference}`);
  if (out !== undefined) console.log(`The dataset lies in ${out}.`);
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  if (error instanceof CountersignError && error.fix !== undefined) console.error(error.fix);
  process.exitCode = error instanceof CountersignError && error.code === "usage" ? 2 : 1;
});
