import { readFileSync } from "node:fs";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf, policyItemId } from "../../src/events/ids.ts";
import type { Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Status } from "../../src/ledger/item.ts";
import type { Life } from "../../src/ledger/life.ts";
import type { Stage } from "../../src/ledger/stages.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import type { StoredItemView } from "../../src/projector/reading.ts";
import { untilItem } from "../../src/projector/until.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import type { Body } from "../../src/workers/write.ts";
import type { Place } from "../support/ledgers.ts";

const WORKSPACE = "shop";
const AGENT = "shop-agent";
export const MINUTE = 60_000;

/** A person with the roles it holds. */
export interface Person {
  readonly id: string;
  readonly roles: readonly string[];
}
export const ANN: Person = { id: "ann", roles: ["lead"] };
export const BOB: Person = { id: "bob", roles: ["lead"] };
export const EVE: Person = { id: "eve", roles: ["intern"] };

/** What became of a written event. */
export interface Ruled {
  readonly eventId: string;
  readonly status: Status;
  readonly reason: string | null;
}

type Extra<T extends Topic> = Partial<Body<T>>;
type Grant = NonNullable<Life["resume"]>;

/** A running ledger with its workers, and everybody who writes to it. The clock stands until it is turned. */
export class World {
  readonly ledger: Ledger;
  readonly troubles: string[];
  private readonly clock: { at: number };
  private ticks = 0;

  private constructor(ledger: Ledger, clock: { at: number }, troubles: string[]) {
    this.ledger = ledger;
    this.clock = clock;
    this.troubles = troubles;
  }

  static async open({ log, data }: Pick<Place, "log" | "data">, at = Date.UTC(2026, 10, 2, 9)): Promise<World> {
    const clock = { at };
    const troubles: string[] = [];
    const ledger = await openLedger({ log, data, now: () => clock.at, onTrouble: (sentence) => sentence !== null && troubles.push(sentence) });
    await ledger.start();
    const world = new World(ledger, clock, troubles);
    if (ledger.queries.policies().length === 0) await world.publish(new URL("policy.yaml", import.meta.url).pathname);
    return world;
  }

  async publish(file: string): Promise<void> {
    const { workspace, policyId, version, document, sha256 } = publishable(readFileSync(file, "utf8"), file, (path) => readFileSync(path, "utf8"));
    const body: Body<"policies"> = { workspace, actor: { kind: "authority", id: "test" }, kind: "policy", policyId, version, document, sha256 };
    const { position } = await this.ledger.write("policies", policyItemId(workspace, policyId), body);
    await this.ledger.waitFor([position]);
  }

  now(): number {
    return this.clock.at;
  }

  /** Turns the clock. Workers look at it when something is folded, so a read that flows through wakes them. */
  async later(ms: number): Promise<void> {
    this.clock.at += ms;
    await this.until(await this.propose(`tick ${++this.ticks}`, "look_up", { order: "tick" }), "granted");
  }

  async propose(key: string, tool: string, args: object, extra: Extra<"proposals"> = {}): Promise<string> {
    return this.ask(key, { ask: "review", actions: [{ actionId: "a1", tool, ...canonicalArgs(args) }], ...extra });
  }

  async ask(key: string, extra: Pick<Body<"proposals">, "ask"> & Extra<"proposals">): Promise<string> {
    const itemId = itemIdOf(WORKSPACE, AGENT, key);
    const body: Body<"proposals"> = { workspace: WORKSPACE, actor: { kind: "agent", id: AGENT }, agent: { id: AGENT }, idempotencyKey: key, ...extra };
    const { position } = await this.ledger.write("proposals", itemId, body);
    await this.ledger.waitFor([position]);
    return itemId;
  }

  view(itemId: string): StoredItemView {
    const view = this.ledger.queries.item(itemId);
    if (view === undefined) throw new Error(`the views do not know ${itemId}`);
    return view;
  }

  until(itemId: string, stage: Stage): Promise<StoredItemView> {
    return untilItem(this.ledger, itemId, (view) => (view.stage === stage ? view : undefined), { timeoutMs: 15_000 });
  }

  /** Proposes and waits until it waits for a person. */
  async pending(key: string, tool: string, args: object): Promise<string> {
    const itemId = await this.propose(key, tool, args);
    await this.until(itemId, "pending");
    return itemId;
  }

  /** A person decides on the verdict in force, having seen the card that is shown. */
  decide(itemId: string, by: Person, kind: Body<"decisions">["kind"], extra: Extra<"decisions"> = {}): Promise<Ruled> {
    const verdict = this.view(itemId).life.verdict;
    if (verdict === null) throw new Error(`${itemId} is not judged yet`);
    const seen = { cardSha256: verdict.terms.cardSha256 };
    const base = { workspace: WORKSPACE, answers: { topic: "verdicts", eventId: verdict.id }, scope: "action", seen, kind } as const;
    return this.write("decisions", itemId, { ...base, actor: { kind: "person", ...by }, ...extra });
  }

  edit(itemId: string, by: Person, args: object, extra: Extra<"decisions"> = {}): Promise<Ruled> {
    return this.decide(itemId, by, "edit", { edits: [{ actionId: "a1", ...canonicalArgs(args) }], ...extra });
  }

  withdraw(itemId: string): Promise<Ruled> {
    return this.decide(itemId, ANN, "withdraw", { actor: { kind: "agent", id: AGENT }, seen: null });
  }

  /** The grant that may be started now. */
  async grant(itemId: string): Promise<Grant & { event: EventOf["resumes"] }> {
    const { life } = await this.until(itemId, "granted");
    const grant = life.resume as Grant;
    return { ...grant, event: await this.event(itemId, "resumes", grant.id) };
  }

  /** An executor writes a receipt for the only action of a grant. */
  receipt(itemId: string, grant: Grant, kind: Body<"receipts">["kind"], extra: Extra<"receipts"> = {}): Promise<Ruled> {
    const [action] = grant.actions;
    if (action === undefined) throw new Error(`grant ${grant.id} lets nothing run`);
    return this.write("receipts", itemId, {
      workspace: WORKSPACE,
      answers: { topic: "resumes", eventId: grant.id },
      actor: { kind: "executor", id: "runner" },
      actionId: action.actionId,
      argsSha256: action.argsSha256,
      kind,
      ...(kind === "started" && { lease: { id: `${grant.id}/1`, endsAt: this.now() + MINUTE }, startedAt: this.now() }),
      ...extra,
    });
  }

  /** Starts what was granted, and reports that it succeeded. */
  async execute(itemId: string): Promise<Grant & { event: EventOf["resumes"] }> {
    const grant = await this.grant(itemId);
    const statuses = [await this.receipt(itemId, grant, "started"), await this.receipt(itemId, grant, "succeeded", { result: '"done"' })].map((r) => r.status);
    if (statuses.some((s) => s !== "effective")) throw new Error(`the receipts of ${itemId} are ${statuses.join(", ")}`);
    return grant;
  }

  /** Appends, and reads back what became of it. */
  async write<T extends "decisions" | "receipts">(topic: T, itemId: string, body: Body<T>): Promise<Ruled> {
    const { eventId, position } = await this.ledger.write(topic, itemId, body);
    await this.ledger.waitFor([position]);
    const { status, reason } = this.ledger.queries.event(itemId, topic, eventId) ?? {};
    if (status === undefined) throw new Error(`${topic} ${eventId} was not folded`);
    return { eventId, status, reason: reason ?? null };
  }

  async event<T extends Topic>(itemId: string, topic: T, eventId: string): Promise<EventOf[T]> {
    const event = await this.ledger.events.get(itemId, topic, eventId);
    if (event === undefined) throw new Error(`${topic} ${eventId} cannot be read`);
    return event;
  }

  /** The last event of a topic in an item, with what became of it. */
  async last<T extends Topic>(itemId: string, topic: T): Promise<{ event: EventOf[T]; status: Status; reason: string | null }> {
    const entry = this.ledger.queries.timeline(itemId).findLast((e) => e.topic === topic);
    if (entry === undefined) throw new Error(`${itemId} has no ${topic}`);
    return { event: await this.event(itemId, topic, entry.eventId), status: entry.status, reason: entry.reason };
  }

  /** What happened to an item, effective events only: "proposals review", "verdicts interrupt", … */
  story(itemId: string): string[] {
    const entries = this.ledger.queries.timeline(itemId).filter((e) => e.status === "effective");
    return entries.map((e) => `${e.topic} ${e.what}`);
  }

  close(): Promise<void> {
    return this.ledger.close();
  }
}

/** The verdict that judges a proposal or an edit, as an event. */
export async function verdictOf(world: World, itemId: string): Promise<EventOf["verdicts"]> {
  const verdict = world.view(itemId).life.verdict;
  if (verdict === null) throw new Error(`${itemId} is not judged yet`);
  return world.event(itemId, "verdicts", verdict.id);
}
