import { Command } from "commander";
import type { Cli } from "../io.ts";
import { backtest } from "./policy/backtest.ts";
import { diff } from "./policy/diff.ts";
import { explain } from "./policy/explain.ts";
import { init } from "./policy/init.ts";
import { lint } from "./policy/lint.ts";
import { publish } from "./policy/publish.ts";
import { recheck } from "./policy/recheck.ts";
import { test } from "./policy/test.ts";

/** The subcommands, in the order of the help. */
const SUBCOMMANDS: readonly ((cli: Cli) => Command)[] = [init, lint, test, diff, backtest, explain, publish, recheck];

/** `countersign policy …`: write, check, compare and publish policy documents. */
export function policy(cli: Cli): Command {
  const command = new Command("policy")
    .summary("write, check, compare and publish policy documents")
    .description("Policy documents: checks, tests, comparisons, and what they would have meant.");
  for (const make of SUBCOMMANDS) command.addCommand(make(cli));
  return command;
}
