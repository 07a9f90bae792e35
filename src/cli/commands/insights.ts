import { Command } from "commander";
import { examples } from "../args.ts";
import type { Cli } from "../io.ts";
import { boundOf, checkOrder } from "../range.ts";
import { wrap } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  from?: string;
  to?: string;
  workspace?: string;
}

/** `countersign insights`: what decisions say about prompts, policies, owners and executors. */
export function insights(cli: Cli): Command {
  const command = new Command("insights")
    .summary("what decisions say about prompts, policies, owners, executors")
    .description("Reads the labels as a team would.");
  const evals = new Command("evals")
    .summary("where edits, rejections, timeouts and failures point")
    .description("Reads the topics and says where edits, rejections, timeouts and failures point, how far runs get by themselves, and how much people judge.")
    .option("--from <where>", "where it begins: an instant, a manifest.json (its end), or TOPIC:PARTITION:OFFSET,…")
    .option("--to <where>", "where reading ends, exclusive: the same forms")
    .option("--workspace <name>", "only this workspace")
    .addHelpText("after", examples("insights evals", "insights evals --from 2026-01-01 --workspace support --json"));
  command.addCommand(where(evals).action((options: Options) => run(cli, options)));
  return command;
}

async function run(cli: Cli, options: Options): Promise<void> {
  const { log, registry } = await openExisting(whereOf(cli.io, options).log);
  try {
    const [{ insightLines, insightsOf }, { loadCodec }] = await Promise.all([import("../../evals/index.ts"), import("../../log/schemas.ts")]);
    const [from, to] = [await boundOf(options.from, "--from", log), await boundOf(options.to, "--to", log)];
    checkOrder(from, to);
    const report = await insightsOf({
      log,
      codec: await loadCodec(registry),
      schemaText: (id) => registry.textOf(id),
      signal: cli.io.signal,
      onProgress: (read, all) => cli.progress(`reading the topics: ${read} of ${all} events`),
      ...(from.offsets !== undefined && { from: from.offsets }),
      ...(to.offsets !== undefined && { to: to.offsets }),
      ...(from.instant !== undefined && { after: from.instant }),
      ...(to.instant !== undefined && { before: to.instant }),
      ...(options.workspace !== undefined && { workspace: options.workspace }),
    });
    cli.progress(null);
    if (cli.json()) return cli.data(report);
    for (const line of insightLines(report)) cli.say(wrap(line, cli.width).join("\n  "));
  } finally {
    cli.progress(null);
    await registry.close();
    await log.close();
  }
}
