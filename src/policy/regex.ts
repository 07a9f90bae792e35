import { RE2JS } from "re2js";

/** Longest text that a pattern is tried on, in UTF-16 units. A longer one counts as unknown, so that no pattern holds the process. */
export const MAX_REGEX_TEXT = 64 * 1024;

/** Longest pattern. */
export const MAX_PATTERN = 1000;

/**
 * A pattern in RE2 syntax (linear time), found anywhere in the text. The answer is undefined for a text that is too long to try.
 *
 * @throws Error in the words of RE2 when the pattern is outside RE2
 */
export function regex(pattern: string): (text: string) => boolean | undefined {
  if (pattern.length > MAX_PATTERN) throw new Error(`the pattern has ${pattern.length} characters, more than ${MAX_PATTERN}`);
  const compiled = RE2JS.compile(pattern);
  return (text) => (text.length > MAX_REGEX_TEXT ? undefined : compiled.test(text));
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
