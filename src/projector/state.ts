import avsc from "avsc";
import { sha256 } from "../events/canonical.ts";
import { uuidBytes, uuidOfBytes } from "../events/ids.ts";
import type { Topic } from "../events/topics.ts";
import { sameActions } from "../ledger/edits.ts";
import {
  type ActionTerms,
  createItem,
  type Item,
  keyOf,
  type Node,
  type NodeKey,
  type ProposalNode,
  type ResumeNode,
  type Terms,
  type VerdictNode,
} from "../ledger/item.ts";
import { STATE_SCHEMA } from "./state-schema.ts";
import type { Summary } from "./summary.ts";

/** Where schemas of arguments are kept once: by their hash. */
export interface Blobs {
  put(sha256: string, text: string): void;
  get(sha256: string): string;
}

const TYPE = avsc.Type.forSchema(STATE_SCHEMA as avsc.Schema, { wrapUnions: "auto" });
let scratch = Buffer.allocUnsafe(16 * 1024);

// biome-ignore lint/suspicious/noExplicitAny: the packed form is described by STATE_SCHEMA, and only this file sees it.
type Packed = any;

/** Packs an item's state and summary into bytes. */
export function writeState(item: Item, summary: Summary, blobs: Blobs): Buffer {
  const nodes = inOrder(item);
  // An item has a handful of nodes: looking through them costs less than building a text and a map for each reference.
  const ref: Ref = (topic, id) => (id === null ? -1 : nodes.findIndex((node) => node.id === id && node.topic === topic));
  const value: Packed = {
    workspace: item.workspace,
    proposal: ref("proposals", item.proposal),
    cleared: item.cleared.map(hexBytes),
    incidents: item.incidents.map((i) => ({ id: idBytes(i.id), severity: i.severity })),
    nodes: nodes.map((node) => pack(item, node, nodes, ref, blobs)),
    summary: {
      traceUrl: summary.traceUrl ?? null,
      headline: summary.headline ?? null,
      why: summary.why ?? null,
      risk: summary.risk ?? null,
      route: summary.route ?? null,
      policy: summary.policy ?? null,
      card: ref("verdicts", summary.card ?? null),
    },
  };
  const end = TYPE.encode(value, scratch);
  if (end >= 0) return Buffer.from(scratch.subarray(0, end));
  scratch = Buffer.allocUnsafe(2 * (scratch.length - end));
  return writeState(item, summary, blobs);
}

/** Place of a node, -1 where there is none. */
type Ref = (topic: Topic, id: string | null) => number;

function pack(item: Item, node: Node, nodes: readonly Node[], ref: Ref, blobs: Blobs): Packed {
  const id = idBytes(node.id);
  const at = (cause: NodeKey) => {
    const slash = cause.indexOf("/");
    return ref(cause.slice(0, slash) as Topic, cause.slice(slash + 1));
  };
  switch (node.topic) {
    case "proposals":
      return {
        P: {
          ...node,
          id,
          actions: node.actions.map((a) => packAction(a, blobs)),
          contentSha256: hexBytes(node.contentSha256),
          verdict: ref("verdicts", node.verdict),
        },
      };
    case "verdicts": {
      const { group, terms } = node;
      const before = node.fallback ? sameTermsBefore(item, node) : null;
      const proposed = proposalOf(item).actions;
      return {
        V: {
          id,
          cause: at(node.cause),
          fallback: node.fallback,
          judgedAt: node.judgedAt,
          sameTerms: ref("verdicts", before),
          terms: before === null ? { ...terms, cardSha256: terms.cardSha256 === null ? null : hexBytes(terms.cardSha256) } : null,
          actions: node.actions === proposed || sameActions(node.actions, proposed) ? null : node.actions.map((a) => packAction(a, blobs)),
          earlierApprovers: node.earlierApprovers,
          ...group,
          closedBy: group.closedBy === null ? null : { kind: group.closedBy.kind, by: ref("decisions", group.closedBy.id) },
          batch: node.batch === null ? null : idBytes(node.batch),
          resume: ref("resumes", node.resume),
        },
      };
    }
    case "decisions":
      return { D: { ...node, id, cause: at(node.cause), edits: node.edits, verdict: ref("verdicts", node.verdict), resume: ref("resumes", node.resume) } };
    case "resumes": {
      const granted = node.actions.length === 0 ? -1 : verdictNamed(nodes, node);
      return {
        R: {
          ...node,
          ...node.group,
          id,
          cause: at(node.cause),
          actions: granted >= 0 ? null : node.actions.map((a) => ({ actionId: a.actionId, argsSha256: hexBytes(a.argsSha256) })),
          granted,
          closedBy: node.group.closedBy === null ? null : { kind: node.group.closedBy.kind, by: ref("receipts", node.group.closedBy.id) },
        },
      };
    }
    case "receipts":
      return { X: { ...node, id, cause: at(node.cause), settle: ref("decisions", node.settle) } };
    default:
      return { Doc: { id, kind: node.kind } };
  }
}

function packAction(action: ActionTerms, blobs: Blobs): Packed {
  if (action.argsSchema === null) return { ...action, argsSchema: null };
  const hash = sha256(action.argsSchema);
  blobs.put(hash, action.argsSchema);
  return { ...action, argsSchema: hexBytes(hash) };
}

function proposalOf(item: Item): ProposalNode {
  return item.nodes.get(keyOf("proposals", item.proposal as string)) as ProposalNode;
}

/** The verdict whose terms a fallback restored. */
function sameTermsBefore(item: Item, node: VerdictNode): string | null {
  const edit = item.nodes.get(node.cause);
  const before = edit?.topic === "decisions" ? item.nodes.get(edit.cause) : undefined;
  return before?.topic === "verdicts" ? before.id : null;
}

/** Place of the first verdict whose actions a grant names, all of them and in order; -1 where there is none. */
function verdictNamed(nodes: readonly Node[], grant: ResumeNode): number {
  return nodes.findIndex((n) => n.topic === "verdicts" && sameActions(n.actions, grant.actions));
}

/** The nodes in an order that does not depend on how they arrived: the proposal, the chain of its verdicts, then the others by their keys. */
function inOrder(item: Item): readonly Node[] {
  const chain: Node[] = [];
  const proposal = item.proposal === null ? undefined : proposalOf(item);
  if (proposal !== undefined) chain.push(proposal);
  for (let id = proposal?.verdict ?? null; id !== null; ) {
    const verdict = item.nodes.get(keyOf("verdicts", id)) as VerdictNode;
    chain.push(verdict);
    const closing = verdict.group.closedBy === null ? undefined : item.nodes.get(keyOf("decisions", verdict.group.closedBy.id));
    id = closing?.topic === "decisions" ? closing.verdict : null;
  }
  const others: [NodeKey, Node][] = [];
  for (const entry of item.nodes) if (entry[1].topic !== "proposals" && entry[1].topic !== "verdicts") others.push(entry);
  if (others.length > 1) others.sort(([x], [y]) => (x < y ? -1 : 1));
  for (const [, node] of others) chain.push(node);
  return chain;
}

/** The item and the summary of packed bytes. */
export function readState(id: string, bytes: Uint8Array, blobs: Blobs): { item: Item; summary: Summary } {
  const state: Packed = TYPE.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const packed: [keyof typeof TOPIC, Packed][] = state.nodes.map((n: Packed) => Object.entries(n)[0]);
  const keys = packed.map(([kind, n]) => keyOf(TOPIC[kind], idText(n.id)));
  const keyAt = (place: number) => keys[place] as NodeKey;
  const idAt = (place: number) => (place < 0 ? null : (keys[place] as string).slice((keys[place] as string).indexOf("/") + 1));
  const item = createItem(id);
  item.workspace = state.workspace;
  item.proposal = idAt(state.proposal);
  item.cleared = state.cleared.map(hexText);
  item.incidents = state.incidents.map((i: Packed) => ({ id: idText(i.id), severity: i.severity }));
  for (const [place, [kind, n]] of packed.entries()) item.nodes.set(keyAt(place), unpack(item, kind, { ...n, id: idText(n.id) }, keyAt, idAt, blobs));
  const s = state.summary;
  const proposal = item.proposal === null ? undefined : proposalOf(item);
  const known = Object.entries({
    traceUrl: s.traceUrl,
    headline: s.headline,
    why: s.why,
    risk: s.risk,
    route: s.route,
    policy: s.policy,
    card: idAt(s.card),
  }).filter(([, v]) => v !== null);
  const of: Summary =
    proposal === undefined
      ? {}
      : {
          workspace: state.workspace,
          ask: proposal.ask as NonNullable<Summary["ask"]>,
          agent: proposal.agentId,
          tools: proposal.actions.map((a) => a.tool),
          ...(proposal.threadId === null ? {} : { threadId: proposal.threadId }),
        };
  return { item, summary: { ...of, ...Object.fromEntries(known) } };
}

const TOPIC = { P: "proposals", V: "verdicts", D: "decisions", R: "resumes", X: "receipts", Doc: "policies" } as const;

function unpack(
  item: Item,
  kind: keyof typeof TOPIC,
  n: Packed,
  keyAt: (place: number) => NodeKey,
  idAt: (place: number) => string | null,
  blobs: Blobs,
): Node {
  const topic = TOPIC[kind];
  switch (kind) {
    case "P":
      return { ...n, topic, actions: n.actions.map((a: Packed) => unpackAction(a, blobs)), contentSha256: hexText(n.contentSha256), verdict: idAt(n.verdict) };
    case "V": {
      const { owner, step, lease, leaseIds, votes, held, escalatedAt, withdrawn, withdrawnAt } = n;
      const terms: Terms =
        n.sameTerms >= 0
          ? (item.nodes.get(keyAt(n.sameTerms)) as VerdictNode).terms
          : { ...n.terms, cardSha256: n.terms.cardSha256 === null ? null : hexText(n.terms.cardSha256) };
      const group = {
        owner,
        step,
        lease,
        leaseIds,
        votes,
        held,
        escalatedAt,
        withdrawn,
        withdrawnAt,
        closedBy: n.closedBy === null ? null : { kind: n.closedBy.kind, id: idAt(n.closedBy.by) as string },
      };
      return {
        topic: "verdicts",
        id: n.id,
        cause: keyAt(n.cause),
        fallback: n.fallback,
        judgedAt: n.judgedAt,
        terms,
        actions: n.actions === null ? proposalOf(item).actions : n.actions.map((a: Packed) => unpackAction(a, blobs)),
        earlierApprovers: n.earlierApprovers,
        group,
        batch: n.batch === null ? null : idText(n.batch),
        resume: idAt(n.resume),
      };
    }
    case "D":
      return {
        ...n,
        topic,
        cause: keyAt(n.cause),
        edits: n.edits.map((e: Packed) => ({ ...e, argsSha256: sha256(e.args) })),
        verdict: idAt(n.verdict),
        resume: idAt(n.resume),
      };
    case "R": {
      const { done, running, leaseIds, startedAt, endedAt } = n;
      const named = n.granted < 0 ? n.actions : (item.nodes.get(keyAt(n.granted)) as VerdictNode).actions;
      const actions = named.map((a: Packed) => ({ actionId: a.actionId, argsSha256: n.granted < 0 ? hexText(a.argsSha256) : a.argsSha256 }));
      const closedBy = n.closedBy === null ? null : { kind: n.closedBy.kind, id: idAt(n.closedBy.by) as string };
      const group = { done, running, leaseIds, startedAt, endedAt, closedBy };
      return { topic: "resumes", id: n.id, cause: keyAt(n.cause), outcome: n.outcome, actions, notAfter: n.notAfter, grantedAt: n.grantedAt, group };
    }
    case "X":
      return { ...n, topic, cause: keyAt(n.cause), settle: idAt(n.settle) };
    default:
      return { ...n, topic };
  }
}

/** The hash of an action's arguments is not packed: a proposal or an edit whose hash is wrong never takes effect. */
function unpackAction({ argsSchema, ...a }: Packed, blobs: Blobs): ActionTerms {
  return { ...a, argsSha256: sha256(a.args), argsSchema: argsSchema === null ? null : blobs.get(hexText(argsSchema)) };
}

const HASH = /^[0-9a-f]{64}$/;

/** 32 bytes of a hash; any other text, which a foreign writer may have put in its place, behind a zero byte: it must come back as it was. */
function hexBytes(hash: string): Buffer {
  return HASH.test(hash) ? Buffer.from(hash, "hex") : Buffer.concat([Buffer.of(0), Buffer.from(hash), Buffer.alloc(32)]);
}

function hexText(bytes: Buffer): string {
  return bytes.length === 32 ? bytes.toString("hex") : bytes.toString("utf8", 1, bytes.length - 32);
}

/** 16 bytes of a UUID; any other id as its text behind a zero byte. */
function idBytes(id: string): Buffer {
  return uuidBytes(id) ?? Buffer.concat([Buffer.of(0), Buffer.from(id), Buffer.alloc(16)]);
}

function idText(bytes: Buffer): string {
  return bytes.length === 16 ? uuidOfBytes(bytes) : bytes.toString("utf8", 1, bytes.length - 16);
}
