import { type CharacterSet, type Place, rangesOf, type Tree } from "./regex-tree.ts";

/**
 * At how many places of an expression JavaScript's engine can be for each character of a text, whatever the text: from every start it goes back
 * to each choice that it made. Infinite where that has no bound, or one above `most`.
 */
export function visitsOf(tree: Tree, most: number): number {
  const branches = tree.kind === "any" ? tree.parts : [tree];
  const visits = branches.reduce((sum, branch) => sum + (sum > most ? 0 : branchVisits(branch, most)), branches.length - 1);
  return visits > most ? Number.POSITIVE_INFINITY : visits;
}

/** Parts one after the other: short ones, and runs of one set of characters that may be of any length. */
type Piece = { readonly short: Tree } | { readonly run: CharacterSet };

/**
 * A run makes a try long, which is no harm as long as few tries come to the same run, and each goes through it once. No try starts inside a run
 * where the first character of the expression is none of the run's; every run but the last can be left only at its end where what comes next
 * does not start with one of its characters.
 */
function branchVisits(tree: Tree, most: number): number {
  const pieces = piecesOf(tree);
  const runs = pieces.flatMap((piece) => ("run" in piece ? [piece.run] : []));
  const [first] = pieces;
  const isAnchored = first !== undefined && "short" in first && startsText(first.short);
  const start = first !== undefined && "short" in first ? firstOf(first.short) : undefined;
  if (runs.length > 0 && !isAnchored && (start === undefined || !runs.every((run) => isApart(run, start)))) return Number.POSITIVE_INFINITY;
  // Tries that come to the same character of a run start in one of the short parts before it.
  const tries = 1 + (isAnchored ? 0 : pieces.reduce((sum, piece) => sum + ("short" in piece ? longestOf(piece.short) : 0), 0));
  let ways = 1;
  let visits = 1;
  for (const [i, piece] of pieces.entries()) {
    if ("short" in piece) {
      const none = after(piece.short, 0, most);
      visits += ways * none;
      ways *= Math.max(1, after(piece.short, 1, most) - none);
    } else {
      const next = pieces[i + 1];
      const rest = next !== undefined && "short" in next ? next.short : undefined;
      const isLast = !pieces.slice(i + 1).some((later) => "run" in later);
      if (!isLast && !isApart(piece.run, (rest && firstOf(rest)) ?? [piece.run])) return Number.POSITIVE_INFINITY;
      visits += ways * tries * (2 + (rest === undefined ? 0 : after(rest, 1, most)));
    }
    if (!(visits <= most)) return Number.POSITIVE_INFINITY;
  }
  return visits;
}

function piecesOf(tree: Tree): Piece[] {
  const out: Piece[] = [];
  let short: Tree[] = [];
  const end = () => {
    if (short.length > 0) out.push({ short: { kind: "all", parts: short } });
    short = [];
  };
  const add = (part: Tree): void => {
    if (part.kind === "all") for (const inner of part.parts) add(inner);
    else if (part.kind === "times" && part.most === Number.POSITIVE_INFINITY && part.part.kind === "set" && !part.part.loose) {
      if (part.least > 0) short.push({ ...part, most: part.least });
      end();
      out.push({ run: part.part });
    } else short.push(part);
  };
  add(tree);
  end();
  return out;
}

function startsText(tree: Tree): boolean {
  return tree.kind === "all" ? tree.parts[0] !== undefined && startsText(tree.parts[0]) : tree.kind === "place" && tree.place === "text start";
}

/** The sets of which one holds the first character; undefined where there may be none. */
function firstOf(tree: Tree): readonly CharacterSet[] | undefined {
  switch (tree.kind) {
    case "set":
      return [tree];
    case "place":
      return undefined;
    case "all":
      for (const part of tree.parts) if (part.kind !== "place") return firstOf(part);
      return undefined;
    case "any": {
      const all = tree.parts.map(firstOf);
      return all.includes(undefined) ? undefined : all.flatMap((sets) => sets ?? []);
    }
    case "times":
      return tree.least === 0 ? undefined : firstOf(tree.part);
  }
}

function isApart(run: CharacterSet, sets: readonly CharacterSet[]): boolean {
  const ours = rangesOf(run);
  return sets.every((set) => !set.loose && rangesOf(set).every(([from, to]) => ours.every(([first, last]) => to < first || last < from)));
}

/** Most characters that a part can match. */
function longestOf(tree: Tree): number {
  switch (tree.kind) {
    case "set":
      return 1;
    case "place":
      return 0;
    case "all":
      return tree.parts.reduce((sum, part) => sum + longestOf(part), 0);
    case "any":
      return Math.max(...tree.parts.map(longestOf));
    case "times":
      return tree.most === 0 ? 0 : tree.most * longestOf(tree.part);
  }
}

/** Places that one try comes to in a part, where what comes afterwards takes `rest` for each time that it is come to. */
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
