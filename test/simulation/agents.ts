import { itemIdOf } from "../../src/events/ids.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import type { ProposalRequest } from "../../src/producers/wire/requests.ts";
import type { Rng } from "../ledger/generator.ts";
import { call, gatewayOf, WHO } from "./calls.ts";
import type { Tool } from "./policy.ts";
import type { Member, Planned, World } from "./world.ts";

function action({ rng, theme }: World): { tool: Tool; args: Record<string, unknown> } {
  const tool = rng.weighted(theme.tools);
  if (tool === "pay") return { tool, args: { amount: rng.pick(theme.amounts), to: rng.pick(["a", "b"]) } };
  return { tool, args: tool === "wire" ? { amount: 1 + rng.below(3) } : tool === "sync" ? { row: rng.below(3) } : { text: "hello" } };
}

function content(world: World): Record<string, unknown> & { tools: string[] } {
  const { rng, theme } = world;
  const kind = rng.weighted(theme.proposes);
  if (kind === "question" || kind === "notify") return { ask: kind, question: "Which of them?", tools: [] };
  const actions = Array.from({ length: kind === "one" ? 1 : 2 + rng.below(2) }, () => action(world));
  return { ...(kind === "one" ? (actions[0] as object) : { actions }), tools: actions.map((a) => a.tool) };
}

const TERMINAL: ReadonlySet<string> = new Set(["refused", "expired", "forbidden", "withdrawn", "withheld", "lapsed", "revoked"]);

/** An agent proposes, proposes again, tries again, replaces, withdraws, or asks what became of it. */
export function agentActs(world: World, member: Member): void {
  const { rng, theme } = world;
  const who = rng.pick(WHO.agents.slice(0, theme.agents));
  const own = [...world.items.values()].filter((i) => i.agent === who.id);
  const kind = rng.weighted({ propose: 8, again: own.length > 0 ? 1 : 0, withdraw: own.length > 0 ? theme.withdraws : 0, ask: own.length > 0 ? 4 : 0 });
  const item = rng.pick(own);
  if (kind === "propose") propose(world, member, who, own);
  else if (kind === "again") send(world, member, who, item, rng.chance(0.8) ? item.request : { ...item.request, intent: "something else" });
  else if (kind === "ask") ask(world, member, who, item);
  else withdraw(world, member, who, rng.chance(0.3) ? item : unfinished(rng, member, own, item));
}

/** Mostly what may still run. */
function unfinished(rng: Rng, { process }: Member, own: readonly Planned[], other: Planned): Planned {
  const open = own.filter(({ itemId }) => (process.ledger.queries.item(itemId)?.stage ?? "done") !== "done");
  return open.length > 0 ? rng.pick(open) : other;
}

function withdraw(world: World, member: Member, who: Identity, item: Planned): void {
  call(
    world,
    member,
    `${who.id} withdraws ${item.itemId}`,
    () => gatewayOf(member, who).decide(item.itemId, { kind: "withdraw" }),
    ({ ok, unsure, value }) => {
      hearOfWithdrawal(world, item.itemId, ok || unsure);
      if (ok && value?.item.outcome != null && TERMINAL.has(value.item.outcome)) world.ended.set(item.itemId, value.item.outcome);
    },
  );
}

function ask(world: World, member: Member, who: Identity, { itemId }: Planned): void {
  call(
    world,
    member,
    `${who.id} asks for ${itemId}`,
    () => gatewayOf(member, who).outcome(itemId, world.rng.pick([0, 2000])),
    ({ ok, value }) => {
      if (!ok || value === undefined) return;
      if (TERMINAL.has(value.finalOutcome ?? "")) world.ended.set(itemId, value.finalOutcome as string);
      const grant = world.truth.effective(itemId, "resumes").find((r) => r.eventId === value.grant?.id);
      if (value.grant !== null && grant === undefined) world.violate("what is told is true", `the outcome of ${itemId} shows a grant that there is not`);
      if (value.grant !== null && value.finalOutcome !== null)
        world.violate("what is told is true", `the outcome of ${itemId} shows a grant that is over: ${value.finalOutcome}`);
    },
  );
}

function propose(world: World, member: Member, who: Identity, own: readonly Planned[]): void {
  const { rng, theme } = world;
  const { tools, ...what } = content(world);
  const before = own.length > 0 && rng.chance(theme.follows) ? (rng.chance(0.5) ? (own.at(-1) as Planned) : rng.pick(own)) : null;
  const replaces = before !== null && rng.chance(theme.replaces);
  const threadId = rng.chance(0.6) ? `t${rng.below(theme.runs)}` : null;
  const request = {
    idempotencyKey: `k${world.items.size}`,
    ...what,
    ...(threadId === null ? {} : { run: { threadId } }),
    ...(before === null ? {} : { retryOf: before.itemId, replaces }),
  };
  const itemId = itemIdOf(who.workspace, who.id, request.idempotencyKey);
  const item: Planned = {
    ...{ itemId, agent: who.id, request, tools, threadId, replacedBy: [], proposal: null },
    ...{ retryOf: before?.itemId ?? null, replaces: replaces ? (before as Planned).itemId : null },
  };
  world.items.set(itemId, item);
  if (replaces) before?.replacedBy.push(itemId);
  send(world, member, who, item, request);
}

function hearOfWithdrawal({ withdrawals }: World, itemId: string, taken: boolean): void {
  const before = withdrawals.get(itemId);
  withdrawals.set(itemId, { refused: before?.refused === true || !taken, taken: before?.taken === true || taken });
}

function send(world: World, member: Member, who: Identity, { itemId, replaces }: Planned, request: Planned["request"]): void {
  call(
    world,
    member,
    `${who.id} proposes ${itemId} ${JSON.stringify(request)}`,
    () => gatewayOf(member, who).propose(request as ProposalRequest),
    // What is replaced is withdrawn first.
    ({ code }) => replaces !== null && hearOfWithdrawal(world, replaces, code !== "conflict"),
  );
}
