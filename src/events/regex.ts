import { RE2JS } from "re2js";
import { literalFilter, literalsOf } from "./literal-filter.ts";

/** Longest text that a pattern is tried on, in UTF-16 units. */
export const MAX_REGEX_TEXT = 64 * 1024;

/** RE2 takes time in proportion to text times pattern. A million steps are up to 0.07 s, while the engine is still cold; most patterns need far less. */
export const MAX_REGEX_STEPS = 1_000_000;

/** Longest pattern. */
const MAX_PATTERN = 1000;

/** Steps that several pieces of work may still take together. */
export interface Steps {
  left: number;
}

/** Takes steps off. False, and nothing is taken, where fewer are left. */
export function take(steps: Steps, count: number): boolean {
  if (count > steps.left) return false;
  steps.left -= count;
  return true;
}

/** Looks for a pattern in a text; undefined where the text is too long for it, or for the steps that are left. */
export interface Find {
  (text: string, steps?: Steps): boolean | undefined;
  /** Steps that a character of the text costs at most. */
  readonly size: number;
}

/**
 * A pattern in RE2 syntax, found anywhere in the text. The answer is undefined for a text that is too long for it: so no pattern and no
 * text can hold the process.
 *
 * @throws Error in the words of RE2 when the pattern is outside RE2
 */
export function regex(pattern: string): Find {
  if (pattern.length > MAX_PATTERN) throw new Error(`the pattern has ${pattern.length} characters, more than ${MAX_PATTERN}`);
  const compiled = RE2JS.compile(pattern);
  const size = Math.max(1, compiled.programSize());
  const longest = Math.min(MAX_REGEX_TEXT, MAX_REGEX_STEPS / size);
  const literals = literalsOf(pattern);
  const mayMatch = literals === undefined ? () => true : literalFilter(literals);
  const find = (text: string, steps?: Steps) => {
    if (text.length > longest || (steps !== undefined && !take(steps, text.length >> 4))) return undefined;
    if (!mayMatch(text)) return false;
    return steps !== undefined && !take(steps, text.length * size) ? undefined : compiled.test(text);
  };
  return Object.assign(find, { size });
}

/** A pattern in the syntax of JavaScript, as JSON Schemas hold them. @throws as `regex` */
export function scriptRegex(pattern: string): Find {
  return regex(RE2JS.translateRegExp(pattern));
}
