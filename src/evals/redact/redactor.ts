import type { Json } from "../../events/canonical.ts";
import type { Detector } from "./detectors.ts";
import { detected } from "./detectors.ts";
import { Known } from "./known.ts";
import { type FieldRule, pseudonym, type Treating, treated } from "./treatment.ts";

/** How much an export shows: strict hides what is classified and what is recognised; raw hides nothing. */
export const PROFILES = ["strict", "raw"] as const;
export type Profile = (typeof PROFILES)[number];

/** What was hidden, for the manifest. */
export interface Hidden {
  fields: number;
  /** Values of classified fields that were hidden there and not looked for elsewhere: of one or two characters, or a common word of three letters. */
  onlyInField: number;
  found: { [kind in Detector["kind"]]: number };
}

/** The counts of a redaction that has not begun. */
export function nothingHidden(): Hidden {
  return { fields: 0, onlyInField: 0, found: { card: 0, iban: 0, email: 0, phone: 0 } };
}

/** Texts of classified fields, each with what stands instead. */
export type Learned = readonly (readonly [text: string, instead: string])[];

/** The redaction of one row: what a classified field holds is hidden wherever else it stands in the row. */
export interface Redaction {
  /** Hears what the classified fields of a call hold, before anything is shown. */
  learn(value: Json, rules: readonly FieldRule[], path?: string): void;
  /** What it has heard, for a row that shows calls of this one. */
  learned(): Learned;
  /** Hears what the redaction of another row has heard. */
  share(learned: Learned): void;
  /** Arguments of a call, with the rules of its tool. */
  args(value: Json, rules: readonly FieldRule[], path?: string): Json | undefined;
  /** Any text. */
  text(text: string): string;
  /** Any other value: every text in it. */
  value(value: Json): Json;
  /** A person. */
  person(id: string): string;
}

const RAW: Redaction = {
  learn: () => {},
  learned: () => [],
  share: () => {},
  args: (value) => value,
  text: (text) => text,
  value: (value) => value,
  person: (id) => id,
};

/**
 * The redaction of an export. What it gives begins a row of a workspace: call `learn` for every call that the row shows first, then
 * the others.
 *
 * @param key of the pseudonyms; whoever has it can test a guess
 */
export function redactor(profile: Profile, key: string, hidden: Hidden): (workspace: string) => Redaction {
  if (profile === "raw") return () => RAW;
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
  const heard = new Map<Json, readonly FieldRule[]>();
  const hear = (found: string, instead: string): void => {
    if (!known.add(found, instead)) hidden.onlyInField++;
  };
  const learn = (given: Json, rules: readonly FieldRule[], path = ""): void => {
    // The arguments of a row are mostly the same three times over.
    if (rules.length === 0 || (path === "" && heard.get(given) === rules)) return;
    treated(given, { rules, key, workspace, text: (same) => same, seen: hear }, path);
    if (path === "") heard.set(given, rules);
  };
  return {
    learn,
    learned: () => known.all,
    share(learned) {
      for (const [found, instead] of learned) known.add(found, instead);
    },
    text,
    value,
    args(given, rules, path = "") {
      // What held nothing holds nothing, as long as nothing is known of the rest.
      if (path === "" && known.size === 0 && clean.get(given) === rules) return given;
      const fields = hidden.fields;
      // What one field hides stands in fields before it as well.
      learn(given, rules, path);
      const how: Treating = { rules, key, workspace, text, seen: () => void hidden.fields++ };
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
