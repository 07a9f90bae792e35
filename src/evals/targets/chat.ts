import type { Json } from "../../events/canonical.ts";
import type { Calls } from "../labels.ts";
import type { Context } from "../reviewed-example.ts";
import type { Refusal } from "./target.ts";

type JsonObject = { [key: string]: Json };

/** How a target writes calls down. */
export interface ChatForm {
  /** object: as TRL's chat templates want them; text: as the OpenAI API wants them. */
  readonly args: "object" | "text";
  readonly name: (tool: string) => string;
}

/** What the model saw, in OpenAI chat form, or why it cannot be given. */
export type Prompt = { readonly messages: readonly JsonObject[]; readonly tools: readonly JsonObject[] } | { readonly refused: Refusal };

const MISSING: { readonly [status in Context["status"]]: Refusal | null } = {
  complete: null,
  no_transcript: "no_transcript",
  elsewhere: "transcript_elsewhere",
  no_tools: "no_tools",
  unreadable: "transcript_unreadable",
  left_out: "transcript_left_out",
};

/** Key under which a text stands that a model wrote as arguments and that is no JSON object. */
const MALFORMED = "malformed_arguments";

/**
 * The prompt of a call: messages and tools.
 *
 * @param needed the tools that the row calls: they must be among those that were offered
 */
export function promptOf(context: Context, needed: readonly string[], form: ChatForm): Prompt {
  const missing = MISSING[context.status];
  if (missing !== null) return { refused: missing };
  const messages = messagesOf(context.messages, form);
  if (messages === undefined) return { refused: "transcript_format" };
  const tools = toolsOf(context.tools);
  if (tools === undefined) return { refused: "no_tools" };
  if (needed.some((name) => !tools.some((tool) => tool.name === name))) return { refused: "tool_not_offered" };
  return { messages, tools: tools.map((tool) => ({ type: "function", function: { ...tool, name: form.name(tool.name as string) } })) };
}

/** The assistant's message that makes these calls. `id` seeds the ids of the calls, where the target wants ids. */
export function callMessage(calls: Calls, form: ChatForm, id: string | null): JsonObject {
  const list = calls.map(({ tool, args }, i) => ({
    ...(id !== null && { id: `call_${id.slice(0, 20)}${i}` }),
    type: "function",
    function: { name: form.name(tool), arguments: form.args === "object" ? args : JSON.stringify(args) },
  }));
  return { role: "assistant", content: form.args === "object" ? "" : null, tool_calls: list };
}

/** Whether all arguments are JSON objects: anything else is no call that an API takes. */
export function isCallable(calls: Calls): boolean {
  return calls.length > 0 && calls.every(({ args }) => isObject(args));
}

function messagesOf(messages: Json, form: ChatForm): JsonObject[] | undefined {
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  const out = messages.map((message) => messageOf(message, form));
  return out.every((message) => message !== undefined) ? out : undefined;
}

const ROLES = new Set(["system", "developer", "user", "assistant", "tool"]);

/** Where messages of other APIs keep their calls or their content: OpenAI before tools, the AI SDK, Gemini. */
const FOREIGN = ["function_call", "toolInvocations", "parts"];

/** Whether a part of a message is a call or its result: tool_use, tool-call, functionCall and the like. */
function isForeign(part: Json): boolean {
  return isObject(part) && (typeof part.type === "string" ? [part.type] : Object.keys(part)).some((name) => /tool|function/i.test(name));
}

function messageOf(message: Json, form: ChatForm): JsonObject | undefined {
  if (!isObject(message) || typeof message.role !== "string" || !ROLES.has(message.role)) return undefined;
  // Calls of another API would be read as ordinary content, or be lost.
  if (FOREIGN.some((key) => (message[key] ?? null) !== null) || (Array.isArray(message.content) && message.content.some(isForeign))) return undefined;
  const { role, content = null, tool_calls: calls, tool_call_id: id, name } = message;
  const listed = Array.isArray(calls) && calls.length > 0 ? calls.map((call) => earlierCall(call, form)) : null;
  if (listed?.some((call) => call === undefined)) return undefined;
  return {
    role,
    content: form.args === "object" ? (content ?? "") : content,
    ...(listed !== null && { tool_calls: listed as JsonObject[] }),
    ...(typeof id === "string" && { tool_call_id: id }),
    // The OpenAI API knows no name on an answer of a tool: the id of the call tells it. Chat templates want one.
    ...(typeof name === "string" && (role !== "tool" || form.args === "object") && { name: role === "tool" ? form.name(name) : name }),
  };
}

function earlierCall(call: Json, form: ChatForm): JsonObject | undefined {
  if (!isObject(call) || !isObject(call.function ?? null)) return undefined;
  const { name, arguments: given } = call.function as JsonObject;
  if (typeof name !== "string") return undefined;
  const args = argumentsOf(given ?? null);
  return {
    ...(typeof call.id === "string" && { id: call.id }),
    type: "function",
    function: { name: form.name(name), arguments: form.args === "object" ? args : JSON.stringify(args) },
  };
}

function argumentsOf(given: Json): JsonObject {
  if (isObject(given)) return given;
  if (typeof given !== "string") return {};
  try {
    const value = JSON.parse(given) as Json;
    if (isObject(value)) return value;
  } catch {
    // What a model wrote and no one could read is kept as it was.
  }
  return { [MALFORMED]: given };
}

/** Tools as functions: OpenAI's own form, the bare function, and the forms of Anthropic and MCP. */
function toolsOf(tools: Json): JsonObject[] | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return undefined;
  const out = tools.map((tool) => {
    const given = isObject(tool) && isObject(tool.function ?? null) ? (tool.function as JsonObject) : tool;
    if (!isObject(given) || typeof given.name !== "string") return undefined;
    const parameters = given.parameters ?? given.input_schema ?? given.inputSchema ?? { type: "object", properties: {} };
    return { name: given.name, ...(typeof given.description === "string" && { description: given.description }), parameters };
  });
  return out.every((tool) => tool !== undefined) ? (out as JsonObject[]) : undefined;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
