import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { add, type Decimal, decimalOf, decimalText, ZERO } from "../../events/decimal.ts";
import { policyItemId } from "../../events/ids.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { approvalsNeeded, isAudit } from "../../ledger/decisions.ts";
import { nodeOf, termsVerdict } from "../../ledger/item.ts";
import { actionsOf, readScope, type StandingScope, scopeText, type Use, useOf, within } from "../../policy/budgets/standing.ts";
import { isReserved } from "../../policy/publish-tool.ts";
import type { StandingsAnswer, StandingView, standingRevokeRequest } from "../../producers/wire/standing.ts";
import type { StoredItemView } from "../../projector/reading.ts";
import type { Standing } from "../../projector/standings.ts";
import type { DecideRequest } from "./decision-event.ts";
import { mustBe, mustHaveRole } from "./identity.ts";
import type { Context } from "./ledger.ts";
import { verdictEvent } from "./verdict-view.ts";

const DAY = 86_400_000;
const LONGEST = 7 * DAY;
/** Revocations of a workspace are documents under this id. */
const POLICY_ID = "standing";

/** What an approval gives beyond itself, checked against what is decided. @throws CountersignError request_invalid, not_allowed */
export async function standingOf(
  context: Context,
  { itemId, item, life }: StoredItemView,
  request: NonNullable<DecideRequest["standing"]>,
): Promise<NonNullable<EventOf["decisions"]["standing"]>> {
  const { ledger, identity } = context;
  const proposal = nodeOf(item, "proposals", item.proposal);
  const { verdict } = life;
  const event = verdict === null ? undefined : await verdictEvent(context, itemId, termsVerdict(item, verdict));
  if (proposal === undefined || verdict === null || event === undefined) throw refused("there is nothing to approve yet");
  if (verdict.actions.some(({ tool }) => isReserved(tool))) throw refused("a change of a policy document is decided each time");
  if (event.reversibility === "irreversible") throw refused("the action is irreversible");
  if (event.risk === "critical") throw refused("the risk is critical");
  if (event.gate === "hard") throw refused("a hard gate asks for a person each time");
  if (isAudit(verdict.terms)) throw refused("it is reviewed after it has run");
  if (approvalsNeeded(verdict.terms) > 1) throw refused("more than one person decides on it");
  const { max, amount, scope: reach } = request;
  const until = request.until ?? ledger.now() + DAY;
  if (until <= ledger.now() || until > ledger.now() + LONGEST)
    throw invalid("until", until, "must lie in the next seven days", "name a time in the next seven days");
  if (reach === "run" && proposal.threadId === null) throw invalid("scope", "run", "the item belongs to no run", "give scope agent");
  const tools = [...new Set(verdict.actions.map((a) => a.tool))].sort();
  const amountPaths = amount === undefined ? undefined : pathsOf(tools, (tool) => ledger.amountPath(identity.workspace, tool));
  const scope: StandingScope = {
    agent: proposal.agentId,
    tools,
    ...(reach === "run" && proposal.threadId !== null ? { thread: proposal.threadId } : {}),
    ...(amountPaths === undefined ? {} : { amountPaths }),
  };
  return { scope: scopeText(scope), max, amount: amount ?? null, until };
}

function pathsOf(tools: readonly string[], pathOf: (tool: string) => string | undefined): Record<string, string> {
  return Object.fromEntries(
    tools.map((tool) => {
      const path = pathOf(tool);
      if (path === undefined)
        throw invalid("amount", tool, `no policy says where the amount of ${tool} lies`, "leave the amount out, or add `amount` to the policy");
      return [tool, path];
    }),
  );
}

/** The standing approvals of the caller's workspace. */
export function standings({ ledger, identity }: Context, { all }: { all?: "true" | "false" | undefined }): StandingsAnswer {
  const own = ledger.standings.all().filter((s) => s.workspace === identity.workspace);
  const views = own.map((s) => standingViewOf(ledger, s));
  return { standing: all === "true" ? views : views.filter((s) => s.inForce) };
}

/** Ends a standing approval: who gave it may, and who halts. @throws CountersignError not_found, not_entitled, settled, timeout */
export async function revokeStanding(context: Context, standingId: string, { reason }: z.output<typeof standingRevokeRequest>): Promise<StandingView> {
  const { ledger, identity } = context;
  mustBe(identity, ["person"], "revoke a standing approval");
  const find = () => ledger.standings.all().find((s) => s.eventId === standingId && s.workspace === identity.workspace);
  const standing = find();
  if (standing === undefined)
    throw new CountersignError("not_found", `There is no standing approval ${standingId} in this workspace`, {
      field: "standingId",
      value: standingId,
      fix: "see GET /v1/standing",
    });
  if (standing.by !== identity.id) mustHaveRole(identity, ["halt", "authority"], `revoke what ${standing.by} gave`);
  if (standing.revoked !== null)
    throw new CountersignError("settled", `It was revoked by ${standing.revoked.by} already`, {
      field: "standingId",
      value: standingId,
      fix: "nothing: it is over",
    });
  const { position } = await ledger.write("policies", policyItemId(identity.workspace, POLICY_ID), {
    workspace: identity.workspace,
    actor: { kind: "authority", id: identity.id, roles: [...identity.roles] },
    kind: "standing_revoked",
    policyId: POLICY_ID,
    ends: standingId,
    reason: reason ?? null,
  });
  await ledger.waitFor([position]);
  return standingViewOf(ledger, find() ?? standing);
}

/** A standing approval as clients read it. */
function standingViewOf(ledger: Context["ledger"], standing: Standing): StandingView {
  const { eventId, itemId, by, at, max, amount, until, revoked, uses } = standing;
  const scope = readScope(standing.scope);
  const taken = uses.map((use) => usedBy(ledger, scope, use.itemId));
  const sum = taken.reduce<Decimal>((total, { amount: next }) => add(total, next ?? ZERO), ZERO);
  const usedActions = actionsOf(taken);
  return {
    ...{ eventId, itemId, by, at, max, amount, until, revoked },
    scope: { agent: scope?.agent ?? "", tools: [...(scope?.tools ?? [])], thread: scope?.thread ?? null },
    used: uses.map((use) => use.itemId),
    usedActions,
    usedAmount: amount === null ? null : decimalText(sum),
    overshot: !within(standing, taken),
    inForce: revoked === null && until > ledger.now() && usedActions < max && (amount === null || decimalText(sum) !== decimalText(decimalOf(amount) ?? ZERO)),
  };
}

function usedBy({ queries }: Context["ledger"], scope: StandingScope | undefined, itemId: string): Use {
  const item = queries.item(itemId)?.item;
  const proposal = item === undefined ? undefined : nodeOf(item, "proposals", item.proposal);
  return useOf(scope, proposal?.actions ?? []);
}

/** A finding that is worked out on reading: no item's state reads another item. */
export function overshotFinding({ ledger }: Context, itemId: string): { code: string; topic: "verdicts"; eventId: string; offset: null }[] {
  const standing = ledger.standings.usedBy(itemId);
  if (standing === undefined) return [];
  const upTo = standing.uses.slice(0, standing.uses.findIndex((use) => use.itemId === itemId) + 1);
  const scope = readScope(standing.scope);
  if (
    within(
      standing,
      upTo.map((use) => usedBy(ledger, scope, use.itemId)),
    )
  )
    return [];
  return [{ code: "standing_overshot", topic: "verdicts", eventId: upTo.at(-1)?.verdict ?? "", offset: null }];
}

function refused(why: string): CountersignError {
  return new CountersignError("not_allowed", `/standing: a standing approval is not possible here: ${why}`, {
    field: "/standing",
    fix: "approve this one alone",
  });
}

function invalid(field: string, value: unknown, rule: string, fix: string): CountersignError {
  return new CountersignError("request_invalid", `/standing/${field} ${rule}`, { field: `/standing/${field}`, value, fix });
}
