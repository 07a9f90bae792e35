import { CountersignError, messageOf } from "../../errors.ts";
import type { EventOf, PolicyRef } from "../../events/types.generated.ts";
import type { Item, VerdictNode } from "../../ledger/item.ts";
import type { Life } from "../../ledger/life.ts";
import type { Checkpoint } from "../../log/log.ts";
import type { OpenedLog } from "../../log/open.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { loadCodec } from "../../log/schemas.ts";
import { DECISIONS, type Recorded, type Settled, wayOf } from "../../policy/backtest.ts";
import { compilePolicy } from "../../policy/compile.ts";
import type { CompiledPolicy } from "../../policy/compiled.ts";
import { parsePolicy } from "../../policy/document/document.ts";
import { isReserved } from "../../policy/publish-tool.ts";
import { plain } from "../../policy/render.ts";
import { openProjector } from "../../projector/projector.ts";
import { openQueries } from "../../projector/queries.ts";
import { viewsOptions } from "../../runtime.ts";
import type { Cli } from "../io.ts";
import { type Bound, boundOf } from "../range.ts";

/** The proposals of a log, and what is wrong with the documents that judged them. */
export interface RecordedLog {
  readonly recorded: readonly Recorded[];
  /** Sentences about documents that could not be used. */
  readonly notes: readonly string[];
}

/**
 * Folds a log in memory and gives every judged proposal of the policy's workspace: how it was settled, and the other documents that judged
 * it then. What lies behind the range is left out; what lies before it is kept for the sake of budgets.
 *
 * @throws CountersignError usage where the range names no place
 */
export async function recordedIn(cli: Cli, opened: OpenedLog, policy: CompiledPolicy, range: { from?: string; to?: string }): Promise<RecordedLog> {
  const { log } = opened;
  const [from, to] = [await boundOf(range.from, "--from", log), await boundOf(range.to, "--to", log)];
  const [isIn, isBehind] = [reaches(from, "--from"), reaches(to, "--to")];
  const codec = await loadCodec(opened.registry);
  const projector = await openProjector({ ...viewsOptions({ ...opened, codec }, ":memory:"), path: ":memory:" });
  try {
    const queries = openQueries(projector.views.db);
    const proposals = new Map<string, EventOf["proposals"]>();
    const verdicts = new Map<string, EventOf["verdicts"]>();
    const closedAt = new Map<string, number>();
    const documents = new Map<string, string>();
    const elsewhere = new Set<string>();
    projector.onFolded(({ effective }) => {
      for (const { topic, itemId, event } of effective) {
        if (topic === "policies") {
          const { sha256, document } = event as EventOf["policies"];
          if (sha256 !== null && document !== null) documents.set(sha256, document);
        }
        if (event.workspace !== policy.workspace) {
          if (topic === "verdicts") elsewhere.add(event.workspace);
          continue;
        }
        // Nothing in a policy reads what the model saw, and it is most of what there is.
        if (topic === "proposals") proposals.set(itemId, { ...(event as EventOf["proposals"]), transcript: null });
        if (topic === "verdicts" && event.answers?.topic === "proposals") verdicts.set(itemId, event as EventOf["verdicts"]);
        if (topic === "decisions") closedAt.set(event.eventId, event.occurredAt);
      }
    });
    await projector.catchUp(cli.io.signal, (n) => cli.progress(`folding the log in memory: ${n} records`));
    const compile = compiler(documents);
    const recorded: Recorded[] = [];
    for (const [itemId, verdict] of verdicts) {
      const [proposal, view] = [proposals.get(itemId), queries.item(itemId)];
      // Whether a document may be published is no question to the document that is tried.
      if (proposal === undefined || view === undefined || proposal.actions.some(({ tool }) => isReserved(tool))) continue;
      const place = (topic: "proposals" | "verdicts", eventId: string): Place => ({
        topic,
        partition: partitionOf(itemId, log.partitions),
        offset: queries.event(itemId, topic, eventId)?.offset ?? 0,
      });
      const places = [place("proposals", proposal.eventId), place("verdicts", verdict.eventId)];
      if (isBehind(verdict.occurredAt, places)) continue;
      const refs = [...(verdict.policy === null ? [] : [verdict.policy]), ...verdict.policies].filter(({ id }) => id !== policy.ref.id);
      recorded.push({
        proposal,
        way: wayOf(verdict),
        owner: verdict.owner,
        at: verdict.occurredAt,
        ...settledOf(view.item, view.life, proposal, closedAt),
        others: refs.flatMap((ref) => compile.policyOf(ref) ?? []),
        counts: isIn(verdict.occurredAt, places),
      });
    }
    const other = [...elsewhere].sort().map((name) => JSON.stringify(plain(name, 80)));
    const lost = `the document is for workspace ${JSON.stringify(policy.workspace)}, in which nothing was judged; the log holds what was judged in ${listed(other)}`;
    return { recorded, notes: verdicts.size === 0 && other.length > 0 ? [...compile.notes, lost] : compile.notes };
  } finally {
    cli.progress(null);
    projector.close();
  }
}

function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;
}

interface Place {
  readonly topic: "proposals" | "verdicts";
  readonly partition: number;
  readonly offset: number;
}

type Reaches = (at: number, places: readonly Place[]) => boolean;

/** Whether an item lies at a bound or behind it: by the time of its verdict, or by the place of its proposal (of its verdict, where only that topic is named). */
function reaches({ instant, offsets }: Bound, flag: string): Reaches {
  if (instant !== undefined) return (at) => at >= instant;
  if (offsets === undefined) return () => flag === "--from";
  const topic = (["proposals", "verdicts"] as const).find((name) => offsets[name] !== undefined);
  if (topic === undefined)
    throw new CountersignError("usage", `${flag} names places in ${Object.keys(offsets).join(", ")}, where no proposal is judged`, {
      field: flag,
      fix: "give places of proposals or of verdicts, such as proposals:3:120",
    });
  return (_at, places) => {
    const place = places.find((one) => one.topic === topic) as Place;
    const edge = (offsets as Checkpoint)[topic]?.[place.partition];
    // A partition that is not named begins at its beginning and ends at its head.
    return edge === undefined ? flag === "--from" : place.offset >= edge;
  };
}

/** How the review of an item ended, and what came to run. */
function settledOf(item: Item, { stage, outcome, verdict, decision }: Life, proposal: EventOf["proposals"], closedAt: ReadonlyMap<string, number>) {
  const runs = verdict !== null && (stage !== "done" || outcome === "succeeded" || outcome === "compensated");
  const ran = runs && stage !== "pending" && stage !== "rejudging" ? verdict.actions : [];
  const last = decision ?? (verdict === null ? null : editBehind(item, verdict));
  const isEdited = verdict !== null && !isSame(verdict, proposal);
  const kind = last === null ? "none" : last.kind === "approve" && isEdited ? "edit" : last.kind;
  return {
    decision: stage === "pending" || stage === "rejudging" ? ("none" as const) : (DECISIONS.find((known) => known === kind) ?? ("none" satisfies Settled)),
    settledAt: last === null || stage === "pending" || stage === "rejudging" ? null : (closedAt.get(last.id) ?? null),
    ran,
  };
}

/** The edit that a verdict judges again. */
function editBehind(item: Item, { cause }: VerdictNode) {
  const node = item.nodes.get(cause);
  return node?.topic === "decisions" ? node : null;
}

function isSame({ actions }: VerdictNode, proposal: EventOf["proposals"]): boolean {
  const keys = (list: readonly { actionId: string; argsSha256: string }[]) => list.map(({ actionId, argsSha256 }) => `${actionId} ${argsSha256}`).join("\n");
  return keys(actions) === keys(proposal.actions);
}

/** Compiles each document of the log once. */
function compiler(documents: ReadonlyMap<string, string>) {
  const known = new Map<string, CompiledPolicy | undefined>();
  const notes: string[] = [];
  return {
    notes,
    policyOf(ref: PolicyRef): CompiledPolicy | undefined {
      if (known.has(ref.sha256)) return known.get(ref.sha256);
      const name = `${ref.id}@${ref.version}`;
      const document = documents.get(ref.sha256);
      let compiled: CompiledPolicy | undefined;
      try {
        if (document === undefined) throw new Error("the log holds no such document");
        compiled = compilePolicy(parsePolicy(document, { file: name }));
      } catch (error) {
        notes.push(`${name} judges nothing in this backtest: ${messageOf(error)}`);
      }
      known.set(ref.sha256, compiled);
      return compiled;
    },
  };
}
