/**
 * A pattern in RE2 syntax as a tree, without what makes no difference to whether it is found: groups, their names, laziness. Case is worked out
 * already: a letter for which it does not matter is a set of its forms.
 */
export type Tree =
  | CharacterSet
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "all"; readonly parts: readonly Tree[] }
  | { readonly kind: "any"; readonly parts: readonly Tree[] }
  | { readonly kind: "times"; readonly part: Tree; readonly least: number; readonly most: number };

/** One character. Ranges of code points, both ends included. */
export interface CharacterSet {
  readonly kind: "set";
  readonly ranges: readonly Range[];
  readonly negated: boolean;
  /** Stands for a set that this reader does not know in full: every character is in it. */
  readonly loose?: true;
}

export type Range = readonly [first: number, last: number];

/** What a place between two characters has to be. */
export type Place = "text start" | "text end" | "line start" | "line end" | "word edge" | "no word edge";

/** Thrown, and caught below: the reader never guesses. */
class Unknown extends Error {}

/** Reads a pattern that RE2 has compiled. Undefined where it uses what this reader does not know. */
export function treeOf(pattern: string): Tree | undefined {
  try {
    return new Reader(pattern).whole();
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}

interface Flags {
  readonly fold: boolean;
  readonly lines: boolean;
  readonly dotAll: boolean;
}

const DIGITS: readonly Range[] = [[48, 57]];
const SPACES: readonly Range[] = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const WORDS: readonly Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const CLASSES: Readonly<Record<string, readonly Range[]>> = { d: DIGITS, s: SPACES, w: WORDS };
const PLACES: Readonly<Record<string, Place>> = { A: "text start", z: "text end", b: "word edge", B: "no word edge" };
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const LAST = 0x10ffff;
const ANY: CharacterSet = { kind: "set", ranges: [], negated: true };
const LOOSE: CharacterSet = { ...ANY, loose: true };

class Reader {
  private at = 0;
  private readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  whole(): Tree {
    const tree = this.alternatives({ fold: false, lines: false, dotAll: false });
    if (this.at < this.source.length) throw new Unknown();
    return tree;
  }

  private alternatives(given: Flags): Tree {
    let flags = given;
    const parts: Tree[] = [];
    let sequence: Tree[] = [];
    for (;;) {
      const c = this.source[this.at];
      if (c === undefined || c === ")") break;
      if (c === "|") {
        this.at++;
        parts.push(all(sequence));
        sequence = [];
        continue;
      }
      const set = this.take(/^\(\?([imsU]*)(?:-([imsU]+))?\)/);
      if (set === undefined) sequence.push(this.repeated(this.atom(flags)));
      else flags = changed(flags, set);
    }
    return parts.length === 0 ? all(sequence) : { kind: "any", parts: [...parts, all(sequence)] };
  }

  private atom(flags: Flags): Tree {
    const c = this.source[this.at] as string;
    if (c === "(") {
      const scoped = this.take(/^\(\?([imsU]*)(?:-([imsU]+))?:/);
      if (scoped === undefined && this.take(/^\((?:\?P?<\w+>|(?!\?))/) === undefined) throw new Unknown();
      const inner = this.alternatives(scoped === undefined ? flags : changed(flags, scoped));
      if (this.take(/^\)/) === undefined) throw new Unknown();
      return inner;
    }
    if (c === "[") return this.set(flags);
    if (c === "\\") return this.escaped(flags);
    this.at++;
    if (c === ".") return flags.dotAll ? ANY : { kind: "set", ranges: [[10, 10]], negated: true };
    if (c === "^") return { kind: "place", place: flags.lines ? "line start" : "text start" };
    if (c === "$") return { kind: "place", place: flags.lines ? "line end" : "text end" };
    if ("*+?{".includes(c)) throw new Unknown();
    this.at--;
    return setOf([this.codePoint()], flags);
  }

  private repeated(part: Tree): Tree {
    const found = this.take(/^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/);
    if (found === undefined) return part;
    const [, mark, low, comma, high] = found;
    if (mark !== undefined) return { kind: "times", part, least: mark === "+" ? 1 : 0, most: mark === "?" ? 1 : Number.POSITIVE_INFINITY };
    const most = comma === undefined ? Number(low) : high === "" ? Number.POSITIVE_INFINITY : Number(high);
    return { kind: "times", part, least: Number(low), most };
  }

  private escaped(flags: Flags): Tree {
    const next = this.source[this.at + 1] ?? "";
    const place = PLACES[next];
    if (place !== undefined) {
      this.at += 2;
      return { kind: "place", place };
    }
    const ranges = CLASSES[next.toLowerCase()];
    if (ranges !== undefined) {
      this.at += 2;
      return setOf(ranges, flags, next !== next.toLowerCase());
    }
    if (this.take(/^\\[pP](?:\{[^}]*\}|\w)/) !== undefined) return LOOSE;
    return setOf([this.codePoint()], flags);
  }

  private set(flags: Flags): Tree {
    this.at++;
    const negated = this.take(/^\^/) !== undefined;
    const ranges: Range[] = [];
    let loose = false;
    for (let first = true; first || this.source[this.at] !== "]"; first = false) {
      const named = this.take(/^(?:\[:\^?\w+:\]|\\[pP](?:\{[^}]*\}|\w))/);
      const perl = named === undefined ? this.take(/^\\([dswDSW])/) : undefined;
      if (named !== undefined) loose = true;
      else if (perl !== undefined) {
        const name = perl[1] as string;
        const known = CLASSES[name.toLowerCase()] as readonly Range[];
        ranges.push(...(name === name.toLowerCase() ? known : others(known)));
      } else {
        const [low] = this.codePoint();
        const to = this.take(/^-(?!\])/);
        ranges.push([low, to === undefined ? low : this.codePoint()[0]]);
      }
      if (this.at >= this.source.length) throw new Unknown();
    }
    this.at++;
    return loose ? LOOSE : setOf(ranges, flags, negated);
  }

  /** The one character that is meant here. */
  private codePoint(): Range {
    const hex = this.take(/^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/);
    if (hex !== undefined) return one(Number.parseInt((hex[1] ?? hex[2]) as string, 16));
    const control = this.take(/^\\([afnrtv])/);
    if (control !== undefined) return one(CONTROLS[control[1] as string] as number);
    const itself = this.take(/^\\([!-/:-@[-`{-~])/);
    if (itself !== undefined) return one((itself[1] as string).charCodeAt(0));
    const code = this.source.codePointAt(this.at);
    if (code === undefined || code === 92) throw new Unknown();
    this.at += code > 0xffff ? 2 : 1;
    return one(code);
  }

  private take(expression: RegExp): RegExpExecArray | undefined {
    const found = expression.exec(this.source.slice(this.at, this.at + 100));
    if (found !== null) this.at += found[0].length;
    return found ?? undefined;
  }
}

const one = (code: number): Range => [code, code];

function all(parts: readonly Tree[]): Tree {
  return parts.length === 1 ? (parts[0] as Tree) : { kind: "all", parts };
}

function changed(flags: Flags, [, on = "", off = ""]: RegExpExecArray): Flags {
  const said = (flag: string, before: boolean) => (off.includes(flag) ? false : on.includes(flag) || before);
  return { fold: said("i", flags.fold), lines: said("m", flags.lines), dotAll: said("s", flags.dotAll) };
}

function setOf(ranges: readonly Range[], { fold }: Flags, negated = false): CharacterSet {
  if (!fold) return { kind: "set", ranges, negated };
  // Which forms a letter outside of ASCII has changes with Unicode's version.
  return ranges.every(([, last]) => last < 128) ? { kind: "set", ranges: folded(ranges), negated } : LOOSE;
}

/** With both cases of every letter. Two that are not ASCII are forms of ASCII letters: the Kelvin sign of k, the long s of s. */
function folded(ranges: readonly Range[]): Range[] {
  const out: Range[] = [...ranges];
  for (const [first, last] of ranges)
    for (const [from, to, shift] of [
      [65, 90, 32],
      [97, 122, -32],
    ] as const) {
      const [a, b] = [Math.max(first, from), Math.min(last, to)];
      if (a <= b) out.push([a + shift, b + shift]);
    }
  const holds = (code: number) => out.some(([first, last]) => first <= code && code <= last);
  if (holds(107)) out.push(one(0x212a));
  if (holds(115)) out.push(one(0x17f));
  return out;
}

/** The characters of a set as ranges in order. */
export function rangesOf({ ranges, negated }: CharacterSet): readonly Range[] {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0]);
  return negated ? others(sorted) : sorted;
}

/** All characters that are in none of some ranges, which are in order. */
function others(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let from = 0;
  for (const [first, last] of ranges) {
    if (first > from) out.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  return from > LAST ? out : [...out, [from, LAST]];
}
