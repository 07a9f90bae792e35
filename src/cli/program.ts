import { Command, CommanderError } from "commander";
import { versionOf } from "../version.ts";
import { type Cli, cliOf, type Io } from "./io.ts";
import { report } from "./problem.ts";

/** The commands, in the order of the help. Only those that are needed are loaded: it is what most command lines spend their time on. */
const COMMANDS: Readonly<Record<string, () => Promise<(cli: Cli) => Command>>> = {
  up: async () => (await import("./commands/up.ts")).up,
  propose: async () => (await import("./commands/propose.ts")).propose,
  queue: async () => (await import("./commands/queue.ts")).queue,
  show: async () => (await import("./commands/show.ts")).show,
  record: async () => (await import("./commands/record.ts")).record,
  decide: async () => (await import("./commands/decide.ts")).decide,
  batches: async () => (await import("./commands/batches.ts")).batches,
  batch: async () => (await import("./commands/batch.ts")).batch,
  outcome: async () => (await import("./commands/outcome.ts")).outcome,
  receipt: async () => (await import("./commands/receipt.ts")).receipt,
  halt: async () => (await import("./commands/halt.ts")).halt,
  lift: async () => (await import("./commands/halt.ts")).lift,
  standing: async () => (await import("./commands/standing.ts")).standing,
  tail: async () => (await import("./commands/tail.ts")).tail,
  import: async () => (await import("./commands/import.ts")).importCommand,
  export: async () => (await import("./commands/export.ts")).exportCommand,
  insights: async () => (await import("./commands/insights.ts")).insights,
  stats: async () => (await import("./commands/stats.ts")).stats,
  policy: async () => (await import("./commands/policy.ts")).policy,
  notifications: async () => (await import("./commands/notifications.ts")).notifications,
  notify: async () => (await import("./commands/notify.ts")).notify,
  rebuild: async () => (await import("./commands/rebuild.ts")).rebuild,
  topics: async () => (await import("./commands/topics.ts")).topics,
  schemas: async () => (await import("./commands/schemas.ts")).schemas,
  keys: async () => (await import("./commands/keys.ts")).keys,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
};

/** The whole command line. With arguments that name a command, only that one is in it. */
export async function programOf(cli: Cli, argv: readonly string[] = []): Promise<Command> {
  const program = new Command("countersign")
    .description("The event-sourced approval ledger for AI agents.")
    .version(versionOf(), "-V, --version", "print the version")
    .option("--json", "one JSON object on stdout, lists as JSON Lines, errors as RFC 9457 on stderr")
    .helpOption("-h, --help", "show help");
  const named = argv.find((word) => !word.startsWith("-")) ?? "";
  const needed = Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
  for (const make of await Promise.all(needed.map((name) => COMMANDS[name]!()))) program.addCommand(make(cli));
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
    const program = await programOf(cli, argv);
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
