import { type Json, parseStrict } from "../../events/canonical.ts";
import type { Detector } from "./detectors.ts";
import { detected } from "./detectors.ts";
import { type FieldRule, MASKED, pseudonym, type Treating, treated } from "./treatment.ts";

/** How much an export shows: strict hides what is classified and what is recognised; raw hides nothing. */
export const PROFILES = ["strict", "raw"] as const;
export type Profile = (typeof PROFILES)[number];

/** What was hidden, for the manifest. */
export interface Hidden {
  fields: number;
  found: { [kind in Detector["kind"]]: number };
}

/** The counts of a redaction that has not begun. */
export function nothingHidden(): Hidden {
  return { fields: 0, found: { card: 0, iban: 0, email: 0, phone: 0 } };
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
  const known = new Known();
  const clean = new Map<Json, readonly FieldRule[]>();
  const find = (kind: Detector["kind"], found: string) => {
    hidden.found[kind]++;
    return `[${pseudonym(key, workspace, kind, normal(kind, found))}]`;
  };
  const text = (given: string): string => detected(known.hiddenIn(given), find);
  const value = (given: Json): Json => treated(given, { rules: [], key, workspace, text }) as Json;
  return {
    text,
    value,
    args(given, rules, path = "") {
      // The arguments of a row are mostly the same three times over. What held nothing holds nothing, as long as nothing is known of the rest.
      if (path === "" && known.size === 0 && clean.get(given) === rules) return given;
      const fields = hidden.fields;
      // First only to learn: what one field hides stands in fields before it as well.
      const learn = (text: string, instead: string) => known.add(text, instead);
      if (rules.length > 0) treated(given, { rules, key, workspace, text: (same) => same, seen: learn }, path);
      const how: Treating = { rules, key, workspace, text, seen: () => void hidden.fields++ };
      const out = treated(given, how, path);
      if (path === "" && out === given && hidden.fields === fields) clean.set(given, rules);
      return out;
    },
  };
}

/** Texts of classified fields, and what stands instead of each. */
class Known {
  /** The longest first: a text that is part of another would leave the rest of it in the open. */
  #texts: (readonly [text: string, instead: string])[] = [];
  readonly #seen = new Set<string>();

  get size(): number {
    return this.#seen.size;
  }

  /** Also as it stands inside a JSON text, with and without escapes of what is not ASCII. */
  add(text: string, instead: string): void {
    if (text.length < SHORTEST_KNOWN || this.#seen.has(text)) return;
    this.#seen.add(text);
    const escaped = JSON.stringify(text).slice(1, -1);
    const ascii = escaped.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    for (const form of new Set([text, escaped, ascii])) this.#texts.push([form, instead]);
    this.#texts.sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  }

  hiddenIn(given: string): string {
    let out = given;
    for (const [text, instead] of this.#texts) if (out.includes(text)) out = out.replaceAll(text, () => instead);
    return out;
  }
}

/** One number written in two ways is one number. */
function normal(kind: Detector["kind"], found: string): string {
  return kind === "email" ? found.toLowerCase() : found.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
}

/** Where calls keep their arguments: OpenAI and its older function_call, LangChain, Anthropic. */
const ARGUMENTS = ["arguments", "args", "input"] as const;

/** The messages of a transcript: arguments of earlier calls by the rules of their tools, all other texts by what is known and recognised. */
export function redactedMessages(messages: Json, redaction: Redaction, rulesOf: (tool: string) => readonly FieldRule[]): Json {
  // Calls first: what their classified fields hold also stands in the texts around them.
  const calls = new Map<Json, { [key: string]: Json }>();
  const find = (part: Json): void => {
    if (typeof part !== "object" || part === null) return;
    if (!Array.isArray(part) && typeof part.name === "string") {
      const { name } = part;
      const given = ARGUMENTS.filter((key) => Object.hasOwn(part, key));
      if (given.length > 0) calls.set(part, Object.fromEntries(given.map((key) => [key, redactedArgs(part[key] as Json, redaction, rulesOf(name))])));
    }
    for (const [key, inner] of Object.entries(part)) if (calls.get(part)?.[key] === undefined) find(inner as Json);
  };
  find(messages);
  const hide = (part: Json): Json => {
    if (typeof part !== "object" || part === null) return redaction.value(part);
    if (Array.isArray(part)) {
      const parts = part.map(hide);
      return parts.every((inner, i) => inner === part[i]) ? part : parts;
    }
    const treated = calls.get(part);
    const parts = Object.entries(part).map(([key, inner]) => [redaction.text(key), treated?.[key] ?? hide(inner as Json)] as const);
    // What nothing was hidden in is the same value: then its hash tells nothing that it does not.
    return parts.every(([key, inner]) => Object.hasOwn(part, key) && part[key] === inner) ? part : Object.fromEntries(parts);
  };
  return hide(messages);
}

/**
 * Arguments as they stand in a message: a JSON text, or a value. A text is read as those read it who get the row; where nobody can read it, its
 * fields cannot be told apart, and nothing of it is shown if any of them is classified.
 */
function redactedArgs(args: Json, redaction: Redaction, rules: readonly FieldRule[]): Json {
  if (typeof args !== "string") return redaction.args(args, rules) ?? null;
  const given = readArgs(args);
  if (given === undefined) return rules.length > 0 ? MASKED : redaction.text(args);
  return JSON.stringify(redaction.args(given, rules) ?? {});
}

function readArgs(text: string): Json | undefined {
  try {
    return parseStrict(text);
  } catch {
    try {
      return JSON.parse(text) as Json;
    } catch {
      return undefined;
    }
  }
}
