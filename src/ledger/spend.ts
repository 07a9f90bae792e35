import { isAudit } from "./decisions.ts";
import { type Item, keyOf, nodeOf, type ReceiptNode, type ResumeNode } from "./item.ts";
import { lifeOf } from "./life.ts";
import { isGrant } from "./resumes.ts";

/** The time of what is reserved and has not begun: it counts in every window. */
export const OPEN = Number.MAX_SAFE_INTEGER;

/** An action of an item that counts toward budgets. */
export interface Spend {
  readonly actionId: string;
  readonly tool: string;
  readonly args: string;
  readonly argsSha256: string;
  /** When it began, in milliseconds since the epoch; OPEN while it is only reserved. */
  readonly at: number;
  /** When the verdict that reserved it was reached. */
  readonly judgedAt: number;
  readonly granted: boolean;
  /** Whether policy let it run without a person. */
  readonly flowed: boolean;
  /** Approvals that the verdict asked for. */
  readonly approvals: number;
}

/**
 * What an item counts toward budgets, from its state alone. A verdict that may lead to a grant reserves all its actions (an edit's verdict
 * replaces what the one before reserved). An action that has begun counts from then on, also while its outcome is unknown; one that failed,
 * and all that can no longer begin, count no more.
 */
export function spendsOf(item: Item): readonly Spend[] {
  const { stage, verdict } = lifeOf(item);
  if (verdict === null || (verdict.terms.route === "forbid" && !verdict.fallback)) return [];
  const times = new Map<string, { at: number; granted: boolean }>();
  const grants = [...item.nodes.values()].filter((node) => node.topic === "resumes" && isGrant(node.outcome) && node.outcome !== "roll_back") as ResumeNode[];
  if (grants.length === 0) {
    if (stage === "done") return [];
    for (const { actionId } of verdict.actions) times.set(actionId, { at: OPEN, granted: false });
  }
  for (const grant of grants)
    for (const [actionId, at] of begunBy(item, grant)) times.set(actionId, { at: Math.max(at, verdict.judgedAt, times.get(actionId)?.at ?? 0), granted: true });
  const flowed = verdict.terms.route === "allow" || isAudit(verdict.terms);
  return verdict.actions.flatMap(({ actionId, tool, args, argsSha256 }) => {
    const found = times.get(actionId);
    return found === undefined ? [] : [{ actionId, tool, args, argsSha256, ...found, judgedAt: verdict.judgedAt, flowed, approvals: verdict.terms.approvals }];
  });
}

/** The actions of a grant that count, each with its time. */
function begunBy(item: Item, { group, actions }: ResumeNode): [string, number][] {
  const { closedBy, done, running } = group;
  const startedAt = group.startedAt ?? 0;
  const begun = actions.slice(0, done).map(({ actionId }): [string, number] => [actionId, startedAt]);
  const rest = actions.slice(done).map(({ actionId }) => actionId);
  if (closedBy === null) return [...begun, ...rest.map((actionId): [string, number] => [actionId, actionId === running?.actionId ? startedAt : OPEN])];
  if (closedBy.kind !== "unknown") return begun;
  const unknown = item.nodes.get(keyOf("receipts", closedBy.id)) as ReceiptNode;
  const settle = nodeOf(item, "decisions", unknown.settle);
  if (settle?.settlement === "failed") return begun;
  const retried = settle?.settlement === "retry" && settle.resume === null;
  return [...begun, ...(retried ? rest.map((actionId): [string, number] => [actionId, OPEN]) : ([[unknown.actionId ?? "", startedAt]] as [string, number][]))];
}
