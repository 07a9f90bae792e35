import { Command, InvalidArgumentError } from "commander";
import { examples, instantMs } from "../../args.ts";
import { EXIT } from "../../exit.ts";
import type { Cli } from "../../io.ts";
import { oneLine, plural } from "../../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../../where.ts";

interface Options extends WhereOptions {
  from?: number;
  to?: number;
  policy?: string;
}

/** `countersign policy recheck`: every verdict once more, from the log alone. */
export function recheck(cli: Cli): Command {
  const command = new Command("recheck")
    .summary("recompute recorded verdicts from the log alone, and list what differs")
    .description(
      "Recomputes every effective verdict of a range from what the log records (the documents it names, its time, its budgets) and lists differences field by field. Exit code 3 when there are any.",
    )
    .option("--from <time>", "from this time on: ISO 8601, such as 2026-11-01 or 2026-11-01T08:00:00Z", timeArgument)
    .option("--to <time>", "before this time", timeArgument)
    .option("--policy <id>", "only verdicts that this policy had a part in")
    .addHelpText("after", examples("policy recheck", "policy recheck --from 2026-11-01 --to 2026-12-01 --policy refunds --json"));
  return where(command).action(async (options: Options) => {
    const opened = await openExisting(whereOf(cli.io, options).log);
    try {
      const [{ loadCodec }, { recheckLog }] = await Promise.all([import("../../../log/schemas.ts"), import("../../recheck.ts")]);
      const codec = await loadCodec(opened.registry);
      const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, policy } = options;
      const range = { from, to, ...(policy !== undefined && { policy }) };
      const { checked, deviations } = await recheckLog({ ...opened, codec }, range, { progress: (text) => cli.progress(text), signal: cli.io.signal });
      cli.progress(null);
      if (cli.json()) cli.data({ checked, differing: deviations.length, deviations });
      for (const { itemId, verdict, at, differences, error } of deviations) {
        cli.say(`item ${itemId}, verdict ${oneLine(verdict)} of ${new Date(at).toISOString()}`);
        if (error !== undefined) cli.say(`  cannot be recomputed: ${oneLine(error)}`);
        for (const { field, recorded, recomputed } of differences)
          cli.say(
            `  ${field}: recorded ${oneLine(JSON.stringify(recorded)).slice(0, 200)}\n  ${" ".repeat(field.length)}  recomputed ${oneLine(JSON.stringify(recomputed)).slice(0, 200)}`,
          );
      }
      cli.say(
        checked === 0
          ? options.from === undefined && options.to === undefined && policy === undefined
            ? "There is no verdict to recompute."
            : "There is no such verdict in the log."
          : deviations.length === 0
            ? `${plural(checked, "verdict")} recomputed: all are as recorded.`
            : `${plural(checked, "verdict")} recomputed: ${deviations.length} ${deviations.length === 1 ? "differs" : "differ"} from the record.`,
      );
      if (deviations.length > 0) cli.exit(EXIT.refused);
    } finally {
      await opened.registry.close();
      await opened.log.close();
    }
  });
}

function timeArgument(text: string): number {
  const at = instantMs(text);
  if (at === undefined) throw new InvalidArgumentError("It must be a time such as 2026-11-01 or 2026-11-01T08:00:00Z.");
  return at;
}
