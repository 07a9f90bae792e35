import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { policyItemId } from "../../src/events/ids.ts";
import { type Gateway, startGateway } from "../../src/gateway/server.ts";
import { type Keys, openKeys } from "../../src/local/keys.ts";
import { type LocalDb, openLocalDb } from "../../src/local/local-db.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import type { Judge } from "../../src/workers/policy-worker.ts";

/** Refunds reach the support lead, notes flow, secrets are forbidden, tickets are reviewed afterwards. */
export const POLICY = `
policy: support
workspace: default
owner: role:support-lead
mode: enforce
actions:
  issue_refund:
    arguments: { type: object, properties: { amount: { type: number, maximum: 5000 }, reason: { type: string }, to: { type: string } }, required: [amount] }
    reversibility: irreversible
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [/amount, /reason]
    rubric: [{ id: tone }, { id: right_amount, label: The amount is right }]
    timeout: PT4H
    lease: PT2M
    grant_ttl: PT1H
  send_gift:
    arguments: { type: object, properties: { value: { type: number }, to: { type: string } } }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: none }
    owner: role:support-lead
    amount: { path: /value, unit: USD }
    decisions: [approve, reject]
    lease: PT2M
    retries: 2
  rotate_key:
    arguments: { type: object, properties: { password: { type: string, pattern: "^[a-z]+$" }, host: { type: string } } }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    fields: { /password: { label: Password, class: secret } }
    decisions: [approve, edit, reject]
  close_account:
    arguments: { type: object }
    reversibility: irreversible
    execution: blind
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, reject]
    timeout: PT4H
  add_note:
    arguments: { type: object, properties: { text: { type: string } }, required: [text] }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: none }
    lease: PT2M
  sync_crm:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: high
    gate: { kind: none }
    owner: role:support-lead
    decisions: [approve, reject]
    lease: PT1S
  pay_invoice:
    arguments: { type: object }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: none }
    owner: role:support-lead
    separation: [agent_owner]
    decisions: [approve, reject]
floors:
  - id: no-huge-refund
    when: { action: issue_refund, args: { /amount: { above: 4000 } } }
    forbid: true
    because: "Refunds above 4,000 are never paid by an agent"
rules:
  - id: two-people
    when: { action: issue_refund, args: { /amount: { above: 1000 } } }
    raise: { approvals: 2 }
    because: "A refund above 1,000 needs two people"
`;

/** An answer over HTTP. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

/** A real gateway on a real embedded log. */
export interface World {
  readonly dir: string;
  readonly ledger: Ledger;
  readonly gateway: Gateway;
  readonly keys: Keys;
  /** Keys by the name they were made under. */
  readonly key: { readonly [name: string]: string };
  call<T = Record<string, unknown>>(who: string | null, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  /** Proposes as the agent and waits until policy has judged. */
  judged(request: Record<string, unknown>, who?: string): Promise<ItemView>;
  /** Decides as somebody, on what the item shows now. */
  decide(who: string, item: ItemView, request: Record<string, unknown>): Promise<Answer>;
  /** Approves a fresh refund and gives its grant. */
  granted(request?: Record<string, unknown>): Promise<{ itemId: string; grant: GrantShape }>;
  receipt(who: string, itemId: string, request: Record<string, unknown>): Promise<Answer>;
  close(options?: { keep?: boolean }): Promise<void>;
}

export interface GrantShape {
  readonly id: string;
  readonly actions: readonly { readonly actionId: string; readonly argsSha256: string; readonly effectKey: string; readonly args: Record<string, unknown> }[];
}

/** Options of a world: an earlier folder with its keys, another log than the embedded one, another policy, and a clock. */
export interface WorldOptions {
  readonly dir?: string;
  /** Log URL; with an earlier folder, the one of that time. */
  readonly log?: string;
  /** The policy that a new world publishes. */
  readonly policy?: string;
  readonly key?: { readonly [name: string]: string };
  readonly now?: () => number;
  readonly workers?: boolean;
  readonly judge?: (engine: Judge) => Judge;
}

let serial = 0;

/** Opens everything: log, views, keys, workers, gateway on a free port. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "countersign-gateway-"));
  const ledger = await openLedger({
    log: options.log ?? `sqlite:${dir}`,
    data: dir,
    ...(options.now && { now: options.now }),
    ...(options.judge && { judge: options.judge }),
  });
  if (options.dir === undefined) await publishPolicy(ledger, options.policy ?? POLICY);
  await ledger.start({ workers: options.workers ?? true });
  const local: LocalDb = openLocalDb(dir);
  const keys = openKeys(local);
  const key = options.key ?? makeKeys(keys);
  const gateway = await startGateway(ledger, { port: 0, local: keys, report: () => {} });
  const world: World = {
    dir,
    ledger,
    gateway,
    keys,
    key,
    async call(who, method, path, body, headers = {}) {
      const sent = typeof body === "string" || body instanceof Uint8Array ? body : body === undefined ? undefined : JSON.stringify(body);
      const auth = who === null ? {} : { authorization: `Bearer ${key[who] ?? who}` };
      const response = await fetch(`${gateway.url}${path}`, {
        method,
        headers: { "content-type": "application/json", ...auth, ...headers },
        ...(sent === undefined ? {} : { body: sent }),
      } as RequestInit);
      const text = await response.text();
      return { status: response.status, body: text === "" ? {} : JSON.parse(text), headers: response.headers };
    },
    async judged(request, who = "agent") {
      const { body } = await world.call<{ itemId: string; code?: string; detail?: string }>(who, "POST", "/v1/proposals", {
        idempotencyKey: `k-${serial++}`,
        ...request,
      });
      if (body.itemId === undefined) throw new Error(`not proposed: ${body.code} ${body.detail}`);
      return until(async () => {
        const view = (await world.call<ItemView>(who, "GET", `/v1/items/${body.itemId}`)).body;
        return view.stage === "proposed" || view.stage === "rejudging" ? undefined : view;
      });
    },
    decide(who, item, request) {
      const seen = ["approve", "edit", "reject", "respond", "acknowledge"].includes(request.kind as string)
        ? { verdict: item.verdict?.eventId, seen: { cardSha256: item.cardSha256 } }
        : {};
      return world.call(who, "POST", `/v1/items/${item.itemId}/decisions`, { ...seen, ...request });
    },
    async granted(request = { tool: "issue_refund", args: { amount: 10 } }) {
      const item = await world.judged(request);
      if (item.stage === "pending") {
        const answer = await world.decide("lead", item, { kind: "approve" });
        if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      }
      const { body } = await world.call<{ grant: GrantShape }>("executor", "GET", `/v1/items/${item.itemId}/outcome`, undefined, { prefer: "wait=10" });
      return { itemId: item.itemId, grant: body.grant };
    },
    receipt: (who, itemId, request) => world.call(who, "POST", `/v1/items/${itemId}/receipts`, request),
    async close({ keep = false } = {}) {
      await gateway.close();
      await ledger.close();
      local.close();
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
  };
  return world;
}

function makeKeys(keys: Keys): { [name: string]: string } {
  const make = (scope: "agent" | "executor" | "reviewer", id: string, roles: string[] = [], workspace = "default") =>
    keys.createKey({ scope, id, roles, workspace }).key;
  return {
    agent: make("agent", "support-bot"),
    otherAgent: make("agent", "other-bot"),
    executor: make("executor", "worker-1"),
    executor2: make("executor", "worker-2"),
    auditor: make("reviewer", "ada", ["auditor"]),
    payments: make("reviewer", "paul", ["support-lead", "payments-lead"]),
    lead: make("reviewer", "carol", ["support-lead"]),
    lead2: make("reviewer", "dave", ["support-lead"]),
    intern: make("reviewer", "erin", ["intern"]),
    boss: make("reviewer", "bea", ["support-lead", "takeover"]),
    halter: make("reviewer", "hana", ["halt"]),
    elsewhere: make("reviewer", "mallory", ["support-lead"], "elsewhere"),
  };
}

/** Puts a document into force. */
export async function publishPolicy(ledger: Ledger, policy: string): Promise<void> {
  const { policyId, workspace, version, document, sha256 } = publishable(policy, "support.yaml", () => "");
  await ledger.write("policies", policyItemId(workspace, policyId), {
    workspace,
    actor: { kind: "authority", id: "test" },
    kind: "policy",
    policyId,
    version,
    document,
    sha256,
  });
}

/** Asks until there is an answer. @throws Error after ten seconds, or so many */
export async function until<T>(read: () => Promise<T | undefined>, timeoutMs = 10_000): Promise<T> {
  for (let i = 0; i < timeoutMs / 20; i++) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`it did not happen within ${timeoutMs / 1000} seconds`);
}
