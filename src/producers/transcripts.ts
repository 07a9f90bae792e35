import { basename } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { canonicalize } from "../events/canonical.ts";
import { type Tools, toolsOf } from "./tools.ts";

/** A call that a transcript asks for, in OpenAI chat format. `function.arguments` should be a JSON text; whether it is, `callsOf` says. */
export interface ToolCallMessage {
  readonly id?: string | null;
  readonly function: { readonly name: string; readonly arguments?: unknown };
}

/** One message of a transcript in OpenAI chat format. Fields that are not named here are kept. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly ToolCallMessage[] | null;
  readonly tool_call_id?: string | null;
}

/** A call that a correct agent makes. */
export interface GoldAction {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** One recorded run of an agent. */
export interface Run {
  /** `run_id`, else `id`, else task and trial, else the file's name and line. Unique in its file. */
  readonly runId: string;
  /** The agent, where the file names it. */
  readonly agent?: string;
  /** The model, where the file names it. */
  readonly model?: string;
  readonly messages: readonly ChatMessage[];
  /** Tools that the run itself carries. */
  readonly tools?: Tools;
  readonly goldActions?: readonly GoldAction[];
  readonly reward?: number;
  readonly taskId?: string;
  readonly trial?: number;
  /** Where it was read, such as `runs.jsonl:7`. */
  readonly source: string;
}

type Raw = Record<string, unknown>;
const SHAPE = "each run is an object with messages (OpenAI chat format), or with traj and info as tau-bench publishes it";

/**
 * Reads recorded runs: JSON Lines or a JSON array of `{messages, …}` in OpenAI chat format, or the public tau-bench trajectory file.
 * The whole file is checked before the first run is returned, so that nothing is half imported.
 *
 * @param text content of the file
 * @param options.file its name, for messages and for runs without an id
 * @throws CountersignError file_invalid, with file and line in the message and a JSON Pointer into the run in `field`
 */
export function readTranscripts(text: string, options: { file: string }): Run[] {
  const runs = valuesOf(text.replace(/^\uFEFF/, ""), options.file).map(({ value, at, number }) => runOf(value, at, `${basename(options.file)}:${number}`));
  if (runs.length === 0) throw invalid(options.file, "holds no runs", undefined, SHAPE);
  const seen = new Map<string, string>();
  for (const run of runs) {
    const first = seen.get(run.runId);
    if (first !== undefined)
      throw invalid(run.source, `the run id ${JSON.stringify(run.runId)} is already used at ${first}`, "/run_id", "give each run a run_id of its own");
    seen.set(run.runId, run.source);
  }
  return runs;
}

/** The JSON values in a file: `at` names each for people, `number` is its line, or its place in an array, from 1. */
function valuesOf(text: string, file: string): { value: unknown; at: string; number: number }[] {
  const whole = text.trimStart();
  if (whole.startsWith("[")) {
    const list = parse(text, file) as unknown[];
    return list.map((value, i) => ({ value, at: `${file}, run ${i + 1}`, number: i + 1 }));
  }
  const lines = text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [{ line, number: i + 1 }]));
  // A single run that was written over several lines.
  if (lines[0]?.line.trim() === "{") return [{ value: parse(text, file), at: file, number: 1 }];
  return lines.map(({ line, number }) => ({ value: parse(line, `${file}:${number}`), at: `${file}:${number}`, number }));
}

function parse(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(at, `is not valid JSON: ${messageOf(error)}`, undefined, "a file holds one JSON object a line, or one JSON array", error);
  }
}

function runOf(value: unknown, at: string, fallbackId: string): Run {
  if (!isObject(value)) throw invalid(at, `must be an object, not ${kindOf(value)}`, "", SHAPE);
  const isTau = value.messages === undefined && value.traj !== undefined;
  const field = isTau ? "/traj" : "/messages";
  const messages = isTau ? value.traj : value.messages;
  if (!Array.isArray(messages)) throw invalid(at, `${field} must be a list of chat messages, not ${kindOf(messages)}`, field, SHAPE);
  for (const [i, message] of messages.entries()) checkMessage(message, at, `${field}/${i}`);
  const gold = goldOf(value, at);
  const taskId = idOf(value.task_id);
  return {
    runId: runIdOf(value, at) ?? fallbackId,
    ...(typeof value.agent === "string" && { agent: value.agent }),
    ...(typeof value.model === "string" && { model: value.model }),
    messages: messages as ChatMessage[],
    ...(Array.isArray(value.tools) && { tools: toolsOf(value.tools, at) }),
    ...(gold && { goldActions: gold }),
    ...(typeof value.reward === "number" && { reward: value.reward }),
    ...(taskId !== undefined && { taskId }),
    ...(typeof value.trial === "number" && { trial: value.trial }),
    source: at,
  };
}

function runIdOf(value: Raw, at: string): string | undefined {
  for (const field of ["run_id", "id"]) {
    if (value[field] === undefined || value[field] === null) continue;
    const id = idOf(value[field]);
    if (id === undefined) throw invalid(at, `${field} must be a string that is not empty, or a number`, `/${field}`);
    return id;
  }
  const [task, trial] = [idOf(value.task_id), idOf(value.trial)];
  return task !== undefined && trial !== undefined ? `task-${task}-trial-${trial}` : undefined;
}

function idOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" && value.isWellFormed() ? value : undefined;
}

/** Checks what reading the calls relies on. How good the arguments are is for `callsOf` to tell: a bad call does not make a bad file. */
function checkMessage(message: unknown, at: string, path: string): void {
  if (!isObject(message) || typeof message.role !== "string") throw invalid(at, `${path} must be a message with a role`, path, SHAPE);
  const calls = message.tool_calls ?? [];
  if (!Array.isArray(calls)) throw invalid(at, `${path}/tool_calls must be a list, not ${kindOf(calls)}`, `${path}/tool_calls`);
  for (const [k, call] of calls.entries()) {
    const called = isObject(call) ? call.function : undefined;
    if (!isObject(called) || typeof called.name !== "string" || called.name === "")
      throw invalid(at, `${path}/tool_calls/${k}/function/name must name the tool`, `${path}/tool_calls/${k}`);
  }
  if (message.role === "assistant" && isObject(message.function_call))
    throw invalid(at, `${path}/function_call is the old form of a call`, `${path}/function_call`, "write it as tool_calls, with the results in tool messages");
  try {
    canonicalize(message);
  } catch (error) {
    throw invalid(at, `${path} cannot be kept as JSON: ${messageOf(error)}`, path, "send valid Unicode text", error);
  }
}

/** `gold_actions: [{name, arguments}]`, or tau-bench's `info.task.actions: [{name, kwargs}]`. */
function goldOf(value: Raw, at: string): GoldAction[] | undefined {
  const own = value.gold_actions;
  const task = isObject(value.info) && isObject(value.info.task) ? value.info.task : undefined;
  const [list, key, path] = own !== undefined && own !== null ? [own, "arguments", "/gold_actions"] : [task?.actions, "kwargs", "/info/task/actions"];
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) throw invalid(at, `${path} must be a list, not ${kindOf(list)}`, path);
  return list.map((action: unknown, i) => {
    const args = isObject(action) ? action[key] : undefined;
    if (!isObject(action) || typeof action.name !== "string" || !isObject(args))
      throw invalid(at, `${path}/${i} must be {name, ${key}} with ${key} an object`, `${path}/${i}`);
    return { name: action.name, arguments: args };
  });
}

function isObject(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return value === undefined
    ? "missing"
    : value === null
      ? "null"
      : Array.isArray(value)
        ? "a list"
        : typeof value === "object"
          ? "an object"
          : `a ${typeof value}`;
}

function invalid(at: string, what: string, field: string | undefined, fix?: string, cause?: unknown): CountersignError {
  return new CountersignError("file_invalid", `${at}: ${what}`, { ...(field !== undefined && { field }), ...(fix !== undefined && { fix }), cause });
}
