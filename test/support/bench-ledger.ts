import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf, policyItemId } from "../../src/events/ids.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Position } from "../../src/log/log.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import type { StoredItemView } from "../../src/projector/reading.ts";
import { openRetries } from "../../src/projector/retries.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import { dispatcher } from "../../src/workers/dispatcher.ts";
import { openTries } from "../../src/workers/other-tries.ts";
import { policyBar } from "../../src/workers/policy-bar.ts";
import { policyWorker } from "../../src/workers/policy-worker.ts";
import { type PublishedPolicies, publishedPolicies } from "../../src/workers/published-policies.ts";
import { timekeeper } from "../../src/workers/timekeeper.ts";
import { type LiveUsage, liveUsage } from "../../src/workers/usage.ts";
import { type RunningWorker, runWorker } from "../../src/workers/worker.ts";
import type { Body } from "../../src/workers/write.ts";
import { tempDir } from "./views.ts";

export const MINUTE = 60_000;
export const AGENT = "helper";
export const WORKSPACE = "support";

/** refund: a person within 10 minutes, escalated once, then rejected. ladder: two steps, then held. note: flows. */
export const POLICY = `
policy: work
workspace: support
owner: role:lead
mode: enforce
actions:
  refund:
    arguments: { type: object, properties: { order: { type: string }, amount: { type: number } }, required: [order, amount] }
    reversibility: irreversible
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:lead
    decisions: [approve, edit, reject]
    editable: [/amount]
    timeout: PT10M
    ladder: [{ to: role:oncall, timeout: PT5M, page: true }]
    on_expiry: reject
    lease: PT2M
    grant_ttl: PT1H
  ladder:
    arguments: { type: object, properties: { order: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: high
    gate: { kind: hard }
    owner: role:lead
    decisions: [approve, reject]
    timeout: PT10M
    ladder: [{ to: role:second, timeout: PT5M }, { to: role:third, timeout: PT3M }]
    on_expiry: hold
  note:
    arguments: { type: object, properties: { text: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
    grant_ttl: PT30M
  secret:
    arguments: { type: object, properties: { text: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
floors:
  - id: never-secret
    when: { action: secret }
    forbid: true
    because: "Secrets stay where they are"
`;

type Kind = "policy" | "dispatcher" | "clock";
const KINDS: readonly Kind[] = ["policy", "dispatcher", "clock"];

/** The hands of a clock that tests turn. */
export interface Clock {
  now: number;
}

/** A ledger with workers that look at the todos when they are told to, and hands to do what agents, people and executors do. */
export interface Bench {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly policies: PublishedPolicies;
  readonly usage: LiveUsage;
  readonly workers: { [kind in Kind]?: RunningWorker };
  /** What workers could not do. */
  readonly errors: string[];
  /** Stops a worker, as when its process ends. */
  stop(kind: Kind): Promise<void>;
  /** Starts a worker that is not running. */
  run(kind: Kind): void;
  /** Starts a second one beside it. */
  runAnother(kind: Kind): void;
  /** Resolves when the views have all that is in the log and the running workers owe nothing that is due. */
  quiet(): Promise<void>;
  /** Turns the clock and waits until that has had its effect. */
  at(time: number): Promise<void>;
  view(itemId: string): StoredItemView;
  /** `topic what status` of each event, in the order of append. */
  story(itemId: string): string[];
  publish(text?: string): Promise<Position>;
  propose(key: string, tool: string, args: object, more?: Partial<Body<"proposals">>): Promise<string>;
  /** A person (or another actor) decides on the verdict in force. */
  decide(itemId: string, kind: EventOf["decisions"]["kind"], more?: Partial<Body<"decisions">>): Promise<string>;
  /** An executor reports on the grant in force. */
  receipt(itemId: string, kind: EventOf["receipts"]["kind"], more?: Partial<Body<"receipts">>): Promise<string>;
}

export const LEAD = { kind: "person", id: "ann", roles: ["lead", "oncall", "second", "third"] } as const;

/** Opens a ledger on a new embedded log (on `dir`'s, or on any log), with views of its own; closed after the test. */
export async function openBench(options: { log?: string; dir?: string; data?: string; clock?: Clock; workers?: readonly Kind[] } = {}): Promise<Bench> {
  const { dir = tempDir(), clock = { now: Date.UTC(2026, 0, 5, 9) }, workers: wanted = KINDS } = options;
  const ledger = await openLedger({ log: options.log ?? `sqlite:${dir}`, data: options.data ?? join(dir, "data"), now: () => clock.now });
  const { queries, events, write, projector } = ledger;
  const policies = publishedPolicies(queries, projector.onFolded);
  const usage = liveUsage(queries, projector.onFolded, policies.meters, () => clock.now);
  const workers: { [kind in Kind]?: RunningWorker } = {};
  const errors: string[] = [];
  const tries = openTries(queries, openRetries(projector.views.db, projector.onFolded));
  const duties = {
    policy: policyWorker(queries, events, write, { judge: policies.judge, usage, tries }, () => clock.now),
    dispatcher: dispatcher(queries, events, write, () => clock.now, tries, [policyBar(events, policies, usage, () => clock.now)]),
    clock: timekeeper(queries, write, () => clock.now),
  };
  const others: RunningWorker[] = [];
  const start = (kind: Kind) =>
    runWorker(
      kind,
      {
        worker: kind,
        todos: (now, limit) => queries.todos(kind, now, limit),
        nextDue: () => queries.nextDue(kind),
        onFolded: projector.onFolded,
        now: () => clock.now,
        onError: (_name, _todo, error) => errors.push((error as Error).message),
      },
      duties[kind],
    );
  onTestFinished(async () => {
    await Promise.all([...KINDS.map((k) => bench.stop(k)), ...others.map((w) => w.stop())]);
    await ledger.close();
  });

  const bench: Bench = {
    ledger,
    clock,
    policies,
    usage,
    workers,
    errors,
    async stop(kind) {
      await workers[kind]?.stop();
      delete workers[kind];
    },
    run(kind) {
      workers[kind] ??= start(kind);
    },
    runAnother(kind) {
      others.push(start(kind));
    },
    async quiet() {
      const deadline = Date.now() + 20_000;
      for (;;) {
        for (const head of await ledger.log.heads()) if (head.next > 0) await ledger.waitFor([{ ...head, offset: head.next - 1 }]);
        const owed = KINDS.filter((k) => workers[k] !== undefined).flatMap((k) => queries.todos(k, clock.now));
        if (owed.length === 0) return;
        if (Date.now() > deadline) throw new Error(`still owed: ${JSON.stringify(owed)}; ${errors.join("; ")}`);
        for (const worker of [...Object.values(workers), ...others]) worker.wake();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async at(time) {
      clock.now = time;
      await bench.quiet();
    },
    view(itemId) {
      const view = queries.item(itemId);
      if (view === undefined) throw new Error(`no item ${itemId}`);
      return view;
    },
    story: (itemId) => queries.timeline(itemId).map((e) => `${e.topic} ${e.what} ${e.status}`),
    async publish(text = POLICY) {
      const p = publishable(text, "policy.yaml", () => "");
      const { position } = await write("policies", policyItemId(p.workspace, p.policyId), {
        workspace: p.workspace,
        actor: { kind: "authority", id: "ci" },
        kind: "policy",
        policyId: p.policyId,
        version: p.version,
        document: p.document,
        sha256: p.sha256,
      });
      await ledger.waitFor([position]);
      return position;
    },
    async propose(idempotencyKey, tool, args, more = {}) {
      const itemId = itemIdOf(WORKSPACE, AGENT, idempotencyKey);
      const { position } = await write("proposals", itemId, {
        workspace: WORKSPACE,
        actor: { kind: "agent", id: AGENT },
        ask: "review",
        idempotencyKey,
        agent: { id: AGENT },
        actions: [{ actionId: "a1", tool, ...canonicalArgs(args as never) }],
        ...more,
      });
      await ledger.waitFor([position]);
      await bench.quiet();
      return itemId;
    },
    async decide(itemId, kind, more = {}) {
      const { life } = bench.view(itemId);
      const verdict = life.verdict as NonNullable<typeof life.verdict>;
      const { position, eventId } = await write("decisions", itemId, {
        workspace: WORKSPACE,
        answers: { topic: "verdicts", eventId: verdict.id },
        actor: LEAD,
        kind,
        scope: "action",
        seen: { cardSha256: verdict.terms.cardSha256 },
        ...more,
      });
      await ledger.waitFor([position]);
      await bench.quiet();
      return eventId;
    },
    async receipt(itemId, kind, more = {}) {
      const grant = bench.view(itemId).life.resume as NonNullable<StoredItemView["life"]["resume"]>;
      const action = grant.actions[0];
      const lease = kind === "started" || kind === "renewed" ? { lease: { id: randomUUID(), endsAt: clock.now + 2 * MINUTE } } : {};
      const { position, eventId } = await write("receipts", itemId, {
        workspace: WORKSPACE,
        answers: { topic: "resumes", eventId: grant.id },
        actor: { kind: "executor", id: "exec" },
        kind,
        actionId: action?.actionId ?? null,
        argsSha256: action?.argsSha256 ?? null,
        ...lease,
        ...more,
      });
      await ledger.waitFor([position]);
      await bench.quiet();
      return eventId;
    },
  };
  await ledger.start({ workers: false });
  for (const kind of wanted) bench.run(kind);
  return bench;
}
