import type { CharacterSet, Tree } from "./regex-tree.ts";

/** Characters one after the other, each of which may be one of some. */
export type Word = readonly CharacterSet[];

/** Longest word that is looked for: what a longer one tells more is not worth the time that a text can make it take. */
const LONGEST = 8;
/** Most words that one pattern is told by, and most that are kept while it is read. */
const MOST = 16;
/** How much a word must tell: as much as three letters. */
const ENOUGH = 3;

/**
 * Words of which every match of a pattern holds at least one, so that most texts are told apart by a plain search, which is many times
 * faster. Undefined where there are none that tell enough.
 */
export function neededWords(tree: Tree): readonly Word[] | undefined {
  const { exact, some } = needed(tree);
  const best = exact === undefined ? some : better(exact, some);
  return best === undefined || weight(best) < ENOUGH ? undefined : best.map(cut);
}

/**
 * Words with one of which every match of a pattern begins, so that nothing before the first of them needs to be read. Undefined where there are
 * none that tell enough.
 */
export function leadingWords(tree: Tree): readonly Word[] | undefined {
  const words = leading(tree).words.map((word) => word.slice(0, LONGEST));
  return weight(words) < ENOUGH ? undefined : words;
}

/** The words of which all that a part matches begins with one, and whether that is all of it. */
interface Leading {
  readonly words: readonly Word[];
  readonly whole: boolean;
}

/** What is known of all texts that a part matches. */
interface Needed {
  /** They are just these. */
  readonly exact: readonly Word[] | undefined;
  /** Each holds one of these. */
  readonly some: readonly Word[] | undefined;
}

const EMPTY: readonly Word[] = [[]];

function needed(tree: Tree): Needed {
  switch (tree.kind) {
    case "set":
      return { exact: [[tree]], some: undefined };
    case "place":
      return { exact: EMPTY, some: undefined };
    case "all":
      return sequence(tree.parts);
    case "any":
      return alternatives(tree.parts);
    case "times": {
      const { part, least, most } = tree;
      if (least === most && least <= LONGEST) return sequence(Array.from({ length: least }, () => part));
      const once = needed(part);
      if (least === 0) return { exact: most === 1 && once.exact !== undefined && once.exact.length < MOST ? [[], ...once.exact] : undefined, some: undefined };
      const { exact, some } = sequence(Array.from({ length: Math.min(least, LONGEST) }, () => part));
      return { exact: undefined, some: exact === undefined ? some : better(exact, some) };
    }
  }
}

function leading(tree: Tree): Leading {
  switch (tree.kind) {
    case "set":
      return { words: [[tree]], whole: true };
    case "place":
      return { words: EMPTY, whole: true };
    case "all":
      return leadingOfAll(tree.parts);
    case "any": {
      const all = tree.parts.map(leading);
      const words = all.flatMap((part) => part.words);
      return words.length > MOST ? { words: EMPTY, whole: false } : { words, whole: all.every((part) => part.whole) };
    }
    case "times": {
      const { part, least, most } = tree;
      if (least > 0) return { ...leadingOfAll(Array.from({ length: Math.min(least, LONGEST) }, () => part)), ...(least !== most && { whole: false }) };
      const once = leading(part);
      return most === 1 && once.whole && once.words.length < MOST ? { words: [[], ...once.words], whole: true } : { words: EMPTY, whole: false };
    }
  }
}

function leadingOfAll(parts: readonly Tree[]): Leading {
  let words = EMPTY;
  for (const part of parts) {
    if (words.every((word) => word.length >= LONGEST)) return { words, whole: false };
    const next = leading(part);
    const joined = words.flatMap((before) => next.words.map((word) => [...before, ...word]));
    if (joined.length > MOST) return { words, whole: false };
    words = joined;
    if (!next.whole) return { words, whole: false };
  }
  return { words, whole: true };
}

function sequence(parts: readonly Tree[]): Needed {
  let run = EMPTY;
  let some: readonly Word[] | undefined;
  let whole = true;
  for (const part of parts) {
    const next = needed(part);
    const joined = next.exact === undefined ? undefined : run.flatMap((before) => (next.exact as readonly Word[]).map((word) => [...before, ...word]));
    if (joined !== undefined && joined.length <= MOST && joined.every((word) => word.length <= 2 * LONGEST)) {
      run = joined;
      continue;
    }
    whole = false;
    some = better(better(run, next.some), some);
    run = next.exact ?? EMPTY;
  }
  return whole ? { exact: run, some: undefined } : { exact: undefined, some: better(run, some) };
}

function alternatives(parts: readonly Tree[]): Needed {
  const all = parts.map(needed);
  const exact = all.flatMap((part) => part.exact ?? []);
  if (all.every((part) => part.exact !== undefined) && exact.length <= MOST) return { exact, some: undefined };
  const some = all.map((part) => (part.exact === undefined ? part.some : better(part.exact, part.some)));
  const together = some.flatMap((words) => words ?? []);
  return { exact: undefined, some: some.includes(undefined) || together.length > MOST ? undefined : together };
}

function better(a: readonly Word[], b: readonly Word[] | undefined): readonly Word[] {
  if (b === undefined) return a;
  const [one, other] = [weight(a), weight(b)];
  return one > other || (one === other && a.length <= b.length) ? a : b;
}

/** What the least telling of some words tells. */
function weight(words: readonly Word[]): number {
  return Math.min(...words.map((word) => tells(cut(word))));
}

function tells(word: Word): number {
  return word.reduce((sum, set) => sum + setTells(set), 0);
}

/** A letter, in whichever case, as one; a digit less; what nearly every character is, nothing. */
function setTells({ ranges, negated }: CharacterSet): number {
  const size = negated ? Number.POSITIVE_INFINITY : ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return size <= 3 ? 1 : size <= 10 ? 0.4 : 0;
}

/** The part of a long word that tells the most. */
function cut(word: Word): Word {
  let best = word.slice(0, LONGEST);
  for (let from = 1; from + LONGEST <= word.length; from++) {
    const part = word.slice(from, from + LONGEST);
    if (tells(part) > tells(best)) best = part;
  }
  return best;
}
