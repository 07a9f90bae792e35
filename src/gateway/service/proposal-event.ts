import type { z } from "zod";
import { CountersignError } from "../../errors.ts";
import { canonicalArgs } from "../../events/canonical.ts";
import { complete, type Draft } from "../../events/draft.ts";
import { transcriptSha256 } from "../../events/ids.ts";
import { LIMITS } from "../../events/limits.ts";
import type { EventOf } from "../../events/types.generated.ts";
import { argsFault, schemaFault } from "../../ledger/args-schema.ts";
import type { proposalRequest } from "../../producers/wire/requests.ts";
import { actorOf, type Identity } from "./identity.ts";

type Request = z.output<typeof proposalRequest>;
type Action = NonNullable<Request["actions"]>[number];

const MAX_STATE = 64 * 1024;

/**
 * The event of a proposal, without its id and time. Arguments, schemas, states and transcripts become canonical JSON with their hashes.
 *
 * @throws CountersignError json_*, request_invalid, schema_invalid (the schema does not compile, or the arguments break it)
 */
export function proposalEvent(request: Request, identity: Identity, itemId: string): Omit<EventOf["proposals"], "eventId" | "occurredAt"> {
  const actions = actionsOf(request);
  checkAsk(request, actions);
  const { tool: _t, args: _a, argsSchema: _s, actions: _as, agent, transcript, traceparent, ...rest } = request;
  const draft: Draft<EventOf["proposals"]> = {
    ...rest,
    eventId: "",
    occurredAt: 0,
    itemId,
    workspace: identity.workspace,
    actor: actorOf(identity),
    agent: { ...agent, id: identity.id, ...ownerOf(identity, agent?.owner) },
    actions: actions.map(actionEvent),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(transcript === undefined ? {} : { transcript: transcriptEvent(transcript) }),
  };
  const { eventId: _id, occurredAt: _at, ...event } = complete("proposals", draft);
  return event;
}

/** Separation of duties rests on the agent's owner, and rules and grants may read it: so it is recorded from the key, never from what the agent says of itself. */
function ownerOf({ owner }: Identity, claimed: string | undefined): { owner?: string } {
  if (claimed !== undefined && owner == null)
    throw invalid("agent/owner", "the key names no owner of this agent, and an agent does not name its own", "leave it out, or create the key with --owner");
  if (claimed !== undefined && claimed !== owner) throw invalid("agent/owner", `the key says that ${owner} owns this agent`, "leave it out");
  return owner == null ? {} : { owner };
}

function actionsOf({ tool, args, argsSchema, actions }: Request): (Action & { path: string })[] {
  if (tool === undefined && args === undefined && argsSchema === undefined) return (actions ?? []).map((action, i) => ({ ...action, path: `/actions/${i}` }));
  if (actions !== undefined) throw invalid("tool", "either tool and args, or actions, not both", "leave tool and args out");
  if (tool === undefined) throw invalid("tool", "args need the tool they are for", "name the tool");
  return [{ tool, args: args ?? {}, ...(argsSchema === undefined ? {} : { argsSchema }), path: "" }];
}

function checkAsk({ ask, question, intent }: Request, actions: readonly Action[]): void {
  if (ask === "review" && actions.length === 0) throw invalid("actions", "a proposal for review names an action", "send tool and args, or actions");
  if (ask !== "review" && actions.length > 0) throw invalid("actions", `a ${ask} names no action`, 'leave the actions out, or send ask "review"');
  if (ask === "question" && !question?.trim()) throw invalid("question", "a question needs its words", "send question");
  if (ask === "notify" && !question?.trim() && !intent?.trim()) throw invalid("question", "a notice needs its words", "send question");
  const ids = actions.map((action, i) => action.actionId ?? `a${i + 1}`);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw invalid("actions", `two actions have the id ${twice}`, "give each action an id of its own");
}

function actionEvent(action: Action & { path: string }, index: number): Draft<EventOf["proposals"]["actions"][number]> {
  const { actionId = `a${index + 1}`, tool, path, confidence, confidenceSource, targetState } = action;
  const { args, argsSha256 } = canonicalArgs(action.args, { name: `${path}/args`, maxBytes: LIMITS.args });
  const schema = action.argsSchema === undefined ? null : canonicalArgs(action.argsSchema, { name: `${path}/argsSchema`, maxBytes: LIMITS.schema }).args;
  if (schema !== null) checkSchema(schema, action.args, path);
  return {
    actionId,
    tool,
    args,
    argsSha256,
    argsSchema: schema,
    ...(confidence === undefined ? {} : { confidence, confidenceSource: confidenceSource ?? "other" }),
    ...(targetState === undefined ? {} : { targetState: snapshot(targetState, `${path}/targetState/state`) }),
  };
}

function checkSchema(schema: string, args: unknown, path: string): void {
  const unusable = schemaFault(schema);
  if (unusable !== null) throw cannotBeUsed(unusable, path);
  const fault = argsFault(schema, args);
  if (fault === null) return;
  if (fault.rule === "schema") throw cannotBeUsed(fault.message, path);
  throw new CountersignError("schema_invalid", `The arguments break their own schema: ${fault.path || "the arguments"} ${fault.message} (${fault.rule})`, {
    field: `${path}/args${fault.path}`,
    value: at(args, fault.path),
    fix: "send arguments that the tool's schema allows",
  });
}

function cannotBeUsed(why: string, path: string): CountersignError {
  return new CountersignError("schema_invalid", `${path}/argsSchema cannot be used: ${why}`, {
    field: `${path}/argsSchema`,
    fix: "send a JSON Schema (draft-07 or 2020-12) that compiles by itself, and whose check of these arguments stays within the limits",
  });
}

/** The value at a JSON Pointer, or undefined. */
export function at(root: unknown, path: string): unknown {
  const keys = path
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce<unknown>(
    (v, key) => (typeof v === "object" && v !== null && Object.hasOwn(v, key) ? (v as Record<string, unknown>)[key] : undefined),
    root,
  );
}

/** A state with its hash. */
export function snapshot(
  { state, readAt }: { state?: unknown; readAt: number },
  name: string,
): EventOf["proposals"]["actions"][number]["targetState"] & object {
  const { args: json, argsSha256: sha256 } = canonicalArgs(state, { name, maxBytes: MAX_STATE });
  return { json, sha256, readAt };
}

function transcriptEvent({ messages, tools, uri, sha256 }: NonNullable<Request["transcript"]>): Draft<NonNullable<EventOf["proposals"]["transcript"]>> {
  const canonical = (value: unknown, name: string) => (value === undefined ? null : canonicalArgs(value, { name, maxBytes: LIMITS.transcript }).args);
  const [kept, offered] = [canonical(messages, "/transcript/messages"), canonical(tools, "/transcript/tools")];
  if (kept === null && uri === undefined) throw invalid("transcript", "a transcript has messages, or a uri where they lie", "send messages, or uri and sha256");
  if (kept === null && sha256 === undefined)
    throw invalid("transcript/sha256", "messages that lie at a uri need their hash", "send the SHA-256 over messages NUL tools");
  const hash = kept === null ? (sha256 as string) : transcriptSha256(kept, offered);
  if (sha256 !== undefined && sha256 !== hash)
    throw invalid("transcript/sha256", `the hash of these messages and tools is ${hash}`, "leave sha256 out where the messages are sent");
  return { messages: kept, tools: offered, sha256: hash, uri: uri ?? null };
}

function invalid(field: string, message: string, fix: string): CountersignError {
  return new CountersignError("request_invalid", `${field}: ${message}`, { field: `/${field}`, fix });
}
