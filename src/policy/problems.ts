import { CountersignError, type ErrorCode } from "../errors.ts";

/** Where something is wrong in a policy document, and what would be right. */
export interface Problem {
  /** Path of keys from the top of the document, such as ["actions", "issue_refund", "risk"]. */
  readonly path: readonly PropertyKey[];
  /** What is wrong, with the offending value and a suggestion where there is one. */
  readonly message: string;
  /** Line from 1, where known. */
  readonly line?: number;
  /** Column from 1, where known. */
  readonly column?: number;
}

/** Most problems that one message lists. */
const MAX_LISTED = 100;

/** The one error for a policy document with any number of problems. */
export function policyInvalid(file: string, problems: readonly Problem[]): CountersignError {
  return documentInvalid("policy_invalid", file, problems, "correct the document and load it again; nothing of it is in force");
}

/** One error for all problems of a document: each on its own line as file:line:column. */
export function documentInvalid(code: ErrorCode, file: string, problems: readonly Problem[], fix: string): CountersignError {
  const sorted = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  const lines = sorted.map((p) => `  ${file}:${p.line ?? 1}:${p.column ?? 1} ${p.path.length > 0 ? `${dotted(p.path)}: ` : ""}${p.message}`);
  if (lines.length > MAX_LISTED) lines.splice(MAX_LISTED, lines.length, `  and ${lines.length - MAX_LISTED} more`);
  const count = sorted.length === 1 ? "1 problem" : `${sorted.length} problems`;
  return new CountersignError(code, `${file} has ${count}:\n${lines.join("\n")}`, {
    field: `/${(sorted[0]?.path ?? []).map((key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`,
    fix,
  });
}

/** A path as people write it: actions.issue_refund.ladder[0].to, with pointers in quotes. */
export function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : /^[\w-]+$/.test(String(key)) ? `${i === 0 ? "" : "."}${String(key)}` : `[${JSON.stringify(key)}]`))
    .join("");
}

/** A value as shown in a message: JSON, shortened. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** "; did you mean X?" for the known word that is nearest, or an empty string when none is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const near = nearest(word, known);
  return near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
}

/** The known word within a third of the letters, undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = candidate.toLowerCase() === word.toLowerCase() ? 0 : editDistance(word, candidate, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours; `most` or more is reported as `most`. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most || a.length > 200) return most;
  const rows: number[][] = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 0; j <= b.length; j++) (rows[0] as number[])[j] = j;
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      let cost = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, at(i - 2, j - 2) + 1);
      (rows[i] as number[])[j] = cost;
    }
  return Math.min(at(a.length, b.length), most);
}
