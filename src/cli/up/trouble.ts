import type { Cli } from "../io.ts";
import { oneLine } from "../text.ts";

const QUIET_MS = 30_000;

/** Tells troubles as they come, the same one at most every thirty seconds, and that it is over. */
export function troubleTeller(cli: Pick<Cli, "note" | "io">): (sentence: string | null) => void {
  const told = new Map<string, number>();
  return (sentence) => {
    const now = cli.io.now();
    if (sentence === null) {
      if (told.size > 0) cli.note("The log can be reached again.");
      told.clear();
      return;
    }
    if (now - (told.get(sentence) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    told.set(sentence, now);
    if (told.size > 1000) told.clear();
    cli.note(`TROUBLE ${oneLine(sentence)}`);
  };
}
