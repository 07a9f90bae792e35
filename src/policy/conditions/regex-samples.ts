import { regex } from "./regex.ts";

/** Most texts for one pattern. */
const MOST = 24;

/** Texts that a pattern finds, one for each of its alternatives as far as they can be told. Each has been tried: what is not found is left out. */
export function regexSamples(pattern: string): string[] {
  let find: (text: string) => boolean | undefined;
  try {
    find = regex(pattern);
  } catch {
    return [];
  }
  const { texts } = alternatives(pattern.replace(/^\(\?[a-zA-Z]+\)/, ""), 0);
  return [...new Set(texts)].filter((text) => find(text) === true).slice(0, MOST);
}

interface Read {
  readonly texts: string[];
  readonly end: number;
}

function alternatives(source: string, start: number): Read {
  const out: string[] = [];
  let at = start;
  for (;;) {
    const { texts, end } = sequence(source, at);
    out.push(...texts);
    if (source[end] !== "|") return { texts: out.slice(0, MOST * 2), end };
    at = end + 1;
  }
}

function sequence(source: string, start: number): Read {
  let texts = [""];
  let at = start;
  while (at < source.length && source[at] !== "|" && source[at] !== ")") {
    const atom = atomOf(source, at);
    const [repeat, least] = quantifier(source, atom.end);
    const options = least === 0 ? ["", ...atom.texts] : least === 1 ? atom.texts : atom.texts.map((text) => text.repeat(least));
    texts = texts.flatMap((before) => options.map((option) => before + option)).slice(0, MOST * 2);
    at = repeat;
  }
  return { texts, end: at };
}

function quantifier(source: string, at: number): [end: number, least: number] {
  const [whole, mark, low] = /^([*?]|\+|\{(\d+)(?:,\d*)?\})\??/.exec(source.slice(at)) ?? [""];
  return [at + whole.length, whole === "" || mark === "+" ? 1 : low === undefined ? 0 : Math.min(20, Number(low))];
}

const CLASSES: Readonly<Record<string, string>> = { d: "1", w: "a", s: " ", D: "a", W: " ", S: "a", n: "\n", t: "\t", b: "", B: "", A: "", z: "" };

function atomOf(source: string, at: number): Read {
  const c = source[at] as string;
  if (c === "\\") return { texts: [CLASSES[source[at + 1] ?? ""] ?? source[at + 1] ?? ""], end: at + 2 };
  if (c === "^" || c === "$") return { texts: [""], end: at + 1 };
  if (c === ".") return { texts: ["a"], end: at + 1 };
  if (c === "(") {
    const inner = alternatives(source, at + (/^\(\?[a-zA-Z<>=!]*:?/.exec(source.slice(at))?.[0].length ?? 1));
    return { texts: inner.texts, end: inner.end + 1 };
  }
  if (c === "[") return setOf(source, at);
  return { texts: [c], end: at + 1 };
}

function setOf(source: string, at: number): Read {
  let end = at + 1;
  if (source[end] === "^") end++;
  if (source[end] === "]") end++;
  while (end < source.length && source[end] !== "]") end += source[end] === "\\" ? 2 : 1;
  const body = source.slice(at + 1, end);
  const wanted = body.startsWith("^")
    ? ["a", "1", " ", "-"].filter((candidate) => !body.includes(candidate))
    : [body[0] === "\\" ? (CLASSES[body[1] ?? ""] ?? body[1] ?? "") : (body[0] ?? "")];
  return { texts: wanted.slice(0, 1), end: end + 1 };
}
