import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type Deliveries, openDeliveries } from "../../src/local/deliveries.ts";
import { type LocalDb, openLocalDb } from "../../src/local/local-db.ts";
import { openChannels } from "../../src/notify/channels/open.ts";
import { parseNotify } from "../../src/notify/config.ts";
import { messageId } from "../../src/notify/notice.ts";
import { noticesFrom } from "../../src/workers/notices.ts";
import { runNotifier } from "../../src/workers/notifier.ts";
import type { RunningWorker } from "../../src/workers/worker.ts";
import { openWorld, type World } from "../gateway/world.ts";
import { type Endpoint, endpoint, type Got } from "../notify/endpoints.ts";

export const POLICY = `
policy: support
workspace: default
owner: role:support-lead
mode: enforce
actions:
  issue_refund:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string } }, required: [amount] }
    reversibility: irreversible
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [/amount]
    fields: { /to: { label: To, class: personal } }
    card: { headline: "Refund {/amount} to {/to}" }
    timeout: PT10M
    ladder: [{ to: role:oncall, timeout: PT5M, page: true }]
    on_expiry: hold
  close_account:
    arguments: { type: object }
    reversibility: irreversible
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    timeout: PT20H
    ladder: [{ to: role:oncall, timeout: PT20H, page: true }]
  add_note:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: low
  set_plan:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: medium
    timeout: PT2H
    ladder: [{ to: role:oncall, timeout: PT1H }]
  tag_order:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: audit, window: PT10M }
    ladder: [{ to: role:support-lead, timeout: PT5M }]
batch: { max: 3, window: PT30M }
floors:
  - id: no-huge-refund
    when: { action: issue_refund, args: { /amount: { above: 4000000 } } }
    forbid: true
    because: "Refunds above 4,000,000 are never paid by an agent"
`;

export const folders: string[] = [];
export const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A clock that tests turn. */
export function clock(): { now: () => number; turn: (ms: number) => void } {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    turn: (ms) => {
      ahead += ms;
    },
  };
}

export async function hook(...manners: Parameters<typeof endpoint>): Promise<Endpoint> {
  const made = await endpoint(...manners);
  closing.push(() => made.close());
  return made;
}

export async function world(options: Parameters<typeof openWorld>[0] = {}): Promise<World> {
  const made = await openWorld({ policy: POLICY, ...options });
  closing.push(() => made.close());
  return made;
}

/** The notices' own local.db. */
export function kept(): LocalDb {
  const folder = mkdtempSync(join(tmpdir(), "countersign-notifier-"));
  folders.push(folder);
  const local = openLocalDb(folder);
  closing.push(async () => local.close());
  return local;
}

export const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;

/** The lines of a route, for a hook. */
export const routed = (url: string, more = "") => `
link: https://console.example.com
channels:
  hook: { type: webhook, url: "${url}", secret_env: HOOK, timeout: 1 }
  pager: { type: pagerduty, url: "${url}/pd", routing_key_env: HOOK }
routes:
  - { notify: [hook], page: [pager] ${more} }
`;

export interface Started {
  readonly running: RunningWorker;
  readonly deliveries: Deliveries;
  readonly troubles: string[];
}

export function start({ ledger }: World, local: LocalDb, yaml: string): Started {
  const config = parseNotify(yaml, { file: "notify.yaml", env: { HOOK: SECRET } });
  const deliveries = openDeliveries(local, messageId);
  const troubles: string[] = [];
  const { queries, batches, projector, now } = ledger;
  const running = runNotifier({
    ...{ config, channels: openChannels(config), deliveries, now, retryMs: 20 },
    ...{ notices: noticesFrom(queries, batches, now), onFolded: projector.onFolded, onTrouble: (text) => troubles.push(text) },
  });
  closing.push(() => running.stop());
  return { running, deliveries, troubles };
}

type Told = { data: { notices: { items: string[]; kind: string }[] } };
export const noticesOf = (got: readonly Got[]) => got.filter(({ path }) => path === "/").flatMap(({ body }) => (JSON.parse(body) as Told).data.notices);
export const idle = () => new Promise((resolve) => setTimeout(resolve, 300));
export const refund = (to = "jo@example.com") => ({ tool: "issue_refund", args: { amount: 40, to } });

export async function item(on: World, itemId: string): Promise<Awaited<ReturnType<World["judged"]>>> {
  return (await on.call<Awaited<ReturnType<World["judged"]>>>("lead", "GET", `/v1/items/${itemId}`)).body;
}
