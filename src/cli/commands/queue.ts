import { Command, Option } from "commander";
import { OUTCOMES, STAGES } from "../../ledger/stages.ts";
import type { ListAnswer } from "../../producers/wire/answers.ts";
import { examples, intArgument } from "../args.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { renderQueue } from "../render/queue.ts";

interface Options {
  limit: number;
  owner?: string;
  mine?: boolean;
  all?: boolean;
  stage?: string;
  outcome?: string;
}

/** `countersign queue`: what waits, most urgent first. */
export function queue(cli: Cli): Command {
  return new Command("queue")
    .summary("what waits for a decision, most urgent first")
    .description("Shows what waits for a decision: the sentence, why, owner, time left and what may be decided.")
    .option("-n, --limit <n>", "show at most so many", intArgument(1, 200), 20)
    .option("--owner <owner>", "only what this owner decides, such as role:support-lead")
    .option("--mine", "only what your roles may decide")
    .option("--all", "every item, newest first, not only what waits")
    .addOption(new Option("--stage <stage>", "every item in this stage").choices(STAGES.filter((stage) => stage !== "unproposed")))
    .addOption(new Option("--outcome <outcome>", "done items that ended so").choices(OUTCOMES))
    .addHelpText("after", examples("queue", "queue --mine --limit 5", "queue --stage in_doubt", "queue --json | jq -r .itemId"))
    .action(async (options: Options) => {
      const api = apiOf(cli.io);
      const query = new URLSearchParams({ limit: String(options.limit) });
      if (options.owner !== undefined) query.set("owner", options.owner);
      if (options.mine === true) query.set("mine", "true");
      if (options.stage !== undefined) query.set("stage", options.stage);
      if (options.outcome !== undefined) query.set("outcome", options.outcome);
      if (options.all !== true && options.stage === undefined && options.outcome === undefined) query.set("queue", "true");
      const page = await api.call<ListAnswer>("GET", `/v1/items?${query}`);
      if (cli.json()) {
        for (const item of page.items) cli.data(item);
        return;
      }
      cli.say(renderQueue(page.items, { width: cli.width, now: cli.io.now(), colors: cli.colors }, page.next !== null));
    });
}
