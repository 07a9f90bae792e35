import type { AnyEvent, Topic } from "../events/topics.ts";
import type { EventOf } from "../events/types.generated.ts";
import { applyDecision, legalDecision } from "./decisions.ts";
import {
  type DecisionNode,
  EFFECTIVE,
  type Entry,
  type Item,
  illegal,
  keyOf,
  type Memory,
  type NodeKey,
  nodeOf,
  type ProposalNode,
  type ReceiptNode,
  type ResumeNode,
  type Ruling,
  type Status,
  superseded,
  type VerdictNode,
} from "./item.ts";
import { leftByReceipt, leftBySettle, leftByWithheld } from "./left-open.ts";
import { proposalContentSha256, proposalReason } from "./proposals.ts";
import { applyReceipt, FINAL_RECEIPTS, legalReceipt, NO_RECEIPTS, NOT_RUNNING } from "./receipts.ts";
import { calledFor, legalResume, type ResumePast } from "./resumes.ts";
import { legalSettle, type SettlePast } from "./settle.ts";
import { actionTerms, legalVerdict, type VerdictPast, verdictNode } from "./verdicts.ts";

/** The machines and the driver's choices. Tests plant bugs here; everything else takes RULES. */
export interface Rules {
  readonly legalVerdict: typeof legalVerdict;
  readonly verdictNode: typeof verdictNode;
  readonly legalDecision: typeof legalDecision;
  readonly applyDecision: typeof applyDecision;
  readonly legalSettle: typeof legalSettle;
  readonly legalResume: typeof legalResume;
  readonly legalReceipt: typeof legalReceipt;
  readonly applyReceipt: typeof applyReceipt;
  /** What tells a repeated proposal from one with other content. Who knows that an item has no second one may leave it out. */
  readonly proposalContent: typeof proposalContentSha256;
  /** Identity of an event inside its item. */
  readonly identity: (topic: Topic, eventId: string) => NodeKey;
  /** Order in which released events are folded. */
  readonly released: (waiting: readonly Entry[]) => readonly Entry[];
}

/** The rules of the contract. */
export const RULES: Rules = {
  legalVerdict,
  verdictNode,
  legalDecision,
  applyDecision,
  legalSettle,
  legalResume,
  legalReceipt,
  applyReceipt,
  proposalContent: proposalContentSha256,
  identity: keyOf,
  released: (waiting) => waiting,
};

/** What folding one delivery did: the events that were ruled on, in that order (a cause may release parked ones). */
export interface Folded {
  readonly entry: Entry;
  readonly status: Status;
  readonly reason: string | null;
}

/**
 * Folds one delivered event into its item. The state is a pure function of the item's events, whatever the interleaving of topics and
 * however often they are delivered: legality reads the causal past and the earlier siblings, nothing else.
 *
 * Precondition: `entry.event.itemId` is the item's id, and each topic is delivered in log order (rewinds may repeat).
 */
export function foldEvent(item: Item, memory: Memory, entry: Entry, rules: Rules = RULES): readonly Folded[] {
  const key = rules.identity(entry.topic, entry.event.eventId);
  const known = memory.get(key);
  if (known !== undefined) {
    if (known.contentSha256 !== entry.contentSha256)
      memory.find({ code: "copy_differs", topic: entry.topic, eventId: entry.event.eventId, offset: entry.offset });
    return [];
  }
  const folded: Folded[] = [];
  // A loop, not recursion: a chain of parked events may be long.
  const queue: Entry[] = [entry];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const cause = causeOf(next);
    if (cause !== null && !isFolded(memory, cause)) {
      memory.park(cause, next);
      memory.set(next, "parked", null);
      folded.push({ entry: next, status: "parked", reason: null });
      continue;
    }
    const ruling = rule(item, memory, next, cause, rules);
    memory.set(next, ruling.status, "reason" in ruling ? ruling.reason : null);
    folded.push({ entry: next, status: ruling.status, reason: "reason" in ruling ? ruling.reason : null });
    queue.push(...rules.released(memory.release(keyOf(next.topic, next.event.eventId))));
  }
  return folded;
}

function causeOf({ event }: Entry): NodeKey | null {
  return event.answers === null ? null : (`${event.answers.topic}/${event.answers.eventId}` as NodeKey);
}

function isFolded(memory: Memory, cause: NodeKey): boolean {
  const known = memory.get(cause);
  return known !== undefined && known.status !== "parked";
}

const WRONG_CAUSE = illegal("wrong cause: the cause table does not allow it");

function rule(item: Item, memory: Memory, entry: Entry, cause: NodeKey | null, rules: Rules): Ruling {
  const from = cause === null ? null : cause.slice(0, cause.indexOf("/"));
  if (cause !== null && memory.get(cause)?.status !== "effective") {
    // Somebody acted on a grant that never was one.
    if (entry.topic === "receipts" && from === "resumes" && entry.event.actor.kind === "executor")
      memory.find({ code: "receipt_without_grant", topic: "receipts", eventId: entry.event.eventId, offset: null });
    return illegal(`its cause ${cause} is not effective`);
  }
  const machine = MACHINES[`${from ?? "nothing"}>${entry.topic}`];
  if (machine === undefined) return WRONG_CAUSE;
  try {
    return machine(item, memory, entry.event, cause as NodeKey, rules, entry);
  } catch (error) {
    // One event that cannot be judged must not stop the others.
    return illegal(`it cannot be judged: ${(error as Error).message}`);
  }
}

type Machine = (item: Item, memory: Memory, event: AnyEvent, cause: NodeKey, rules: Rules, entry: Entry) => Ruling;

/** One machine per (topic of the cause, topic): it builds the causal past, asks the rule, and applies what is effective. */
const MACHINES: { readonly [route: string]: Machine } = {
  "nothing>proposals": (item, memory, e, _cause, rules) => {
    const event = e as EventOf["proposals"];
    const reason = proposalReason(event);
    if (reason !== null) return illegal(reason);
    const first = nodeOf(item, "proposals", item.proposal);
    const contentSha256 = rules.proposalContent(event);
    if (first !== undefined) {
      if (first.contentSha256 === contentSha256) return superseded(`duplicate of ${first.id}`);
      memory.find({ code: "proposal_conflict", topic: "proposals", eventId: event.eventId, offset: null });
      return superseded(`conflict: ${first.id} came first with other content`);
    }
    // A key of the gateway names its own agent; whoever writes to the log itself may name another.
    if (event.agent.id !== event.actor.id) memory.find({ code: "agent_differs", topic: "proposals", eventId: event.eventId, offset: null });
    item.proposal = event.eventId;
    item.workspace = event.workspace;
    item.nodes.set(keyOf("proposals", event.eventId), {
      topic: "proposals",
      id: event.eventId,
      ask: event.ask,
      agentId: event.agent.id,
      agentOwner: event.agent.owner,
      onBehalfOf: event.onBehalfOf?.id ?? null,
      threadId: event.run?.threadId ?? null,
      checkpointId: event.run?.checkpointId ?? null,
      retryOf: event.retryOf,
      actions: actionTerms(event.actions),
      contentSha256,
      verdict: null,
    });
    return EFFECTIVE;
  },
  "nothing>policies": (item, _memory, e) => {
    const event = e as EventOf["policies"];
    if (event.actor.kind !== "authority") return illegal("wrong actor: the authority publishes");
    item.workspace = event.workspace;
    item.nodes.set(keyOf("policies", event.eventId), { topic: "policies", id: event.eventId, kind: event.kind });
    return EFFECTIVE;
  },
  "proposals>verdicts": (item, _memory, e, cause, rules) => {
    const proposal = item.nodes.get(cause) as ProposalNode;
    return judged(item, { proposal, edit: null }, proposal, e as EventOf["verdicts"], rules);
  },
  "decisions>verdicts": (item, _memory, e, cause, rules) => {
    const decision = item.nodes.get(cause) as DecisionNode | undefined;
    if (decision?.kind !== "edit") return WRONG_CAUSE;
    const past: VerdictPast = { proposal: proposalOf(item), edit: { decision, verdict: item.nodes.get(decision.cause) as VerdictNode } };
    return judged(item, past, decision, e as EventOf["verdicts"], rules);
  },
  "verdicts>batches": (item, _memory, e, cause) => {
    const verdict = item.nodes.get(cause) as VerdictNode;
    if (e.actor.kind !== "batcher") return illegal("wrong actor: the batcher seals");
    if (verdict.batch !== null) return superseded(`sealed by ${verdict.batch}`);
    verdict.batch = e.eventId;
    return EFFECTIVE;
  },
  "verdicts>decisions": (item, _memory, e, cause, rules) => {
    const event = e as EventOf["decisions"];
    const verdict = item.nodes.get(cause) as VerdictNode;
    const past = { proposal: proposalOf(item), verdict };
    const ruling = rules.legalDecision(past, verdict.group, event);
    if (ruling.status !== "effective") return ruling;
    const before = verdict.group;
    verdict.group = rules.applyDecision(past, before, event);
    if (event.kind === "clear") item.cleared = [...new Set([...item.cleared, event.cleared as string])].sort();
    const closes = before.closedBy === null && verdict.group.closedBy !== null;
    if (closes) addDecision(item, event, cause, event.kind !== "edit" && !(event.kind === "approve" && verdict.terms.gate === "audit"));
    return EFFECTIVE;
  },
  "receipts>decisions": (item, memory, e, cause, rules) => {
    const event = e as EventOf["decisions"];
    const receipt = item.nodes.get(cause) as ReceiptNode | undefined;
    if (receipt === undefined) return WRONG_CAUSE;
    if (event.kind === "report") return reported(item, receipt, event);
    if (event.kind !== "settle" || receipt.kind !== "unknown") return WRONG_CAUSE;
    const ruling = rules.legalSettle(settlePast(item, receipt), receipt.settle, event);
    if (ruling.status !== "effective") return ruling;
    receipt.settle = event.eventId;
    addDecision(item, event, cause, event.settlement?.outcome === "retry");
    const left = leftBySettle(item.nodes.get(receipt.cause) as ResumeNode, event.settlement?.outcome);
    if (left !== null) memory.find({ code: left, topic: "decisions", eventId: event.eventId, offset: null });
    return EFFECTIVE;
  },
  "verdicts>resumes": (item, memory, e, cause, rules) => {
    const verdict = item.nodes.get(cause) as VerdictNode;
    return resumed(item, memory, { cause: "verdict", proposal: proposalOf(item), verdict }, verdict, cause, e as EventOf["resumes"], rules);
  },
  "decisions>resumes": (item, memory, e, cause, rules) => {
    const decision = item.nodes.get(cause) as DecisionNode | undefined;
    const past = decision === undefined ? null : resumePastOf(item, decision);
    return past === null || decision === undefined
      ? illegal("its cause calls for no resume")
      : resumed(item, memory, past, decision, cause, e as EventOf["resumes"], rules);
  },
  "resumes>receipts": (item, memory, e, cause, rules) => {
    const event = e as EventOf["receipts"];
    const grant = item.nodes.get(cause) as ResumeNode;
    const ruling = rules.legalReceipt(grant, grant.group, event);
    findInReceipt(item, memory, grant, event, ruling);
    if (ruling.status !== "effective") return ruling;
    grant.group = rules.applyReceipt(grant, grant.group, event);
    const left = leftByReceipt(item, verdictOfGrant(item, grant), grant, event.kind);
    if (left !== null) memory.find({ code: left, topic: "receipts", eventId: event.eventId, offset: null });
    if (event.kind === "unknown" || FINAL_RECEIPTS.has(event.kind)) {
      item.nodes.set(keyOf("receipts", event.eventId), {
        topic: "receipts",
        id: event.eventId,
        kind: event.kind,
        cause,
        actionId: event.actionId,
        settle: null,
      });
    }
    return EFFECTIVE;
  },
};

function proposalOf(item: Item): ProposalNode {
  return nodeOf(item, "proposals", item.proposal) as ProposalNode;
}

function judged(item: Item, past: VerdictPast, group: { verdict: string | null }, event: EventOf["verdicts"], rules: Rules): Ruling {
  const ruling = rules.legalVerdict(past, group.verdict, event);
  if (ruling.status !== "effective") return ruling;
  group.verdict = event.eventId;
  item.nodes.set(keyOf("verdicts", event.eventId), rules.verdictNode(past, event));
  return EFFECTIVE;
}

function addDecision(item: Item, event: EventOf["decisions"], cause: NodeKey, calls: boolean): void {
  const { edits, dropped, order, settlement, actor } = event;
  item.nodes.set(keyOf("decisions", event.eventId), {
    topic: "decisions",
    id: event.eventId,
    kind: event.kind,
    cause,
    person: actor.id,
    roles: actor.roles,
    edits,
    dropped,
    order,
    settlement: settlement?.outcome ?? null,
    calls,
    verdict: null,
    resume: null,
  });
}

function reported(item: Item, receipt: ReceiptNode, event: EventOf["decisions"]): Ruling {
  if (!FINAL_RECEIPTS.has(receipt.kind)) return WRONG_CAUSE;
  if (event.actor.kind !== "person") return illegal("wrong actor: a person reports");
  if (event.incident === null) return illegal("missing field: incident");
  item.incidents = [...item.incidents, { id: event.eventId, severity: event.incident.severity }].sort((a, b) => (a.id < b.id ? -1 : 1));
  return EFFECTIVE;
}

/** What a decision calls for is read from this past. Null where it can call for nothing. */
export function resumePastOf(item: Item, decision: DecisionNode): ResumePast | null {
  const node = item.nodes.get(decision.cause);
  if (node?.topic === "verdicts") return { cause: "decision", proposal: proposalOf(item), verdict: node, decision };
  if (node?.topic !== "receipts") return null;
  const grant = item.nodes.get(node.cause) as ResumeNode;
  return { cause: "settle", verdict: verdictOfGrant(item, grant), decision, receipt: node, grant };
}

function resumed(
  item: Item,
  memory: Memory,
  past: ResumePast,
  group: { resume: string | null },
  cause: NodeKey,
  event: EventOf["resumes"],
  rules: Rules,
): Ruling {
  const ruling = rules.legalResume(past, group.resume, event);
  if (ruling.status !== "effective") return ruling;
  const left = event.outcome === "withheld" ? leftByWithheld(past) : null;
  if (left !== null) memory.find({ code: left, topic: "resumes", eventId: event.eventId, offset: null });
  group.resume = event.eventId;
  const actions = event.actions.map(({ actionId, argsSha256 }) => ({ actionId, argsSha256 }));
  item.nodes.set(keyOf("resumes", event.eventId), {
    topic: "resumes",
    id: event.eventId,
    cause,
    outcome: event.outcome,
    actions,
    notAfter: event.notAfter,
    grantedAt: event.occurredAt,
    group: NO_RECEIPTS,
  });
  return EFFECTIVE;
}

/** The verdict under which a grant was given, walking up through retries. */
export function verdictOfGrant(item: Item, grant: ResumeNode): VerdictNode {
  const cause = item.nodes.get(grant.cause) as VerdictNode | DecisionNode;
  if (cause.topic === "verdicts") return cause;
  const above = item.nodes.get(cause.cause) as VerdictNode | ReceiptNode;
  return above.topic === "verdicts" ? above : verdictOfGrant(item, item.nodes.get(above.cause) as ResumeNode);
}

/** What a settle of an unknown receipt is ruled by. */
export function settlePast(item: Item, receipt: ReceiptNode): SettlePast {
  const verdict = verdictOfGrant(item, item.nodes.get(receipt.cause) as ResumeNode);
  // Where a decision led to the grant, its group is closed and its owner final; where the verdict did, siblings must not be read.
  const decided = verdict.group.closedBy !== null && !grantedAtOnce(item, receipt);
  return {
    owner: decided ? verdict.group.owner : verdict.terms.owner,
    execution: verdict.terms.steps.find((s) => s.actionId === receipt.actionId)?.execution ?? "unrecognized",
  };
}

function grantedAtOnce(item: Item, receipt: ReceiptNode): boolean {
  const grant = item.nodes.get(receipt.cause) as ResumeNode;
  const cause = item.nodes.get(grant.cause) as VerdictNode | DecisionNode;
  if (cause.topic === "verdicts") return true;
  const above = item.nodes.get(cause.cause) as VerdictNode | ReceiptNode;
  return above.topic === "receipts" && grantedAtOnce(item, above);
}

/** Receipts by which an executor says that something has happened outside. */
const ENDS: ReadonlySet<string> = new Set(["succeeded", "failed", "compensated"]);

function findInReceipt(item: Item, memory: Memory, grant: ResumeNode, event: EventOf["receipts"], ruling: Ruling): void {
  if (event.actor.kind !== "executor") return;
  const find = (code: "args_differ" | "receipt_without_grant" | "receipt_without_start" | "late_receipt" | "resumed_elsewhere") =>
    memory.find({ code, topic: "receipts", eventId: event.eventId, offset: null });
  const action = grant.actions.find((a) => a.actionId === event.actionId);
  if (action === undefined) find("receipt_without_grant");
  else {
    if (ruling.status === "effective" && event.argsSha256 !== null && event.argsSha256 !== action.argsSha256) find("args_differ");
    // Only what ended tells of something that happened; a start that lost its race, or a renewal, does not.
    if (ruling.status === "superseded" && ENDS.has(event.kind)) find("late_receipt");
    if (ruling.status === "illegal" && ruling.reason === NOT_RUNNING && ENDS.has(event.kind)) find("receipt_without_start");
    if (event.resumed !== null && isElsewhere(proposalOf(item), event.resumed)) find("resumed_elsewhere");
  }
}

/** Whether a run went on elsewhere than it paused: on another thread, or from another checkpoint of it. */
function isElsewhere({ threadId, checkpointId }: ProposalNode, resumed: NonNullable<EventOf["receipts"]["resumed"]>): boolean {
  if (threadId === null) return false;
  if (resumed.threadId !== threadId) return true;
  return checkpointId !== null && resumed.checkpointId !== null && resumed.checkpointId !== checkpointId;
}

/** What an effective node calls for as a resume, if anything: for the dispatcher and for what is owed. */
export function calledBy(item: Item, node: VerdictNode | DecisionNode): ReturnType<typeof calledFor> {
  if (node.topic === "verdicts") return calledFor({ cause: "verdict", proposal: proposalOf(item), verdict: node });
  const past = resumePastOf(item, node);
  return past === null ? null : calledFor(past);
}
