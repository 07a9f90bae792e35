import { RE2JS } from "re2js";
import { leadingWords, neededWords, type Word } from "./literal-filter.ts";
import { scriptOf, visitsOf } from "./regex-script.ts";
import { type Tree, treeOf } from "./regex-tree.ts";

/** Longest text that a pattern is tried on, in UTF-16 units. */
export const MAX_REGEX_TEXT = 64 * 1024;

/** RE2 takes time in proportion to text times pattern. A million of these are up to 0.07 s, while the engine is still cold; most patterns need far less. */
export const MAX_REGEX_STEPS = 1_000_000;

/** Longest pattern. */
const MAX_PATTERN = 1000;

/** Places of an expression that JavaScript's engine comes to in the time of a step, as measured on the texts that it likes least: of any, and of plain words. */
const VISITS_PER_STEP = 8;
const WORD_VISITS_PER_STEP = 24;
/** Most places for one start in a text: a pattern that could take more is left to RE2. */
const MAX_VISITS = 1000;

/**
 * What RE2 takes for a character and an instruction of its program, in steps: while it still finds out about a text, and from then on. How
 * many characters that is its memory decides, in bytes.
 */
const STEPS_AT_FIRST = 8;
const STEPS_EACH = 2;
const AT_FIRST = 400;
const RE2_MEMORY = 64 * 1024;

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
  /** Steps that a character of a long text costs at most. */
  readonly size: number;
}

/**
 * A pattern in RE2 syntax, found anywhere in the text. The answer is undefined for a text that is too long for it: so no pattern and no
 * text can hold the process.
 *
 * What a pattern needs is looked for first, and a pattern whose every try is short is tried by JavaScript's engine, which is many times faster
 * than RE2 in JavaScript; all others by RE2. The answers are the same, and so are the steps on every machine.
 *
 * @throws Error in the words of RE2 when the pattern is outside RE2
 */
export function regex(pattern: string): Find {
  if (pattern.length > MAX_PATTERN) throw new Error(`the pattern has ${pattern.length} characters, more than ${MAX_PATTERN}`);
  const compiled = RE2JS.compile(pattern);
  const program = Math.max(1, compiled.programSize());
  const tree = treeOf(pattern);
  const short = tree && searchOf(tree, VISITS_PER_STEP);
  const words = tree && neededWords(tree);
  const filter = words && searchOf(anyOf(words), WORD_VISITS_PER_STEP);
  if (short === undefined) return finding([filter, re2Search(compiled, program, tree && leadingWords(tree))], longestFor(program));
  const isWorthIt = filter !== undefined && filter.perCharacter < short.perCharacter / 2;
  return finding([isWorthIt ? filter : undefined, short], longestFor(short.perCharacter));
}

/** A pattern in the syntax of JavaScript, as JSON Schemas hold them. @throws as `regex` */
export function scriptRegex(pattern: string): Find {
  return regex(RE2JS.translateRegExp(pattern));
}

/** One way to look for something. */
interface Search {
  readonly test: (text: string) => boolean;
  readonly steps: (length: number) => number;
  readonly perCharacter: number;
}

/** Tries one search after the other, as long as each finds something. */
function finding(given: readonly (Search | undefined)[], longest: number): Find {
  const searches = given.filter((search) => search !== undefined);
  const find = (text: string, steps?: Steps): boolean | undefined => {
    if (text.length > longest) return undefined;
    for (const search of searches) {
      if (steps !== undefined && !take(steps, search.steps(text.length))) return undefined;
      if (!search.test(text)) return false;
    }
    return true;
  };
  return Object.assign(find, { size: Math.ceil(searches.reduce((sum, { perCharacter }) => sum + perCharacter, 0)) });
}

function longestFor(perCharacter: number): number {
  return Math.min(MAX_REGEX_TEXT, MAX_REGEX_STEPS / perCharacter);
}

/** By JavaScript's own engine, for an expression whose every try is short. */
function searchOf(tree: Tree, visitsPerStep: number): Search | undefined {
  const visits = visitsOf(tree, MAX_VISITS);
  if (visits === Number.POSITIVE_INFINITY) return undefined;
  const expression = new RegExp(scriptOf(tree), "u");
  const perCharacter = visits / visitsPerStep;
  return { test: (text) => expression.test(text), steps: (length) => Math.ceil(length * perCharacter), perCharacter };
}

function anyOf(words: readonly Word[]): Tree {
  return { kind: "any", parts: words.map((word) => ({ kind: "all", parts: word })) };
}

/** By RE2, from where a match can begin at the earliest: finding that takes little beside it, so that no steps are counted for it. */
function re2Search(compiled: RE2JS, program: number, leading: readonly Word[] | undefined): Search {
  const first = leading && new RegExp(scriptOf(anyOf(leading)), "u");
  // It makes a state for every character of some texts, each of which takes as long as a hundred characters otherwise: with less memory it
  // goes over to a way that takes the same for each.
  const { dfa } = compiled.re2();
  dfa.stateBudget = dfa.memBudget = RE2_MEMORY;
  return {
    test: (text) => {
      if (first === undefined) return compiled.test(text);
      const from = text.search(first);
      // The character before it tells whether a word or a line begins there.
      return from !== -1 && compiled.test(from < 2 ? text : text.slice(from - 1));
    },
    steps: (length) => program * (length * STEPS_EACH + Math.min(length, AT_FIRST) * STEPS_AT_FIRST),
    perCharacter: program * 2 * STEPS_EACH,
  };
}
