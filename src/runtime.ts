import { join } from "node:path";
import { AppendOutcomeUnknown } from "./errors.ts";
import { cloudEventHeaders } from "./events/cloudevents.ts";
import type { Codec } from "./events/codec.ts";
import { complete, type Draft } from "./events/draft.ts";
import { newEventId } from "./events/ids.ts";
import type { Topic } from "./events/topics.ts";
import type { EventOf } from "./events/types.generated.ts";
import type { ResumeNode } from "./ledger/item.ts";
import type { EventLog, NewRecord, Position } from "./log/log.ts";
import { type OpenedLog, openLog } from "./log/open.ts";
import { partitionOf } from "./log/partitioner.ts";
import type { SchemaRegistry } from "./log/registry.ts";
import { loadCodec } from "./log/schemas.ts";
import { makeFolder } from "./make-folder.ts";
import type { Classified } from "./policy/catalogue.ts";
import type { Criterion } from "./policy/compiled.ts";
import { type Batches, openBatches } from "./projector/batch-queries.ts";
import { openBranches } from "./projector/branches.ts";
import { type EventStore, eventStore } from "./projector/event-store.ts";
import { type Halts, openHalts } from "./projector/halts.ts";
import { openProjector, type Projector, type ProjectorOptions } from "./projector/projector.ts";
import { openQueries, type Queries } from "./projector/queries.ts";
import type { StoredItemView } from "./projector/reading.ts";
import { openRetries } from "./projector/retries.ts";
import { openStandings, type Standings } from "./projector/standings.ts";
import { authority } from "./workers/authority.ts";
import { runBatcher } from "./workers/batcher.ts";
import { branchBar, branchSweep } from "./workers/branches.ts";
import { dispatcher, type ItemBar } from "./workers/dispatcher.ts";
import { haltBar, haltingJudge, haltSweep } from "./workers/halted.ts";
import { openTries, waitsFor } from "./workers/other-tries.ts";
import { type Overshoot, overshootsOf } from "./workers/overshoots.ts";
import { policyBar } from "./workers/policy-bar.ts";
import { type Judge, policyWorker } from "./workers/policy-worker.ts";
import { publishedPolicies } from "./workers/published-policies.ts";
import { retryBar as barOfRetries, retrySweep } from "./workers/retries.ts";
import { revokedBar, standingBar, standingJudge, standingSweep } from "./workers/standing.ts";
import { type StartBar, startBar } from "./workers/start-bar.ts";
import { stepTime } from "./workers/step-time.ts";
import { runSweep } from "./workers/sweep.ts";
import { timekeeper } from "./workers/timekeeper.ts";
import { liveUsage } from "./workers/usage.ts";
import { withdrawalSweep } from "./workers/withdrawals.ts";
import { type RunningWorker, runWorker } from "./workers/worker.ts";
import type { Body, Write } from "./workers/write.ts";

/** How to open a ledger. */
export interface LedgerOptions {
  /** Log URL: `sqlite:DIR`, `kafka://…`, `memory:`. */
  readonly log: string;
  /** Folder of views.db and local.db. `:memory:` keeps the views in memory. Default ./data. */
  readonly data?: string;
  /** Milliseconds since the epoch. Tests turn it; everything else leaves it alone. */
  readonly now?: () => number;
  /** Stands between the policy engine and the worker that writes its verdicts: for trying out what no policy says yet. */
  readonly judge?: (engine: Judge) => Judge;
  /** Hears of trouble in sentences: a log that is away, a worker that must try again. */
  readonly onTrouble?: (sentence: string | null) => void;
}

/** An open ledger: the log, its views, and the way to write. Nothing runs until `start`. */
export interface Ledger {
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  readonly codec: Codec;
  readonly projector: Projector;
  readonly queries: Queries;
  readonly events: EventStore;
  readonly now: () => number;
  /** Appends an event; resolves when it is durable. */
  readonly write: Write;
  /** How long a reviewer's claim on an item with these tools lasts, in milliseconds, as the policies in force say. */
  readonly claimMs: (workspace: string, tools: readonly string[]) => number;
  /** Criteria by which reviewers may score an item with these tools, as the policies in force say. */
  readonly rubric: (workspace: string, tools: readonly string[]) => readonly Criterion[];
  /** The arguments of a tool that the policies in force classify as secret or personal. */
  readonly classified: (workspace: string, tool: string) => readonly Classified[];
  /** Where a tool's amount lies, as the policies in force say. */
  readonly amountPath: (workspace: string, tool: string) => string | undefined;
  /** Whether a policy in force has a tool in its catalogue. */
  readonly describes: (workspace: string, tool: string) => boolean;
  /** Whether a policy in force says by its schema which values an argument of a tool may have. */
  readonly saysType: (workspace: string, tool: string, keys: readonly string[]) => boolean;
  /** Budgets past whose limits an item was granted: a finding. */
  readonly overshootsBy: (itemId: string) => Promise<readonly Overshoot[]>;
  readonly standings: Standings;
  readonly batches: Batches;
  /** What nothing may begin of. */
  readonly halts: Halts;
  /** Why what is in doubt must not be tried again; null where nothing speaks against it. */
  readonly retryBar: ItemBar;
  /** Why a grant must not be started, for good or for now; null where nothing speaks against it. */
  readonly startBar: (view: StoredItemView, grant: ResumeNode) => StartBar | null;
  /** The other try of the same work that an approved item waits for, in words; null where it waits for none. */
  readonly waitsFor: (view: StoredItemView) => string | null;
  /** Resolves once the views have folded these positions. */
  readonly waitFor: Projector["waitFor"];
  /** Follows the log into the views. The workers run where `workers` is not false. Resolves once the views have caught up. */
  start(options?: { workers?: boolean; progress?: (folded: number) => void }): Promise<void>;
  /** Rejects when following the log ends with an error (a gap, a recreated topic); resolves when the ledger is closed. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** Opens log, registry and views. @throws CountersignError as openLog and openProjector */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  return openLedgerOn(await openLog(options.log), options);
}

/** As openLedger, over a log that is open already. The ledger closes it, also when it cannot be opened. */
export async function openLedgerOn({ log, registry }: OpenedLog, options: Omit<LedgerOptions, "log">): Promise<Ledger> {
  const { data = "./data", now = Date.now } = options;
  log.onTrouble = options.onTrouble;
  try {
    const codec = await loadCodec(registry);
    const projector = await openProjector(viewsOptions({ log, registry, codec }, data));
    return ledger(options, { log, registry, codec, projector, now });
  } catch (error) {
    await registry.close();
    await log.close();
    throw error;
  }
}

/** Options of the projector for a log's views in a folder. */
export function viewsOptions({ log, registry, codec }: { log: EventLog; registry: SchemaRegistry; codec: Codec }, data: string): ProjectorOptions {
  if (data !== ":memory:") makeFolder(data);
  return {
    log,
    registry,
    codec,
    path: data === ":memory:" ? data : join(data, "views.db"),
    logId: "id" in log ? String(log.id) : log.url,
    partitionOf: (key) => partitionOf(key, log.partitions),
  };
}

function ledger(
  options: Omit<LedgerOptions, "log">,
  parts: { log: EventLog; registry: SchemaRegistry; codec: Codec; projector: Projector; now: () => number },
): Ledger {
  const { log, registry, codec, projector, now } = parts;
  const queries = openQueries(projector.views.db);
  const events = eventStore(log, codec, queries, (key) => partitionOf(key, log.partitions));
  projector.onFolded((batch) => events.remember(batch));
  const write = writer(log, codec, now);
  const policies = publishedPolicies(queries, projector.onFolded);
  const branches = openBranches(projector.views.db, projector.onFolded);
  const standings = openStandings(projector.views.db, projector.onFolded);
  const usage = liveUsage(queries, projector.onFolded, policies.meters, now);
  const batches = openBatches(projector.views.db, queries);
  const halts = openHalts(projector.views.db, projector.onFolded);
  const tries = openTries(queries, openRetries(projector.views.db, projector.onFolded));
  const lasting = [branchBar(branches), standingBar(queries, standings)];
  const retryBar = barOfRetries(lasting);
  const stop = new AbortController();
  const workers: RunningWorker[] = [];
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  let following: Promise<void> = Promise.resolve();

  async function proposalsFolded(itemId: string): Promise<void> {
    const partition = partitionOf(itemId, log.partitions);
    const head = (await log.heads()).find((h) => h.topic === "proposals" && h.partition === partition);
    if (head !== undefined && head.next > 0) await projector.waitFor([{ topic: "proposals", partition, offset: head.next - 1 }]);
  }

  function startWorkers(): void {
    const context = (worker: "policy" | "dispatcher" | "clock") => ({
      worker,
      todos: (at: number, limit: number) => queries.todos(worker, at, limit),
      nextDue: () => queries.nextDue(worker),
      onFolded: projector.onFolded,
      now,
      onError: (name: string, _todo: unknown, error: unknown) => options.onTrouble?.(`${name}: ${(error as Error).message}`),
    });
    const sweep = {
      onFolded: projector.onFolded,
      onError: (name: string, itemId: string, error: unknown) => options.onTrouble?.(`${name}, item ${itemId}: ${(error as Error).message}`),
    };
    const acrossItems = { queries, write, waitFor: projector.waitFor };
    const engine = options.judge?.(policies.judge) ?? policies.judge;
    // A standing approval does not stand in for what a halt asks, and takes nothing from the verdict that it leaves to a person.
    const judge = standingJudge(haltingJudge(engine, halts), { queries, standings, onFolded: projector.onFolded, isBound: policies.isBound });
    workers.push(runWorker("policy worker", context("policy"), policyWorker(queries, events, write, { judge, usage, tries }, now)));
    const passing = [haltBar(halts, now), policyBar(events, policies, usage, now)];
    workers.push(runWorker("dispatcher", context("dispatcher"), dispatcher(queries, events, write, now, tries, passing, lasting, proposalsFolded)));
    workers.push(
      runBatcher({
        batches,
        write,
        waitFor: projector.waitFor,
        onFolded: projector.onFolded,
        now,
        onError: (name, error) => options.onTrouble?.(`${name}: ${(error as Error).message}`),
      }),
    );
    workers.push(runWorker("timekeeper", context("clock"), timekeeper(queries, write, now, stepTime(halts, events, policies))));
    const times = { now, nextEnd: () => halts.nextEnd(now()) };
    const retries = runSweep(retrySweep(acrossItems, policies.retries, [haltBar(halts, now), retryBar], times), sweep);
    workers.push(
      runSweep(haltSweep(acrossItems, halts, now), sweep),
      runSweep(branchSweep(acrossItems, branches), sweep),
      runSweep(withdrawalSweep(acrossItems), sweep),
      runSweep(standingSweep(acrossItems, standings), sweep),
      retries,
      runSweep(authority({ ...acrossItems, events }, now), sweep),
    );
  }

  return {
    log,
    registry,
    codec,
    projector,
    queries,
    events,
    now,
    write,
    claimMs: policies.claimMs,
    rubric: policies.rubric,
    classified: policies.classified,
    amountPath: policies.amountPath,
    describes: policies.describes,
    saysType: policies.saysType,
    overshootsBy: (itemId) => overshootsOf({ queries, events, policies, usage }, now(), itemId),
    halts,
    retryBar,
    startBar: startBar([branchBar(branches), revokedBar(standings)], tries),
    waitsFor: (view) => waitsFor(view, tries),
    standings,
    batches,
    waitFor: projector.waitFor,
    ended: ended.promise,
    async start({ workers: withWorkers = true, progress } = {}) {
      await projector.catchUp(stop.signal, progress);
      following = projector.follow(stop.signal).then(
        () => ended.resolve(),
        (error: unknown) => ended.reject(error),
      );
      if (withWorkers) startWorkers();
    },
    async close() {
      await Promise.all(workers.map((w) => w.stop()));
      stop.abort();
      await following;
      ended.resolve();
      projector.close();
      await registry.close();
      await log.close();
    },
  };
}

const ATTEMPTS = 3;

/** A writer over a log. An append whose answer was lost is repeated with the same eventId: the fold knows it again. */
export function writer(log: EventLog, codec: Codec, now: () => number): Write {
  return async <T extends Topic>(topic: T, itemId: string, body: Body<T>) => {
    const eventId = body.eventId ?? newEventId();
    const event = complete(topic, { ...body, eventId, itemId, occurredAt: body.occurredAt ?? now() } as unknown as Draft<EventOf[T]>);
    const record: NewRecord = { topic, key: itemId, value: codec.encode(topic, event), headers: () => cloudEventHeaders(topic, event) };
    let unknown: AppendOutcomeUnknown | undefined;
    for (let attempt = 1, pause = 50; ; attempt++, pause = Math.min(pause * 2, 2000)) {
      try {
        const [position] = await log.append([record]);
        return { eventId, position: position as Position };
      } catch (error) {
        if (error instanceof AppendOutcomeUnknown) unknown = error;
        // Where nothing was appended, the log has tried for long enough by itself: whoever waits should hear of it. An attempt before may have
        // been appended all the same, and nobody must be told that it was not.
        if (error !== unknown || attempt === ATTEMPTS) throw unknown ?? error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  };
}
