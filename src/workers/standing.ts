import type { EventOf } from "../events/types.generated.ts";
import { isOwner } from "../ledger/decisions.ts";
import { nodeOf } from "../ledger/item.ts";
import { isGrant } from "../ledger/resumes.ts";
import { coversAlike, readScope, type StandingScope, type Use, useOf, within } from "../policy/budgets/standing.ts";
import { isReserved } from "../policy/publish-tool.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Queries } from "../projector/queries.ts";
import type { Standing, Standings } from "../projector/standings.ts";
import type { ItemBar } from "./dispatcher.ts";
import type { Judge } from "./policy-worker.ts";
import type { PublishedPolicies } from "./published-policies.ts";
import { revoke, type SweepLedger, unwantedGrants } from "./revoke.ts";
import type { Chore, Sweep } from "./sweep.ts";

type Verdict = ReturnType<Judge>;

/** What an item that used a standing approval took of it. */
function usedBy(queries: Queries, scope: StandingScope | undefined, itemId: string): Use {
  const item = queries.item(itemId)?.item;
  const proposal = item === undefined ? undefined : nodeOf(item, "proposals", item.proposal);
  return useOf(scope, proposal?.actions ?? []);
}

/**
 * A judge that lets run what a standing approval covers and a person would have to decide. It reserves in memory what is judged and not
 * folded yet, so that proposals in flight cannot together go past the bounds.
 */
export function standingJudge(
  judge: Judge,
  {
    queries,
    standings,
    onFolded,
    isBound,
  }: Pick<PublishedPolicies, "isBound"> & { queries: Queries; standings: Standings; onFolded: (listener: (batch: FoldedBatch) => void) => () => void },
): Judge {
  const reserved = new Map<string, { standing: string; use: Use }>();
  onFolded((batch) => {
    for (const { topic, itemId } of batch.effective) if (topic === "verdicts") reserved.delete(itemId);
  });

  function hasRoom(standing: Standing, scope: StandingScope, itemId: string, own: Use): boolean {
    const taken = standing.uses.filter((use) => use.itemId !== itemId).map((use) => usedBy(queries, scope, use.itemId));
    for (const [other, hold] of reserved)
      if (other !== itemId && hold.standing === standing.eventId && !standing.uses.some((use) => use.itemId === other)) taken.push(hold.use);
    return within(standing, [...taken, own]);
  }

  return (input) => {
    const verdict = judge(input);
    const { proposal, actions, answers, now } = input;
    if (answers !== "proposal" || input.alone === true || !mayStand(verdict)) return verdict;
    const tools = actions.map(({ tool }) => tool);
    // A change of a document is decided each time, by somebody who has read it.
    if (tools.some(isReserved)) return verdict;
    if (isBound(proposal.workspace, tools, verdict.matched?.map(({ rule }) => rule) ?? [])) return verdict;
    const alike = { agent: proposal.agent.id, thread: proposal.run?.threadId ?? null, actions };
    for (const standing of standings.all()) {
      if (standing.workspace !== proposal.workspace || standing.revoked !== null || standing.until <= now || standing.itemId === proposal.itemId) continue;
      const scope = readScope(standing.scope);
      if (scope === undefined || !coversAlike(scope, alike) || !isEntitled(standing, verdict, proposal)) continue;
      const use = useOf(scope, actions);
      if (!hasRoom(standing, scope, proposal.itemId, use)) continue;
      reserved.set(proposal.itemId, { standing: standing.eventId, use });
      return underStanding(verdict, standing.eventId, wordsOf(standing));
    }
    return verdict;
  };
}

/** Standing approvals stand in for the one person that a verdict asks for; never for what is irreversible, critical, behind a hard gate, or under a halt. */
function mayStand({ route, gate, reversibility, risk, approvals, error }: Verdict): boolean {
  if (route !== "interrupt" && route !== "batch") return false;
  return (
    gate !== "audit" &&
    gate !== "hard" &&
    reversibility !== "irreversible" &&
    reversibility !== "unrecognized" &&
    (risk === "low" || risk === "medium" || risk === "high") &&
    (approvals ?? 1) <= 1 &&
    error == null
  );
}

/** Whether who gave it could decide on this one as well. */
function isEntitled(
  { by, roles }: Standing,
  { owner, separation = [], approvalOrder = [], allowedDecisions = [] }: Verdict,
  proposal: EventOf["proposals"],
): boolean {
  if (!isOwner(owner ?? null, by, roles) || !allowedDecisions.includes("approve")) return false;
  if (separation.includes("agent_owner") && proposal.agent.owner === by) return false;
  if (separation.includes("proposer") && proposal.onBehalfOf?.id === by) return false;
  return approvalOrder[0] === undefined || isOwner(approvalOrder[0], by, roles);
}

function wordsOf({ by, max, amount }: Standing): string {
  return `Standing approval of ${by} (at most ${max}${amount === null ? "" : `, up to ${amount} in all`})`;
}

/** A verdict as a standing approval leaves it. */
export function underStanding(verdict: Verdict, standing: string, words: string): Verdict {
  return {
    ...verdict,
    route: "allow",
    gate: "none",
    standing,
    because: [words, ...(verdict.because ?? [])],
    approvals: 0,
    approvalOrder: [],
    separation: [],
    allowedDecisions: [],
    editablePaths: [],
    ladder: [],
    expiresAt: null,
    batchKey: null,
    batchMax: null,
    batchWindowMs: null,
  };
}

function revokedWords({ by }: Standing, revoked: NonNullable<Standing["revoked"]>): string {
  return `The standing approval of ${by} was revoked by ${revoked.by}`;
}

/** Why the use of a standing approval does not stand: it was revoked since, or others have used it up. Null where it stands. */
export function overshootOf(queries: Queries, standing: Standing, itemId: string): string | null {
  if (standing.revoked !== null) return revokedWords(standing, standing.revoked);
  const scope = readScope(standing.scope);
  const upTo = standing.uses.slice(0, standing.uses.findIndex((use) => use.itemId === itemId) + 1);
  const uses = upTo.map((use) => usedBy(queries, scope, use.itemId));
  return within(standing, uses) ? null : `The standing approval of ${standing.by} was used up by others`;
}

/** What a standing approval let pass is looked at again before it is granted: two judges may have used it at once. */
export function standingBar(queries: Queries, standings: Standings): ItemBar {
  return ({ itemId, item }) => {
    const proposal = nodeOf(item, "proposals", item.proposal);
    // Only a verdict on the proposal itself can rest on a standing approval.
    const standing = proposal?.verdict == null ? undefined : standings.usedBy(itemId);
    return standing === undefined ? null : overshootOf(queries, standing, itemId);
  };
}

/** What rests on a standing approval that was revoked is not started. */
export function revokedBar(standings: Standings): ItemBar {
  return ({ itemId }) => {
    const standing = standings.usedBy(itemId);
    return standing?.revoked == null ? null : revokedWords(standing, standing.revoked);
  };
}

/** The clock after the revocation of a standing approval: what it let pass and nobody has started is taken back. */
export function standingSweep(ledger: SweepLedger, standings: Standings): Sweep {
  const { queries } = ledger;

  function* chores(itemIds: Iterable<string>): Generator<Chore> {
    for (const itemId of itemIds) {
      const standing = standings.usedBy(itemId);
      const view = standing?.revoked == null ? undefined : queries.item(itemId);
      if (standing?.revoked == null || view === undefined) continue;
      const error = { code: "standing_revoked", message: revokedWords(standing, standing.revoked) };
      for (const { id } of unwantedGrants(view)) yield { key: `${itemId}/${id}`, itemId, run: () => revoke(ledger, itemId, id, error) };
    }
  }

  const all = () =>
    chores(
      standings
        .all()
        .filter(({ revoked }) => revoked !== null)
        .flatMap(({ uses }) => uses.map(({ itemId }) => itemId)),
    );
  return {
    name: "timekeeper (standing approvals)",
    all,
    after(batch) {
      if (batch.effective.some((e) => e.topic === "policies" && (e.event as EventOf["policies"]).kind === "standing_revoked")) return all();
      if (!standings.all().some(({ revoked }) => revoked !== null)) return [];
      // A grant that was on its way when it was revoked; and a plan between two of its steps.
      const touched = batch.effective.filter((e) => e.topic === "receipts" || (e.topic === "resumes" && isGrant((e.event as EventOf["resumes"]).outcome)));
      return chores(new Set(touched.map((e) => e.itemId)));
    },
  };
}
