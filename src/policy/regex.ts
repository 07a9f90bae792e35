import { RE2JS } from "re2js";
import { literalFilter, literalsOf } from "./literal-filter.ts";

/** Longest text that a pattern is tried on, in UTF-16 units. */
export const MAX_REGEX_TEXT = 64 * 1024;

/** RE2 takes time in proportion to text times pattern. 2 million steps are about 0.1 s in the worst case; most patterns need far less. */
const MAX_STEPS = 2_000_000;

/** Longest pattern. */
const MAX_PATTERN = 1000;

/**
 * A pattern in RE2 syntax, found anywhere in the text. The answer is undefined for a text that is too long for it: so no pattern and no
 * text can hold the process.
 *
 * @throws Error in the words of RE2 when the pattern is outside RE2
 */
export function regex(pattern: string): (text: string) => boolean | undefined {
  if (pattern.length > MAX_PATTERN) throw new Error(`the pattern has ${pattern.length} characters, more than ${MAX_PATTERN}`);
  const compiled = RE2JS.compile(pattern);
  const longest = Math.min(MAX_REGEX_TEXT, MAX_STEPS / Math.max(1, compiled.programSize()));
  const literals = literalsOf(pattern);
  if (literals === undefined) return (text) => (text.length > longest ? undefined : compiled.test(text));
  const mayMatch = literalFilter(literals);
  return (text) => (text.length > longest ? undefined : mayMatch(text) && compiled.test(text));
}

/** How many instructions a pattern has; its time is this times the length of the text. @throws as `regex` */
export function programSize(pattern: string): number {
  return RE2JS.compile(pattern).programSize();
}

/** A pattern in the syntax of JavaScript, as JSON Schemas hold them. @throws as `regex` */
export function scriptRegex(pattern: string): (text: string) => boolean | undefined {
  return regex(RE2JS.translateRegExp(pattern));
}

/** A glob over a whole text: * is any run of characters, ? is one. */
export function glob(pattern: string): (text: string) => boolean | undefined {
  const source = [...pattern].map((c) => (c === "*" ? "[\\s\\S]*" : c === "?" ? "[\\s\\S]" : RE2JS.quote(c))).join("");
  return regex(`\\A(?:${source})\\z`);
}

/** Whether a name is a glob. */
export function isGlob(name: string): boolean {
  return /[*?]/.test(name);
}
