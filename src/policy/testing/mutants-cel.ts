import { shown } from "../problems.ts";
import type { Change } from "./change.ts";

const CONFUSED: Readonly<Record<string, string>> = { ">=": ">", "<=": "<", ">": ">=", "<": "<=", "==": "!=", "!=": "==", "&&": "||", "||": "&&" };

/** Texts in quotes, then what is looked for: what stands in quotes is skipped. */
const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|>=|<=|==|!=|&&|\|\||>|<|(?<![\w.])\d+(?:\.\d+)?/g;

/** Mistakes in a CEL expression: each operator taken for its neighbour, each number moved by one. */
export function celMutants(text: string, path: readonly PropertyKey[], id: string): Change[] {
  const out: Change[] = [];
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const others = CONFUSED[token] === undefined ? (/^\d/.test(token) ? [moved(token, 1), moved(token, -1)] : []) : [CONFUSED[token] as string];
    for (const other of others)
      out.push({
        path,
        to: text.slice(0, index) + other + text.slice(index + token.length),
        what: `cel: ${shown(token)} at ${index + 1} became ${shown(other)}`,
        test: `${id}: a case on each side of ${token} in ${shown(text)}`,
      });
  }
  return out;
}

function moved(number: string, by: number): string {
  const decimals = /\.(\d+)/.exec(number)?.[1]?.length ?? 0;
  return Math.max(0, Number(number) + by).toFixed(decimals);
}
