import { readFileSync, writeFileSync } from "node:fs";
import type { Ended } from "../cli/harness.ts";

/** One command in a page, with what the page says that it prints. */
export interface Step {
  /** Who types it. */
  readonly who: string;
  /** Minutes that have gone by since the step before. */
  readonly later: number;
  readonly argv: readonly string[];
  readonly printed: string;
}

const SELF = "npm run -s countersign -- ";
const BLOCK = /<!-- session: (\w+)(?:, (\d+) minutes later)? -->\n\n```console\n([\s\S]*?)\n```/g;

/** A page whose console blocks are commands with their real output. */
export interface Page {
  readonly steps: readonly Step[];
  /** Writes the page with other outputs. */
  rewrite(printed: readonly string[]): void;
}

/** Reads the blocks that a comment `<!-- session: WHO[, N minutes later] -->` stands before. One command a block. */
export function sessionOf(file: string): Page {
  const text = readFileSync(file, "utf8");
  const blocks = [...text.matchAll(BLOCK)];
  const heads = blocks.map(([, , , body = ""]) => /^\$ (?:.*\\\n)*.*/.exec(body)?.[0] ?? "");
  return {
    steps: blocks.map(([, who = "", later, body = ""], i) => {
      const head = heads[i] as string;
      const command = head.slice(2).replaceAll("\\\n", "");
      if (!command.startsWith(SELF)) throw new Error(`${file}: a block must begin with $ ${SELF}…, not with ${command}`);
      return { who, later: Number(later ?? 0), argv: words(command.slice(SELF.length)), printed: body.slice(head.length + 1) };
    }),
    rewrite(printed) {
      let i = 0;
      writeFileSync(
        file,
        text.replace(BLOCK, (block, _who, _later, body: string) => {
          const head = heads[i] as string;
          return block.replace(body, () => `${head}\n${printed[i++]}`);
        }),
      );
    },
  };
}

/** What a terminal shows of a command. Ids of events are new in every run, and how far the workers are differs, so a page cannot hold them. */
export function shown({ out, err }: Ended): string {
  return `${err}${out}`
    .trimEnd()
    .replace("granted, not started yet", "decided, about to be granted")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<event id>");
}

/** Words of a command line as a shell takes them: quotes hold together. */
function words(command: string): string[] {
  return [...command.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double));
}
