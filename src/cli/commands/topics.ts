import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import { examples, intArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import { pad } from "../text.ts";
import { type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  partitions?: number;
  replication: number;
  minIsr: number;
  dryRun?: boolean;
}

/** `countersign topics apply`: the topics of a log on Kafka. */
export function topics(cli: Cli): Command {
  const apply = new Command("apply")
    .description("Creates the seven topics where they are missing and corrects their settings: kept forever, no compaction, append time. Safe to repeat.")
    .option("--partitions <n>", "partitions of each topic; can never be changed later (default: that of the log URL, else 12)", intArgument(1, 10_000))
    .option("--replication <n>", "copies of each record", intArgument(1, 100), 3)
    .option("--min-isr <n>", "copies that must exist before an append is acknowledged", intArgument(1, 100), 2)
    .option("--dry-run", "only say what would be done")
    .addHelpText("after", examples(`topics apply --log "kafka://localhost:9092?registry=http://localhost:8081" --replication 1 --min-isr 1`));
  return new Command("topics")
    .summary("make the topics of a log on Kafka: topics apply")
    .description("Topics of a log on Kafka.")
    .addCommand(where(apply).action((options: Options) => applyTo(cli, options)));
}

async function applyTo(cli: Cli, options: Options): Promise<void> {
  const { parseLogUrl } = await import("../../log/url.ts");
  const url = parseLogUrl(whereOf(cli.io, options).log);
  if (url.kind !== "kafka") {
    if (cli.json()) cli.data({ log: url.text, topics: [], warnings: [] });
    else cli.say("An embedded log has its topics already: nothing to do.");
    return;
  }
  if (options.minIsr > options.replication)
    throw new CountersignError("usage", `--min-isr ${options.minIsr} is more than --replication ${options.replication}: nothing could ever be appended`, {
      field: "--min-isr",
      fix: "give a number up to the replication",
    });
  const { applyTopics } = await import("../../log/kafka.ts");
  const { partitions, replication, minIsr: minInsyncReplicas, dryRun } = options;
  const report = await applyTopics(url, {
    ...(partitions !== undefined && { partitions }),
    replication,
    minInsyncReplicas,
    ...(dryRun !== undefined && { dryRun }),
  });
  for (const warning of report.warnings) cli.note(`WARNING ${warning}`);
  if (cli.json()) cli.data({ log: url.text, topics: report.rows, warnings: report.warnings });
  else for (const row of report.rows) cli.say(`${pad(row.status, 13)} ${pad(row.topic, 12)} ${row.detail}`);
}
