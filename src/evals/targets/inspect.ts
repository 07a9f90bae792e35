import type { Json } from "../../events/canonical.ts";
import { CASE_CLASSES, caseOf } from "./cases.ts";
import type { Made, Target } from "./target.ts";

type JsonObject = { [key: string]: Json };

/** A message as Inspect reads it: content always there, calls with function and arguments beside each other. */
function messageOf(message: JsonObject): JsonObject {
  const { role, content, tool_calls: calls, tool_call_id: id, name } = message;
  const list = Array.isArray(calls) ? calls.map((call, i) => callOf(call as JsonObject, i)) : undefined;
  return {
    role: role === "developer" ? "system" : (role ?? "user"),
    content: content ?? "",
    ...(list !== undefined && { tool_calls: list }),
    ...(role === "tool" && { tool_call_id: id ?? null, function: name ?? null }),
  };
}

function callOf(call: JsonObject, index: number): JsonObject {
  const { name, arguments: args } = call.function as JsonObject;
  return { id: call.id ?? `call_${index}`, function: name ?? "", arguments: args ?? {}, type: "function" };
}

/**
 * The target of a case whose answer is only known to be none of some calls: a scorer that compares must not reward what people rejected, and
 * one that grades with a model reads it.
 */
const ANYTHING_ELSE = "Anything but the calls in metadata.expected.not_tool_calls";

/** Samples for `json_dataset`. The target is what is right as a JSON text, or in words where nobody said it; the tools lie in the metadata. */
export const inspect: Target = {
  name: "inspect",
  summary: "Inspect AI samples for json_dataset: id, input, target, metadata",
  files: "<split>.jsonl",
  takes: CASE_CLASSES,
  needsContext: false,
  *rows({ example, labels }): Generator<Made> {
    for (const label of labels) {
      const found = caseOf({ example }, label, { args: "object", name: (tool) => tool });
      if (found === undefined) continue;
      const { id, kind, input, expected, metadata } = found;
      const messages = Array.isArray(input.messages) ? (input.messages as JsonObject[]).map(messageOf) : null;
      yield {
        file: `${example.split}.jsonl`,
        row: {
          id,
          input: messages ?? JSON.stringify(input),
          target: kind === "should_not_call" ? ANYTHING_ELSE : JSON.stringify(expected.tool_calls ?? expected.answer),
          metadata: { kind, expected, tools: input.tools ?? null, ...metadata },
        },
      };
    }
  },
};
