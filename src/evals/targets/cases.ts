import type { Json } from "../../events/canonical.ts";
import { callsValue, type Label } from "../labels.ts";
import type { ReviewedExample } from "../reviewed-example.ts";
import { type ChatForm, promptOf } from "./chat.ts";
import type { Labelled, Made, Target } from "./target.ts";

/** A case for an evaluation: what the agent saw, and what people say is right. */
export interface EvalCase {
  readonly id: string;
  readonly kind: "should_call" | "should_not_call" | "should_have_asked";
  /** Messages and tools where the proposal carried them; else what it said of itself. */
  readonly input: { readonly [key: string]: Json };
  readonly expected: { readonly [key: string]: Json };
  readonly metadata: { readonly [key: string]: Json };
  readonly split: string;
}

/** Labels that become cases. */
export const CASE_CLASSES = ["regression", "should_not_call", "should_have_asked"] as const;

const AS_TEXT: ChatForm = { args: "text", name: (tool) => tool };

/** The case of a label; undefined where the label is none. `form`: how calls in the messages are written. */
export function caseOf({ example }: Pick<Labelled, "example">, label: Label, form: ChatForm = AS_TEXT): EvalCase | undefined {
  const found = expectedOf(label);
  if (found === undefined) return undefined;
  const { id, split } = example;
  return { id, split, ...found, input: inputOf(example, form), metadata: metadataOf(example) };
}

function expectedOf(label: Label): Pick<EvalCase, "kind" | "expected"> | undefined {
  if (label.class === "regression")
    return {
      kind: "should_call",
      expected: {
        tool_calls: callsValue(label.expected),
        ...(label.wrong !== null && { not_tool_calls: callsValue(label.wrong) }),
        ...(label.anyOrder === true && { any_order: true }),
      },
    };
  if (label.class === "should_not_call")
    return { kind: "should_not_call", expected: { not_tool_calls: callsValue(label.calls), wrong_if: `${label.wrong}_called` } };
  if (label.class === "should_have_asked") return { kind: "should_have_asked", expected: { answer: label.answer } };
  return undefined;
}

function inputOf(example: ReviewedExample, form: ChatForm): EvalCase["input"] {
  const prompt = promptOf(example.context, [], form);
  if (!("refused" in prompt)) return { messages: prompt.messages as Json, tools: prompt.tools as Json };
  const { intent, question, reasoning, evidence } = example;
  return { context: prompt.refused, intent, question, reasoning, evidence: evidence as unknown as Json };
}

function metadataOf(example: ReviewedExample): EvalCase["metadata"] {
  const { itemId, workspace, agent, run, decision, review, quality, policy, verdict, outcome, split } = example;
  return {
    example_id: example.id,
    item_id: itemId,
    workspace,
    agent: agent.id,
    agent_version: agent.version,
    model: agent.model,
    thread: run?.threadId ?? null,
    decision: decision.kind,
    reason_codes: [...decision.reasonCodes],
    message: decision.message,
    tier: quality.tier,
    scores: Object.fromEntries(review.scores.map(({ criterion, score }) => [criterion, score])),
    policy: policy === null ? null : `${policy.id}@${policy.version}`,
    rules: [...verdict.matched],
    risk: verdict.risk,
    reversibility: verdict.reversibility,
    outcome: outcome.class,
    split,
  };
}

/** A target whose rows are cases in its own words, one file a split. */
function caseTarget(name: string, summary: string, rowOf: (found: EvalCase) => object): Target {
  return {
    name,
    summary,
    files: "<split>.jsonl",
    takes: CASE_CLASSES,
    needsContext: false,
    *rows({ example, labels }): Generator<Made> {
      for (const label of labels) {
        const found = caseOf({ example }, label);
        if (found !== undefined) yield { file: `${example.split}.jsonl`, row: rowOf(found) };
      }
    },
  };
}

/** 32 hex digits as a UUID of version 8, whose content is its maker's own. */
export function uuidOf(id: string): string {
  const hex = `${id.slice(0, 12)}8${id.slice(13, 16)}8${id.slice(17, 32)}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Examples of a LangSmith dataset, for `client.create_examples`. */
export const langsmith = caseTarget(
  "langsmith",
  "LangSmith examples: id, inputs, outputs, metadata, split",
  ({ id, kind, input, expected, metadata, split }) => ({
    id: uuidOf(id),
    inputs: input,
    outputs: { kind, ...expected },
    metadata,
    split,
  }),
);

/** Records of a Braintrust dataset, for `dataset.insert`. */
export const braintrust = caseTarget(
  "braintrust",
  "Braintrust records: id, input, expected, metadata, tags",
  ({ id, kind, input, expected, metadata, split }) => ({
    id,
    input,
    expected: { kind, ...expected },
    metadata,
    tags: [kind, split, String(metadata.tier)],
  }),
);

/** Items of a Langfuse dataset, for `createDatasetItem`. */
export const langfuse = caseTarget(
  "langfuse",
  "Langfuse dataset items: id, datasetName, input, expectedOutput, metadata",
  ({ id, kind, input, expected, metadata, split }) => ({
    id,
    datasetName: `countersign-${split}`,
    input,
    expectedOutput: { kind, ...expected },
    metadata,
  }),
);

/** Records of an MLflow evaluation dataset, for `merge_records`. */
export const mlflow = caseTarget("mlflow", "MLflow evaluation records: inputs, expectations, tags", ({ id, kind, input, expected, metadata }) => ({
  inputs: input,
  expectations: { kind, ...expected },
  tags: {
    example_id: id,
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)])),
  },
}));

/** Examples of a Phoenix dataset, for `create_dataset(examples=…)`. */
export const phoenix = caseTarget("phoenix", "Phoenix examples: input, output, metadata", ({ kind, input, expected, metadata }) => ({
  input,
  output: { kind, ...expected },
  metadata,
}));
