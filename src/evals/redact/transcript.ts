import { type Json, parseStrict } from "../../events/canonical.ts";
import type { Redaction } from "./redactor.ts";
import { type FieldRule, MASKED } from "./treatment.ts";

/** Where calls keep the name of their tool: OpenAI, Anthropic, LangChain and Gemini; the AI SDK; pydantic-ai, LlamaIndex and Haystack. */
const NAMES = ["name", "toolName", "tool_name"] as const;

/** Where calls keep their arguments: OpenAI and its older function_call; LangChain and Gemini; Anthropic and the AI SDK; Cohere; LlamaIndex; the AI SDK, what a model wrote and nobody could read. */
const ARGUMENTS = ["arguments", "args", "input", "parameters", "tool_kwargs", "rawInput"] as const;

/** A part of the AI SDK's messages of the user interface names the tool in its type. */
const TYPE_OF_TOOL = /^tool-(.+)$/;

/** A transcript on its way out. */
export interface Transcript {
  /** Hears what the classified fields of its calls hold. */
  learn(redaction: Redaction): void;
  /** The messages: arguments of calls by the rules of their tools, all other texts by what is known and recognised. */
  redacted(redaction: Redaction): Json;
}

/** Arguments of a call in a message. A text is read as those read it who get the row; undefined where nobody can read it. */
interface Arguments {
  readonly given: Json;
  readonly value: Json | undefined;
  readonly rules: readonly FieldRule[];
}

/** Finds the calls in the messages, whatever API they are of. */
export function transcriptOf(messages: Json, rulesOf: (tool: string) => readonly FieldRule[]): Transcript {
  const calls = new Map<Json, ReadonlyMap<string, Arguments>>();
  const find = (part: Json): void => {
    if (typeof part !== "object" || part === null) return;
    const args = Array.isArray(part) ? undefined : argumentsIn(part, rulesOf);
    if (args !== undefined) calls.set(part, args);
    for (const [key, inner] of Object.entries(part)) if (args?.has(key) !== true) find(inner as Json);
  };
  find(messages);
  return {
    learn(redaction) {
      for (const args of calls.values()) for (const { value, rules } of args.values()) if (value !== undefined) redaction.learn(value, rules);
    },
    redacted(redaction) {
      const hide = (part: Json): Json => {
        if (typeof part !== "object" || part === null) return redaction.value(part);
        if (Array.isArray(part)) {
          const parts = part.map(hide);
          return parts.every((inner, i) => inner === part[i]) ? part : parts;
        }
        const args = calls.get(part);
        const hidden = (key: string, inner: Json) => {
          const found = args?.get(key);
          return found === undefined ? hide(inner) : redactedArguments(found, redaction);
        };
        const parts = Object.entries(part).map(([key, inner]) => [redaction.text(key), hidden(key, inner as Json)] as const);
        // What nothing was hidden in is the same value: then its hash tells nothing that it does not.
        return parts.every(([key, inner]) => Object.hasOwn(part, key) && part[key] === inner) ? part : Object.fromEntries(parts);
      };
      return hide(messages);
    },
  };
}

function argumentsIn(part: { [key: string]: Json }, rulesOf: (tool: string) => readonly FieldRule[]): Map<string, Arguments> | undefined {
  const present = ARGUMENTS.filter((key) => Object.hasOwn(part, key));
  if (present.length === 0) return undefined;
  const names = namesIn(part);
  const rules = names.flatMap(rulesOf);
  // A value of which no field is classified is like any other, and calls may lie in it.
  const keys = present.filter((key) => (rules.length > 0 ? true : names.length > 0 && typeof part[key] === "string"));
  return new Map(keys.map((key) => [key, { given: part[key] as Json, value: readArguments(part[key] as Json), rules }]));
}

function namesIn(part: { [key: string]: Json }): string[] {
  const [, typed] = TYPE_OF_TOOL.exec(typeof part.type === "string" ? part.type : "") ?? [];
  const names = [...NAMES.map((key) => part[key]), typed];
  return [...new Set(names.filter((name) => typeof name === "string"))];
}

/** Where nobody can read a text its fields cannot be told apart, and nothing of it is shown if any of them is classified. */
function redactedArguments({ given, value, rules }: Arguments, redaction: Redaction): Json {
  if (typeof given !== "string") return redaction.args(given, rules) ?? null;
  if (value === undefined) return rules.length > 0 ? MASKED : redaction.text(given);
  return JSON.stringify(redaction.args(value, rules) ?? {});
}

function readArguments(given: Json): Json | undefined {
  if (typeof given !== "string") return given;
  try {
    return parseStrict(given);
  } catch {
    try {
      return JSON.parse(given) as Json;
    } catch {
      return undefined;
    }
  }
}
