import type { Calls, Label } from "../labels.ts";
import type { LabelClass } from "../reviewed-example.ts";
import { type ChatForm, callMessage, isCallable, promptOf } from "./chat.ts";
import type { FunctionNames } from "./function-names.ts";
import type { Labelled, Made, Target } from "./target.ts";
import { isEqual } from "./trl.ts";

const formOf = (names: FunctionNames): ChatForm => ({ args: "text", name: (tool) => names.accepted(tool) });

function made(
  { example, names }: Labelled,
  labelClass: LabelClass,
  sides: readonly Calls[],
  row: (prompt: { messages: readonly object[]; tools: readonly object[] }, form: ChatForm) => object,
): Made {
  if (!sides.every(isCallable)) return { refused: "arguments_not_an_object", class: labelClass };
  const form = formOf(names);
  const prompt = promptOf(
    example.context,
    sides.flat().map((call) => call.tool),
    form,
  );
  return "refused" in prompt ? { refused: prompt.refused, class: labelClass } : { file: `${example.split}.jsonl`, row: row(prompt, form) };
}

/** Chat fine-tuning as the OpenAI API takes it. Earlier assistant messages have weight 0: nobody reviewed them. */
export const openaiSft: Target = {
  name: "openai-sft",
  summary: "OpenAI-shape chat fine-tuning: messages, tools; arguments as strings, earlier answers with weight 0",
  files: "<split>.jsonl",
  takes: ["sft"],
  needsContext: true,
  *rows(labelled) {
    for (const label of labelled.labels)
      if (label.class === "sft")
        yield made(labelled, "sft", [label.target], ({ messages, tools }, form) => ({
          messages: [
            ...messages.map((message) => ((message as { role?: string }).role === "assistant" ? { ...message, weight: 0 } : message)),
            { ...callMessage(label.target, form, labelled.example.id), weight: 1 },
          ],
          tools,
          parallel_tool_calls: label.target.length > 1,
        }));
  },
};

/** Preference fine-tuning as the OpenAI API takes it. */
export const openaiDpo: Target = {
  name: "openai-dpo",
  summary: "OpenAI-shape DPO: input, preferred_output, non_preferred_output; arguments as strings",
  files: "<split>.jsonl",
  takes: ["preference"],
  needsContext: true,
  *rows(labelled) {
    const pair = labelled.labels.find((label): label is Extract<Label, { class: "preference" }> => label.class === "preference");
    if (pair === undefined) return;
    if (isEqual(labelled.labels)) yield { refused: "equal_after_redaction", class: "preference" };
    else
      yield made(labelled, "preference", [pair.chosen, pair.rejected], ({ messages, tools }, form) => ({
        input: { messages, tools, parallel_tool_calls: Math.max(pair.chosen.length, pair.rejected.length) > 1 },
        preferred_output: [callMessage(pair.chosen, form, labelled.example.id)],
        non_preferred_output: [callMessage(pair.rejected, form, labelled.example.id)],
      }));
  },
};
