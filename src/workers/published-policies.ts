import { compilePolicy } from "../policy/compile.ts";
import { parsePolicy } from "../policy/document.ts";
import { judge } from "../policy/judge.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Queries } from "../projector/queries.ts";
import type { Judge } from "./policy-worker.ts";

/** The policy engine over the documents in force, which are compiled again when the authority publishes. */
export function publishedPolicies(queries: Queries, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): Judge {
  let compiled: ReturnType<typeof compilePolicy>[] | undefined;
  onFolded((batch) => {
    if (batch.effective.some((e) => e.topic === "policies")) compiled = undefined;
  });
  return (input) => {
    compiled ??= queries.policies().map((p) => compilePolicy(parsePolicy(p.document, { file: `${p.policyId}@${p.version}` })));
    return judge(compiled, input);
  };
}
