import type { EventOf } from "../events/types.generated.ts";
import type { Entry } from "../ledger/item.ts";
import type { Draft } from "./build-example.ts";
import type { ItemFacts, Retry } from "./facts.ts";
import type { FoldedItem } from "./fold-items.ts";
import { type Calls, labelsOf } from "./labels.ts";
import { parsed } from "./parsed.ts";
import { qualityOf } from "./quality.ts";
import type { ReviewedExample } from "./reviewed-example.ts";
import type { Collected } from "./rows.ts";
import type { Split } from "./split.ts";

/** A redacted draft with what depends on other items. */
export function finish(draft: Draft, split: Split, { contradicted, duplicates }: ItemFacts, retried: Calls | null): Pick<Collected, "example" | "retry"> {
  const quality = qualityOf(draft, contradicted.has(draft.id));
  const duplicateOf = draft.repeats ?? duplicates.get(draft.id) ?? null;
  const retry = draft.decision.kind === "reject" ? retried : null;
  const labels = duplicateOf !== null ? [] : labelsOf({ ...draft, quality }, retry).map((label) => label.class);
  return { example: completed(draft, { duplicateOf, labels: [...new Set(labels)], quality, split }), retry };
}

/** The whole row, its keys in their canonical order. */
function completed(draft: Draft, { duplicateOf, labels, quality, split }: Omit<ReviewedExample, keyof Draft>): ReviewedExample {
  const { agent, ask, changes, context, decision, dropped, evidence, final, id, intent, itemId, order, outcome, patch, policy } = draft;
  const { presented, proposed, question, reasoning, rejudged, retryOf, review, run, sources, verdict, workspace } = draft;
  return {
    ...{ agent, ask, changes, context, decision, dropped, duplicateOf, evidence, final, id, intent, itemId, labels, order, outcome, patch, policy },
    ...{ presented, proposed, quality, question, reasoning, rejudged, retryOf, review, run, sources, split, verdict, workspace },
  };
}

/** What an item says of one that it tries again, where a person approved it and nobody has reported it since. `told` gives its calls. */
export function retryIn(
  { item, effective, life, ordinal }: FoldedItem,
  { retryOf, occurredAt }: EventOf["proposals"],
  thread: string,
  told: () => Pick<Retry, "calls" | "learned">,
): Retry | undefined {
  if (retryOf === null) return undefined;
  const isReport = ({ event, topic }: Entry) => topic === "decisions" && (event as EventOf["decisions"]).incident !== null;
  if (effective.some(isReport)) return undefined;
  const { resume, decision } = life;
  const approved = (resume?.outcome === "proceed" && decision?.kind === "approve") || resume?.outcome === "proceed_edited";
  return approved ? { of: retryOf, ...told(), thread, proposedAt: occurredAt, itemId: item.id, ordinal, disputed: false } : undefined;
}

/** What an item ran in the end. */
export function callsRun({ life }: FoldedItem): Calls {
  return (life.verdict?.actions ?? []).map(({ actionId, tool, args }) => ({ actionId, tool, args: parsed(args) }));
}
