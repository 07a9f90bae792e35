import { CountersignError, messageOf } from "../errors.ts";
import type { PolicyRef } from "../events/types.generated.ts";
import { barAtGrant } from "../policy/budgets/at-grant.ts";
import { amountPathOf } from "../policy/budgets/standing.ts";
import type { Meter } from "../policy/budgets/usage.ts";
import { type Classified, claimMs, classifiedOf, retriesOf, rubricOf } from "../policy/catalogue.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { CompiledPolicy, Criterion } from "../policy/compiled.ts";
import { parsePolicy } from "../policy/document/document.ts";
import { asItJudged, documentsOf, type Reached } from "../policy/earlier-version.ts";
import { judge } from "../policy/judgement/judge.ts";
import { type WorkingSpan, workingSpanOf } from "../policy/working-span.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Queries } from "../projector/queries.ts";
import type { Judge } from "./policy-worker.ts";

type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

/** The policy engine over the documents in force. */
export interface PublishedPolicies {
  readonly judge: Judge;
  /** As `barAtGrant`, under the documents in force. @throws CountersignError policy_invalid where one of the workspace cannot be used: nothing is granted then */
  readonly barAtGrant: (...of: Tail<Parameters<typeof barAtGrant>>) => string | null;
  /** What counts over many items. The list is the same one until a document changes. */
  readonly meters: () => readonly Meter[];
  /** The documents in force that are enforced, so that their limits hold. */
  readonly enforced: () => readonly CompiledPolicy[];
  /** Whether nothing stands in for a person here: one of these rules is a floor or a limit, or a document that is off describes one of the tools. */
  readonly isBound: (workspace: string, tools: readonly string[], rules: readonly string[]) => boolean;
  /** How often the clock tries an idempotent action again whose end nobody knows. */
  readonly retries: (workspace: string, tool: string) => number;
  /** Where a tool's amount lies; undefined where no policy says so. */
  readonly amountPath: (workspace: string, tool: string) => string | undefined;
  /** Whether a policy of the workspace has a tool in its catalogue. */
  readonly describes: (workspace: string, tool: string) => boolean;
  /** Whether a policy's schema of a tool says which values an argument may have. */
  readonly saysType: (workspace: string, tool: string, keys: readonly string[]) => boolean;
  /** How long a reviewer's claim on an item with these tools lasts, in milliseconds. */
  readonly claimMs: (workspace: string, tools: readonly string[]) => number;
  /** The working time that a verdict gave from one moment to another; undefined where that was a fixed time, or its documents cannot be read. */
  readonly workingSpan: (reached: Pick<Reached, "policy" | "policies">, from: number, end: number) => WorkingSpan | undefined;
  /** Criteria by which reviewers may score an item with these tools. */
  readonly rubric: (workspace: string, tools: readonly string[]) => readonly Criterion[];
  /** The arguments of a tool that are classified. Where a document of the workspace cannot be used nobody knows what it classifies: then all are secret. */
  readonly classified: (workspace: string, tool: string) => readonly Classified[];
}

/**
 * The policy engine over the documents in force, which are compiled again when the authority publishes. Where a document of a workspace
 * cannot be used (a newer version wrote it, or it went past the checks), everything in that workspace waits for a person, with the
 * reason: leaving the document out could let pass what it forbids, and not judging would keep the item from everybody.
 */
export function publishedPolicies(queries: Queries, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): PublishedPolicies {
  let compiled: Compiled | undefined;
  onFolded((batch) => {
    if (batch.rebuilt || batch.effective.some((e) => e.topic === "policies")) compiled = undefined;
  });
  const current = () => (compiled ??= compileAll(queries));
  return {
    judge({ before, ...input }) {
      const { usable, broken } = current();
      const why = broken.get(input.proposal.workspace);
      if (why !== undefined) return { ...judge([], input), error: { code: "policy_invalid", message: why } };
      const earlier = (before === undefined ? [] : documentsOf(before))
        .filter(({ sha256 }) => !usable.some(({ ref }) => ref.sha256 === sha256))
        .map((ref) => asItJudged(compiledOf(documentOf(queries, ref), `${ref.id}@${ref.version}`), before as Reached));
      const all = [...usable, ...earlier.filter(({ mode }) => mode !== "shadow")];
      const body = judge(all, input);
      // Named, so that the verdict can be recomputed from the log alone.
      const others = all.filter(({ workspace, ref }) => workspace === input.proposal.workspace && ref.sha256 !== body.policy?.sha256);
      return others.length === 0 ? body : { ...body, policies: others.map(({ ref }) => ref) };
    },
    isBound: (workspace, tools, rules) =>
      current().usable.some(
        (policy) =>
          policy.workspace === workspace &&
          policy.mode !== "shadow" &&
          (rules.some((rule) => policy.bindingIds.has(rule)) || (policy.mode === "off" && tools.some((tool) => policy.find(tool).length > 0))),
      ),
    retries: (workspace, tool) => retriesOf(current().usable, workspace, tool),
    amountPath: (workspace, tool) => amountPathOf(current().usable, workspace, tool),
    describes: (workspace, tool) => current().usable.some((policy) => policy.workspace === workspace && policy.find(tool).length > 0),
    saysType: (workspace, tool, keys) =>
      current().usable.some(
        (policy) => policy.workspace === workspace && policy.mode !== "shadow" && policy.find(tool).some((action) => action.saysType(keys)),
      ),
    barAtGrant(input, ...rest) {
      const { usable, broken } = current();
      const why = broken.get(input.proposal.workspace);
      if (why !== undefined)
        throw new CountersignError("policy_invalid", `${why}. Nothing is granted before its floors can be checked`, {
          retryable: true,
          fix: "publish a document that can be used",
        });
      return barAtGrant(usable, input, ...rest);
    },
    meters: () => current().meters,
    enforced: () => current().usable.filter(({ mode }) => mode !== "shadow"),
    claimMs: (workspace, tools) => claimMs(current().usable, workspace, tools),
    workingSpan(reached, from, end) {
      for (const ref of documentsOf(reached)) {
        try {
          const span = workingSpanOf(compiledOf(documentOf(queries, ref), `${ref.id}@${ref.version}`), from, end);
          if (span !== undefined) return span;
        } catch (error) {
          // An owner's time must come to an end also where this version cannot read the document any more.
          if (!(error instanceof CountersignError)) throw error;
        }
      }
      return undefined;
    },
    rubric: (workspace, tools) => rubricOf(current().usable, workspace, tools),
    classified(workspace, tool) {
      const { usable, broken } = current();
      return broken.has(workspace) ? [{ path: "", class: "secret" }] : classifiedOf(usable, workspace, tool);
    },
  };
}

function documentOf(queries: Queries, ref: PolicyRef): string {
  const known = queries.document(ref.sha256);
  if (known !== undefined) return known.document;
  throw new CountersignError("unavailable", `The document of policy ${ref.id} (version ${ref.version}) that judged the item is not in the views`, {
    retryable: true,
  });
}

/** Documents that were compiled before, by their file and text: when one is published, the others need not be compiled again. */
const KEPT = new Map<string, CompiledPolicy>();
const MOST_KEPT = 200;

/** @throws CountersignError policy_invalid */
function compiledOf(document: string, file: string): CompiledPolicy {
  const key = `${file}\0${document}`;
  let policy = KEPT.get(key);
  if (policy === undefined) {
    if (KEPT.size >= MOST_KEPT) KEPT.clear();
    KEPT.set(key, (policy = compilePolicy(parsePolicy(document, { file }))));
  }
  return policy;
}

interface Compiled {
  readonly usable: readonly CompiledPolicy[];
  readonly meters: readonly Meter[];
  /** Why a workspace has no policy that can be used. */
  readonly broken: ReadonlyMap<string, string>;
}

function compileAll(queries: Queries): Compiled {
  const usable: CompiledPolicy[] = [];
  const broken = new Map<string, string>();
  for (const p of queries.policies()) {
    const file = `${p.policyId}@${p.version}`;
    try {
      usable.push(compiledOf(p.document, file));
    } catch (error) {
      broken.set(p.workspace, `Policy ${file} cannot be used: ${messageOf(error)}`.slice(0, 500));
    }
  }
  return { usable, broken, meters: usable.flatMap((policy) => policy.meters) };
}
