import { type Json, parseStrict } from "../../events/canonical.ts";
import type { Detector } from "./detectors.ts";
import { detected } from "./detectors.ts";
import { type FieldRule, pseudonym, type Treating, treated } from "./treatment.ts";

/** How much an export shows: strict hides what is classified and what is recognised; raw hides nothing. */
export const PROFILES = ["strict", "raw"] as const;
export type Profile = (typeof PROFILES)[number];

/** What was hidden, for the manifest. */
export interface Hidden {
  fields: number;
  found: { [kind in Detector["kind"]]: number };
}

/** Shortest text of a classified field that is looked for in the rest of the row: shorter ones are ordinary words. */
const SHORTEST_KNOWN = 4;

/** The redaction of one row: what a classified field holds is hidden wherever else it stands in the row. */
export interface Redaction {
  /** Arguments of a call, with the rules of its tool. */
  args(value: Json, rules: readonly FieldRule[], path?: string): Json | undefined;
  /** Any text. */
  text(text: string): string;
  /** Any other value: every text in it. */
  value(value: Json): Json;
  /** A person. */
  person(id: string): string;
}

/**
 * The redaction of an export. What it gives begins a row of a workspace: call `args` for the classified values first, then `text` and `value`
 * for the rest.
 *
 * @param key of the pseudonyms; whoever has it can test a guess
 */
export function redactor(profile: Profile, key: string, hidden: Hidden): (workspace: string) => Redaction {
  if (profile === "raw") return () => ({ args: (value) => value, text: (text) => text, value: (value) => value, person: (id) => id });
  // A few people decide on all of it.
  const people = new Map<string, string>();
  const person = (id: string) => {
    let known = people.get(id);
    if (known === undefined) people.set(id, (known = pseudonym(key, "", "person", id)));
    return known;
  };
  return (workspace) => ({ ...redactionOf(key, workspace, hidden), person });
}

function redactionOf(key: string, workspace: string, hidden: Hidden): Omit<Redaction, "person"> {
  const known = new Map<string, string>();
  const clean = new Map<Json, readonly FieldRule[]>();
  const find = (kind: Detector["kind"], found: string) => {
    hidden.found[kind]++;
    return `[${pseudonym(key, workspace, kind, normal(kind, found))}]`;
  };
  const text = (given: string): string => {
    let out = given;
    for (const [value, instead] of known) if (out.includes(value)) out = out.replaceAll(value, instead);
    return detected(out, find);
  };
  const value = (given: Json): Json => treated(given, { rules: [], key, workspace, text }) as Json;
  return {
    text,
    value,
    args(given, rules, path = "") {
      // The arguments of a row are mostly the same three times over. What held nothing holds nothing, as long as nothing is known of the rest.
      if (path === "" && known.size === 0 && clean.get(given) === rules) return given;
      const fields = hidden.fields;
      const how: Treating = {
        rules,
        key,
        workspace,
        text,
        seen(hiddenText, instead) {
          hidden.fields++;
          if (hiddenText.length >= SHORTEST_KNOWN) known.set(hiddenText, instead);
        },
      };
      const out = treated(given, how, path);
      if (path === "" && out === given && hidden.fields === fields) clean.set(given, rules);
      return out;
    },
  };
}

/** One number written in two ways is one number. */
function normal(kind: Detector["kind"], found: string): string {
  return kind === "email" ? found.toLowerCase() : found.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
}

interface Called {
  readonly function?: { readonly name?: Json; readonly arguments?: Json };
}

/** The messages of a transcript: arguments of earlier calls by the rules of their tools, all other texts by what is known and recognised. */
export function redactedMessages(messages: Json, redaction: Redaction, rulesOf: (tool: string) => readonly FieldRule[]): Json {
  if (!Array.isArray(messages)) return redaction.value(messages);
  // Calls first: what their classified fields hold also stands in the texts around them.
  const calls = new Map<Json, Json>();
  for (const message of messages)
    for (const call of callsIn(message)) {
      const { name, arguments: args } = (call as Called).function ?? {};
      if (args !== undefined && typeof name === "string") calls.set(call, redactedArgs(args, redaction, rulesOf(name)));
    }
  return messages.map((message) => {
    const list = callsIn(message);
    if (list.length === 0) return redaction.value(message);
    const { tool_calls: _calls, ...rest } = message as { [key: string]: Json };
    return { ...(redaction.value(rest) as object), tool_calls: list.map((call) => redactedCall(call, calls.get(call), redaction)) };
  });
}

function callsIn(message: Json): readonly Json[] {
  const list = typeof message === "object" && message !== null && !Array.isArray(message) ? message.tool_calls : undefined;
  return Array.isArray(list) ? list : [];
}

function redactedCall(call: Json, args: Json | undefined, redaction: Redaction): Json {
  const { function: called, ...rest } = call as { [key: string]: Json };
  const { arguments: given, ...named } = (called ?? {}) as { [key: string]: Json };
  const inner = redaction.value(named) as { [key: string]: Json };
  return { ...(redaction.value(rest) as object), function: { ...inner, ...(given !== undefined && { arguments: args ?? redaction.value(given) }) } };
}

/** Arguments as they stand in a message: a JSON text, or a value. What is no JSON is a text. */
function redactedArgs(args: Json, redaction: Redaction, rules: readonly FieldRule[]): Json {
  if (typeof args !== "string") return redaction.args(args, rules) ?? null;
  try {
    return JSON.stringify(redaction.args(parseStrict(args), rules) ?? {});
  } catch {
    return redaction.text(args);
  }
}
