import type { Draft } from "./build-example.ts";
import type { ItemFacts, PartitionFacts } from "./facts.ts";
import { type Calls, type Label, labelsOf } from "./labels.ts";
import { qualityOf } from "./quality.ts";
import type { Learned } from "./redact/redactor.ts";

/**
 * Siblings are items that were proposed from the same messages of one run: the calls of one message, each decided by itself, or a call and what
 * it was tried again with. To a model they are one question, so they get one answer: one target of all calls that are right, and one case.
 */
export interface Sibling {
  /** Number of the question. */
  readonly prompt: number;
  /** Its run. */
  readonly thread: string;
  readonly itemId: string;
  readonly ordinal: number;
  /** Its place among the calls of the run. */
  readonly step: number;
  readonly retryOf: string | null;
  /** Id of the row that says most of it. */
  readonly id: string;
  /** What should be called, and what should not, as they stand in the log; neither where nobody can tell. */
  readonly right: Calls | null;
  readonly wrong: Calls;
  /** What is classified in it. */
  readonly learned: Learned;
}

/** What becomes of the labels of an item that has siblings. */
export type SiblingRole =
  /** They stand in the row of this id. */
  | { readonly role: "in"; readonly id: string }
  /** It is not known what the right answer to the messages is as a whole. */
  | { readonly role: "unclear" }
  /** Its row holds those of all. */
  | { readonly role: "lead"; readonly right: Calls | null; readonly wrong: Calls; readonly learned: Learned };

/** What an item says of the question that it shares with others; undefined where all of it is said by others. */
export function siblingOf(
  drafts: readonly Draft[],
  { contradicted, duplicates, prompt }: ItemFacts,
  { ordinal, thread }: Pick<Sibling, "ordinal" | "thread">,
  learned: () => Learned,
): Sibling | undefined {
  const own = drafts.filter((draft) => draft.repeats === null && !duplicates.has(draft.id));
  const last = own.at(-1);
  if (last === undefined || prompt === null) return undefined;
  let found: Pick<Sibling, "id" | "right" | "wrong"> = { id: last.id, right: null, wrong: [] };
  for (const draft of own)
    for (const label of labelsOf({ ...draft, quality: qualityOf(draft, contradicted.has(draft.id)) }, null)) {
      if (label.class === "regression") found = { id: draft.id, right: label.expected, wrong: label.wrong ?? [] };
      // A plan that is only wrong as a whole says of no call that it is.
      else if (label.class === "should_not_call" && label.wrong === "any") found = { id: draft.id, right: null, wrong: label.calls };
    }
  const { itemId, retryOf, run } = last;
  return { ...found, prompt, thread, itemId, ordinal, retryOf, step: run?.step ?? Number.POSITIVE_INFINITY, learned: learned() };
}

/** Tells the items that share a question what becomes of their labels. */
export function tellSiblings(facts: readonly PartitionFacts[], siblings: readonly Sibling[], partitionOf: (itemId: string) => number): void {
  const tell = ({ itemId, ordinal }: Sibling, role: SiblingRole) => {
    const found = facts[partitionOf(itemId)]?.items.get(ordinal);
    if (found !== undefined) found.sibling = role;
  };
  for (const group of Map.groupBy(siblings, ({ prompt, thread }) => `${prompt} ${thread}`).values()) {
    group.sort((a, b) => (a.step === b.step ? (a.itemId < b.itemId ? -1 : 1) : a.step - b.step));
    const isTriedAgain = ({ itemId }: Sibling) => group.some((other) => other.retryOf === itemId);
    const right = group.filter((one) => one.right !== null);
    const wrong = group.filter((one) => one.right === null && one.wrong.length > 0);
    // What could not run and was tried again with another call has its answer in that.
    const isClear = right.every((one) => !isTriedAgain(one)) && group.every((one) => right.includes(one) || wrong.includes(one) || isTriedAgain(one));
    if (!isClear) for (const one of right) tell(one, { role: "unclear" });
    const told = isClear ? [...right, ...wrong] : wrong;
    const [lead, ...others] = told;
    if (lead === undefined || others.length === 0) continue;
    const calls = isClear && right.length > 0 ? right.flatMap((one) => one.right ?? []) : null;
    const inOrder = group.filter((one) => told.includes(one));
    tell(lead, { role: "lead", right: calls, wrong: inOrder.flatMap((one) => one.wrong), learned: told.flatMap(({ learned }) => learned) });
    for (const one of others) tell(one, { role: "in", id: lead.id });
  }
}

/** Labels that answer the messages as a whole. */
const ANSWERS: readonly string[] = ["sft", "regression", "should_not_call"];

/** A label with what its siblings say, or why it gives way to them. */
export function amongSiblings(label: Label, sibling: SiblingRole | null): Label | "in_sibling" | "siblings_unclear" {
  if (sibling === null || !ANSWERS.includes(label.class)) return label;
  if (sibling.role === "in") return "in_sibling";
  if (sibling.role === "unclear") return label.class === "should_not_call" ? label : "siblings_unclear";
  const { right, wrong } = sibling;
  if (label.class === "sft" && right !== null) return { ...label, target: right };
  if (label.class === "regression" && right !== null) return { ...label, expected: right, wrong: wrong.length > 0 ? wrong : null, anyOrder: right.length > 1 };
  return label.class === "should_not_call" && right === null ? { ...label, calls: wrong, wrong: "any" } : label;
}
