import { Command, CommanderError } from "commander";
import { versionOf } from "../version.ts";
import { batch } from "./commands/batch.ts";
import { batches } from "./commands/batches.ts";
import { decide } from "./commands/decide.ts";
import { doctor } from "./commands/doctor.ts";
import { exportCommand } from "./commands/export.ts";
import { halt, lift } from "./commands/halt.ts";
import { importCommand } from "./commands/import.ts";
import { insights } from "./commands/insights.ts";
import { keys } from "./commands/keys.ts";
import { notifications } from "./commands/notifications.ts";
import { notify } from "./commands/notify.ts";
import { outcome } from "./commands/outcome.ts";
import { policy } from "./commands/policy.ts";
import { propose } from "./commands/propose.ts";
import { queue } from "./commands/queue.ts";
import { rebuild } from "./commands/rebuild.ts";
import { receipt } from "./commands/receipt.ts";
import { record } from "./commands/record.ts";
import { schemas } from "./commands/schemas.ts";
import { show } from "./commands/show.ts";
import { standing } from "./commands/standing.ts";
import { stats } from "./commands/stats.ts";
import { tail } from "./commands/tail.ts";
import { topics } from "./commands/topics.ts";
import { up } from "./commands/up.ts";
import { type Cli, cliOf, type Io } from "./io.ts";
import { report } from "./problem.ts";

/** The commands, in the order of the help. */
export const COMMANDS: readonly ((cli: Cli) => Command)[] = [
  up,
  propose,
  queue,
  show,
  record,
  decide,
  batches,
  batch,
  outcome,
  receipt,
  halt,
  lift,
  standing,
  tail,
  importCommand,
  exportCommand,
  insights,
  stats,
  policy,
  notifications,
  notify,
  rebuild,
  topics,
  schemas,
  keys,
  doctor,
];

/** The whole command line. */
export function programOf(cli: Cli): Command {
  const program = new Command("countersign")
    .description("The event-sourced approval ledger for AI agents.")
    .version(versionOf(), "-V, --version", "print the version")
    .option("--json", "one JSON object on stdout, lists as JSON Lines, errors as RFC 9457 on stderr")
    .helpOption("-h, --help", "show help");
  for (const make of COMMANDS) program.addCommand(make(cli));
  settle(program, program, cli);
  return program;
}

/** Every command reports through us: errors are thrown, and nothing is written around the io. */
function settle(command: Command, program: Command, cli: Cli): void {
  command.exitOverride((error) => {
    throw error;
  });
  if (command !== program) command.configureHelp({ showGlobalOptions: true, visibleGlobalOptions: () => program.options.filter((o) => o.long === "--json") });
  command.configureOutput({
    writeOut: (text) => cli.io.out.write(text),
    writeErr: (text) => cli.io.err.write(text),
    // The error is thrown as well, and told once, by `report`.
    outputError: () => {},
    getOutHelpWidth: () => cli.width,
    getErrHelpWidth: () => cli.width,
  });
  for (const inner of command.commands) settle(inner, program, cli);
}

/** Runs one command line and gives its exit code. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code = 0;
  // Needed before the arguments are parsed: usage errors obey it too.
  const json = argv.includes("--json");
  const cli = cliOf(
    io,
    () => json,
    (c) => {
      code = c;
    },
  );
  try {
    const program = programOf(cli);
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return report(cli, error);
  }
}
