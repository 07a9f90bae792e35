import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf, VerdictReached } from "../events/types.generated.ts";

/** What became of an event. */
export type Status = "effective" | "superseded" | "illegal" | "parked";

/** What a state machine says of an event. `reason` is a stable code followed by words. */
export type Ruling = { readonly status: "effective" } | { readonly status: "superseded" | "illegal"; readonly reason: string };

/** The answer of every machine that lets an event pass. */
export const EFFECTIVE: Ruling = { status: "effective" };

/** Kept and shown, but without effect: somebody was first. */
export function superseded(reason: string): Ruling {
  return { status: "superseded", reason };
}

/** Kept and shown, but without effect: it breaks a rule. */
export function illegal(reason: string): Ruling {
  return { status: "illegal", reason };
}

/** An action with the arguments that are on the table. */
export interface ActionTerms {
  readonly actionId: string;
  readonly tool: string;
  readonly args: string;
  readonly argsSha256: string;
  readonly argsSchema: string | null;
}

/** The effective proposal, as far as legality reads it. */
export interface ProposalNode {
  readonly topic: "proposals";
  readonly id: string;
  readonly ask: EventOf["proposals"]["ask"];
  readonly agentId: string;
  readonly agentOwner: string | null;
  readonly onBehalfOf: string | null;
  readonly threadId: string | null;
  readonly checkpointId: string | null;
  readonly retryOf: string | null;
  readonly actions: readonly ActionTerms[];
  /** Hash of the content without eventId, occurredAt and traceparent. */
  readonly contentSha256: string;
  verdict: string | null;
}

/** What a verdict asks for, as far as legality reads it. */
export type Terms = Pick<
  VerdictReached,
  | "route"
  | "gate"
  | "owner"
  | "approvals"
  | "approvalOrder"
  | "separation"
  | "allowedDecisions"
  | "editablePaths"
  | "ladder"
  | "expiresAt"
  | "onExpiry"
  | "cardSha256"
> & {
  readonly steps: readonly { actionId: string; execution: "blind" | "queryable" | "idempotent" | "unrecognized"; leaseMs: number }[];
  readonly grantTtlMs: number | null;
  /** How it may be batched; null where it may not. Nothing that is legal depends on it. */
  readonly batch: BatchTerms | null;
};

/** What a verdict says about the batch that it may be sealed in. */
export interface BatchTerms {
  readonly key: string;
  readonly max: number;
  readonly windowMs: number;
}

/** A reviewer's lease as it stands. */
export interface Lease {
  readonly id: string;
  readonly person: string;
  readonly endsAt: number;
}

/** State of the decisions on a verdict: what the siblings have done so far. */
export interface DecisionGroup {
  readonly owner: string | null;
  /** Step of the ladder, 0 before any escalation. */
  readonly step: number;
  readonly lease: Lease | null;
  /** Ids of all leases there have been: a claim brings an id of its own. */
  readonly leaseIds: readonly string[];
  /** Persons who approved these hashes, in order. */
  readonly votes: readonly string[];
  readonly held: boolean;
  /** When the step in force was taken; null before the first. Nothing that is legal depends on it. */
  readonly escalatedAt: number | null;
  readonly withdrawn: boolean;
  /** When it was withdrawn without being settled by that; null where it was not. Nothing that is legal depends on it. */
  readonly withdrawnAt: number | null;
  /** The decision that settled it. */
  readonly closedBy: { readonly kind: string; readonly id: string } | null;
}

/** An effective verdict. */
export interface VerdictNode {
  readonly topic: "verdicts";
  readonly id: string;
  /** Key of the proposal or edit that it judges. */
  readonly cause: NodeKey;
  /** True for a forbid of an edit: `terms`, `actions` and the group are those of the verdict before. */
  readonly fallback: boolean;
  /** When policy reached it; on a fallback, when it reached the verdict that is restored. Nothing that is legal depends on it. */
  readonly judgedAt: number;
  readonly terms: Terms;
  readonly actions: readonly ActionTerms[];
  /** Persons who approved other arguments before, or edited. */
  readonly earlierApprovers: readonly string[];
  group: DecisionGroup;
  batch: string | null;
  resume: string | null;
}

/** An effective decision that something may answer: an edit, a settling decision, an audit's, a settle. */
export interface DecisionNode {
  readonly topic: "decisions";
  readonly id: string;
  readonly kind: EventOf["decisions"]["kind"];
  readonly cause: NodeKey;
  readonly person: string;
  readonly roles: readonly string[];
  readonly edits: readonly { actionId: string; args: string; argsSha256: string }[];
  readonly dropped: readonly string[];
  readonly order: readonly string[];
  readonly settlement: "succeeded" | "failed" | "retry" | "unrecognized" | null;
  /** True when it calls for a resume. */
  readonly calls: boolean;
  verdict: string | null;
  resume: string | null;
}

/** State of the receipts on a grant. */
export interface ReceiptGroup {
  /** Actions that have succeeded (compensated, in a roll_back), which are the first ones. */
  readonly done: number;
  readonly running: { readonly actionId: string; readonly leaseId: string; readonly endsAt: number } | null;
  readonly leaseIds: readonly string[];
  /** When the action that was started last was started. Nothing that is legal depends on it. */
  readonly startedAt: number | null;
  /** When the action that succeeded last (compensated, in a roll_back) had ended. Nothing that is legal depends on it. */
  readonly endedAt: number | null;
  readonly closedBy: { readonly kind: string; readonly id: string } | null;
}

/** An effective resume; a grant where it has actions. */
export interface ResumeNode {
  readonly topic: "resumes";
  readonly id: string;
  readonly cause: NodeKey;
  readonly outcome: EventOf["resumes"]["outcome"];
  readonly actions: readonly { actionId: string; argsSha256: string }[];
  readonly notAfter: number | null;
  /** When it was written. Nothing that is legal depends on it. */
  readonly grantedAt: number;
  group: ReceiptGroup;
}

/** An effective receipt that something may answer: an unknown one, or a final one. */
export interface ReceiptNode {
  readonly topic: "receipts";
  readonly id: string;
  readonly kind: EventOf["receipts"]["kind"];
  readonly cause: NodeKey;
  readonly actionId: string | null;
  settle: string | null;
}

/** A document of the policy authority. */
export interface PolicyNode {
  readonly topic: "policies";
  readonly id: string;
  readonly kind: EventOf["policies"]["kind"];
}

export type Node = ProposalNode | VerdictNode | DecisionNode | ResumeNode | ReceiptNode | PolicyNode;

/** `<topic>/<eventId>`: the identity of an event inside its item. */
export type NodeKey = `${Topic}/${string}`;

/** Key of an event. */
export function keyOf(topic: Topic, eventId: string): NodeKey {
  return `${topic}/${eventId}`;
}

/** An event on its way into the fold. */
export interface Entry {
  readonly topic: Topic;
  readonly offset: number;
  readonly event: AnyEvent;
  /** Hash of the payload: tells a second delivery from a forged copy. */
  readonly contentSha256: string;
}

/** Something that a person should look at. It never changes legality. */
export interface Finding {
  readonly code:
    | "proposal_conflict"
    | "copy_differs"
    | "agent_differs"
    | "late_receipt"
    | "args_differ"
    | "receipt_without_grant"
    | "receipt_without_start"
    | "resumed_elsewhere"
    | "left_in_doubt"
    | "not_rolled_back"
    | "plan_cut_short";
  readonly topic: Topic;
  readonly eventId: string;
  /** Offset of a copy; null where the finding is about the event itself. */
  readonly offset: number | null;
}

/** Where an item remembers what need not be in its state. The projector keeps it in tables. */
export interface Memory {
  /** Status and content of an event that was folded or parked; undefined when it is new. */
  get(key: NodeKey): { status: Status; contentSha256: string } | undefined;
  /** Records the status of an event, replacing "parked". */
  set(entry: Entry, status: Status, reason: string | null): void;
  /** Keeps an event until its cause is folded. */
  park(cause: NodeKey, entry: Entry): void;
  /** Takes out what was parked for a cause, each topic in log order. */
  release(cause: NodeKey): readonly Entry[];
  /** Records a finding; the same one again changes nothing. */
  find(finding: Finding): void;
}

/** The folded state of one item: plain data, a pure function of its events. */
export interface Item {
  readonly id: string;
  workspace: string | null;
  /** Effective events that others may answer, in the order of the chain they form. */
  readonly nodes: Map<NodeKey, Node>;
  /** Id of the effective proposal. */
  proposal: string | null;
  /** SHA-256 of bad records that a person has cleared. */
  cleared: string[];
  /** Effective reports of incidents. */
  incidents: { id: string; severity: string }[];
}

/** An item of which nothing is known. */
export function createItem(id: string): Item {
  return { id, workspace: null, nodes: new Map(), proposal: null, cleared: [], incidents: [] };
}

/** The node of a key, when it is of the topic that the caller expects. */
export function nodeOf<T extends Topic>(item: Item, topic: T, id: string | null): Extract<Node, { topic: T }> | undefined {
  return id === null ? undefined : (item.nodes.get(keyOf(topic, id)) as Extract<Node, { topic: T }> | undefined);
}

/** The verdict whose terms and card are in force: a forbid of an edit restores those before it. */
export function termsVerdict(item: Item, verdict: VerdictNode): VerdictNode {
  let node = verdict;
  while (node.fallback) {
    const edit = item.nodes.get(node.cause);
    const before = edit?.topic === "decisions" ? item.nodes.get(edit.cause) : undefined;
    if (before?.topic !== "verdicts") break;
    node = before;
  }
  return node;
}
