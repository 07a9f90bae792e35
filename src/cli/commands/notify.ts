import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import { examples, listArgument } from "../args.ts";
import { EXIT } from "../exit.ts";
import type { Cli } from "../io.ts";
import { oneLine } from "../text.ts";

interface TestOptions {
  notify: string;
  channel?: string[];
}

/** `countersign notify`: the channels by which owners are told. */
export function notify(cli: Cli): Command {
  const test = new Command("test")
    .description(
      "Checks the file, sends one harmless test notice to every channel and prints what came back. A pager gets an incident that is resolved at once.\nExit code: 0 all took it, 1 one did not.",
    )
    .requiredOption("--notify <file>", "the file that `up --notify` gets")
    .option("--channel <names>", "only these channels, separated by commas", listArgument)
    .addHelpText("after", examples("notify test --notify notify.yaml", "notify test --notify notify.yaml --channel oncall --json"))
    .action((options: TestOptions) => runTest(cli, options));
  return new Command("notify")
    .summary("try out the channels of a --notify file")
    .description("The channels by which owners are told what waits.")
    .addCommand(test);
}

async function runTest(cli: Cli, { notify: file, channel: only }: TestOptions): Promise<void> {
  const [{ readNotifying }, { sendTest }] = await Promise.all([import("../up/notifying.ts"), import("../../notify/send-test.ts")]);
  const { channels, config } = await readNotifying(cli, file);
  const unknown = only?.find((name) => !channels.has(name));
  if (unknown !== undefined)
    throw new CountersignError("usage", `${file} has no channel ${JSON.stringify(unknown)}`, {
      field: "--channel",
      value: unknown,
      fix: `name one of ${[...channels.keys()].join(", ")}`,
    });
  const chosen = [...channels.values()].filter(({ name }) => only === undefined || only.includes(name));
  let failed = 0;
  for (const channel of chosen) {
    cli.progress(`${channel.name}: waiting for an answer`);
    const result = await sendTest(channel, config.link, cli.io.now());
    if (!result.ok) failed++;
    if (cli.json()) cli.data({ channel: channel.name, type: channel.type, ...result });
    else
      cli.say(`${result.ok ? cli.colors.green("took it") : cli.colors.red("failed ")}  ${oneLine(channel.name)} (${channel.type}): ${oneLine(result.answer)}`);
  }
  cli.progress(null);
  cli.exit(failed === 0 ? EXIT.done : EXIT.fault);
}
