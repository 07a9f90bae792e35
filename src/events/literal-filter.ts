/** Shortest literal that is worth looking for. */
const MIN_LITERAL = 3;

/** Texts of which every match of a pattern holds at least one. */
export interface Literals {
  readonly words: readonly string[];
  /** Whether case does not matter; the words are in lower case then. */
  readonly fold: boolean;
}

/**
 * Texts without which a pattern cannot match, so that most texts are told apart by a plain search, which is fifty times faster. Undefined
 * where there are none, or where the pattern uses what this reader does not know: it never guesses.
 */
export function literalsOf(pattern: string): Literals | undefined {
  const fold = pattern.startsWith("(?i)");
  const source = fold ? pattern.slice(4) : pattern;
  if (/\(\?(?!:)|\\[QpPxkCzA0-9]/.test(source)) return undefined;
  const words = alternativesOf(source)?.map(longestOf);
  if (words === undefined || words.some((word) => word.length < MIN_LITERAL)) return undefined;
  return { words: words.map((word) => (fold ? word.toLowerCase() : word)), fold };
}

/** What a filter says: false is certain, true means that the pattern has to be tried. */
export function literalFilter({ words, fold }: Literals): (text: string) => boolean {
  if (!fold) return (text) => words.some((word) => text.includes(word));
  return (text) => {
    const lower = lowered(text);
    return lower === undefined || words.some((word) => lower.includes(word));
  };
}

let lastText = "";
let lastLower: string | undefined = "";

/** A text in lower case; undefined where it is not plain ASCII: RE2 takes the Kelvin sign for a k. Several patterns are tried on one text. */
function lowered(text: string): string | undefined {
  if (text !== lastText) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
    lastLower = /[^\x00-\x7f]/.test(text) ? undefined : text.toLowerCase();
    lastText = text;
  }
  return lastLower;
}

/** The alternatives at the top, each as its literal runs; undefined where brackets do not close. */
function alternativesOf(source: string): string[][] | undefined {
  const alternatives: string[][] = [];
  let runs: string[] = [];
  let run = "";
  const end = () => {
    if (run !== "") runs.push(run);
    run = "";
  };
  for (let i = 0; i < source.length; i++) {
    const c = source[i] as string;
    if (c === "[" || c === "(") {
      end();
      const close = c === "[" ? classEnd(source, i) : groupEnd(source, i);
      if (close < 0) return undefined;
      i = close;
    } else if (c === "|") {
      end();
      alternatives.push(runs);
      runs = [];
    } else if (c === "?" || c === "*" || c === "{") {
      run = run.slice(0, -1); // what comes before may be missing
      end();
      if (c === "{" && (i = source.indexOf("}", i)) < 0) return undefined;
    } else if (c === "\\") {
      const next = source[++i] ?? "";
      if (/[\w\s]/.test(next) || next === "") end();
      else run += next;
    } else if (/[\w \-/:@=,'"%&;<>!#~`]/.test(c)) run += c;
    else end(); // . ^ $ + ) and what is not ASCII
  }
  end();
  return [...alternatives, runs];
}

function longestOf(runs: readonly string[]): string {
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), "");
}

function classEnd(source: string, start: number): number {
  let i = start + 1;
  if (source[i] === "^") i++;
  if (source[i] === "]") i++;
  for (; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[" && source[i + 1] === ":")
      return -1; // [:alpha:] is not read
    else if (source[i] === "]") return i;
  }
  return -1;
}

function groupEnd(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    const c = source[i];
    if (c === "\\") i++;
    else if (c === "[") {
      i = classEnd(source, i);
      if (i < 0) return -1;
    } else if (c === "(") depth++;
    else if (c === ")" && --depth === 0) return i;
  }
  return -1;
}
