import type { Codec } from "../events/codec.ts";
import { complete, type Draft } from "../events/draft.ts";
import type { EventOf, PolicyRef } from "../events/types.generated.ts";
import { editedActions } from "../ledger/edits.ts";
import { keyOf, type VerdictNode } from "../ledger/item.ts";
import type { EventLog } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { SchemaRegistry } from "../log/registry.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { CompiledPolicy } from "../policy/compiled.ts";
import { parsePolicy } from "../policy/document/document.ts";
import { asItJudged, documentsOf, earlierVersions } from "../policy/earlier-version.ts";
import { recheckVerdict, type VerdictDifference } from "../policy/judgement/recheck.ts";
import type { VerdictBody } from "../policy/judgement/verdict.ts";
import { eventStore } from "../projector/event-store.ts";
import { openProjector } from "../projector/projector.ts";
import { openQueries } from "../projector/queries.ts";
import { viewsOptions } from "../runtime.ts";
import { underHalt } from "../workers/halted.ts";
import { interrupting } from "../workers/interrupt.ts";
import { underStanding } from "../workers/standing.ts";

/** Which verdicts to recompute. Times are milliseconds since the epoch, `to` is not included. */
export interface RecheckRange {
  readonly from: number;
  readonly to: number;
  /** Only verdicts that this policy had a part in. */
  readonly policy?: string;
}

/** A verdict that is not what its record leads to. */
export interface Deviation {
  readonly itemId: string;
  readonly verdict: string;
  readonly at: number;
  readonly differences: readonly VerdictDifference[];
  /** Why it could not be recomputed. */
  readonly error?: string;
}

type Verdict = EventOf["verdicts"];

/** Folds the log in memory and recomputes every effective verdict of a range from the log alone. Gives the number of verdicts and those that differ. */
export async function recheckLog(
  opened: { log: EventLog; registry: SchemaRegistry; codec: Codec },
  range: RecheckRange,
  { progress, signal }: { progress: (text: string) => void; signal: AbortSignal },
): Promise<{ checked: number; deviations: Deviation[] }> {
  const { log, codec } = opened;
  const projector = await openProjector({ ...viewsOptions(opened, ":memory:"), path: ":memory:" });
  try {
    const queries = openQueries(projector.views.db);
    const events = eventStore(log, codec, queries, (key) => partitionOf(key, log.partitions));
    const documents = new Map<string, { text: string; publishedAt: number[] }>();
    const wanted: { itemId: string; eventId: string }[] = [];
    projector.onFolded((batch) => {
      for (const { topic, itemId, event } of batch.effective) {
        if (topic === "policies") {
          const { sha256, document, occurredAt } = event as EventOf["policies"];
          if (sha256 !== null && document !== null)
            documents.set(sha256, { text: document, publishedAt: [...(documents.get(sha256)?.publishedAt ?? []), occurredAt] });
        } else if (topic === "verdicts" && isWanted(event as Verdict, range)) wanted.push({ itemId, eventId: event.eventId });
      }
    });
    await projector.catchUp(signal, (n) => progress(`folding the log in memory: ${n} records`));
    const compiled = new Map<string, CompiledPolicy>();
    const policyOf = (ref: PolicyRef): CompiledPolicy => {
      const known = compiled.get(ref.sha256);
      if (known !== undefined) return known;
      const document = documents.get(ref.sha256);
      if (document === undefined) throw new Error(`the log holds no document of policy ${ref.id} with sha256 ${ref.sha256}`);
      const policy = compilePolicy(parsePolicy(document.text, { file: `${ref.id}@${ref.version}` }));
      compiled.set(ref.sha256, policy);
      return policy;
    };
    const deviations: Deviation[] = [];
    for (const [n, { itemId, eventId }] of wanted.entries()) {
      signal.throwIfAborted();
      if (n % 50 === 0) progress(`recomputing verdict ${n + 1} of ${wanted.length}`);
      const view = queries.item(itemId);
      const verdict = await events.get(itemId, "verdicts", eventId);
      const proposal = view?.item.proposal == null ? undefined : await events.get(itemId, "proposals", view.item.proposal);
      if (view === undefined || verdict === undefined || proposal === undefined) continue;
      const edit = verdict.answers?.topic === "decisions" ? view.item.nodes.get(keyOf("decisions", verdict.answers.eventId)) : undefined;
      const actions = edit?.topic === "decisions" ? editedActions((view.item.nodes.get(edit.cause) as VerdictNode).actions, edit) : proposal.actions;
      const of = { itemId, verdict: eventId, at: verdict.occurredAt };
      try {
        const named = documentsOf(verdict);
        const edited = edit?.topic === "decisions" ? await events.get(itemId, "verdicts", (view.item.nodes.get(edit.cause) as VerdictNode).id) : undefined;
        const publishedAt = (ref: PolicyRef) => Math.max(...(documents.get(ref.sha256)?.publishedAt ?? []).filter((time) => time <= verdict.occurredAt));
        const earlier = earlierVersions(named, edited === undefined ? [] : documentsOf(edited), publishedAt);
        const policies = named.map((ref) => (earlier.has(ref.sha256) && edited !== undefined ? asItJudged(policyOf(ref), edited) : policyOf(ref)));
        const after = afterOf(verdict);
        const fill = (body: Draft<VerdictBody>) => complete("verdicts", { ...verdict, ...body } as Draft<Verdict>);
        const differences = recheckVerdict(
          { verdict, proposal, actions, policies, alone: LOOKED_AT.has(verdict.error?.code ?? ""), ...(after && { after }) },
          fill,
        );
        if (differences.length > 0) deviations.push({ ...of, differences });
      } catch (error) {
        deviations.push({ ...of, differences: [], error: (error as Error).message });
      }
    }
    return { checked: wanted.length, deviations };
  } finally {
    projector.close();
  }
}

function isWanted({ occurredAt, policy, policies }: Verdict, range: RecheckRange): boolean {
  if (occurredAt < range.from || occurredAt >= range.to) return false;
  return range.policy === undefined || policy?.id === range.policy || policies.some(({ id }) => id === range.policy);
}

/** Codes of verdicts that wait for a person whatever policy said. */
const LOOKED_AT: ReadonlySet<string> = new Set(["halted", "not_replaced", "tried_before"]);

/** What stood above the documents: a halt, a standing approval, an item that it follows, or a document that could not be used. The verdict says so itself. */
function afterOf({ error, standing, because }: Verdict): ((body: Draft<VerdictBody>) => Draft<VerdictBody>) | undefined {
  if (error?.code === "halted") {
    // Of what else it waits for a person was said on top of the halt.
    const above = because.slice(0, Math.max(0, because.indexOf(error.message)));
    return (body) => above.reduceRight((under, why) => interrupting(under, error.code, why), underHalt(body, error.message));
  }
  if (error?.code === "not_replaced" || error?.code === "tried_before") return (body) => interrupting(body, error.code, error.message);
  if (standing !== null) return (body) => underStanding(body, standing, because[0] ?? "");
  if (error?.code === "policy_invalid") return (body) => ({ ...body, error });
  return undefined;
}
