import { readFileSync, writeFileSync } from "node:fs";
import { MOVES, type Move, OUTCOME_MEANS, STAGE_MEANS } from "../src/ledger/lifecycle.ts";
import { OUTCOMES, STAGES } from "../src/ledger/stages.ts";

/** Writes the diagram and the tables of docs/lifecycle.md from the code's own table; with --check, fails when they are stale. */
const FILE = new URL("../docs/lifecycle.md", import.meta.url);

/** Arrows between the same two stages are one arrow: the words of each on a line of its own. */
function diagram(): string {
  const arrows = new Map<string, string[]>();
  // A roll_back and a withheld can come from anywhere; drawn from everywhere they would hide the rest.
  for (const move of MOVES)
    for (const from of move.from.length > 2 ? (["settled"] as const) : move.from) {
      const arrow = `${from === "unproposed" ? "[*]" : from} --> ${move.to}`;
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), labelOf(move)]);
    }
  const lines = [...arrows].map(([arrow, labels]) => `  ${arrow} : ${[...new Set(labels)].join("<br/>")}`);
  return ["```mermaid", "stateDiagram-v2", "  direction TB", ...lines, "  done --> [*]", "```"].join("\n");
}

function labelOf({ kinds, when }: Move): string {
  return `${kinds.join(", ")}${when === undefined ? "" : ` (${when})`}`;
}

function moves(): string {
  const rows = MOVES.map(
    (m) =>
      `| ${m.from.join(", ")} | ${m.topic} | ${m.kinds.map((k) => `\`${k}\``).join(", ")} | ${m.when ?? ""} | ${m.to}${m.outcome === undefined ? "" : `: ${m.outcome}`} |`,
  );
  return ["| from | topic | event | when | to |", "|---|---|---|---|---|", ...rows].join("\n");
}

function meanings(heads: readonly [string, string], names: readonly string[], means: { readonly [name: string]: string }): string {
  return [`| ${heads.join(" | ")} |`, "|---|---|", ...names.map((name) => `| \`${name}\` | ${means[name]} |`)].join("\n");
}

const PARTS: { readonly [name: string]: () => string } = {
  diagram,
  moves,
  stages: () => meanings(["stage", "means"], STAGES, STAGE_MEANS),
  outcomes: () => meanings(["outcome", "means"], OUTCOMES, OUTCOME_MEANS),
};

const before = readFileSync(FILE, "utf8");
const found = new Set<string>();
const text = before.replace(/<!-- generated: (\w+) -->\n[\s\S]*?<!-- end -->/g, (_, name: string) => {
  found.add(name);
  return `<!-- generated: ${name} -->\n\n${PARTS[name]?.()}\n\n<!-- end -->`;
});
const missing = Object.keys(PARTS).filter((name) => !found.has(name));
if (missing.length > 0) throw new Error(`docs/lifecycle.md has no place for ${missing.join(", ")}`);
if (!process.argv.includes("--check")) writeFileSync(FILE, text);
else if (text !== before) {
  console.error("docs/lifecycle.md is stale: run npm run generate");
  process.exitCode = 1;
}
