import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf, policyItemId } from "../../src/events/ids.ts";
import { keyOf } from "../../src/ledger/item.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import type { Todo } from "../../src/projector/list-queries.ts";
import { untilItem } from "../../src/projector/until.ts";
import type { Ledger } from "../../src/runtime.ts";
import { revoke } from "../../src/workers/revoke.ts";
import { timekeeper } from "../../src/workers/timekeeper.ts";

/** Who reaches the gateway, however it is reached. Each call gives `done`, or the code that it was refused with. */
export interface Racers {
  decide(who: "ann" | "bob", itemId: string, request: object): Promise<string>;
  start(who: "x1" | "x2", itemId: string, grant: { id: string; argsSha256: string }): Promise<string>;
}

const HOUR = 3_600_000;
const WORKSPACE = "default";
const AGENT = "bot";

/** The policy of the races: payments wait for one person, notes flow. */
const POLICY = JSON.stringify({
  policy: "races",
  workspace: WORKSPACE,
  owner: "role:lead",
  actions: {
    pay: {
      arguments: { type: "object", properties: { amount: { type: "number" } } },
      ...{ reversibility: "partially", execution: "queryable", risk: "high", gate: { kind: "hard" }, decisions: ["approve", "edit", "reject"] },
      ...{ editable: ["/amount"], timeout: "PT1H", on_expiry: "reject" },
    },
    note: { arguments: { type: "object" }, reversibility: "reversible", execution: "idempotent", risk: "low" },
  },
});

export async function publishRacePolicy(ledger: Ledger): Promise<void> {
  const p = publishable(POLICY, "races.yaml", () => "");
  const { position } = await ledger.write("policies", policyItemId(WORKSPACE, p.policyId), {
    ...{ workspace: WORKSPACE, actor: { kind: "authority", id: "deployer" }, kind: "policy" },
    ...{ policyId: p.policyId, version: p.version, document: p.document, sha256: p.sha256 },
  });
  await ledger.waitFor([position]);
}

/** What came of a race: what each side was told. */
interface Finish {
  readonly first: string;
  readonly second: string;
  /** Starts that an executor was told to act on. */
  readonly executions: number;
}

/** A pair that excludes each other: how to bring an item to the line, the two runners, and what the loser may be told. */
export interface Race {
  readonly tool: "pay" | "note";
  readonly run: (
    ledger: Ledger,
    racers: Racers,
    itemId: string,
    order: (a: () => Promise<string>, b: () => Promise<string>) => Promise<[string, string]>,
  ) => Promise<[string, string]>;
  /** Codes by which a loser is told. */
  readonly told: readonly string[];
  /** What excludes each other, as `<topic> <what>`. */
  readonly exclusive: readonly string[];
}

const seenOn = ({ queries }: Ledger, itemId: string) => {
  const verdict = queries.item(itemId)?.life.verdict;
  return { verdict: verdict?.id, seen: { cardSha256: verdict?.terms.cardSha256 } };
};

const grantOf = ({ queries }: Ledger, itemId: string) => {
  const resume = queries.item(itemId)?.life.resume;
  return { id: resume?.id ?? "", argsSha256: resume?.actions[0]?.argsSha256 ?? "" };
};

/** The status of what a worker wrote, as its own word for done. */
async function written(ledger: Ledger, topic: "decisions" | "receipts", itemId: string, what: string, write: () => Promise<unknown>): Promise<string> {
  await write();
  const heads = (await ledger.log.heads()).filter((h) => h.next > 0 && h.topic === topic).map((h) => ({ ...h, offset: h.next - 1 }));
  await ledger.waitFor(heads);
  const event = ledger.queries.timeline(itemId).find((e) => e.what === what);
  return event === undefined ? "not written" : event.status === "effective" ? "done" : event.status;
}

export const RACES: { readonly [pair: string]: Race } = {
  "approve/reject": {
    tool: "pay",
    run: (ledger, racers, itemId, order) =>
      order(
        () => racers.decide("ann", itemId, { kind: "approve", ...seenOn(ledger, itemId) }),
        () => racers.decide("bob", itemId, { kind: "reject", ...seenOn(ledger, itemId) }),
      ),
    told: ["settled"],
    exclusive: ["decisions approve", "decisions reject"],
  },
  "decide/expire": {
    tool: "pay",
    run: (ledger, racers, itemId, order) => {
      const due = ledger.queries.item(itemId)?.life.verdict?.terms.expiresAt ?? 0;
      const cause = keyOf("verdicts", ledger.queries.item(itemId)?.life.verdict?.id ?? "");
      const todo: Todo = { itemId, duty: "expire", cause, due, names: null };
      return order(
        () => racers.decide("ann", itemId, { kind: "approve", ...seenOn(ledger, itemId) }),
        () => written(ledger, "decisions", itemId, "expire", () => timekeeper(ledger.queries, ledger.write, () => due)(todo)),
      );
    },
    told: ["settled", "superseded", "not written"],
    exclusive: ["decisions approve", "decisions expire"],
  },
  "edit/approve": {
    tool: "pay",
    run: (ledger, racers, itemId, order) =>
      order(
        () => racers.decide("ann", itemId, { kind: "edit", edits: [{ actionId: "a1", args: { amount: 7 } }], ...seenOn(ledger, itemId) }),
        () => racers.decide("bob", itemId, { kind: "approve", ...seenOn(ledger, itemId) }),
      ),
    told: ["settled", "stale"],
    exclusive: ["decisions edit", "decisions approve"],
  },
  "claim/claim": {
    tool: "pay",
    run: (_ledger, racers, itemId, order) =>
      order(
        () => racers.decide("ann", itemId, { kind: "claim" }),
        () => racers.decide("bob", itemId, { kind: "claim" }),
      ),
    told: ["claimed"],
    exclusive: ["decisions claim"],
  },
  "start/start": {
    tool: "note",
    run: (ledger, racers, itemId, order) =>
      order(
        () => racers.start("x1", itemId, grantOf(ledger, itemId)),
        () => racers.start("x2", itemId, grantOf(ledger, itemId)),
      ),
    told: ["already_started"],
    exclusive: ["receipts started"],
  },
  "start/revoke": {
    tool: "note",
    run: (ledger, racers, itemId, order) =>
      order(
        () => racers.start("x1", itemId, grantOf(ledger, itemId)),
        () => written(ledger, "receipts", itemId, "revoked", () => revoke(ledger, itemId, grantOf(ledger, itemId).id, { code: "halted", message: "a halt" })),
      ),
    told: ["late", "superseded", "not written"],
    exclusive: ["receipts started", "receipts revoked"],
  },
};

/** Proposes and brings an item to where the race begins: pending, or granted. */
export async function atTheLine(ledger: Ledger, { tool }: Race, key: string): Promise<string> {
  const itemId = itemIdOf(WORKSPACE, AGENT, key);
  await ledger.write("proposals", itemId, {
    ...{ workspace: WORKSPACE, actor: { kind: "agent", id: AGENT }, agent: { id: AGENT }, idempotencyKey: key, ask: "review" },
    actions: [{ actionId: "a1", tool, ...canonicalArgs({ amount: 5 }) }],
  });
  await untilItem(ledger, itemId, (view) => (view.stage === (tool === "pay" ? "pending" : "granted") ? view : undefined), { timeoutMs: HOUR });
  return itemId;
}

/** What took effect of that which excludes each other. */
export function effectiveOf({ queries }: Ledger, { exclusive }: Race, itemId: string): string[] {
  const events = queries.timeline(itemId).filter((e) => e.status === "effective" && exclusive.includes(`${e.topic} ${e.what}`));
  return events.map((e) => e.what);
}

/** Runs one pair and says what came of it. */
export async function finish(ledger: Ledger, race: Race, racers: Racers, itemId: string, swap: boolean, lead: number): Promise<Finish> {
  const after = async (turns: number, run: () => Promise<string>) => {
    for (let i = 0; i < turns; i++) await (i % 2 === 0 ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve)));
    return run();
  };
  const [first, second] = await race.run(ledger, racers, itemId, async (a, b) => {
    if (!swap) return Promise.all([a(), after(lead, b)]);
    const [right, left] = await Promise.all([b(), after(lead, a)]);
    return [left, right];
  });
  return {
    first,
    second,
    executions: race.tool === "note" ? [first, second].filter((told, i) => told === "done" && (i === 0 || race.exclusive.length === 1)).length : 0,
  };
}
