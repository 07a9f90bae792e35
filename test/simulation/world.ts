import type { Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { LogRecord, NewRecord } from "../../src/log/log.ts";
import { proposedAt } from "../../src/projector/rows.ts";
import type { Rng } from "../ledger/generator.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Network } from "./network.ts";
import type { Process } from "./node.ts";
import { FLOOR, type Tool } from "./policy.ts";
import type { Theme } from "./themes.ts";
import { nameOf, type Truth } from "./truth.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A process with what it has folded, as the invariants know it. */
export interface Member {
  readonly process: Process;
  readonly known: Knowledge;
  /** Names of the events that it has folded. */
  readonly folded: Set<string>;
}

/** An item as its agent knows it. */
export interface Planned {
  readonly itemId: string;
  readonly agent: string;
  readonly request: { readonly idempotencyKey: string; readonly [field: string]: unknown };
  readonly tools: readonly string[];
  readonly threadId: string | null;
  readonly retryOf: string | null;
  readonly replaces: string | null;
  readonly replacedBy: string[];
  /** Id of the proposal that took effect. */
  proposal: string | null;
}

/** Something that an executor did outside. */
export interface Act {
  readonly itemId: string;
  readonly grantId: string;
  readonly outcome: string;
  readonly actionId: string;
  readonly tool: Tool;
  readonly args: { readonly [name: string]: unknown };
  readonly argsSha256: string;
  readonly effectKey: string;
  readonly at: number;
  /** When the lease under which it is done ends, by the clock of the process that gave it. */
  readonly endsAt: number;
}

/** A process's clock is ahead of another's, or behind, by less than this. */
export const SKEW_MS = 10_000;

/** What must hold, by name: a violation says which. */
export type Invariant =
  | "judged by the policy in force"
  | "judged on the arguments"
  | "nothing flows under a halt"
  | "no revoked standing approval"
  | "nothing barred is granted"
  | "withheld for a reason"
  | "one effect key"
  | "nothing barred is started"
  | "nothing barred is tried again"
  | "one try at a time"
  | "what is refused has no effect"
  | "not before its time"
  | "nothing is decided under a halt"
  | "taken over with the role"
  | "one status for all"
  | "workers stay within the rules"
  | "retries are bounded"
  | "within its lease"
  | "once"
  | "only what is granted"
  | "consent"
  | "replaced never runs beside"
  | "bounds of standing approvals"
  | "budgets"
  | "what is owed is written"
  | "what is taken back is swept"
  | "one view for all"
  | "as the rules say"
  | "what is told is true"
  | "it comes to rest"
  | "nothing is left on its way"
  | "refused by name"
  | "it follows the log";

/** What a client was told of an event of its own. */
export interface Told {
  readonly what: string;
  readonly itemId: string;
  readonly topic: Topic;
  readonly eventId: string;
  readonly effective: boolean;
}

/** One history under way. */
export interface World {
  readonly rng: Rng;
  readonly theme: Theme;
  readonly time: VirtualTime;
  readonly net: Network;
  readonly truth: Truth;
  readonly members: Member[];
  readonly items: Map<string, Planned>;
  readonly acts: Act[];
  /** What agents were told has ended, so that nothing of it may run any more: by item, how. */
  readonly ended: Map<string, string>;
  /** What agents were told of their withdrawals, by item: whether one was refused, and whether one was, or may have been, taken. */
  readonly withdrawals: Map<string, { refused: boolean; taken: boolean }>;
  /** True when there is only one process at any time. */
  readonly alone: boolean;
  /** Records that nobody can decode. */
  readonly garbage: LogRecord[];
  /** Calls of clients under way. */
  readonly calls: Set<Promise<void>>;
  /** What clients were told became of their own events: held against the log at the end. */
  readonly told: Told[];
  readonly trace: string[];
  /** How often what was seen, for the table of what histories cover. */
  readonly seen: Map<string, number>;
  violation: string | null;
  violate(invariant: Invariant, sentence: string): void;
  note(sentence: string): void;
  count(what: string): void;
  item(itemId: string): Planned | undefined;
  /** The proposal that took effect. */
  proposalOf(itemId: string): EventOf["proposals"] | undefined;
  /** The actions that a verdict judges, which answers this: those of the proposal, or what an edit made of those before it. */
  onTheTable(itemId: string, answers: EventOf["verdicts"]["answers"]): readonly { readonly actionId: string; readonly tool: string; readonly args: string }[];
  halted(member: Member, itemId: string): boolean;
  branchOver(member: Member, itemId: string): boolean;
  /** Events of an item that a process has folded as effective. */
  foldedBy<T extends Topic>(member: Member, itemId: string, topic: T): EventOf[T][];
  floorOver(member: Member, grant: EventOf["resumes"]): string | null;
  rootOf(itemId: string): string;
  /** The other items that try the same work, along `retryOf` both ways. */
  triesBeside(itemId: string): readonly string[];
  /** The verdict that a resume hangs on: its cause, or the one above its cause, through retries. */
  causeOf(itemId: string, answers: EventOf["resumes"]["answers"]): EventOf["verdicts"] | undefined;
  /** The verdict whose terms a resume is given under. */
  verdictOf(itemId: string, answers: EventOf["resumes"]["answers"]): EventOf["verdicts"] | undefined;
  /** The verdict whose terms stand: a forbidden edit restores those before it. */
  termsOf(itemId: string, verdictId: string): EventOf["verdicts"] | undefined;
}

type Parts = Pick<World, "rng" | "theme" | "time" | "net" | "truth" | "alone">;

export function createWorld(parts: Parts): World {
  const { truth, time } = parts;
  const origin = time.now();
  const world: World = {
    ...parts,
    ...{
      members: [],
      items: new Map(),
      acts: [],
      ended: new Map(),
      withdrawals: new Map(),
      calls: new Set(),
      garbage: [],
      told: [],
      trace: [],
      seen: new Map(),
      violation: null,
    },
    violate: (invariant, sentence) => {
      world.note(`VIOLATION ${invariant}: ${sentence}`);
      world.violation ??= `${invariant}: ${sentence}`;
    },
    note: (sentence) => void world.trace.push(`${((time.now() - origin) / 1000).toFixed(1).padStart(9)} s  ${sentence}`),
    count: (what) => void world.seen.set(what, (world.seen.get(what) ?? 0) + 1),
    item: (itemId) => world.items.get(itemId),
    proposalOf: (itemId) => truth.fact(itemId, "proposals", world.items.get(itemId)?.proposal ?? ""),
    onTheTable(itemId, answers) {
      if (answers?.topic !== "decisions") return world.proposalOf(itemId)?.actions ?? [];
      const edit = truth.fact(itemId, "decisions", answers.eventId);
      const { dropped = [], order = [], edits = [] } = edit ?? {};
      const before = world.onTheTable(itemId, world.termsOf(itemId, edit?.answers?.eventId ?? "")?.answers ?? null);
      const kept = before.filter((a) => !dropped.includes(a.actionId));
      const ordered = order.length === 0 ? kept : order.flatMap((id) => kept.filter((a) => a.actionId === id));
      return ordered.map((a) => ({ ...a, args: edits.find((e) => e.actionId === a.actionId)?.args ?? a.args }));
    },
    halted({ process, known }, itemId) {
      const item = world.items.get(itemId);
      return known.halts(process.ledger.now()).some(({ scope }) => {
        if (scope.agent !== undefined && scope.agent !== item?.agent) return false;
        return scope.action === undefined || item?.tools.includes(scope.action) === true;
      });
    },
    branchOver({ known }, itemId) {
      const item = world.items.get(itemId);
      const since = proposedAt(item?.proposal ?? "");
      return known.branches.some(
        (b) => b.itemId !== itemId && item !== undefined && b.threadId === item.threadId && world.items.get(b.itemId)?.agent === item.agent && b.at >= since,
      );
    },
    foldedBy: (member, itemId, topic) => truth.effective(itemId, topic).filter((e) => member.folded.has(nameOf(itemId, topic, e.eventId))),
    floorOver({ known }, grant) {
      const floor = FLOOR[Number(known.version() ?? 1) - 1] as number;
      const over = grant.actions.find((a) => a.tool === "pay" && Number((JSON.parse(a.args) as { amount: number }).amount) > floor);
      return over === undefined ? null : `${over.args} above ${floor}`;
    },
    rootOf(itemId) {
      let root = itemId;
      for (let next = world.items.get(root)?.retryOf; next != null; next = world.items.get(root)?.retryOf) root = next;
      return root;
    },
    triesBeside: (itemId) => [...world.items.keys()].filter((id) => id !== itemId && world.rootOf(id) === world.rootOf(itemId)),
    causeOf(itemId, answers) {
      if (answers === null) return undefined;
      if (answers.topic === "verdicts") return truth.fact(itemId, "verdicts", answers.eventId);
      const decision = truth.fact(itemId, "decisions", answers.eventId);
      if (decision?.answers?.topic === "verdicts") return truth.fact(itemId, "verdicts", decision.answers.eventId);
      const receipt = truth.fact(itemId, "receipts", decision?.answers?.eventId ?? "");
      const grant = truth.fact(itemId, "resumes", receipt?.answers?.eventId ?? "");
      return grant === undefined ? undefined : world.causeOf(itemId, grant.answers);
    },
    verdictOf(itemId, answers) {
      const cause = world.causeOf(itemId, answers);
      return cause === undefined ? undefined : world.termsOf(itemId, cause.eventId);
    },
    termsOf(itemId, verdictId) {
      const verdict = truth.fact(itemId, "verdicts", verdictId);
      if (verdict?.route !== "forbid" || verdict.answers?.topic !== "decisions") return verdict;
      const edit = truth.fact(itemId, "decisions", verdict.answers.eventId);
      return world.termsOf(itemId, edit?.answers?.eventId ?? "");
    },
  };
  return world;
}

/** The events of what a process sends. */
export function eventsOf({ truth }: World, records: readonly NewRecord[]) {
  return records.flatMap((record) => {
    const event = truth.decode(record.topic, record.value);
    return event === null ? [] : [{ topic: record.topic, itemId: record.key, event }];
  });
}
