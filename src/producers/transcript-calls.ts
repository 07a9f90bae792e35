import { messageOf } from "../errors.ts";
import { canonicalize, parseStrict, sha256 } from "../events/canonical.ts";
import type { Draft } from "../events/draft.ts";
import { itemIdOf, transcriptSha256 } from "../events/ids.ts";
import { LIMITS } from "../events/limits.ts";
import type { ActionProposed, Transcript } from "../events/types.generated.ts";
import type { Tools } from "./tools.ts";
import type { ChatMessage, Run } from "./transcripts.ts";

/** Where a call stands in its run. The same tool-call id may stand for several calls, so only the two indexes identify one. */
export interface CallPlace {
  readonly runId: string;
  /** Index of the assistant message in `messages`. */
  readonly messageIndex: number;
  /** Index in the message's `tool_calls`. */
  readonly callIndex: number;
  /** The call's own id, which some runs repeat. */
  readonly toolCallId: string | null;
  readonly tool: string;
}

/** One call that the recorded agent made. */
export interface Call extends CallPlace {
  /** The arguments as canonical JSON. */
  readonly args: string;
  readonly argsSha256: string;
  /** Text of the tool message that answered this very call; undefined when the recording has none. */
  readonly recordedResult?: string;
  /** How many tool calls the run had made before, bad ones included. */
  readonly ordinal: number;
}

/** A call whose arguments are no strict JSON object: nothing can be proposed from it. */
export interface BadCall extends CallPlace {
  /** Why, as a sentence. */
  readonly reason: string;
}

/** Every tool call of a run, in order, the bad ones apart. */
export function callsOf(run: Run): { calls: Call[]; bad: BadCall[] } {
  const calls: Call[] = [];
  const bad: BadCall[] = [];
  for (const [messageIndex, message] of run.messages.entries()) {
    if (message.role !== "assistant" || !message.tool_calls?.length) continue;
    const results = resultsAfter(run.messages, messageIndex);
    for (const [callIndex, call] of message.tool_calls.entries()) {
      const toolCallId = call.id ?? null;
      const place = { runId: run.runId, messageIndex, callIndex, toolCallId, tool: call.function.name };
      // Taken even when the arguments are bad: a result belongs to one call only, also where an id repeats inside one message.
      const recordedResult = results.get(toolCallId)?.shift();
      const args = argsOf(call.function.arguments);
      if ("reason" in args) bad.push({ ...place, reason: args.reason });
      else calls.push({ ...place, ...args, ...(recordedResult !== undefined && { recordedResult }), ordinal: calls.length + bad.length });
    }
  }
  return { calls, bad };
}

/** Results by tool-call id in the tool messages between an assistant message and the next one that calls tools. */
function resultsAfter(messages: readonly ChatMessage[], index: number): Map<string | null, string[]> {
  const results = new Map<string | null, string[]>();
  for (let i = index + 1; i < messages.length; i++) {
    const message = messages[i] as ChatMessage;
    if (message.role === "assistant" && message.tool_calls?.length) break;
    if (message.role !== "tool") continue;
    const id = message.tool_call_id ?? null;
    const list = results.get(id);
    if (list) list.push(textOf(message.content));
    else results.set(id, [textOf(message.content)]);
  }
  return results;
}

/** Text of a message's content: a string, or a list of parts of which the texts are joined. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return content === undefined || content === null ? "" : canonicalize(content);
  return content.map((part) => (typeof part === "string" ? part : typeof part?.text === "string" ? part.text : canonicalize(part))).join("");
}

function argsOf(text: unknown): { args: string; argsSha256: string } | { reason: string } {
  if (typeof text !== "string") return { reason: "the arguments must be a JSON text" };
  try {
    const value = parseStrict(text, { maxBytes: LIMITS.args, name: "the arguments" });
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { reason: "the arguments must be a JSON object" };
    const args = canonicalize(value);
    return { args, argsSha256: sha256(args) };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

/** A proposal that still needs what only the importer knows: its event id and when it is written. */
export type ProposalDraft = Omit<Draft<ActionProposed>, "eventId" | "occurredAt">;

/** A recorded call and the proposal made of it. */
export interface ProposedCall {
  readonly call: Call;
  readonly draft: ProposalDraft;
}

/** The action id in every proposal that is made from a recorded call. */
export const RECORDED_ACTION_ID = "call";

/** The key under which a call is proposed: importing the same run again meets the same items. */
export function idempotencyKeyOf(call: CallPlace): string {
  return `${call.runId}#${call.messageIndex}.${call.callIndex}`;
}

/**
 * One proposal for each call of a run: the transcript that the model had seen, a pointer to the run, the tool's schema, and a key of run
 * id, message index and call index. Messages that are too large for an event are left out and found at the transcript's `uri`.
 *
 * @param options.agentId who proposes; the file's own agent where it is left out
 * @param options.tools the tools that the agent was offered; those in the run itself come first
 */
export function proposalsOf(run: Run, options: { workspace: string; agentId?: string; tools?: Tools }): ProposedCall[] {
  const { workspace } = options;
  const agentId = options.agentId ?? run.agent ?? "imported";
  const tools = run.tools ?? options.tools;
  const { calls } = callsOf(run);
  const texts = run.messages.map((message) => canonicalize(message));
  return calls.map((call) => {
    const key = idempotencyKeyOf(call);
    const argsSchema = tools?.schemas.get(call.tool);
    const intent = intentOf(run.messages[call.messageIndex]);
    const used = Buffer.byteLength(call.args) + Buffer.byteLength(argsSchema ?? "") + Buffer.byteLength(intent ?? "");
    return {
      call,
      draft: {
        itemId: itemIdOf(workspace, agentId, key),
        workspace,
        actor: { kind: "agent", id: agentId, roles: [] },
        idempotencyKey: key,
        ask: "review",
        agent: { id: agentId, ...(run.model !== undefined && { model: run.model }) },
        run: {
          framework: "openai-chat",
          threadId: run.runId,
          checkpointId: `message-${call.messageIndex}`,
          pauseRef: call.toolCallId,
          step: call.ordinal + 1,
          ended: call === calls.at(-1),
        },
        actions: [{ actionId: RECORDED_ACTION_ID, tool: call.tool, args: call.args, argsSha256: call.argsSha256, argsSchema }],
        intent,
        transcript: transcriptOf(run, texts.slice(0, call.messageIndex), call.messageIndex, tools?.json ?? null, used),
      },
    };
  });
}

/** Words that the model wrote beside its call, when it wrote any and they are of a size to be read. */
function intentOf(message: ChatMessage | undefined): string | undefined {
  return typeof message?.content === "string" && message.content.trim() !== "" && message.content.length <= 16_384 ? message.content : undefined;
}

/** Bytes of an event that are neither arguments nor transcript: ids, keys, names. */
const REST = 16 * 1024;

function transcriptOf(run: Run, texts: string[], messageIndex: number, tools: string | null, used: number): Transcript {
  const messages = `[${texts.join(",")}]`;
  const hash = transcriptSha256(messages, tools);
  const room = Math.min(LIMITS.transcript, LIMITS.event - REST - used);
  const toolBytes = Buffer.byteLength(tools ?? "");
  if (Buffer.byteLength(messages) + toolBytes <= room) return { messages, tools, sha256: hash, uri: null };
  const uri = `transcript:${encodeURIComponent(run.runId)}#messages-before-${messageIndex}`;
  return { messages: null, tools: toolBytes <= room ? tools : null, sha256: hash, uri };
}
