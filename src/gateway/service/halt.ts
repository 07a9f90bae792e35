import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { canonicalize } from "../../events/canonical.ts";
import { newEventId, policyItemId } from "../../events/ids.ts";
import { nodeOf, type ResumeNode } from "../../ledger/item.ts";
import { mustBeStarted } from "../../ledger/must-start.ts";
import { isGrant } from "../../ledger/resumes.ts";
import type { HaltAnswer, HaltsAnswer, haltRequest, LiftAnswer, liftRequest } from "../../producers/wire/halts.ts";
import { covers, type Halt, haltWords } from "../../projector/halts.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import { mustHaveRole } from "./identity.ts";
import type { Context } from "./ledger.ts";

/** Halts and lifts of a workspace are documents under this id. */
const POLICY_ID = "halts";
/** Roles that may halt and lift. */
const ROLES = ["halt", "authority"];
/** Among how many of the newest items an agent is looked for, so that a halt with a slip in its name says so. */
const NEWEST = 20_000;
/** How long the answer waits for grants to be taken back, in milliseconds. */
const SETTLE_MS = 10_000;

/** Halts. Answers once nothing it covers can begin, with what had started already. @throws CountersignError forbidden, request_invalid, timeout */
export async function halt(context: Context, request: z.output<typeof haltRequest>): Promise<HaltAnswer> {
  mustHaveRole(context.identity, ROLES, "halt");
  const { ledger, identity } = context;
  const { scope, reason, expiresAt } = request;
  if (expiresAt !== undefined && expiresAt <= ledger.now())
    throw new CountersignError("request_invalid", "/expiresAt lies in the past", {
      field: "/expiresAt",
      value: expiresAt,
      fix: "leave it out, or name a later time",
    });
  const eventId = request.eventId ?? newEventId();
  const { position } = await ledger.write("policies", policyItemId(identity.workspace, POLICY_ID), {
    eventId,
    workspace: identity.workspace,
    actor: { kind: "authority", id: identity.id, roles: [...identity.roles] },
    kind: "halt",
    policyId: POLICY_ID,
    scope: canonicalize(scope as never),
    reason,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  await ledger.waitFor([position]);
  const made = ledger.halts.inForce(ledger.now()).find((h) => h.eventId === eventId);
  if (made === undefined)
    throw new CountersignError("late", `The halt ${eventId} is over already: it was lifted, or its time had ended, before it could be answered`, {
      field: "/expiresAt",
      value: expiresAt ?? null,
      fix: "see GET /v1/halts for those in force, and halt again where it is still needed",
    });
  return { ...(await effectOf(context, made)), unknown: unknownIn(context, scope) };
}

/** What of a scope nothing goes by: most likely a slip of the pen. The halt stands all the same; the name may be that of tomorrow's agent. */
function unknownIn({ ledger, identity }: Context, { agent, action }: z.output<typeof haltRequest>["scope"]): HaltAnswer["unknown"] {
  const { workspace } = identity;
  const isKnown = (id: string) => ledger.queries.newestOfAgent(id, NEWEST).some((itemId) => ledger.queries.item(itemId)?.item.workspace === workspace);
  return [
    ...(agent !== undefined && !isKnown(agent) ? (["agent"] as const) : []),
    ...(action !== undefined && !ledger.describes(workspace, action) ? (["action"] as const) : []),
  ];
}

/** The halts in force in the caller's workspace. */
export function halts({ ledger, identity }: Context): HaltsAnswer {
  return { halts: ledger.halts.inForce(ledger.now()).filter((h) => h.workspace === identity.workspace) as HaltsAnswer["halts"] };
}

/** Lifts a halt. What it stopped stays stopped: agents propose it again. @throws CountersignError forbidden, not_found, timeout */
export async function lift(context: Context, haltId: string, { reason }: z.output<typeof liftRequest>): Promise<LiftAnswer> {
  mustHaveRole(context.identity, ROLES, "lift a halt");
  const { ledger, identity } = context;
  const lifted = ledger.halts.inForce(ledger.now()).find((h) => h.eventId === haltId && h.workspace === identity.workspace);
  if (lifted === undefined)
    throw new CountersignError("not_found", `There is no halt ${haltId} in force in this workspace`, {
      field: "haltId",
      value: haltId,
      fix: "see GET /v1/halts for those in force",
    });
  const { eventId, position } = await ledger.write("policies", policyItemId(identity.workspace, POLICY_ID), {
    workspace: identity.workspace,
    actor: { kind: "authority", id: identity.id, roles: [...identity.roles] },
    kind: "lift",
    policyId: POLICY_ID,
    ends: haltId,
    reason: reason ?? null,
  });
  await ledger.waitFor([position]);
  return { halt: lifted as LiftAnswer["halt"], eventId };
}

/** @throws CountersignError halted where something the item would do is halted */
export function mustNotBeHalted({ ledger }: Context, { item }: StoredItemView, what: string): void {
  const proposal = nodeOf(item, "proposals", item.proposal);
  if (proposal === undefined) return;
  const concerned = { workspace: item.workspace ?? "default", agent: proposal.agentId, tools: proposal.actions.map((a) => a.tool) };
  const standing = ledger.halts.covering(concerned, ledger.now());
  if (standing !== undefined)
    throw new CountersignError("halted", `The ${what} is refused. ${haltWords(standing)}`, {
      field: "itemId",
      value: item.id,
      fix: `wait until the halt ${standing.eventId} is lifted`,
    });
}

interface Effect {
  readonly started: HaltAnswer["started"];
  readonly unstarted: readonly string[];
  /** Grants about what has run, which wait for the lift. */
  readonly waiting: string[];
}

/** Waits until every grant under the halt is taken back or was started first, and tells them apart. */
async function effectOf(context: Context, made: Halt): Promise<Omit<HaltAnswer, "unknown">> {
  const { queries, projector } = context.ledger;
  const { unstarted } = effect(context, made);
  const open = new Set(unstarted);
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const look = (items: Iterable<string>) => {
      for (const id of items) if (open.has(id) && !isUnstarted(queries.item(id))) open.delete(id);
      if (open.size === 0) end();
    };
    const timer = setTimeout(end, SETTLE_MS);
    const unsubscribe = projector.onFolded((batch) => look(batch.items));
    look([...open]);
  });
  const revoked = unstarted.filter((id) => queries.item(id)?.outcome === "revoked").length;
  const { started, waiting } = effect(context, made);
  return { halt: made as HaltAnswer["halt"], started, revoked, revoking: open.size, waiting };
}

/** Whether nothing runs under the grant in force, so that the halt takes it back. */
function isUnstarted(view: StoredItemView | undefined): boolean {
  return view !== undefined && isIdle(view) && !mustBeStarted(view.item, view.life.resume as ResumeNode);
}

function isIdle({ life: { resume } }: StoredItemView): boolean {
  return resume !== null && isGrant(resume.outcome) && resume.group.closedBy === null && resume.group.running === null;
}

function effect({ ledger }: Context, made: Halt): Effect {
  const started: HaltAnswer["started"] = [];
  const unstarted: string[] = [];
  const waiting: string[] = [];
  for (const itemId of ledger.queries.running()) {
    const view = ledger.queries.item(itemId);
    const proposal = view === undefined ? undefined : nodeOf(view.item, "proposals", view.item.proposal);
    if (view === undefined || proposal === undefined) continue;
    if (!covers(made, { workspace: view.item.workspace ?? "default", agent: proposal.agentId, tools: proposal.actions.map((a) => a.tool) })) continue;
    if (isUnstarted(view)) {
      unstarted.push(itemId);
      continue;
    }
    if (isIdle(view)) {
      waiting.push(itemId);
      continue;
    }
    const running = view.life.resume?.group.running ?? null;
    const tool = proposal.actions.find((a) => a.actionId === running?.actionId)?.tool ?? null;
    started.push({ itemId, agent: proposal.agentId, tool, actionId: running?.actionId ?? null, endsAt: running?.endsAt ?? null, stage: view.stage });
  }
  return { started, unstarted, waiting };
}
