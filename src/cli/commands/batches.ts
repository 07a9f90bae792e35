import { Command } from "commander";
import type { BatchesAnswer } from "../../producers/wire/batches.ts";
import { examples, intArgument } from "../args.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { renderBatches } from "../render/batch.ts";

interface Options {
  limit: number;
  owner?: string;
  mine?: boolean;
  all?: boolean;
}

/** `countersign batches`: what waits in batches. */
export function batches(cli: Cli): Command {
  return new Command("batches")
    .summary("medium risk, gathered in batches (reviewer key)")
    .description("Shows the sealed batches of which a member still waits, newest first: each is one thing to look at.")
    .option("-n, --limit <n>", "show at most so many", intArgument(1, 100), 20)
    .option("--owner <owner>", "only what this owner decides, such as role:support-lead")
    .option("--mine", "only what your roles may decide")
    .option("--all", "those as well of which nothing waits any more")
    .addHelpText("after", examples("batches", "batches --mine", "batches --all --json | jq -r .batchId"))
    .action(async ({ limit, owner, mine, all }: Options) => {
      const query = new URLSearchParams({ limit: String(limit) });
      if (owner !== undefined) query.set("owner", owner);
      if (mine === true) query.set("mine", "true");
      if (all === true) query.set("all", "true");
      const page = await apiOf(cli.io).call<BatchesAnswer>("GET", `/v1/batches?${query}`);
      if (cli.json()) for (const one of page.batches) cli.data(one);
      else cli.say(renderBatches(page.batches, { width: cli.width, now: cli.io.now(), colors: cli.colors }, page.next !== null));
    });
}
