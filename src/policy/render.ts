import { canonicalize, type Json } from "../events/canonical.ts";
import type { Template } from "./document/template.ts";
import { valueAt } from "./pointer.ts";

/** What stands for a value that the call does not have. */
export const NOT_GIVEN = "(not given)";

/** What stands for a value that nobody is to see. */
export const MASKED = "••••••";

// Control characters, invisible ones and those that turn the direction of writing: an agent could make a text read as another.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}\p{Cs}]|[\u115f\u1160\u3164\uffa0]|[\ufe00-\ufe0f]/u;

/** Most texts: nothing of the above is in it, which is found out ten times faster. */
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * Untrusted text as one line of plain text: line ends as ⏎, tabs as ⇥, everything invisible or unassigned as ⟨U+202E⟩, and more than `most`
 * characters cut with an ellipsis and the length.
 */
export function plain(text: string, most: number): string {
  if (text.length <= most && (PRINTABLE.test(text) || !HIDDEN.test(text))) return text;
  let out = "";
  let length = 0;
  for (const c of text.replaceAll("\r\n", "\n")) {
    if (length >= most) return `${out}… (${codePoints(text)} characters)`;
    const visible = c === "\n" ? "⏎" : c === "\t" ? "⇥" : HIDDEN.test(c) ? `⟨U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩` : c;
    out += visible;
    length += visible.length;
  }
  return out;
}

/** The length of a text in characters as people count them, without a copy of it. */
export function codePoints(text: string): number {
  let pairs = 0;
  for (let i = 1; i < text.length; i++) {
    const isLow = (text.charCodeAt(i) & 0xfc00) === 0xdc00;
    if (isLow && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) pairs++;
  }
  return text.length - pairs;
}

/** A JSON value as plain text: a text as it is, everything else as JSON. */
export function valueText(value: Json | undefined, most: number): string {
  if (value === undefined) return NOT_GIVEN;
  if (value === "") return '""';
  return plain(typeof value === "string" ? value : canonicalize(value), most);
}

/** An amount with its unit, thousands apart and never rounded: 1250 → USD 1,250.00. What is no number stays as it is. */
export function moneyText(value: Json | undefined, unit: string | undefined, most: number): string {
  const text = typeof value === "number" ? String(value) : value;
  const [, sign, whole, fraction = ""] = (typeof text === "string" && /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)) || [];
  if (whole === undefined || whole.length > 30) return valueText(value, most);
  return `${unit === undefined ? "" : `${unit} `}${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction.padEnd(2, "0")}`;
}

/** How a template is filled. */
export interface Filling {
  /** The value at a path; what is secret is masked already. */
  readonly value: (keys: readonly string[]) => Json | undefined;
  readonly unit: string | undefined;
  /** Most characters of one value. */
  readonly most: number;
}

/** A template with its slots filled. */
export function fill(template: Template, filling: Filling): string {
  return template
    .map((part) => {
      if (typeof part === "string") return part;
      const value = filling.value(part.keys);
      return part.money ? moneyText(value, filling.unit, filling.most) : valueText(value, filling.most);
    })
    .join("");
}

/** A template as the id of a record: exact values, undefined where one is missing, empty or no scalar. */
export function fillExact(template: Template, args: Json): string | undefined {
  let out = "";
  for (const part of template) {
    const value = typeof part === "string" ? part : valueAt(args, part.keys);
    if ((typeof value !== "string" && typeof value !== "number") || value === "") return undefined;
    out += value;
  }
  return out.length > 1000 ? undefined : out;
}
