import { canonicalize, type Json } from "../events/canonical.ts";
import { sorted } from "../events/sorted.ts";
import type { CaseCheck } from "./case-check.ts";
import type { Judged } from "./judged.ts";
import { type Calls, type Label, labelsOf, withheldOf } from "./labels.ts";
import { REJECTED_FILE } from "./manifest.ts";
import type { LabelClass, Operation, ReviewedExample } from "./reviewed-example.ts";
import { amongSiblings, type SiblingRole } from "./siblings.ts";
import type { Tally } from "./tally.ts";
import type { FunctionNames } from "./targets/function-names.ts";
import type { Made, Target } from "./targets/target.ts";

/** An example with what a later, approved item made of it, when one tries it again. */
export interface Collected {
  readonly example: ReviewedExample;
  readonly retry: Calls | null;
  /** Why what it was tried again with makes no pair; null where it makes one, or was not tried again. */
  readonly noPair: "retry_in_another_split" | "retry_disputed" | null;
  /** After redaction both sides of the edit are the same. */
  readonly equal: boolean;
  readonly judged: Judged | null;
  /** What becomes of its labels where others answer the same messages. */
  readonly sibling: SiblingRole | null;
}

/** Where rows go, and what counts them; with -1 they are taken back and written nowhere. */
export interface RowSink {
  readonly names: FunctionNames;
  readonly tally: Tally;
  readonly check: CaseCheck;
  readonly n: 1 | -1;
  add(file: string, row: object): void;
}

/** Makes the rows of an example in the form of a target. */
export function addRows(target: Target, { example, retry, noPair, equal, judged, sibling }: Collected, sink: RowSink): void {
  const { names, tally, check, n } = sink;
  const takes = Array.isArray(target.takes) ? (target.takes as readonly string[]) : null;
  const usesLabels = takes !== null || target.needsLabels === true;
  const labels = usesLabels ? labelsOf(example, retry).filter((label) => takes?.includes(label.class) ?? true) : [];
  const isTaken = (labelClass: LabelClass) => usesLabels && takes?.includes(labelClass) !== false;
  const refuse = (labelClass: string, reason: string, more: object = {}) => {
    tally.rejected(labelClass, reason, n);
    if (n > 0) sink.add(REJECTED_FILE, rejectedRow(example, labelClass, reason, more));
  };
  for (const withheld of withheldOf(example, retry)) if (isTaken(withheld.class)) refuse(withheld.class, withheld.reason, { why: example.quality.why });
  // Redaction has made the two sides equal: neither says anything about the difference that a person saw.
  const reason = example.duplicateOf !== null ? "duplicate" : equal ? "equal_after_redaction" : null;
  if (reason !== null) for (const label of labels) refuse(label.class, reason);
  if (noPair !== null && reason === null && isTaken("preference")) refuse("preference", noPair);
  const used: Label[] = [];
  for (const label of reason === null ? labels : []) {
    const answer = amongSiblings(label, sibling);
    if (typeof answer !== "string") used.push(answer);
    else refuse(label.class, answer, sibling?.role === "in" ? { siblingId: sibling.id } : {});
  }
  const add = (made: Made, labelClass: string) => {
    if ("refused" in made) return refuse(made.class, made.refused);
    tally.row(made.class ?? labelClass, example, n);
    if (n > 0) sink.add(made.file, made.row);
  };
  if (takes === null) for (const made of target.rows({ example, labels: used, names, judged, check })) add(made, example.decision.kind);
  // One label at a time, so that each row is counted under what it is.
  else for (const label of used) for (const made of target.rows({ example, labels: [label], names, judged, check })) add(made, label.class);
}

/** Makes the row of an escalation or an expiry. */
export function addOperation(target: Target, operation: Operation, { tally, n, add }: RowSink): void {
  tally.row(operation.kind, { split: operation.split, quality: { tier: "none" } }, n);
  if (n > 0) add(target.files, operation);
}

function rejectedRow({ id, itemId, decision, split, sources, duplicateOf }: ReviewedExample, labelClass: string, reason: string, more: object): object {
  const { topic, partition, offset, eventId } = sources.find((s) => s.topic === "decisions") ?? {};
  return {
    id,
    itemId,
    decision: decision.kind,
    class: labelClass,
    reason,
    ...more,
    split,
    ...(duplicateOf !== null && { duplicateOf }),
    source: { topic, partition, offset, eventId },
  };
}

/** A row as a text, with its line feed. Neutral rows are canonical; everything else keeps the order in which a reader expects its fields. */
export function textOf(target: Target, file: string, row: object): string {
  if (file === REJECTED_FILE) return `${JSON.stringify(row)}\n`;
  if (target.text !== undefined) return target.text(row);
  return `${"sources" in row ? canonicalText(row as ReviewedExample) : JSON.stringify(row)}\n`;
}

/**
 * The canonical JSON (RFC 8785) of a neutral row. Its own keys stand in order as it is made, so that only what agents and reviewers wrote as
 * JSON has to be looked through.
 */
function canonicalText(example: ReviewedExample): string {
  return isInOrder(example) ? JSON.stringify(example) : canonicalize(example);
}

function isInOrder({ presented, proposed, final, context, patch, changes }: ReviewedExample): boolean {
  const seen = new Set<Json>();
  const isCanonical = (value: Json): boolean => {
    if (typeof value !== "object" || value === null) return sorted(value) !== undefined;
    // The same arguments mostly stand there three times.
    return seen.has(value) || (seen.add(value) && sorted(value) === value);
  };
  const actions = [...proposed, ...presented, ...(final ?? [])];
  return (
    actions.every((action) => isCanonical(action.args)) &&
    isCanonical(context.messages) &&
    isCanonical(context.tools) &&
    patch.every(({ operations }) => operations.every((operation) => operation.op === "remove" || isCanonical(operation.value))) &&
    changes.every(({ before, after }) => isCanonical(before) && isCanonical(after))
  );
}
