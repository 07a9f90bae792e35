import type { CharacterSet, Place, Tree } from "./regex-tree.ts";

/**
 * At how many places of an expression JavaScript's engine can be while it tries it from one start, whatever the text: it goes back to every
 * choice that it made. Infinite where that has no bound, or one above `most`.
 */
export function visitsOf(tree: Tree, most: number): number {
  const visits = after(tree, 1, most);
  return visits > most ? Number.POSITIVE_INFINITY : visits;
}

/** The same, where what comes afterwards takes `rest` for each time that it is come to. */
function after(tree: Tree, rest: number, most: number): number {
  if (rest > most) return rest;
  switch (tree.kind) {
    case "set":
      return tree.loose ? Number.POSITIVE_INFINITY : 1 + rest;
    case "place":
      return 1 + rest;
    case "all":
      return tree.parts.reduceRight((sum, part) => after(part, sum, most), rest);
    case "any":
      return tree.parts.reduce((sum, part) => sum + after(part, rest, most), 1);
    case "times": {
      if (tree.most === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
      let sum = rest;
      for (let i = tree.least; i < tree.most && sum <= most; i++) sum = 1 + rest + after(tree.part, sum, most);
      for (let i = 0; i < tree.least && sum <= most; i++) sum = after(tree.part, sum, most);
      return sum;
    }
  }
}

/** The expression in the syntax of JavaScript, for the flag u. It is found in the same texts as the pattern in RE2. */
export function scriptOf(tree: Tree): string {
  switch (tree.kind) {
    case "set":
      return setSource(tree);
    case "place":
      return PLACES[tree.place];
    case "all":
      return tree.parts.map((part) => (part.kind === "any" ? `(?:${scriptOf(part)})` : scriptOf(part))).join("");
    case "any":
      return tree.parts.map(scriptOf).join("|");
    case "times": {
      const most = tree.most === Number.POSITIVE_INFINITY ? "" : tree.most;
      return `(?:${scriptOf(tree.part)}){${tree.least},${most}}`;
    }
  }
}

/** JavaScript knows more ends of a line than RE2, so ^ and $ are not used for them. */
const PLACES: Readonly<Record<Place, string>> = {
  "text start": "^",
  "text end": "$",
  "line start": "(?<![^\\n])",
  "line end": "(?![^\\n])",
  "word edge": "\\b",
  "no word edge": "\\B",
};

function setSource({ ranges, negated }: CharacterSet): string {
  const [only] = ranges;
  if (only !== undefined && ranges.length === 1 && !negated && only[0] === only[1]) return codeSource(only[0]);
  return `[${negated ? "^" : ""}${ranges.map(([first, last]) => (first === last ? codeSource(first) : `${codeSource(first)}-${codeSource(last)}`)).join("")}]`;
}

function codeSource(code: number): string {
  const c = String.fromCodePoint(code);
  return /^[A-Za-z0-9_ ]$/.test(c) ? c : `\\u{${code.toString(16)}}`;
}
