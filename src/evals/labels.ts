import type { Json } from "../events/canonical.ts";
import { isNegativeByIncident } from "./quality.ts";
import type { ExampleAction, LabelClass, ReviewedExample } from "./reviewed-example.ts";

/** Calls of one side of a label. */
export type Calls = readonly Pick<ExampleAction, "actionId" | "tool" | "args">[];

/** A label: what a target makes a row of. */
export type Label =
  | { readonly class: "preference"; readonly chosen: Calls; readonly rejected: Calls; readonly from: "edit" | "retry" }
  | { readonly class: "sft"; readonly target: Calls }
  | { readonly class: "kto_positive" | "kto_negative"; readonly completion: Calls }
  /** any: each of the calls is wrong. all: they are wrong together, and nobody said which of them is. */
  | { readonly class: "should_not_call"; readonly calls: Calls; readonly wrong: "any" | "all" }
  | { readonly class: "should_have_asked"; readonly answer: string }
  | { readonly class: "policy_test"; readonly decided: "edit" | "reject"; readonly calls: Calls }
  | { readonly class: "regression"; readonly wrong: Calls | null; readonly expected: Calls; readonly anyOrder?: boolean };

/** What the label map of the manifest says. */
export const LABEL_MAP = {
  edit: ["preference", "sft", "kto_positive", "kto_negative", "policy_test", "regression"],
  reject: ["kto_negative", "should_not_call", "policy_test", "preference (only with a later approved retry)"],
  approve: ["sft and kto_positive and regression (gold, silver)", "kto_positive (bronze)"],
  respond: ["should_have_asked (on an ask for review only: who asked a question did ask)"],
  acknowledge: [],
  incident: ["high, critical: kto_negative and should_not_call instead of any positive", "low, medium: disputed, no label"],
  timeout: ["operations, never a quality label"],
} as const;

/** What labels are made of. */
type Labelling = Pick<ReviewedExample, "ask" | "decision" | "presented" | "final" | "dropped" | "quality" | "outcome">;

/** Why a decision of this kind has not every label that the kind has. */
export type Withheld = "disputed" | "incident" | "quality";

/** The labels that a decision of this kind has, and this one has not: people disagree on it, what ran did harm, or nobody looked closely enough. */
export function withheldOf(example: Labelling, retry: Calls | null): { readonly class: LabelClass; readonly reason: Withheld }[] {
  const { tier } = example.quality;
  if ((tier === "gold" || tier === "silver") && example.outcome.incidents.length === 0) return [];
  const given = new Set(labelsOf(example, retry).map((label) => label.class));
  const untouched = { ...example, quality: { tier: "silver", why: [] }, outcome: { ...example.outcome, incidents: [] } } as const;
  const due = new Set(labelsOf(untouched, retry).map((label) => label.class));
  const reason = tier === "disputed" ? "disputed" : isNegativeByIncident(example) ? "incident" : "quality";
  return [...due].filter((of) => !given.has(of)).map((of) => ({ class: of, reason }));
}

/**
 * What a decision becomes.
 *
 * @param retry what was approved in a later item that tries this one again; null where there is none
 * @returns nothing for a disputed example
 */
export function labelsOf(example: Labelling, retry: Calls | null): Label[] {
  const { decision, presented, final, quality } = example;
  if (quality.tier === "disputed") return [];
  const no: Label[] = [{ class: "kto_negative", completion: presented }, ...(presented.length > 0 ? [shouldNotCall(example)] : [])];
  const policyTest = (decided: "edit" | "reject"): Label => ({ class: "policy_test", decided, calls: presented });
  switch (decision.kind) {
    case "edit":
      if (final === null) return [];
      // What ran did harm: both sides are negative, and there is nothing to prefer.
      if (isNegativeByIncident(example))
        return [{ class: "kto_negative", completion: presented }, { class: "kto_negative", completion: final }, notTogether(final)];
      return [
        { class: "preference", chosen: final, rejected: presented, from: "edit" },
        { class: "sft", target: final },
        { class: "kto_positive", completion: final },
        { class: "kto_negative", completion: presented },
        policyTest("edit"),
        { class: "regression", wrong: presented, expected: final },
      ];
    case "reject":
      return [...no, policyTest("reject"), ...(retry === null ? [] : [{ class: "preference", chosen: retry, rejected: presented, from: "retry" } as const])];
    case "approve":
      if (final === null) return [];
      if (isNegativeByIncident(example)) return no;
      return quality.tier === "bronze"
        ? [{ class: "kto_positive", completion: final }]
        : [
            { class: "sft", target: final },
            { class: "kto_positive", completion: final },
            { class: "regression", wrong: null, expected: final },
          ];
    case "respond":
      return example.ask !== "review" || decision.message === null ? [] : [{ class: "should_have_asked", answer: decision.message }];
    case "acknowledge":
      return [];
  }
}

/** Of a rejected plan the steps that were named as wrong; where none was, the plan as a whole. */
function shouldNotCall({ decision, presented, dropped }: Labelling): Label {
  const named = decision.kind === "reject" ? presented.filter(({ actionId }) => dropped.includes(actionId)) : [];
  return named.length > 0 ? { class: "should_not_call", calls: named, wrong: "any" } : notTogether(presented);
}

function notTogether(calls: Calls): Label {
  return { class: "should_not_call", calls, wrong: calls.length === 1 ? "any" : "all" };
}

/** Calls as a JSON value, without ids: what two sides are compared by. */
export function callsValue(calls: Calls): Json {
  return calls.map(({ tool, args }) => ({ name: tool, arguments: args }));
}
