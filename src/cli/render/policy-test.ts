import type { Coverage, Covered } from "../../policy/testing/coverage.ts";
import type { MutationScore } from "../../policy/testing/mutation.ts";
import type { CaseResult } from "../../policy/testing/run.ts";
import type { Cli } from "../io.ts";
import { block, cut, oneLine, pad, wrap } from "../text.ts";

type Look = Pick<Cli, "colors" | "width">;

/** A case that failed: what was expected, what came. */
export function renderFailure({ test, file, line, misses, verdict }: CaseResult, { colors, width }: Look): string {
  const key = Math.max(...misses.map((miss) => miss.key.length));
  const out = [`  ${colors.red("✗")} ${oneLine(test.name)}  ${colors.dim(`${file}:${line}`)}`];
  for (const { key: name, expected, got } of misses) {
    out.push(...hanging(`      ${pad(name, key)}  expected `, expected, width), ...hanging(`      ${pad("", key)}  got      `, got, width));
  }
  if (verdict.because.length > 0) out.push(...block(`because: ${verdict.because.join("; ")}`, width, 6).map((text) => colors.dim(text)));
  return out.join("\n");
}

function hanging(head: string, text: string, width: number): string[] {
  return wrap(oneLine(text), Math.max(20, width - head.length)).map((line, i) => (i === 0 ? head : " ".repeat(head.length)) + line);
}

/** What the cases show of a policy, and what they do not. */
export function renderCoverage({ file, parts, percent }: Coverage, { colors, width }: Look, verbose: boolean): string {
  const open = parts.filter((part) => gapOf(part) !== undefined);
  const out = [`${colors.bold(file)}  coverage ${Math.floor(percent)} % of ${parts.length} parts`];
  for (const part of verbose ? parts : open) {
    const gap = gapOf(part);
    const mark = gap === undefined ? colors.green("✓") : colors.yellow("!");
    out.push(
      cut(`  ${mark} line ${pad(String(part.line), 4)} ${pad(part.kind, 9)} ${part.name}: ${gap ?? `${part.matched} matched, ${part.notMatched} not`}`, width),
    );
  }
  return out.join("\n");
}

/** What no case shows of a part, in words. */
function gapOf({ matched, notMatched, hasOther, kind }: Covered): string | undefined {
  if (matched === 0) return ["action", "questions", "notices"].includes(kind) ? "no case" : "no case matches";
  return hasOther && notMatched === 0 ? "no case in which it does not match" : undefined;
}

/** Mistakes that no case notices. */
export function renderMutation({ file, killed, total, refused, equivalent, score, survivors }: MutationScore, { colors, width }: Look): string {
  const beside = refused + equivalent > 0 ? `  (not counted: ${refused} that would not load, ${equivalent} that change nothing)` : "";
  const out = [`${colors.bold(file)}  mutation score ${Math.floor(score * 10) / 10} %: ${killed} of ${total} mistakes noticed`];
  if (beside !== "") out.push(colors.dim(beside));
  for (const { line, what, test } of survivors) {
    out.push(
      ...hanging(`  ${colors.yellow("!")} line ${pad(String(line), 4)} `, what, width),
      ...hanging("              try ", test, width).map((text) => colors.dim(text)),
    );
  }
  return out.join("\n");
}
