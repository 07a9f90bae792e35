import { Command } from "commander";
import { examples, intArgument, moreArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import type { UpOptions } from "../up/run.ts";
import { where } from "../where.ts";

/** `countersign up`: everything in one process. */
export function up(cli: Cli): Command {
  const command = new Command("up")
    .summary("run everything: views, workers, HTTP API")
    .description(
      "Runs everything in one process: folds the log into the views, judges, grants and keeps deadlines, and answers over HTTP. SIGINT or SIGTERM ends it.",
    )
    .option("-p, --port <n>", "port of the HTTP API; 0 takes a free one", intArgument(0, 65_535), 4680)
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--policy <file...>", "publish these policy documents where they have changed", moreArgument)
    .option("--notify <file>", "tell owners what waits, as this file says: Slack, email, webhooks, paging (see docs/notifications.md)")
    .option("--demo", "embedded log, sample policies, keys that are printed, and a demo agent that keeps proposing")
    .addHelpText(
      "after",
      examples(
        "up --demo",
        "up --policy policies/*.yaml --notify notify.yaml",
        `up --log "kafka://localhost:9092?registry=http://localhost:8081" --data ./data`,
      ),
    );
  return where(command).action(async (options: UpOptions) => {
    const { runUp } = await import("../up/run.ts");
    await runUp(cli, options);
  });
}
