import { canonicalize } from "../../events/canonical.ts";
import { type Calls, callsValue, type Label } from "../labels.ts";
import { type ChatForm, callMessage, isCallable, promptOf } from "./chat.ts";
import { frontMatter } from "./front-matter.ts";
import type { Labelled, Made, Target } from "./target.ts";

/** Chat templates are not particular about names; arguments are objects. */
const FORM: ChatForm = { args: "object", name: (tool) => tool };

/**
 * What the README tells `load_dataset`. Left to guess, it gives each call the arguments of all others, as nulls that a chat template shows the
 * model: a call of another tool, or one without an optional argument, would be trained on as nobody made it.
 */
const readmeOf =
  (sides: readonly string[], more: readonly object[] = []) =>
  (files: readonly string[]): string => {
    const lists = ["prompt", ...sides, "tools"].map((name) => ({ name, list: "json" }));
    return frontMatter(files, [{ name: "default", file: (split) => `${split}.jsonl` }], [...lists, ...more, { name: "id", dtype: "string" }]);
  };

/** Rows of a target that trains on calls: `row` gets the prompt and may say nothing of tools that it does not call. */
function* trained(
  { example, labels }: Labelled,
  takes: (label: Label) => readonly Calls[] | undefined,
  row: (label: Label, prompt: { messages: readonly object[]; tools: readonly object[] }) => object,
): Generator<Made> {
  for (const label of labels) {
    const sides = takes(label);
    if (sides === undefined) continue;
    const made = (): Made => {
      if (!sides.every(isCallable)) return { refused: "arguments_not_an_object", class: label.class };
      const prompt = promptOf(
        example.context,
        sides.flat().map((call) => call.tool),
        FORM,
      );
      if ("refused" in prompt) return { refused: prompt.refused, class: label.class };
      return { file: `${example.split}.jsonl`, row: row(label, prompt) };
    };
    yield made();
  }
}

/** TRL preference (DPO and its relatives): prompt, chosen, rejected, tools. */
export const trlPreference: Target = {
  name: "trl-preference",
  summary: "TRL preference pairs for DPO: prompt, chosen, rejected, tools; arguments as objects",
  files: "<split>.jsonl",
  takes: ["preference"],
  needsContext: true,
  *rows(labelled) {
    const sides = (label: Label) => (label.class === "preference" ? [label.chosen, label.rejected] : undefined);
    for (const made of trained(labelled, sides, (label, { messages, tools }) => {
      const { chosen, rejected } = label as Extract<Label, { class: "preference" }>;
      return { prompt: messages, chosen: [callMessage(chosen, FORM, null)], rejected: [callMessage(rejected, FORM, null)], tools, id: labelled.example.id };
    }))
      yield isEqual(labelled.labels) && !("refused" in made) ? { refused: "equal_after_redaction", class: "preference" } : made;
  },
  readmeHead: readmeOf(["chosen", "rejected"]),
};

/** Whether redaction has made the two sides of the pair equal. */
export function isEqual(labels: readonly Label[]): boolean {
  const pair = labels.find((label) => label.class === "preference");
  return pair !== undefined && canonicalize(callsValue(pair.chosen)) === canonicalize(callsValue(pair.rejected));
}

/** TRL unpaired preference (KTO): prompt, completion, label, tools. */
export const trlKto: Target = {
  name: "trl-kto",
  summary: "TRL unpaired preference for KTO: prompt, completion, label, tools; arguments as objects",
  files: "<split>.jsonl",
  takes: ["kto_positive", "kto_negative"],
  needsContext: true,
  rows: (labelled) =>
    trained(
      labelled,
      (label) => (label.class === "kto_positive" || label.class === "kto_negative" ? [label.completion] : undefined),
      (label, { messages, tools }) => {
        const { completion } = label as Extract<Label, { class: "kto_positive" | "kto_negative" }>;
        return { prompt: messages, completion: [callMessage(completion, FORM, null)], label: label.class === "kto_positive", tools, id: labelled.example.id };
      },
    ),
  readmeHead: readmeOf(["completion"], [{ name: "label", dtype: "bool" }]),
};

/** TRL prompt-completion for SFT: the loss falls on the approved call alone, because nobody reviewed the messages before it. */
export const trlSft: Target = {
  name: "trl-sft",
  summary: "TRL prompt-completion for SFT: prompt, completion, tools; arguments as objects",
  files: "<split>.jsonl",
  takes: ["sft"],
  needsContext: true,
  rows: (labelled) =>
    trained(
      labelled,
      (label) => (label.class === "sft" ? [label.target] : undefined),
      (label, { messages, tools }) => {
        const { target } = label as Extract<Label, { class: "sft" }>;
        return { prompt: messages, completion: [callMessage(target, FORM, null)], tools, id: labelled.example.id };
      },
    ),
  readmeHead: readmeOf(["completion"]),
};
